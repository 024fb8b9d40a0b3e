"""Which breaks are used: elbows, valleys, and breaks between scores."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import InputError
from chemores_dask.kernels.dyadic_bins import bin_groups, pool_bins
from chemores_dask.scores.break_choice import (
    break_depths,
    break_values,
    chosen_break,
    elbow_distances,
    natural_classes,
)


def bins_of(values):
    values = np.asarray(values, dtype=float)
    return pool_bins(bin_groups(values, np.zeros(len(values), dtype=int), most=4096))


def test_natural_classes__hand_worked():
    found = natural_classes(bins_of([4, 5, 9, 10, 15, 16]), classes=4)
    # Stretched from 0 to 1, 12 scores become 1. Two classes: {4, 5, 9, 10} {15, 16}, or the same from above.
    within = [_spread([4, 5, 9, 10, 15, 16]), _spread([4, 5, 9, 10]) + 0.5, 1.5, 1.0]
    np.testing.assert_allclose(found.within * 144, within)
    np.testing.assert_allclose(found.goodness, 1 - found.within / found.within[0])
    np.testing.assert_allclose(break_values(found.bins, found.firsts(3)), [7.0, 12.5])


def _spread(values):
    return float(((np.array(values) - np.mean(values)) ** 2).sum())


def test_natural_classes__needs_as_many_scores():
    with pytest.raises(InputError, match="Found 2 that differ"):
        natural_classes(bins_of([1, 1, 2]), classes=3)


def test_elbow_distances__find_the_bend():
    # Chord from (0, 1) to (1, 0); the third of five points lies 0.4 below it.
    distances = elbow_distances(np.array([10.0, 6.0, 1.0, 0.5, 0.0]))
    np.testing.assert_allclose(distances, [0.0, 0.15, 0.4, 0.2, 0.0])
    assert elbow_distances(np.array([1.0, 1.0])).tolist() == [0.0, 0.0]
    assert elbow_distances(np.array([3.0])).tolist() == [0.0]


def test_elbow_distances__order_points_as_right_angles_do():
    within = np.array([1.0, 0.5, 0.3, 0.2, 0.18, 0.15])
    distances = elbow_distances(within)
    x, y = np.linspace(0, 1, 6), (within - within[-1]) / (within[0] - within[-1])
    right = np.abs(x + y - 1) / np.sqrt(2)
    np.testing.assert_allclose(distances / np.sqrt(2), right, atol=1e-12)


def test_break_values__lie_between_neighbors():
    upper = np.nextafter(1.0, 2.0)
    bins = bins_of([1.0, 1.0, upper])
    assert break_values(bins, np.array([1])).tolist() == [upper]
    assert break_values(bins_of([0.0, 3.0]), np.array([1])).tolist() == [1.5]


def test_break_depths__tell_a_valley_from_a_slope():
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(size=500), generator.normal(8, 1, size=500)])
    found = natural_classes(bins_of(values), classes=4)
    depths, sound = break_depths(found.bins, found.firsts(4))
    assert sound.tolist() == [False, True, False]
    assert depths[1] > 0.9
    assert chosen_break(sound) == 1
    assert chosen_break(np.zeros(3, dtype=bool)) == 2


def test_break_depths__beside_an_empty_class_are_unknown():
    bins = bins_of([0.0, 1.0, 2.0, 10.0, 11.0])
    depths, sound = break_depths(bins, np.array([0, 3, 3, 5]))
    assert np.isnan(depths).tolist() == [True, True, True, True]
    assert not sound.any()
    assert np.isfinite(break_depths(bins, np.array([3]))[0]).all()
