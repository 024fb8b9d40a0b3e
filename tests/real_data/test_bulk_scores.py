"""Scores of the bulk T-ALL cohort and of lung-cancer lines: against gseapy and scipy, and against each other."""

from __future__ import annotations

import anndata
import gseapy
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr
from scipy.stats import rankdata, spearmanr

from chemores_dask.errors import GeneMismatchError, MissingGenesWarning
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.ingest.gmt_file import read_gmt
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.score_agreement import score_agreement
from chemores_dask.scores.singscore import singscore
from chemores_dask.scores.ssgsea import ssgsea
from chemores_dask.scores.weighted_score import weighted_score


@pytest.fixture(scope="module")
def leukemia(cohorts):
    """264 children, 417 genes, log2."""
    table = pd.read_csv(cohorts / "GRIN2_TALL_expr_417x264.csv.gz", index_col="gene").drop(columns="Unnamed: 0")
    symbols = pd.read_csv(cohorts / "GRIN2_gene_annotation_417.csv.gz", index_col="gene")["gene.name"].fillna("")
    table.index = [symbols.get(gene, "") or gene for gene in table.index]
    table = table[~table.index.duplicated()]
    coords = {"gene": table.index.to_numpy(), "patient": table.columns.to_numpy()}
    return xr.Dataset({"expression": (("gene", "patient"), table.to_numpy())}, coords=coords)


@pytest.fixture(scope="module")
def hallmarks(reference_folder, leukemia):
    """Hallmark sets with six genes or more on the panel, restricted to it."""
    folder = reference_folder / "data" / "genesets" / "andygxzeng+AMLHierarchies"
    known = set(leukemia["gene"].values)
    sets = {s.name: [gene for gene in s.up if gene in known] for s in read_gmt(folder / "h.all.v7.0.symbols.gmt")}
    return GeneSets.from_mapping({name: genes for name, genes in sets.items() if len(genes) >= 6})


@pytest.fixture(scope="module")
def stemness(reference_folder):
    """The weights behind mRNAsi: 12,956 genes of pluripotent stem cells, half of them below 0."""
    table = pd.read_csv(reference_folder / "data" / "genesets" / "converted" / "PCBC_stemSig_SC.csv.gz")
    return GeneSets((GeneSet.from_weights("mRNAsi", dict(zip(table["gene"], table["weight"], strict=True))),))


@pytest.fixture(scope="module")
def lines(singlecell):
    """274 cells of three lines, raw counts, with symbols where they are known."""
    path = singlecell / "converted" / "sc_mixology_sc_celseq2.h5ad"
    return anndata.read_h5ad(path)


def test_ssgsea__equals_gseapy_on_a_real_cohort(leukemia, hallmarks):
    assert len(hallmarks) >= 5
    table = leukemia["expression"].to_pandas()
    theirs = gseapy.ssgsea(
        data=table,
        gene_sets={gene_set.name: list(gene_set.up) for gene_set in hallmarks},
        outdir=None,
        sample_norm_method="rank",
        weight=0.25,
        min_size=1,
        max_size=1000,
        permutation_num=0,
        no_plot=True,
        threads=1,
    ).res2d.pivot_table(index="Name", columns="Term", values="ES", aggfunc="first")
    ours = ssgsea(leukemia, hallmarks)["patient_score"].to_pandas()
    theirs = theirs.loc[ours.index, ours.columns].astype(float)
    # Ties of two values at three digits are broken by the order of genes there: a rank or two among 417.
    tied = (table.nunique() < len(table)).to_numpy()
    np.testing.assert_allclose(ours[~tied], theirs[~tied], rtol=0, atol=1e-9)
    assert np.abs(ours - theirs).to_numpy().max() < 3
    assert min(spearmanr(ours[name], theirs[name]).statistic for name in hallmarks.names) > 0.999


def test_singscore__follows_its_definition_on_a_real_cohort(leukemia, hallmarks):
    table = leukemia["expression"].transpose("patient", "gene").to_pandas()
    ranks = pd.DataFrame(rankdata(table, axis=1, method="min"), index=table.index, columns=table.columns)
    found = singscore(leukemia, hallmarks)["patient_score"].to_pandas()
    for gene_set in hallmarks:
        size, genes = len(gene_set.up), table.shape[1]
        least, greatest = (size + 1) / 2, (2 * genes - size + 1) / 2
        expected = (ranks[list(gene_set.up)].mean(axis=1) - least) / (greatest - least) - 0.5
        np.testing.assert_allclose(found[gene_set.name], expected, rtol=0, atol=1e-12)


def test_scores__of_a_real_cohort_agree_across_methods(leukemia, hallmarks):
    results = [method(leukemia, hallmarks) for method in (mean_zscore, ssgsea, singscore)]
    found = score_agreement(results, seed=1)
    ranked = found["agreement_correlation"].sel(score="ssgsea", score_other="singscore")
    assert ranked.min() > 0.8
    # Against the cohort's own means, a gene that is high in everybody counts as much as any other.
    assert found["agreement_correlation"].sel(score="mean_zscore", score_other="ssgsea").median() > 0.5
    assert found.attrs["compared"] == 264


def test_weighted_score__refuses_a_stemness_index_of_417_genes(leukemia, stemness):
    with pytest.raises(GeneMismatchError, match=r"at least 50% of the absolute weight of 'mRNAsi'"):
        weighted_score(leukemia, stemness, method="rank_correlation")
    with pytest.warns(MissingGenesWarning, match="mRNAsi"):
        found = weighted_score(leukemia, stemness, method="rank_correlation", minimum_share=0.01)
    known = set(leukemia["gene"].values)
    genes = [gene for gene in stemness["mRNAsi"].weights if gene in known]
    table = leukemia["expression"].sel(gene=genes).transpose("patient", "gene").values
    weights = [stemness["mRNAsi"].weights[gene] for gene in genes]
    expected = [spearmanr(row, weights).statistic for row in table]
    np.testing.assert_allclose(found["patient_score"][:, 0], expected, rtol=0, atol=1e-12)
    assert found["score_genes"].item() == len(genes)


def test_weighted_score__correlates_real_cells_as_scipy_does(lines, stemness, reference_folder):
    folder = reference_folder / "data" / "genesets" / "debian"
    table = pd.read_csv(folder / "org_hs_entrez_symbol_ensembl.csv.gz").dropna()
    column = next(name for name in table.columns if table[name].astype(str).str.startswith("ENSG").any())
    symbol = next(name for name in table.columns if "symbol" in name.lower())
    symbols = dict(zip(table[column], table[symbol], strict=True))
    names = pd.Index([symbols.get(gene, gene) for gene in lines.var_names])
    kept = ~names.duplicated()
    cells = anndata.AnnData(
        sp.csr_matrix(lines.X)[:, kept], obs=lines.obs[[]].copy(), var=pd.DataFrame(index=names[kept])
    )
    with pytest.warns(MissingGenesWarning, match="mRNAsi"):
        found = weighted_score(cells, stemness, method="rank_correlation")
    assert found["weighted_share"].item() > 0.8
    known = set(cells.var_names)
    genes = [gene for gene in stemness["mRNAsi"].weights if gene in known]
    dense = cells[:, genes].X.toarray()
    weights = [stemness["mRNAsi"].weights[gene] for gene in genes]
    expected = [spearmanr(row, weights).statistic for row in dense]
    np.testing.assert_allclose(found["cell_score"][:, 0], expected, rtol=0, atol=1e-12)
