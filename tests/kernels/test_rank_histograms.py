"""Ranks out of histograms: never further from exact ranks than they say."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError, InputError
from chemores_dask.kernels import rank_histograms as module
from chemores_dask.kernels.rank_histograms import (
    LEVELS,
    Scale,
    behind,
    choose_bins,
    fill_bins,
    grouped_bins,
    level_counts,
    merge_grouped_bins,
    rank_bins,
    ranks_of_bins,
    spread_bins,
    sum_rows,
    walk_bins,
)
from chemores_dask.kernels.rank_sums import rank_sums
from tests.kernels.test_rank_sums import GROUPS, PARTS, example

NORMALIZED = LEVELS / np.log1p(1e4)


def scale(genes, per_unit=NORMALIZED, target_sum=1e4):
    return Scale(per_unit, target_sum, 0, genes)


def histogram_of(counts, cells, of=None, bins=40):
    rows = sp.csr_matrix(counts.T)
    of = of or scale(counts.shape[0])
    made = choose_bins(level_counts(rows, cells.codes, of), cells.cells / bins)
    return made, grouped_bins(rows, cells.codes, of, made, cells=cells)


@pytest.fixture(params=["compiled", "plain"])
def either(request, monkeypatch):
    if request.param == "plain":
        for name in ("walk_bins", "fill_bins", "spread_bins", "rank_bins", "sum_rows"):
            monkeypatch.setattr(module, name, getattr(module, name).python)


def test_ranks_of_bins__are_as_near_as_they_say(either):
    counts, cells = example(150, 8, seed=4)
    totals = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    exact = rank_sums(counts, cells, totals=totals, target_sum=1e4)
    bins, found = histogram_of(counts, cells)
    ranks, error = ranks_of_bins(found, bins, cells, exact=np.zeros(len(bins.single), dtype=bool))
    assert np.array_equal(ranks.detected, exact.detected)
    np.testing.assert_allclose(ranks.sums, exact.sums, rtol=1e-12, atol=1e-12)
    # An error of U is one of the sum of ranks.
    assert np.all(np.abs(ranks.doubled - exact.doubled) / 2 <= error)
    assert error.max() > 0
    assert np.all(ranks.ties >= exact.ties - 1e-6)


def test_ranks_of_bins__are_exact_for_counts():
    counts, cells = example(150, 8, seed=5)
    bins, found = histogram_of(counts, cells, scale(8, 1.0, None), bins=10**6)
    ranks, error = ranks_of_bins(found, bins, cells, exact=bins.single)
    exact = rank_sums(counts, cells)
    assert np.array_equal(ranks.doubled, exact.doubled)
    assert np.array_equal(ranks.ties, exact.ties)
    assert error.max() == 0


def test_ranks_of_bins__count_large_counts_as_unknown():
    counts, cells = example(150, 8, seed=6)
    counts.data[:200] += 5000
    bins, found = histogram_of(counts, cells, scale(8, 1.0, None), bins=10**6)
    ranks, error = ranks_of_bins(found, bins, cells, exact=bins.single)
    exact = rank_sums(counts, cells)
    assert np.all(np.abs(ranks.doubled - exact.doubled) / 2 <= error)
    assert error.max() > 0


def test_choose_bins__hold_no_more_than_they_may(either):
    levels = np.zeros((LEVELS, 3), dtype=np.int32)
    levels[[3, 4, 9], 0] = [2, 2, 3]
    levels[[0, LEVELS - 1], 1] = [9, 1]
    bins = choose_bins(levels, 4.0)
    assert np.diff(bins.starts).tolist() == [2, 2, 1]
    assert bins.first_levels.tolist() == [0, 9, 0, LEVELS - 1, 0]
    # The last level holds all larger values too.
    assert bins.single.tolist() == [False, True, True, False, True]
    spread = np.zeros(levels.shape, dtype=np.uint16)
    spread_bins(bins.starts, bins.first_levels, spread)
    assert spread[:, 0].tolist() == [0] * 9 + [1] * (LEVELS - 9)
    assert spread[:, 1].tolist() == [0] * (LEVELS - 1) + [1]


def test_bins__of_ranges_of_genes_are_those_of_all():
    counts, cells = example(150, 8, seed=7)
    rows = sp.csr_matrix(counts.T)
    whole, _ = histogram_of(counts, cells)
    parts = []
    for first, last in ((0, 3), (3, 8)):
        levels = level_counts(rows, cells.codes, Scale(NORMALIZED, 1e4, first, last))
        parts.append(choose_bins(levels, cells.cells / 40))
    joined = behind(parts)
    for name in ("starts", "first_levels", "single"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name)), name
    again = whole.part(3, 8)
    assert np.array_equal(again.starts, parts[1].starts)
    assert np.array_equal(again.first_levels, parts[1].first_levels)


def test_grouped_bins__of_blocks_add_up(either):
    counts, cells = example(90, 6, seed=8)
    bins, whole = histogram_of(counts, cells)
    rows = sp.csr_matrix(counts.T)
    of = scale(6)
    parts = [
        grouped_bins(rows[start:stop], cells.codes[start:stop], of, bins, cells=cells)
        for start, stop in ((0, 1), (1, 1), (1, 60), (60, 90))
    ]
    merged = parts[0]
    for part in parts[1:]:
        merged = merge_grouped_bins(merged, part)
    assert np.array_equal(merged.counts, whole.counts)
    assert np.array_equal(merged.codes, whole.codes)
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=1e-12)


def test_grouped_bins__take_totals_that_are_given():
    counts, cells = example(90, 6, seed=9)
    rows, of = sp.csr_matrix(counts.T), scale(6)
    totals = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    bins, own = histogram_of(counts, cells)
    given = grouped_bins(rows, cells.codes, of, bins, cells=cells, totals=totals)
    assert np.array_equal(given.counts, own.counts)
    doubled = grouped_bins(rows, cells.codes, of, bins, cells=cells, totals=2 * totals)
    assert doubled.sums.sum() < own.sums.sum()


def test_walk_bins__compiled_and_plain_have_the_same_bits():
    counts, cells = example(40, 6, seed=10)
    rows = sp.csr_matrix(counts.T)
    bins, _ = histogram_of(counts, cells)
    order = np.flatnonzero(cells.codes >= 0)
    codes = cells.codes[order].astype(np.int64)
    factors = np.full(40, 0.3)
    spread = np.zeros((LEVELS, 6), dtype=np.uint16)
    spread_bins(bins.starts, bins.first_levels, spread)
    outcomes = []
    for walk, rank, fill in ((walk_bins, rank_bins, fill_bins), (walk_bins.python, rank_bins.python, fill_bins.python)):
        found, sums = np.zeros((GROUPS, int(bins.starts[-1])), dtype=np.int32), np.zeros((GROUPS * PARTS, 6))
        wrong = walk(
            rows.data, rows.indices, rows.indptr, order, codes // PARTS, codes, factors, 0, 6, NORMALIZED, 1e4, spread, bins.starts,
            found, sums,
        )  # fmt: skip
        assert wrong == -1
        arrays = [
            np.zeros((GROUPS, 6), dtype=np.int64),
            np.zeros(6),
            np.zeros((GROUPS, 6), dtype=np.int64),
            np.zeros((GROUPS, 6)),
        ]
        rank(found, bins.starts, bins.single, cells.group_cells, *arrays)
        made = [np.zeros(3, dtype=np.int64), np.zeros(2 * LEVELS, dtype=np.uint16), np.zeros(2 * LEVELS, dtype=bool)]
        fill(np.ones((LEVELS, 2), dtype=np.int32), 3.0, *made)
        outcomes.append([array.tobytes() for array in (found, sums, *arrays, *made)])
    assert outcomes[0] == outcomes[1]


def test_sum_rows__sums_and_finds_values_below_zero():
    counts, _ = example(40, 6)
    rows = sp.csr_matrix(counts.T)
    for kernel in (sum_rows, sum_rows.python):
        totals = np.zeros(40)
        assert not kernel(rows.data, rows.indptr.astype(np.int64), totals)
        assert np.array_equal(totals, rows.toarray().sum(axis=1))
        broken = rows.data.copy()
        broken[0] = -2
        assert kernel(broken, rows.indptr.astype(np.int64), totals)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_level_counts__refuse_values_that_have_no_place(wrong):
    counts, cells = example(40, 6)
    rows = sp.csr_matrix(counts.T).astype(np.float32)
    place = int(rows.indptr[np.flatnonzero(cells.codes >= 0)[0]])
    rows.data[place] = wrong
    with pytest.raises(InputError, match="finite and not below zero"):
        level_counts(rows, cells.codes, scale(6, 100.0, None))
    with pytest.raises(CountsError, match="Counts must be whole"):
        level_counts(rows, cells.codes, scale(6))


def test_level_counts__refuse_negative_counts_and_counts_above_their_total():
    counts, cells = example(40, 6)
    rows = sp.csr_matrix(counts.T)
    with pytest.raises(CountsError, match="above the total of its cell"):
        level_counts(rows, cells.codes, scale(6), totals=np.full(40, 0.5))
    rows.data[5] = -3
    with pytest.raises(CountsError, match="Found -3"):
        level_counts(rows, cells.codes, scale(6))
    with pytest.raises(CountsError, match="Found -3"):
        level_counts(rows, cells.codes, scale(6), totals=np.full(40, 1e6))
