"""Totals and log-scaled values of a block: against numpy, and compiled against plain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError
from chemores_dask.kernels import row_totals
from chemores_dask.kernels.count_walk import Wanted, walk_counts
from chemores_dask.kernels.cross_products import ColumnSumsBlock, WeightedSumsBlock
from chemores_dask.kernels.row_totals import LogScaledSums, LogScaledWeightedSums, log_scaled_rows, walked_totals


def counts(*, cells=40, genes=30, seed=0, dtype=np.int32):
    random = np.random.default_rng(seed)
    dense = random.negative_binomial(0.3, 0.05, size=(cells, genes))
    dense[3] = 0
    return sp.csr_matrix(dense.astype(dtype))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64, np.uint16, np.bool_])
def test_walked_totals__are_sums(dtype):
    block = counts(dtype=dtype)
    groups = np.random.default_rng(1).random((3, 30)) < 0.3
    dense = block.toarray().astype(np.int64)
    totals = walked_totals(walk_counts(block, Wanted(gene_groups=groups, gene_totals=True)))
    np.testing.assert_array_equal(totals.row_total, dense.sum(axis=1))
    np.testing.assert_array_equal(totals.row_detected, (dense > 0).sum(axis=1))
    np.testing.assert_array_equal(totals.row_group_total, dense @ groups.T)
    np.testing.assert_array_equal(totals.gene_total, dense.sum(axis=0))
    np.testing.assert_array_equal(totals.gene_detected, (dense > 0).sum(axis=0))


def test_walked_totals__do_not_count_stored_zeros():
    block = sp.csr_matrix((np.array([0, 5, 0]), np.array([0, 1, 2]), np.array([0, 3])), shape=(1, 3))
    wanted = Wanted(gene_groups=np.zeros((0, 3), dtype=bool), gene_totals=True)
    totals = walked_totals(walk_counts(block, wanted))
    assert totals.row_detected[0] == 1
    assert totals.gene_detected.tolist() == [0, 1, 0]


def test_log_scaled_rows__is_log1p_of_scaled_counts():
    block = counts(seed=4)
    dense = block.toarray().astype(np.float64)
    total = dense.sum(axis=1, keepdims=True)
    expected = np.log1p(np.divide(dense * 1e4, total, out=np.zeros_like(dense), where=total > 0))
    scaled = log_scaled_rows(block, 1e4)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.toarray(), expected, rtol=1e-7)
    assert block.data.max() > row_totals.SMALL_COUNTS, "the example must leave the table of small counts"


def test_log_scaled_rows__leaves_its_input_alone():
    block = counts()
    before = block.copy()
    scaled = log_scaled_rows(block, 1e4)
    assert not np.shares_memory(scaled.indices, block.indices)
    assert (block != before).nnz == 0


def test_log_scale__plain_and_compiled_agree():
    block = counts(seed=5)
    compiled, plain = np.empty(block.nnz), np.empty(block.nnz)
    row_totals.log_scale(block.data, block.indptr, 1e4, compiled)
    row_totals.log_scale.python(block.data, block.indptr, 1e4, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_log_scaled_sums__have_the_bits_of_scaling_first(dtype):
    block = counts(seed=6, dtype=dtype)
    before = block.copy()
    sums = LogScaledSums(1e4)(block, {})
    np.testing.assert_array_equal(sums, ColumnSumsBlock()(log_scaled_rows(block, 1e4), {}))
    assert (block != before).nnz == 0
    assert LogScaledSums(1e4)(block[:0], {}).tolist() == [0.0] * 31


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_log_scaled_weighted_sums__have_the_bits_of_scaling_first(dtype):
    block = counts(seed=7, dtype=dtype)
    chosen = sp.random_array((30, 3), density=0.4, rng=np.random.default_rng(1), format="csr")
    weighted = WeightedSumsBlock.from_matrix(sp.csr_matrix(chosen))
    found = LogScaledWeightedSums(1e4, weighted.weights, 3)(block, {})
    np.testing.assert_array_equal(found, weighted(log_scaled_rows(block, 1e4), {}))
    expected = log_scaled_rows(block, 1e4).astype(np.float64) @ chosen.toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found.any()


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_log_scaled_sums__refuse_what_is_no_count(dtype):
    block = counts(dtype=dtype)
    block.data[5] = -1
    weights = WeightedSumsBlock.from_matrix(sp.csr_matrix(np.ones((30, 1)))).weights
    for kernel in (LogScaledSums(1e4), LogScaledWeightedSums(1e4, weights, 1)):
        with pytest.raises(CountsError, match="Found -1"):
            kernel(block, {})


def test_add_log_scaled__plain_and_compiled_agree():
    block = counts(seed=8)
    arrays = (block.data, block.indices, block.indptr, 1e4)
    compiled, plain = np.zeros(30), np.zeros(30)
    assert not row_totals.add_log_scaled(*arrays, compiled)
    assert not row_totals.add_log_scaled.python(*arrays, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-7)


def test_multiply_log_scaled__plain_and_compiled_agree():
    block = counts(seed=9)
    weights = WeightedSumsBlock.from_matrix(sp.csr_matrix(np.eye(30)[:, ::7])).weights
    arrays = (block.data, block.indices, block.indptr, 1e4, weights)
    compiled, plain = np.zeros((40, 5)), np.zeros((40, 5))
    assert not row_totals.multiply_log_scaled(*arrays, compiled)
    assert not row_totals.multiply_log_scaled.python(*arrays, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-7)
