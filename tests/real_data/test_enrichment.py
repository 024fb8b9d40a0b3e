"""Enrichment on real gene sets: a drug in glioblastoma by patients, survival in leukemia, thousands of sets against gseapy."""

from __future__ import annotations

import warnings

import gseapy
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.enrichment.camera import camera_enrichment
from chemores_dask.cohort.enrichment.enrichment_replication import enrichment_replication
from chemores_dask.cohort.enrichment.gene_ranking import ranking_of
from chemores_dask.cohort.enrichment.gene_selection import gene_selection
from chemores_dask.cohort.enrichment.leading_edge import leading_edge
from chemores_dask.cohort.enrichment.over_representation import over_representation
from chemores_dask.cohort.enrichment.prerank import prerank_enrichment
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.ingest.gmt_file import read_gmt
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.store.cells import open_cells


@pytest.fixture(scope="module")
def hallmarks(reference_folder):
    return read_gmt(reference_folder / "data" / "genesets" / "andygxzeng+AMLHierarchies" / "h.all.v7.0.symbols.gmt")


@pytest.fixture(scope="module")
def processes(reference_folder):
    return read_gmt(reference_folder / "data" / "genesets" / "debian" / "GO_BP_human_10_500.gmt.gz")


@pytest.fixture(scope="module")
def panobinostat(glioblastoma):
    """Genes of five patients, each with and without the drug."""
    sums = pseudobulk(cohort_cube(open_cells(glioblastoma.store), sample="sample"))
    return differential_expression(sums, formula="~ patient + stage", contrast="stage[T.panobinostat]")


@pytest.fixture(scope="module")
def survival(cohorts):
    """Cox models of event-free survival of 261 children, one for each of 417 genes."""
    table = pd.read_csv(cohorts / "GRIN2_TALL_expr_417x264.csv.gz", index_col="gene").drop(columns="Unnamed: 0")
    symbols = pd.read_csv(cohorts / "GRIN2_gene_annotation_417.csv.gz", index_col="gene")["gene.name"].fillna("")
    table.index = [symbols.get(gene, "") or gene for gene in table.index]
    table = table[~table.index.duplicated()]
    clinical = pd.read_csv(cohorts / "GRIN2_TALL_clin.csv.gz", index_col="ID").dropna(subset=["efs.time"])
    table = table.loc[:, table.columns.isin(clinical.index)]
    clinical = clinical.loc[table.columns]
    patients = xr.Dataset(
        {
            "expression": (("gene", "patient"), table.to_numpy()),
            "years": ("patient", clinical["efs.time"].to_numpy()),
            "event": ("patient", clinical["efs.censor"].to_numpy() == 1),
        },
        coords={"gene": table.index.to_numpy(), "patient": table.columns.to_numpy()},
    )
    return cox_scan(patients, duration="years", event="event")


def test_prerank_enrichment__of_few_genes_says_what_was_measured(panobinostat, processes):
    ranking = ranking_of(panobinostat, by="statistic")
    result = prerank_enrichment(ranking, processes, statistic="ranking_value", minimum_size=10, seed=7)
    tested = result["prerank_status"].values == 0
    assert 20 < tested.sum() < 2000
    assert (result["prerank_genes"].values[tested] >= 10).all()
    assert int(result["prerank_patients"]) == 5
    assert int(result["prerank_ranked_genes"]) <= 300
    assert np.isfinite(result["prerank_normalized_score"].values[tested]).all()
    named = str(result["gene_set"].values[np.nanargmin(result["prerank_p_value"].values)])
    assert set(leading_edge(result, gene_set=named)) <= set(processes[named].up)


def test_over_representation__is_held_against_the_tested_genes(panobinostat, processes):
    chosen = gene_selection(panobinostat, effect="differential_log_fold_change", q_value="differential_q_value")
    result = over_representation(
        chosen, processes, chosen="selection_changed", background="selection_tested", minimum_size=10
    )
    assert int(result["ora_tested_genes"]) == int(chosen["selection_tested_genes"]) <= 300
    assert int(result["ora_patients"]) == 5
    tested = result["ora_status"].values == 0
    assert (result["ora_p_value"].values[tested] >= result["ora_minimum_p_value"].values[tested] * (1 - 1e-9)).all()


def test_prerank_enrichment__ranks_by_survival_in_a_cohort(survival, processes):
    ranking = ranking_of(survival, by="statistic")
    result = prerank_enrichment(ranking, processes, statistic="ranking_value", minimum_size=15, seed=7)
    assert int(result["prerank_patients"]) == 261
    assert int(result["prerank_ranked_genes"]) == int((survival["cox_status"] == 0).sum())
    tested = result["prerank_status"].values == 0
    assert tested.sum() > 20
    # Sets with a high score hold genes whose hazard ratios are higher than those of the others.
    difference = camera_enrichment(ranking, processes, statistic="ranking_value", minimum_size=15)["camera_difference"]
    score = result["prerank_score"].values[tested]
    assert np.corrcoef(score, difference.values[tested])[0, 1] > 0.7


def test_prerank_enrichment__of_all_processes_equals_gseapy(processes):
    genes = sorted({gene for gene_set in processes for gene in gene_set.up})
    statistic = np.random.default_rng(3).normal(size=len(genes))
    table = xr.DataArray(statistic, dims="gene", coords={"gene": genes}, name="t")
    own = prerank_enrichment(table, processes, statistic="t", permutations=200, seed=7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = gseapy.prerank(
            rnk=pd.Series(statistic, index=genes).sort_values(ascending=False),
            gene_sets={gene_set.name: list(gene_set.up) for gene_set in processes},
            min_size=5, max_size=10_000, permutation_num=2, seed=3, threads=1, ascending=None, no_plot=True, outdir=None,
        ).res2d.set_index("Term")  # fmt: skip
    shared = own.sel(gene_set=list(other.index))
    assert len(other) == len(processes) == 6482
    np.testing.assert_allclose(shared["prerank_score"].values, other["ES"].astype(float), atol=1e-10)
    # Nothing happens to these genes: hardly a set is significant after correction.
    assert (own["prerank_q_value"].values < 0.05).sum() <= 5


def test_enrichment_replication__finds_what_two_rankings_share(hallmarks):
    genes = sorted({gene for gene_set in hallmarks for gene in gene_set.up})
    place = {gene: number for number, gene in enumerate(genes)}
    results = []
    for seed in (1, 2):
        statistic = np.random.default_rng(seed).normal(size=len(genes))
        statistic[[place[gene] for gene in hallmarks["HALLMARK_E2F_TARGETS"].up]] -= 1.0
        statistic[[place[gene] for gene in hallmarks["HALLMARK_TNFA_SIGNALING_VIA_NFKB"].up]] += 0.8
        table = xr.DataArray(statistic, dims="gene", coords={"gene": genes}, name="t")
        results.append(prerank_enrichment(table, hallmarks, statistic="t", seed=7))
        camera = camera_enrichment(table, hallmarks, statistic="t")
        assert float(camera["camera_q_value"].sel(gene_set="HALLMARK_E2F_TARGETS")) < 1e-6
    replication = enrichment_replication(*results)
    outcome = dict(zip(replication["gene_set"].values, replication["replication_outcome"].values, strict=True))
    assert outcome["HALLMARK_E2F_TARGETS"] == outcome["HALLMARK_TNFA_SIGNALING_VIA_NFKB"] == 3
    assert (replication["replication_p_value"].values < 0.05).all()
