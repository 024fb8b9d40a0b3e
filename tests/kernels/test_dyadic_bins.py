"""Bins whose width is a power of two: no value is lost, and no blocking shows."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.dyadic_bins import ValueBins, bin_groups, coarser, even_bins, merge_bins, pool_bins

FIELDS = ("groups", "bins", "counts", "lowest", "highest")


def assert_same(first, second):
    assert (first.exponent, first.broken) == (second.exponent, second.broken)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


def none(values):
    return np.zeros(len(values), dtype=np.int64)


def test_bin_groups__hand_worked():
    # From 0 to 7 in at most 4 bins: they must be 2 wide.
    found = bin_groups(np.array([7.0, 0.0, 1.5, 2.0, 6.0, 1.0]), np.array([1, 0, 0, 0, 1, 1]), most=4)
    assert found.exponent == 1
    assert found.groups.tolist() == [0, 0, 1, 1]
    assert found.bins.tolist() == [0, 1, 0, 3]
    assert found.counts.tolist() == [2, 1, 1, 2]
    assert found.lowest.tolist() == [0.0, 2.0, 1.0, 6.0]
    assert found.highest.tolist() == [1.5, 2.0, 1.0, 7.0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [2, 7, 64, 4096])
def test_merge_bins__gives_the_bits_of_all_values_for_any_cutting(seed, most):
    generator = np.random.default_rng(seed)
    values = np.concatenate([generator.normal(size=300), generator.normal(50, 1e-3, size=50), [np.nan, np.inf]])
    groups = generator.integers(5, size=len(values))
    whole = bin_groups(values, groups, most=most)
    assert whole.broken == 2
    assert whole.counts.sum() == 350
    cuts = np.sort(generator.integers(len(values) + 1, size=9))
    parts = [
        bin_groups(part, group, most=most)
        for part, group in zip(np.split(values, cuts), np.split(groups, cuts), strict=True)
    ]
    forward = parts[0]
    for part in parts[1:]:
        forward = merge_bins(forward, part, most=most)
    assert_same(forward, whole)
    backward = parts[-1]
    for part in parts[-2::-1]:
        backward = merge_bins(part, backward, most=most)
    assert_same(backward, whole)
    assert_same(merge_bins(whole, bin_groups(np.empty(0), np.empty(0, dtype=int), most=most), most=most), whole)


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 0.0],
        [3.5] * 4,
        [1.0, np.nextafter(1.0, 2.0)],
        [-1.0, np.nextafter(-1.0, 0.0)],
        [-1.7e308, 1.7e308, 0.0],
        [5e-324, 1e-323],
        [-1e-320, 1e300],
        [-4.0, -3.0, -2.0, -1.0],
    ],
)
def test_bin_groups__spans_any_range_with_at_most_so_many_bins(values):
    values = np.array(values)
    found = bin_groups(values, none(values), most=8)
    assert found.counts.sum() == len(values)
    assert len(found.bins) <= 8
    assert (np.diff(found.bins) > 0).all()
    assert found.bins[-1] - found.bins[0] < 8
    if len(np.unique(values)) <= 2:
        assert len(found.bins) == len(np.unique(values))


def test_bin_groups__has_at_least_half_as_many_bins_as_allowed():
    for seed in range(20):
        generator = np.random.default_rng(seed)
        values = generator.uniform(size=3) * 10.0 ** generator.integers(-5, 5)
        found = bin_groups(values, none(values), most=64)
        assert 32 <= found.bins[-1] - found.bins[0] + 1 <= 64


def test_pool_bins__weighs_groups():
    values, groups = np.array([0.0, 1.0, 1.5, 9.0]), np.array([0, 0, 1, 2])
    found = bin_groups(values, groups, most=10)
    pooled = pool_bins(found)
    assert pooled.counts.tolist() == [1.0, 2.0, 1.0]
    assert pooled.lowest.tolist() == [0.0, 1.0, 9.0]
    assert pooled.highest.tolist() == [0.0, 1.5, 9.0]
    drawn = pool_bins(found, weights=np.array([2, 0, 1]))
    assert drawn.counts.tolist() == [2.0, 2.0, 1.0]
    assert drawn.highest.tolist() == [0.0, 1.0, 9.0]
    assert len(pool_bins(found, weights=np.zeros(3)).counts) == 0


def test_coarser__keeps_counts_and_extremes():
    values = np.random.default_rng(1).normal(size=1000)
    fine = pool_bins(bin_groups(values, none(values), most=4096))
    wide = coarser(fine, most=16)
    assert len(wide.counts) <= 16
    assert wide.counts.sum() == 1000
    assert (wide.lowest[0], wide.highest[-1]) == (values.min(), values.max())
    assert (wide.highest[:-1] < wide.lowest[1:]).all()
    assert len(coarser(ValueBins(np.empty(0), np.empty(0), np.empty(0)), most=4).counts) == 0


def test_value_bins__are_stretched_from_0_to_1():
    values = np.array([-1.7e308, 0.0, 1.7e308])
    assert pool_bins(bin_groups(values, none(values), most=16)).stretched.tolist() == [0.0, 0.5, 1.0]
    assert pool_bins(bin_groups(np.full(3, 2.0), none(values), most=16)).stretched.tolist() == [0.0]
    assert len(ValueBins(np.empty(0), np.empty(0), np.empty(0)).stretched) == 0


def test_even_bins__are_a_histogram():
    values = np.concatenate([np.random.default_rng(2).normal(size=500), [30.0]])
    starts, counts, width = even_bins(pool_bins(bin_groups(values, none(values), most=4096)), most=64)
    edges = np.append(starts, starts[-1] + width)
    np.testing.assert_array_equal(counts, np.histogram(values, bins=edges)[0])
    assert 0 in counts
    starts, counts, _ = even_bins(pool_bins(bin_groups(np.full(3, 2.5), none(range(3)), most=8)), most=8)
    assert (starts.tolist(), counts.tolist()) == ([2.5], [3.0])
