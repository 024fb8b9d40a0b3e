"""Natural breaks: against exhaustive search and cases worked by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from chemores_dask.kernels.histograms import Histogram, histogram
from chemores_dask.kernels.natural_breaks import goodness_of_fit, natural_breaks, optimal_classes

KERNELS = pytest.mark.parametrize("kernel", [optimal_classes, optimal_classes.python])


def spread(values):
    return float(((values - values.mean()) ** 2).sum())


def least_by_search(values, classes):
    """Try every way to cut sorted values."""
    found = (np.inf, ())
    for cuts in combinations(range(1, len(values)), classes - 1):
        parts = np.split(values, cuts)
        found = min(found, (sum(spread(part) for part in parts), cuts))
    return found


@KERNELS
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("classes", [1, 2, 3, 4])
def test_optimal_classes__equals_exhaustive_search(kernel, seed, classes):
    values = np.sort(np.random.default_rng(seed).gamma(1.0, size=11))
    cost, starts = kernel(np.ones(11), values, classes)
    least, cuts = least_by_search(values, classes)
    assert cost[classes - 1, -1] == pytest.approx(least, rel=1e-9, abs=1e-12)
    found, last = [], 10
    for level in range(classes - 1, 0, -1):
        found.append(int(starts[level, last]))
        last = found[-1] - 1
    assert tuple(found[::-1]) == cuts


@KERNELS
def test_optimal_classes__counts_are_repeats(kernel):
    means = np.array([0.0, 0.3, 0.4, 0.9])
    counts = np.array([3.0, 1.0, 2.0, 5.0])
    weighted, _ = kernel(counts, means, 3)
    repeated, _ = kernel(np.ones(11), np.repeat(means, counts.astype(int)), 3)
    np.testing.assert_allclose(weighted[:, -1], repeated[:, -1], atol=1e-12)


@KERNELS
def test_optimal_classes__says_when_there_are_too_few_groups(kernel):
    cost, _ = kernel(np.ones(2), np.array([0.0, 1.0]), 3)
    assert cost[:, -1].tolist() == [0.5, 0.0, np.inf]


def test_natural_breaks__hand_worked():
    # {4, 5} {9, 10} {15, 16}, the textbook example of three pairs.
    values = (np.array([4.0, 5.0, 9.0, 10.0, 15.0, 16.0]) - 4) / 12
    bins = histogram(values, lower=0.0, upper=1.0, bins=12)
    breaks = natural_breaks(bins, classes=3)
    assert breaks.tolist() == [5, 11]
    # Within: 3 x 0.5; total: 4 + 5 + 9 + 10 + 15 + 16 = 59, 703 - 59^2 / 6 = 122.8333.
    assert goodness_of_fit(bins, breaks) == pytest.approx(1 - 1.5 / (703 - 59**2 / 6), rel=1e-9)


def test_natural_breaks__are_few_bins_off_the_exact_ones():
    values = np.sort(np.random.default_rng(3).beta(2, 5, size=60))
    bins = histogram(values, lower=values[0], upper=values[-1], bins=1024)
    fit = goodness_of_fit(bins, natural_breaks(bins, classes=3))
    least, _ = least_by_search(values, 3)
    assert fit == pytest.approx(1 - least / spread(values), abs=1e-6)


def test_natural_breaks__of_one_class_are_none():
    bins = histogram(np.array([0.0, 1.0]), lower=0.0, upper=1.0, bins=4)
    breaks = natural_breaks(bins, classes=1)
    assert len(breaks) == 0
    assert goodness_of_fit(bins, breaks) == pytest.approx(0.0)


def test_natural_breaks__fit_better_with_more_classes():
    values = np.random.default_rng(4).random(500)
    bins = histogram(values, lower=0.0, upper=1.0, bins=128)
    fits = [goodness_of_fit(bins, natural_breaks(bins, classes=classes)) for classes in range(1, 12)]
    assert (np.diff(fits) > 0).all()


@pytest.mark.parametrize("classes", [0, 3])
def test_natural_breaks__refuses_what_cannot_be_cut(classes):
    bins = histogram(np.array([0.0, 0.0, 1.0]), lower=0.0, upper=1.0, bins=4)
    with pytest.raises(ValueError, match="between 1 and the 2 bins"):
        natural_breaks(bins, classes=classes)


def test_goodness_of_fit__of_constant_values_is_unknown():
    bins = Histogram(counts=np.array([3, 0]), sums=np.zeros(2), squares=np.zeros(2))
    assert np.isnan(goodness_of_fit(bins, np.empty(0, dtype=np.int64)))
