"""Moments of genes: against numpy, exact where they are sums of counts, and the laws of a reduction."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import CountsError
from chemores_dask.kernels import moments
from chemores_dask.kernels.group_sums import merge_group_sums
from chemores_dask.kernels.moments import (
    block_moments,
    clipped_power_sums,
    count_power_sums,
    merge_moments,
    variance_of_counts,
)

GROUPS = np.array([0, 1, 1, 0, 3] * 10)


def values(seed=0, genes=8):
    random = np.random.default_rng(seed)
    dense = random.gamma(2.0, 3.0, size=(50, genes)) * (random.random((50, genes)) < 0.5)
    dense[:, 0] = 0.0
    dense[:, 1] = 0.1
    return sp.csr_matrix(dense)


def test_block_moments__equal_numpy_in_every_group():
    block = values()
    found = block_moments(block, GROUPS, block.data)
    assert found.codes.tolist() == [0, 1, 3]
    for place, group in enumerate(found.codes):
        dense = block.toarray()[group == GROUPS]
        np.testing.assert_allclose(found.mean[place], dense.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(found.variance()[place], dense.var(axis=0, ddof=1), rtol=1e-12, atol=1e-20)
        np.testing.assert_array_equal(found.detected[place], (dense != 0).sum(axis=0))


def test_variance__of_constant_genes_is_zero():
    block = values()
    merged = merge_moments(*(block_moments(block[p], GROUPS[p], block[p].data) for p in (slice(0, 17), slice(17, 50))))
    assert (merged.variance()[:, :2] == 0).all()
    assert (merged.pooled().variance()[:, :2] == 0).all()


def test_variance__of_one_row_is_not_a_number():
    block = values()[:1]
    assert np.isnan(block_moments(block, np.zeros(1, int), block.data).variance()).all()


def test_pooled__is_the_moments_without_groups():
    block = values(seed=2)
    pooled = block_moments(block, GROUPS, block.data).pooled()
    np.testing.assert_allclose(pooled.mean[0], block.toarray().mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(pooled.variance()[0], block.toarray().var(axis=0, ddof=1), rtol=1e-12, atol=1e-20)


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 50), min_size=2, max_size=2), seed=st.integers(0, 50))
def test_merge_moments__is_associative_and_splits_anywhere(cuts, seed):
    block = values(seed=seed)
    first, second = sorted(cuts)
    spans = (slice(0, first), slice(first, second), slice(second, 50))
    a, b, c = (block_moments(block[span], GROUPS[span], block[span].data) for span in spans)
    whole = block_moments(block, GROUPS, block.data)
    for other in (merge_moments(merge_moments(a, b), c), merge_moments(a, merge_moments(b, c))):
        np.testing.assert_array_equal(other.cells, whole.cells)
        np.testing.assert_array_equal(other.detected, whole.detected)
        np.testing.assert_allclose(other.mean, whole.mean, rtol=1e-12)
        np.testing.assert_allclose(other.squared_deviations, whole.squared_deviations, rtol=1e-11, atol=1e-25)


def test_merge_moments__of_no_rows_changes_no_bit():
    block = values()
    whole, empty = block_moments(block, GROUPS, block.data), block_moments(block[:0], GROUPS[:0], np.zeros(0))
    for merged in (merge_moments(whole, empty), merge_moments(empty, whole)):
        np.testing.assert_array_equal(merged.mean, whole.mean)
        np.testing.assert_array_equal(merged.squared_deviations, whole.squared_deviations)


def counts(seed=0):
    dense = np.random.default_rng(seed).negative_binomial(0.5, 0.02, size=(50, 8))
    dense[:, 0], dense[:, 1] = 0, 7
    return sp.csr_matrix(dense.astype(np.int32))


def test_count_power_sums__are_exact_under_any_cut():
    block = counts()
    whole = count_power_sums(block, GROUPS)
    cut = merge_group_sums(count_power_sums(block[:13], GROUPS[:13]), count_power_sums(block[13:], GROUPS[13:]))
    dense = block.toarray().astype(np.int64)
    for place, group in enumerate(whole.codes):
        np.testing.assert_array_equal(whole.sums["count_square_sum"][place], (dense[group == GROUPS] ** 2).sum(axis=0))
    for name in whole.sums:
        np.testing.assert_array_equal(whole.sums[name], cut.sums[name])


def test_variance_of_counts__equals_numpy_and_is_zero_for_constants():
    dense = counts().toarray().astype(np.int64)
    found = variance_of_counts(50, dense.sum(axis=0), (dense**2).sum(axis=0))
    np.testing.assert_allclose(found, dense.var(axis=0, ddof=1), rtol=1e-13)
    assert found[:2].tolist() == [0.0, 0.0]


def test_variance_of_counts__survives_large_sums():
    large = np.array([10**9, 10**9 + 1, 10**9 + 2])
    found = variance_of_counts(3, np.array([large.sum()]), np.array([(large**2).sum()]))
    assert found[0] == 1.0


def test_clipped_power_sums__give_the_sums_of_clipped_counts():
    block = counts(seed=6)
    limits = np.random.default_rng(1).uniform(1, 60, size=(4, 8))
    found = clipped_power_sums(block, GROUPS, limits)
    for place, group in enumerate(found.codes):
        clipped = np.minimum(block.toarray()[group == GROUPS], limits[group])
        total = found.sums["unclipped_sum"][place] + found.sums["clipped"][place] * limits[group]
        squares = found.sums["unclipped_square_sum"][place] + found.sums["clipped"][place] * limits[group] ** 2
        np.testing.assert_allclose(total, clipped.sum(axis=0), rtol=1e-13)
        np.testing.assert_allclose(squares, (clipped**2).sum(axis=0), rtol=1e-13)


def test_count_power_sums__refuse_squares_that_overflow():
    with pytest.raises(CountsError, match="squares of the counts"):
        count_power_sums(sp.csr_matrix(np.full((3, 1), 2**31 - 1)), np.zeros(3, int))


def test_kernels__plain_and_compiled_agree():
    block, floats = counts(seed=8), values(seed=8)
    local = np.unique(GROUPS, return_inverse=True)[1]
    shape = (3, 8)
    mean, limits = np.full(shape, 0.7), np.full(shape, 20.0)
    cases = [
        (moments.add_values, floats, (), [np.zeros(shape, np.int64), np.zeros(shape)]),
        (moments.add_squared_deviations, floats, (mean,), [np.zeros(shape)]),
        (moments.add_count_powers, block, (), [np.zeros(shape, np.int64), np.zeros(shape, np.int64)]),
        (moments.add_clipped_powers, block, (limits,), [np.zeros(shape, np.int64) for _ in range(3)]),
    ]
    for kernel, matrix, given_arrays, outputs in cases:
        plain = [output.copy() for output in outputs]
        kernel(matrix.data, matrix.indices, matrix.indptr, local, *given_arrays, *outputs)
        kernel.python(matrix.data, matrix.indices, matrix.indptr, local, *given_arrays, *plain)
        for one, other in zip(outputs, plain, strict=True):
            assert np.any(one)
            np.testing.assert_allclose(one, other, rtol=1e-14)
