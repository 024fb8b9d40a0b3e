"""Log-normalization: against scanpy and Seurat's definition."""

from __future__ import annotations

import warnings

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import CountsError, ParameterError
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.variable_genes import variable_genes


def example(cells=40, genes=25):
    dense = np.random.default_rng(2).negative_binomial(0.4, 0.02, size=(cells, genes)).astype(np.int32)
    dense[11] = 0
    return dense


def by_scanpy(counts, target_sum):
    cells = AnnData(sp.csr_matrix(counts, dtype=np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some cells have zero counts")
        sc.pp.normalize_total(cells, target_sum=target_sum)
    sc.pp.log1p(cells)
    return cells.X.toarray()


@pytest.mark.parametrize("target_sum", [1e4, 1e6, 1.0])
def test_log_normalize__equals_scanpy_on_small_data(target_sum):
    normalized = log_normalize(AnnData(example()), target_sum=target_sum)
    assert isinstance(normalized.X, da.Array)
    assert normalized.X.dtype == np.float32
    np.testing.assert_allclose(normalized.X.compute().toarray(), by_scanpy(example(), target_sum), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("file", ["sc_mixology_sc_celseq2.h5ad", "lemur_gbm_panobinostat.h5ad"])
def test_log_normalize__equals_scanpy_on_real_data(reference_folder, file):
    cells = ad.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / file)
    found = log_normalize(cells).X.compute().toarray()
    np.testing.assert_allclose(found, by_scanpy(cells.X, 1e4), rtol=2e-6, atol=1e-6)


def test_log_normalize__leaves_empty_cells_at_zero():
    assert log_normalize(AnnData(example())).X[11].compute().nnz == 0


@pytest.mark.parametrize("chunks", [(13, 0, 26, 1), (1,) * 40, (40, 0)])
def test_log_normalize__has_the_same_bits_for_any_blocks(chunks):
    whole = log_normalize(AnnData(example())).X.compute().toarray()
    rows = da.from_array(example(), chunks=(chunks, 25)).map_blocks(sp.csr_matrix)
    np.testing.assert_array_equal(log_normalize(AnnData(rows)).X.compute().toarray(), whole)


def test_log_normalize__carries_annotations_and_changes_nothing():
    cells = AnnData(
        sp.csr_matrix(example()), obs=pd.DataFrame({"sample": ["a"] * 40}, index=[f"c{i}" for i in range(40)])
    )
    cells.obsm["pca_scores"] = np.ones((40, 2))
    cells.uns["nonzeros_per_cell"] = 7.0
    before = cells.copy()
    normalized = log_normalize(cells)
    normalized.X.compute()
    normalized.obs["sample"] = "b"
    normalized.obsm["pca_scores"][:] = 0
    assert normalized.uns["nonzeros_per_cell"] == 7.0
    assert (cells.X != before.X).nnz == 0
    assert cells.obs.equals(before.obs)
    assert (cells.obsm["pca_scores"] == 1).all()
    assert "log1p" not in cells.uns


def test_log_normalize__is_known_to_scanpy_as_logarithms():
    normalized = log_normalize(AnnData(example(cells=80, genes=300))).to_memory()
    theirs = sc.pp.highly_variable_genes(normalized, flavor="seurat", n_top_genes=150, inplace=False)
    ours = variable_genes(normalized, method="seurat", genes=150)
    np.testing.assert_array_equal(ours["gene_variable"], theirs["highly_variable"])


@pytest.mark.parametrize("target_sum", [0.0, -1.0, np.nan, np.inf])
def test_log_normalize__refuses_a_target_that_is_no_total(target_sum):
    with pytest.raises(ParameterError, match="'target_sum'"):
        log_normalize(AnnData(example()), target_sum=target_sum)


def test_log_normalize__refuses_normalized_values_when_computed():
    twice = log_normalize(log_normalize(AnnData(example())))
    with pytest.raises(CountsError, match="pass raw counts"):
        twice.X.compute()


def test_log_normalize__takes_no_cells_and_one_cell():
    assert log_normalize(AnnData(example()[:0])).X.compute().shape == (0, 25)
    assert log_normalize(AnnData(example()[:1])).X.compute().shape == (1, 25)
