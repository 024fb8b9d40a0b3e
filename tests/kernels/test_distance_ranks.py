"""Ranks of distances."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels import distance_ranks
from chemores_dask.kernels.distance_ranks import count_below, points_nearer, squared_limits


@pytest.mark.parametrize("kernel", [count_below, count_below.python], ids=["compiled", "python"])
def test_count_below__counts_values_between_limits(kernel):
    values = np.array([[0.0, 1.0, 1.5, 2.0, 9.0], [3.0, 3.0, 3.0, 3.0, 3.0]])
    limits = np.array([[1.0, 2.0, 2.0], [0.0, 3.0, 4.0]])
    counted = np.zeros((2, 3), dtype=np.int64)
    kernel(values, limits, counted)
    assert counted.tolist() == [[1, 2, 0], [0, 0, 5]]


def test_points_nearer__equals_sorting(monkeypatch):
    monkeypatch.setattr(distance_ranks, "CANDIDATES_AT_ONCE", 30)
    draws = np.random.default_rng(0)
    points = draws.normal(size=(200, 7)).astype(np.float32)
    points[150:160] = points[3]  # cells in one place
    queries = points[:12].astype(np.float64)
    near = draws.integers(0, 200, size=(12, 5))
    limits = squared_limits(queries, points[near].astype(np.float64))
    distance = np.linalg.norm(points[None].astype(np.float64) - queries[:, None], axis=2)
    own = np.sort(np.take_along_axis(distance, near, axis=1), axis=1)
    expected = (distance[:, None, :] < own[:, :, None] - 1e-9).sum(axis=2)
    assert np.array_equal(points_nearer(queries, limits, points), expected)
