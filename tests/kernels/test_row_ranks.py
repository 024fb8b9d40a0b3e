"""Levels and ranks of the values of a row, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from chemores_dask.kernels.row_ranks import find_levels, rank_levels, rank_space

FINDERS = pytest.mark.parametrize("find", [find_levels, find_levels.python])
RANKERS = pytest.mark.parametrize("rank", [rank_levels, rank_levels.python])


def rows():
    generator = np.random.default_rng(3)
    return {
        "counts": generator.poisson(0.8, 60).astype(float),
        "negative": generator.integers(-3, 3, 50).astype(float),
        "different": generator.normal(size=40),
        "zeros": np.zeros(7),
        "nothing": np.empty(0),
        "signed zeros": np.array([0.0, -0.0, 1.0, -1.0]),
        "huge": np.array([1e300, -1e300, 1e-300, 5e-324, 1e300]),
    }


@FINDERS
@pytest.mark.parametrize("name", rows())
def test_find_levels__counts_what_is_different(find, name):
    values = rows()[name]
    space = rank_space(len(values))
    for _ in range(2):  # the space can be used again
        number = find(values, space)
        levels, counts = np.unique(values[values != 0], return_counts=True)
        assert number == len(levels)
        order = np.argsort(space.levels[:number])
        np.testing.assert_array_equal(space.levels[:number][order], levels)
        np.testing.assert_array_equal(space.counts[:number][order], counts)
        of_values = space.level_of[: len(values)]
        np.testing.assert_array_equal(of_values < 0, values == 0)
        np.testing.assert_array_equal(space.levels[of_values[of_values >= 0]], values[values != 0])


@FINDERS
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_find_levels__says_when_a_value_is_not_known_and_stays_usable(find, wrong):
    space = rank_space(3)
    assert find(np.array([2.0, wrong, 1.0]), space) == -1
    assert find(np.array([2.0, 2.0, 1.0]), space) == 2


@RANKERS
@pytest.mark.parametrize("name", rows())
@pytest.mark.parametrize(("lowest", "method"), [(True, "min"), (False, "average")])
def test_rank_levels__ranks_as_scipy_does(rank, name, lowest, method):
    values = rows()[name]
    unstored = 5
    space = rank_space(len(values))
    number = find_levels(values, space)
    zeros = int((values == 0).sum()) + unstored
    zero_rank = rank(space, number, zeros, lowest)
    expected = rankdata(np.append(values, np.zeros(unstored)), method=method)
    level_of = space.level_of[: len(values)]
    found = np.where(level_of < 0, zero_rank, space.level_ranks[level_of])
    np.testing.assert_array_equal(np.append(found, np.full(unstored, zero_rank)), expected)
