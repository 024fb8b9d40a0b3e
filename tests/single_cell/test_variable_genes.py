"""Variable genes: against scanpy, with its ties and its gaps."""

from __future__ import annotations

import importlib

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import CountsError, InputError, MissingVariableError, ParameterError
from chemores_dask.kernels import count_histograms
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.variable_genes import (
    METHODS,
    fits_one_pass,
    normalized_dispersion,
    variable_genes,
    variable_ranks,
)

variable_genes_module = importlib.import_module("chemores_dask.single_cell.variable_genes")

REAL = ["sc_mixology_sc_celseq2.h5ad", "sc_mixology_sc_dropseq.h5ad", "lemur_gbm_panobinostat.h5ad", "worm_l2.h5ad"]


def example(cells=150, genes=120, seed=0):
    random = np.random.default_rng(seed)
    mean = np.exp(random.normal(0, 1.2, genes))
    dense = random.poisson(random.gamma(1.5, mean / 1.5, size=(cells, genes))).astype(np.int32)
    dense[:, 0], dense[:, 1] = 0, 4
    obs = pd.DataFrame(
        {"batch": pd.Categorical(np.where(np.arange(cells) % 3, "x", "y"))}, index=[f"c{i}" for i in range(cells)]
    )
    return AnnData(sp.csr_matrix(dense), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(genes)]))


def scanpy_normalized(cells):
    normalized = AnnData(sp.csr_matrix(cells.X, dtype=np.float32), obs=cells.obs.copy(), var=cells.var[[]].copy())
    sc.pp.normalize_total(normalized, target_sum=1e4)
    sc.pp.log1p(normalized)
    return normalized


def assert_same_but_for_ties(ours, theirs, score):
    assert ours.sum() == theirs.sum()
    border = score[ours].min()
    # scanpy orders equal scores by chance; here the first gene wins.
    np.testing.assert_allclose(score[ours != theirs], border, rtol=1e-9)


@pytest.mark.parametrize("file", REAL)
def test_variable_genes__seurat_v3_equals_scanpy_on_real_data(reference_folder, file):
    cells = ad.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / file)
    number = min(2000, cells.n_vars // 3)
    ours = variable_genes(cells, method="seurat_v3", genes=number)
    theirs = sc.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=number, inplace=False)
    np.testing.assert_allclose(ours["gene_mean"], theirs["means"], rtol=1e-6)
    np.testing.assert_allclose(ours["gene_variance"], theirs["variances"], rtol=1e-6)
    np.testing.assert_allclose(ours["gene_variance_normalized"], theirs["variances_norm"], rtol=1e-6, atol=1e-9)
    assert_same_but_for_ties(
        ours["gene_variable"].values, theirs["highly_variable"].to_numpy(), ours["gene_variance_normalized"].values
    )


@pytest.mark.parametrize("batch", [None, "batch"])
@pytest.mark.parametrize("file", REAL)
def test_variable_genes__seurat_equals_scanpy_on_real_data(reference_folder, file, batch):
    cells = ad.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / file)
    cells.obs["batch"] = pd.Categorical(np.where(np.arange(cells.n_obs) % 2, "x", "y"))
    number = min(2000, cells.n_vars // 3)
    ours = variable_genes(log_normalize(cells), method="seurat", genes=number, batch=batch)
    theirs = sc.pp.highly_variable_genes(
        scanpy_normalized(cells), flavor="seurat", n_top_genes=number, batch_key=batch, inplace=False
    )
    np.testing.assert_array_equal(ours["gene_variable"], theirs["highly_variable"])
    np.testing.assert_allclose(ours["gene_dispersion_normalized"], theirs["dispersions_norm"], atol=5e-6)
    if batch is not None:
        np.testing.assert_array_equal(ours["gene_variable_batches"], theirs["highly_variable_nbatches"])


def test_variable_genes__seurat_v3_in_batches_equals_scanpy():
    cells = example()
    ours = variable_genes(cells, method="seurat_v3", genes=30, batch="batch")
    theirs = sc.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=30, batch_key="batch", inplace=False)
    np.testing.assert_array_equal(ours["gene_variable"], theirs["highly_variable"])
    # Releases of scanpy round the means of batches differently, which moves the trend where means are tied.
    np.testing.assert_allclose(ours["gene_variance_normalized"], theirs["variances_norm"], rtol=0.02, atol=1e-9)
    np.testing.assert_array_equal(np.isfinite(ours["gene_rank"]), np.isfinite(theirs["highly_variable_rank"]))


def test_variable_genes__seurat_v3_in_batches_is_the_mean_over_batches():
    cells = example()
    whole = variable_genes(cells, method="seurat_v3", genes=30, batch="batch")
    parts = [
        variable_genes(cells[cells.obs["batch"] == label].copy(), method="seurat_v3", genes=30)[
            "gene_variance_normalized"
        ]
        for label in ("x", "y")
    ]
    np.testing.assert_allclose(whole["gene_variance_normalized"], (parts[0] + parts[1]) / 2, rtol=1e-13)


def test_variable_genes__seurat_v3_works_in_batches_where_scanpy_gives_up(reference_folder):
    cells = ad.read_h5ad(reference_folder / "data" / "singlecell" / "converted" / REAL[0])
    cells.obs["batch"] = np.where(np.arange(cells.n_obs) % 2, "x", "y")
    with pytest.raises(ValueError, match="condition number"):
        sc.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=2000, batch_key="batch", inplace=False)
    ours = variable_genes(cells, method="seurat_v3", batch="batch")
    plain = variable_genes(cells, method="seurat_v3")
    assert ours["gene_variable"].sum() == 2000
    assert (ours["gene_variable"] & plain["gene_variable"]).sum() > 1200


def test_variable_genes__seurat_v3_has_the_same_bits_for_any_blocks():
    cells = example()
    whole = variable_genes(cells, method="seurat_v3", genes=30, batch="batch")
    for chunks in [(50, 0, 99, 1), (10,) * 15, (0, 150)]:
        rows = da.from_array(cells.X.toarray(), chunks=(chunks, 120)).map_blocks(sp.csr_matrix)
        cut = variable_genes(AnnData(rows, obs=cells.obs, var=cells.var), method="seurat_v3", genes=30, batch="batch")
        assert whole.identical(cut)


def test_variable_genes__seurat_does_not_depend_on_blocks():
    cells = example()
    whole = variable_genes(log_normalize(cells), method="seurat", genes=30, batch="batch")
    rows = da.from_array(cells.X.toarray(), chunks=((50, 0, 99, 1), 120)).map_blocks(sp.csr_matrix)
    cut = variable_genes(
        log_normalize(AnnData(rows, obs=cells.obs, var=cells.var)), method="seurat", genes=30, batch="batch"
    )
    for name in whole.data_vars:
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch", [None, "batch"])
def test_variable_genes__never_chooses_genes_that_do_not_vary(method, batch):
    cells = example()
    given = cells if method == "seurat_v3" else log_normalize(cells)
    result = variable_genes(given, method=method, genes=5000, batch=batch)
    assert not result["gene_variable"][0]
    assert result["gene_variable"][2:].all()
    assert np.isnan(result["gene_rank"][0])
    if method == "seurat_v3":
        assert not result["gene_variable"][1], "4 counts in every cell"
        assert result["gene_variance"][1] == 0


def test_variable_genes__chooses_as_many_as_asked():
    for genes in (1, 7, 100):
        result = variable_genes(example(), method="seurat_v3", genes=genes)
        assert result["gene_variable"].sum() == genes
        np.testing.assert_array_equal(np.sort(result["gene_rank"].values)[:genes], np.arange(genes))


def test_variable_genes__of_cells_without_counts_chooses_none():
    cells = AnnData(sp.csr_matrix((5, 4), dtype=np.float32))
    for method in METHODS:
        assert not variable_genes(cells, method=method, genes=2)["gene_variable"].any()


def test_variable_genes__refuses_counts_for_seurat_and_logarithms_for_seurat_v3():
    small = example()
    small.X.data = np.minimum(small.X.data, 5)
    with pytest.raises(InputError, match="whole numbers only; pass log_normalize"):
        variable_genes(small, method="seurat")
    large = example()
    large.X.data[0] = 500
    with pytest.raises(InputError, match="Found 500"):
        variable_genes(large, method="seurat")
    with pytest.raises(CountsError, match="pass raw counts"):
        variable_genes(log_normalize(small), method="seurat_v3")


def test_variable_genes__refuses_values_that_are_not_numbers():
    cells = example()
    cells.X = cells.X.astype(np.float64)
    cells.X.data[3] = np.nan
    with pytest.raises(InputError, match="Found nan"):
        variable_genes(cells, method="seurat")
    with pytest.raises(CountsError, match="Found nan"):
        variable_genes(cells, method="seurat_v3")


def test_variable_genes__refuses_wrong_parameters():
    cells = example()
    with pytest.raises(ParameterError, match="seurat, seurat_v3"):
        variable_genes(cells, method="cell_ranger")
    with pytest.raises(ParameterError, match="'genes'"):
        variable_genes(cells, method="seurat_v3", genes=0)
    with pytest.raises(MissingVariableError, match="plate"):
        variable_genes(cells, method="seurat_v3", batch="plate")


@pytest.mark.parametrize("number", [0, 1])
def test_variable_genes__refuses_fewer_than_two_cells(number):
    with pytest.raises(InputError, match="at least two cells"):
        variable_genes(example()[:number].copy(), method="seurat_v3")


def test_variable_genes__names_batches_that_are_too_small():
    cells = example()
    cells.obs["batch"] = ["alone", *["rest"] * 149]
    with pytest.raises(InputError, match=r"alone \(1\)"):
        variable_genes(cells, method="seurat_v3", batch="batch")


def test_variable_ranks__give_ties_to_the_first():
    ranks = variable_ranks(np.array([[1.0, 3.0, np.nan, 3.0, 2.0]]), genes=3)
    np.testing.assert_array_equal(ranks, [[np.nan, 0, np.nan, 1, 2]])


def test_normalized_dispersion__of_a_gene_alone_in_its_bin_is_one():
    score = normalized_dispersion(np.array([1.0, 1.01, 500.0]), np.array([2.0, 3.0, 800.0]), used=None)
    assert score[2] == 1.0
    np.testing.assert_allclose(score[:2], [-np.sqrt(0.5), np.sqrt(0.5)])


# --- one pass or two ---------------------------------------------------------------------------------------------------------


def full_length(cells=80, genes=60, seed=1):
    """Counts in the thousands, as of full-length libraries."""
    random = np.random.default_rng(seed)
    mean = np.exp(random.normal(5, 2.0, genes))
    dense = random.poisson(random.gamma(0.5, mean / 0.5, size=(cells, genes)))
    obs = pd.DataFrame({"batch": np.where(np.arange(cells) % 3, "x", "y")}, index=[f"c{i}" for i in range(cells)])
    return AnnData(sp.csr_matrix(dense.astype(np.int32)), obs=obs)


def passes_of(call):
    read = []

    def note(block):
        read.append(block.shape[0])
        return block

    return lambda cells: (call(lazy(cells, note)), sum(read) / cells.n_obs)


def lazy(cells, note, chunks=30):
    rows = da.from_array(cells.X.toarray(), chunks=(chunks, cells.n_vars)).map_blocks(
        lambda block: note(sp.csr_matrix(block)), dtype=np.int32, meta=sp.csr_matrix((0, cells.n_vars), dtype=np.int32)
    )
    return AnnData(rows, obs=cells.obs, var=cells.var)


def in_two_passes(monkeypatch):
    monkeypatch.setattr(variable_genes_module, "ONE_PASS_SHARE", 0.0)


@pytest.mark.parametrize("batch", [None, "batch"])
@pytest.mark.parametrize("cells", [example(), full_length()], ids=["droplets", "full_length"])
def test_variable_genes__one_pass_and_two_give_the_same_bits(cells, batch, monkeypatch):
    run = passes_of(lambda given: variable_genes(given, method="seurat_v3", genes=20, batch=batch))
    one, passes = run(cells)
    assert passes == 1
    in_two_passes(monkeypatch)
    two, passes = passes_of(lambda given: variable_genes(given, method="seurat_v3", genes=20, batch=batch))(cells)
    assert passes == 2
    assert one.identical(two)


def test_variable_genes__makes_a_second_pass_for_too_many_large_counts(monkeypatch):
    whole = variable_genes(full_length(), method="seurat_v3", genes=20, batch="batch")
    monkeypatch.setattr(count_histograms, "MOST_LARGE", 100)
    run = passes_of(lambda given: variable_genes(given, method="seurat_v3", genes=20, batch="batch"))
    result, passes = run(full_length())
    assert passes == 2
    assert result.identical(whole)


def test_fits_one_pass__counts_batches_and_waiting_states():
    sizes = {"met": 1, "genes": 20_000, "cells": 10**6}
    assert fits_one_pass(batches=1, **sizes, memory_bytes=10**9)
    assert not fits_one_pass(batches=1, **sizes, memory_bytes=10**8)
    assert fits_one_pass(batches=100, **sizes, memory_bytes=8 * 10**9)
    assert not fits_one_pass(batches=500, **sizes, memory_bytes=8 * 10**9)
    assert not fits_one_pass(batches=1, met=1, genes=10, cells=2**31, memory_bytes=10**9)
    assert not fits_one_pass(batches=2**30, met=1, genes=10, cells=2**30, memory_bytes=2**60)


@pytest.mark.parametrize("method", METHODS)
def test_variable_genes__takes_hundreds_of_batches(method):
    cells = example(cells=1000, genes=40)
    cells.obs["batch"] = [f"b{i % 500:03d}" for i in range(1000)]
    given = cells if method == "seurat_v3" else log_normalize(cells)
    result = variable_genes(given, method=method, genes=10, batch="batch")
    assert result["gene_variable"].sum() == 10
    assert result["gene_variable_batches"].max() <= 500


@pytest.mark.parametrize("count", [10**6, 2**31 - 1])
def test_variable_genes__holds_one_huge_count(count):
    cells = example()
    dense = cells.X.toarray().astype(np.int64)
    dense[3, 5] = count
    ours = variable_genes(AnnData(sp.csr_matrix(dense)), method="seurat_v3", genes=10)
    mean, variance = dense.mean(axis=0), dense.var(axis=0, ddof=1)
    np.testing.assert_allclose(ours["gene_mean"], mean, rtol=1e-13)
    np.testing.assert_allclose(ours["gene_variance"], variance, rtol=1e-12)
    theirs = sc.pp.highly_variable_genes(
        AnnData(sp.csr_matrix(dense.astype(np.float64))), flavor="seurat_v3", n_top_genes=10, inplace=False
    )
    np.testing.assert_allclose(ours["gene_variance_normalized"], theirs["variances_norm"], rtol=1e-6, atol=1e-9)


def test_variable_genes__chooses_nothing_where_all_counts_are_equal():
    cells = AnnData(np.full((20, 6), 3, dtype=np.int32))
    result = variable_genes(cells, method="seurat_v3", genes=3)
    assert not result["gene_variable"].any()
    assert (result["gene_variance"] == 0).all()


def test_variable_genes__takes_no_genes():
    assert variable_genes(AnnData(np.zeros((5, 0), np.int32)), method="seurat_v3").sizes["gene"] == 0


@pytest.mark.parametrize("chunks", [7, 40, 150])
@pytest.mark.parametrize("batch", [None, "batch"])
def test_variable_genes__seurat_agrees_to_the_stated_tolerance(chunks, batch):
    cells = example()
    whole = variable_genes(log_normalize(cells), method="seurat", genes=30, batch=batch)
    cut = variable_genes(
        log_normalize(lazy(cells, lambda block: block, chunks)), method="seurat", genes=30, batch=batch
    )
    for name in whole.data_vars:
        np.testing.assert_allclose(cut[name], whole[name], rtol=1e-10, atol=1e-10, err_msg=name)
