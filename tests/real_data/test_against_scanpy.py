"""Analyses of a store, read lazily in many blocks, against scanpy on the files themselves.

Scanpy works on float64 here, so that differences are those of the method. Log-normalized values of ours are float32. The largest
differences met are written beside each comparison.
"""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp

from chemores_dask.gene_sets import GeneSets
from chemores_dask.scores.module_score import module_score
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import GenePatterns, quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells

ROWS_PER_BLOCK = 37
SEED = 5


@pytest.fixture(scope="module")
def ours(mixology):
    """The cells of the store by the two protocols of three lines, lazily, in blocks of a few rows."""
    cells = open_cells(mixology.store, rows_per_block=ROWS_PER_BLOCK)
    return cells[cells.obs["sample"].isin(["celseq2", "dropseq"]).to_numpy()]


@pytest.fixture(scope="module")
def theirs(mixology, ours):
    """The same cells put together from the files by anndata; genes in the order of the store."""
    parts = {name: mixology.sources[name] for name in ("celseq2", "dropseq")}
    whole = anndata.concat(parts, join="outer", fill_value=0, index_unique=None, label="sample")
    whole = anndata.AnnData(
        sp.csr_matrix(whole.X, dtype=np.float64), obs=whole.obs[["sample"]], var=pd.DataFrame(index=whole.var_names)
    )
    missing = ours.var_names.difference(whole.var_names)
    empty = anndata.AnnData(
        sp.csr_matrix((whole.n_obs, len(missing))), obs=whole.obs[[]], var=pd.DataFrame(index=missing)
    )
    whole = anndata.concat([whole, empty], axis=1, merge="first")[:, ours.var_names].copy()
    whole.X.sort_indices()
    return whole


@pytest.fixture(scope="module")
def theirs_normalized(theirs):
    normalized = theirs.copy()
    scanpy.pp.normalize_total(normalized, target_sum=1e4)
    scanpy.pp.log1p(normalized)
    return normalized


@pytest.fixture(scope="module")
def ours_normalized(ours):
    return log_normalize(ours)


def test_cells__stay_lazy_and_in_blocks(ours, theirs):
    assert ours.X.numblocks[0] > 10
    assert ours.obs["sample"].tolist() == theirs.obs["sample"].tolist()
    assert (ours.X.compute() != theirs.X).nnz == 0


def test_quality__equals_scanpy(ours, theirs):
    # Totals are the same; shares differ by 6e-17. Genes have Ensembl identifiers only, so two groups are made of those.
    some, others = r"^ENSG000001[0-4]", r"^ENSG0000016"
    found = quality(ours, patterns=GenePatterns(mitochondrial=some, ribosomal=others))
    genes = theirs.var_names
    groups = {"some": genes.str.match(some), "others": genes.str.match(others), "added": genes.str.match("ERCC-")}
    theirs = anndata.AnnData(theirs.X, obs=theirs.obs, var=pd.DataFrame(groups, index=genes))
    cells, of_genes = scanpy.pp.calculate_qc_metrics(theirs, qc_vars=list(groups), percent_top=None, log1p=False)
    np.testing.assert_array_equal(found["cell_total"], cells["total_counts"])
    np.testing.assert_array_equal(found["cell_detected_genes"], cells["n_genes_by_counts"])
    np.testing.assert_array_equal(found["gene_total"], of_genes["total_counts"])
    np.testing.assert_array_equal(found["gene_detected_cells"], of_genes["n_cells_by_counts"])
    np.testing.assert_allclose(found["cell_mitochondrial_share"], cells["pct_counts_some"] / 100, atol=1e-12)
    np.testing.assert_allclose(found["cell_ribosomal_share"], cells["pct_counts_others"] / 100, atol=1e-12)
    np.testing.assert_allclose(found["cell_spike_in_share"], cells["pct_counts_added"] / 100, atol=1e-12)
    # Spike-ins went into the plates of one protocol only.
    with_spike_ins = ours.obs["sample"].to_numpy()[found["cell_spike_in_share"].values > 0]
    assert set(with_spike_ins) == {"celseq2"}


def test_log_normalize__equals_scanpy(ours_normalized, theirs_normalized):
    # Differences: 6e-8 of a value.
    found = ours_normalized.X.compute()
    np.testing.assert_array_equal(found.indices, theirs_normalized.X.indices)
    np.testing.assert_allclose(found.data, theirs_normalized.X.data, rtol=1e-7)


def test_variable_genes__seurat_equals_scanpy(ours_normalized, theirs_normalized):
    # The same genes are chosen; z scores differ by 7e-7.
    found = variable_genes(ours_normalized, method="seurat", genes=2000)
    expected = scanpy.pp.highly_variable_genes(theirs_normalized, flavor="seurat", n_top_genes=2000, inplace=False)
    np.testing.assert_allclose(found["gene_dispersion_normalized"], expected["dispersions_norm"], atol=5e-6)
    np.testing.assert_array_equal(found["gene_variable"], expected["highly_variable"])


def test_variable_genes__seurat_v3_equals_scanpy(ours, theirs):
    # The same genes are chosen; normalized variances differ by 2e-15 of their size.
    found = variable_genes(ours, method="seurat_v3", genes=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        expected = scanpy.pp.highly_variable_genes(theirs, flavor="seurat_v3", n_top_genes=2000, inplace=False)
    np.testing.assert_allclose(found["gene_mean"], expected["means"], rtol=1e-12)
    np.testing.assert_allclose(found["gene_variance"], expected["variances"], rtol=1e-12)
    np.testing.assert_allclose(found["gene_variance_normalized"], expected["variances_norm"], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found["gene_variable"], expected["highly_variable"])


def test_pca__equals_scanpy_up_to_sign(ours_normalized, theirs_normalized):
    # Scores (up to 14) differ by 4e-7, loadings by 2e-8, variances by 6e-9 of their size.
    genes = variable_genes(ours_normalized, method="seurat", genes=1000)["gene_variable"].values
    found = pca(ours_normalized, components=15, genes=genes)
    expected = theirs_normalized[:, genes].copy()
    scanpy.pp.pca(expected, n_comps=15, svd_solver="arpack", dtype="float64")
    scores, reference = found["pca_scores"].values, expected.obsm["X_pca"]
    signs = np.sign((scores * reference).sum(axis=0))
    np.testing.assert_allclose(scores, reference * signs, atol=5e-6)
    np.testing.assert_allclose(found["pca_loadings"], expected.varm["PCs"] * signs, atol=5e-7)
    np.testing.assert_allclose(found["pca_variance"], expected.uns["pca"]["variance"], rtol=1e-7)
    np.testing.assert_allclose(found["pca_variance_ratio"], expected.uns["pca"]["variance_ratio"], rtol=1e-7)


def test_module_score__equals_scanpy(ours_normalized, theirs_normalized):
    # The controls are the same; scores differ by 3e-8.
    generator = np.random.default_rng(11)
    seen = theirs_normalized.var_names[np.asarray(theirs_normalized.X.sum(axis=0)).ravel() > 0]
    sets = {f"set{size}": [str(gene) for gene in generator.choice(seen, size, replace=False)] for size in (5, 17, 120)}
    found = module_score(ours_normalized, GeneSets.from_mapping(sets), method="scanpy", seed=SEED)
    for name, genes in sets.items():
        scanpy.tl.score_genes(theirs_normalized, genes, score_name=name, random_state=SEED, use_raw=False)
        np.testing.assert_allclose(found["cell_score"].sel(gene_set=name), theirs_normalized.obs[name], atol=1e-7)
