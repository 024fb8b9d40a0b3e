"""Histograms of counts: against the sums that two passes make, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import CountsError
from chemores_dask.kernels import count_histograms
from chemores_dask.kernels.count_histograms import (
    clipped_sums,
    histogram_totals,
    merge_histograms,
    power_sums,
)
from chemores_dask.kernels.count_histograms import count_histograms as histograms_of
from chemores_dask.kernels.count_walk import Wanted, walk_counts
from chemores_dask.kernels.moments import clipped_power_sums, count_power_sums

CELLS, GENES = 70, 9
BATCHES = np.random.default_rng(3).choice([0, 1, 3], size=CELLS)
LIMITS = np.random.default_rng(4).uniform(0.5, 300, size=(4, GENES))


def counts(seed=0):
    dense = np.random.default_rng(seed).negative_binomial(0.3, 0.004, size=(CELLS, GENES))
    dense[:, 0], dense[:, 1], dense[:, 2] = 0, 7, 200
    return sp.csr_matrix(dense.astype(np.int32))


def assert_same(found, expected):
    np.testing.assert_array_equal(found.codes, expected.codes)
    assert found.sums.keys() == expected.sums.keys()
    for name, array in expected.sums.items():
        assert found.sums[name].dtype == array.dtype
        np.testing.assert_array_equal(found.sums[name], array, err_msg=name)


def test_power_sums__are_those_of_a_pass_of_their_own():
    assert_same(power_sums(histograms_of(counts(), BATCHES)), count_power_sums(counts(), BATCHES))


def test_clipped_sums__are_those_of_a_pass_of_their_own():
    histograms = histograms_of(counts(), BATCHES)
    assert histograms.complete
    limits = LIMITS[histograms.codes]
    assert_same(clipped_sums(histograms, limits), clipped_power_sums(counts(), BATCHES, LIMITS))


@pytest.mark.parametrize("limit", [-1.0, 0.0, 7.0, 63.0, 63.5, 64.0, 200.0, 1e12])
def test_clipped_sums__keep_counts_up_to_the_limit(limit):
    limits = np.full((4, GENES), limit)
    histograms = histograms_of(counts(), BATCHES)
    assert_same(clipped_sums(histograms, limits[:3]), clipped_power_sums(counts(), BATCHES, limits))


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, CELLS), min_size=2, max_size=2), seed=st.integers(0, 50))
def test_merge_histograms__is_associative_and_splits_anywhere(cuts, seed):
    block = counts(seed)
    first, second = sorted(cuts)
    a, b, c = (
        histograms_of(block[part], BATCHES[part])
        for part in (slice(0, first), slice(first, second), slice(second, CELLS))
    )
    whole = histograms_of(block, BATCHES)
    for other in (merge_histograms(merge_histograms(a, b), c), merge_histograms(a, merge_histograms(b, c))):
        for name in ("codes", "cells", "small", "keys", "times", "large_sums"):
            np.testing.assert_array_equal(getattr(other, name), getattr(whole, name), err_msg=name)


def test_histograms__drop_large_counts_when_there_are_too_many(monkeypatch):
    block = counts()
    a, b = histograms_of(block[:20], BATCHES[:20]), histograms_of(block[20:50], BATCHES[20:50])
    monkeypatch.setattr(count_histograms, "MOST_LARGE", len(b.keys))
    assert len(a.keys) < len(b.keys)
    merged = merge_histograms(a, b)
    assert not merged.complete
    assert not len(merged.times)
    last = histograms_of(block[50:], BATCHES[50:])
    for whole in (merge_histograms(merged, last), histograms_of(block, BATCHES)):
        assert not whole.complete
        assert_same(power_sums(whole), count_power_sums(block, BATCHES))


def test_histogram_totals__are_sums_over_all_rows():
    walked = walk_counts(counts(), Wanted(batches=BATCHES))
    total, detected = histogram_totals(walked)
    np.testing.assert_array_equal(total, counts().toarray().sum(axis=0))
    np.testing.assert_array_equal(detected, (counts().toarray() > 0).sum(axis=0))


def test_histograms__hold_the_largest_count():
    block = sp.csr_matrix(np.array([[2**31 - 1, 0], [5, 2**20]]))
    sums = power_sums(histograms_of(block, np.zeros(2, int))).sums
    assert sums["count_sum"].tolist() == [[2**31 + 4, 2**20]]
    assert sums["count_square_sum"].tolist() == [[(2**31 - 1) ** 2 + 25, 2**40]]


def test_histograms__refuse_squares_that_overflow():
    block = sp.csr_matrix(np.full((3, 1), 2**31 - 1))
    with pytest.raises(CountsError, match="squares of the counts"):
        histograms_of(block, np.zeros(3, int))
    single = histograms_of(block[:1], np.zeros(1, int))
    with pytest.raises(CountsError, match="squares of the counts"):
        merge_histograms(single, single)


def test_histograms__of_no_rows_and_no_genes():
    empty = histograms_of(counts()[:0], BATCHES[:0])
    assert_same(power_sums(empty), count_power_sums(counts()[:0], BATCHES[:0]))
    assert_same(clipped_sums(empty, LIMITS[:0]), clipped_power_sums(counts()[:0], BATCHES[:0], LIMITS))
    assert power_sums(histograms_of(counts()[:, :0], BATCHES)).sums["count_sum"].shape == (3, 0)
