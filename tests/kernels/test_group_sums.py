"""Sums per group and gene: against pandas, and the laws of a reduction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import CountsError
from chemores_dask.kernels.group_sums import GroupSums, align_groups, cube_sums, merge_group_sums


def example(cells=60, genes=12, seed=0):
    random = np.random.default_rng(seed)
    dense = random.negative_binomial(0.4, 0.03, size=(cells, genes))
    dense[5] = 0
    return sp.csr_matrix(dense.astype(np.int32)), random.choice([0, 2, 7], size=cells)


def test_cube_sums__equal_groupby():
    block, groups = example()
    found = cube_sums(block, groups, 1e4)
    dense = block.toarray().astype(np.float64)
    total = dense.sum(axis=1, keepdims=True)
    x = np.log1p(dense / np.where(total == 0, 1, total) * 1e4)
    assert found.codes.tolist() == [0, 2, 7]
    for name, values in {"count_sum": dense, "detected": dense > 0, "log_sum": x, "log_square_sum": x**2}.items():
        expected = pd.DataFrame(values).groupby(groups).sum().to_numpy(dtype=np.float64)
        np.testing.assert_allclose(found.sums[name], expected, rtol=1e-13, err_msg=name)
    assert found.sums["count_sum"].dtype == np.int64
    assert found.sums["detected"].dtype == np.int32
    np.testing.assert_array_equal(found.sums["cells"], np.bincount(groups)[[0, 2, 7]])


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 60), min_size=2, max_size=2), seed=st.integers(0, 100))
def test_merge_group_sums__is_associative_and_splits_anywhere(cuts, seed):
    block, groups = example(seed=seed)
    first, second = sorted(cuts)
    parts = [
        cube_sums(block[part], groups[part], 1e4) for part in (slice(0, first), slice(first, second), slice(second, 60))
    ]
    left = merge_group_sums(merge_group_sums(parts[0], parts[1]), parts[2])
    right = merge_group_sums(parts[0], merge_group_sums(parts[1], parts[2]))
    whole = cube_sums(block, groups, 1e4)
    for other in (left, right):
        np.testing.assert_array_equal(other.codes, whole.codes)
        for name, array in whole.sums.items():
            np.testing.assert_allclose(other.sums[name], array, rtol=1e-12, err_msg=name)


def test_merge_group_sums__of_no_rows_changes_no_bit():
    block, groups = example()
    sums, empty = cube_sums(block, groups, 1e4), cube_sums(block[:0], groups[:0], 1e4)
    for merged in (merge_group_sums(sums, empty), merge_group_sums(empty, sums)):
        for name, array in sums.sums.items():
            np.testing.assert_array_equal(merged.sums[name], array)


def test_merge_group_sums__refuses_an_overflow():
    huge = GroupSums(np.array([0]), {"count_sum": np.array([[2**62]])})
    with pytest.raises(CountsError, match="below 2\\*\\*63"):
        merge_group_sums(huge, huge)


def test_dense__spreads_groups_over_all_codes():
    sums = GroupSums(np.array([1, 3]), {"cells": np.array([4, 5])})
    assert sums.dense(5)["cells"].tolist() == [0, 4, 0, 5, 0]


def test_align_groups__says_where_codes_stand():
    codes, first, second = align_groups(np.array([1, 4]), np.array([0, 4, 9]))
    assert (codes.tolist(), first.tolist(), second.tolist()) == ([0, 1, 4, 9], [1, 2], [0, 2, 3])
