"""Natural breaks: against exhaustive search and cases worked by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from chemores_dask.kernels.natural_breaks import class_starts, optimal_classes

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


def by_every_start(counts, means, classes):
    """The same table without the shortcut: every start of the last class is tried."""
    groups = len(counts)
    total, first, second = (np.concatenate(([0.0], np.cumsum(counts * means**power))) for power in (0, 1, 2))
    cost = np.full((classes, groups), np.inf)
    for last in range(groups):
        for start in range(last + 1):
            mass = first[last + 1] - first[start]
            within = max(second[last + 1] - second[start] - mass**2 / (total[last + 1] - total[start]), 0.0)
            for level in range(classes):
                before = 0.0 if start == level == 0 else cost[level - 1, start - 1] if start and level else np.inf
                cost[level, last] = min(cost[level, last], before + within)
    return cost


@KERNELS
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("classes", [1, 2, 3, 4])
def test_optimal_classes__equals_exhaustive_search(kernel, seed, classes):
    values = np.sort(np.random.default_rng(seed).gamma(1.0, size=11))
    cost, starts = kernel(np.ones(11), values, classes)
    least, cuts = least_by_search(values, classes)
    assert cost[classes - 1, -1] == pytest.approx(least, rel=1e-9, abs=1e-12)
    assert tuple(class_starts(starts, classes)) == cuts


@pytest.mark.parametrize("seed", range(6))
def test_optimal_classes__equals_the_table_of_every_start(seed):
    generator = np.random.default_rng(seed)
    values = np.sort(generator.choice([generator.normal(size=120), generator.beta(0.3, 0.3, size=120)]))
    counts = generator.integers(1, 50, size=120).astype(float)
    scaled = (values - values[0]) / (values[-1] - values[0])
    cost, _ = optimal_classes(counts, scaled, 7)
    np.testing.assert_allclose(cost, by_every_start(counts, scaled, 7), rtol=1e-9, atol=1e-11)


def test_optimal_classes__compiled_and_plain_agree():
    generator = np.random.default_rng(9)
    values, counts = np.sort(generator.random(200)), generator.integers(1, 9, size=200).astype(float)
    for compiled, plain in zip(
        optimal_classes(counts, values, 6), optimal_classes.python(counts, values, 6), strict=True
    ):
        np.testing.assert_array_equal(compiled, plain)


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


def test_class_starts__hand_worked():
    # {4, 5} {9, 10} {15, 16}, the textbook example of three pairs. Within: 3 x 0.5; total: 703 - 59^2 / 6.
    values = np.array([4.0, 5.0, 9.0, 10.0, 15.0, 16.0])
    cost, starts = optimal_classes(np.ones(6), values, 4)
    assert class_starts(starts, 3).tolist() == [2, 4]
    assert class_starts(starts, 1).tolist() == []
    np.testing.assert_allclose(cost[[0, 2], -1], [703 - 59**2 / 6, 1.5])


@pytest.mark.parametrize("classes", [0, 3])
def test_class_starts__refuses_what_cannot_be_cut(classes):
    _, starts = optimal_classes(np.ones(2), np.array([0.0, 1.0]), 5)
    with pytest.raises(ValueError, match="between 1 and 2"):
        class_starts(starts, classes)


def test_optimal_classes__fit_better_with_more_classes():
    values = np.sort(np.random.default_rng(4).random(500))
    cost, _ = optimal_classes(np.ones(500), values, 12)
    assert (np.diff(cost[:, -1]) < 0).all()
