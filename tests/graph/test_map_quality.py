"""Trustworthiness of maps."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.manifold import trustworthiness

from chemores_dask.graph import map_quality
from chemores_dask.graph.layout_files import write_rows
from chemores_dask.graph.map_quality import trustworthiness_of
from chemores_dask.stream.array_files import array_folder
from tests.graph.graphs import clouds


def trust_of(points, coordinates, seed=1):
    with array_folder("test") as folder:
        embedding = xr.DataArray(np.asarray(points, dtype=np.float32), dims=("cell", "component"))
        return trustworthiness_of(folder, write_rows(folder, embedding), np.asarray(coordinates, np.float32), seed=seed)


@pytest.mark.parametrize("cells", [4, 5, 9, 33, 400])
def test_trustworthiness_of__is_that_of_sklearn_on_all_cells(cells):
    points = clouds(cells).astype(np.float32)
    coordinates = points[:, :2] + np.random.default_rng(0).normal(size=(cells, 2)).astype(np.float32)
    found = trust_of(points, coordinates)
    assert found.neighbors == min(15, (cells - 1) // 2)
    assert found.value == pytest.approx(trustworthiness(points, coordinates, n_neighbors=found.neighbors), abs=1e-12)
    assert (found.lower, found.upper) == (found.value, found.value)
    assert found.queries == cells


def test_trustworthiness_of__a_sample_comes_near_and_says_how_near(monkeypatch):
    points = clouds(500, 300).astype(np.float32)
    coordinates = points[:, :2]
    whole = trust_of(points, coordinates).value
    monkeypatch.setattr(map_quality, "QUERIES", 100)
    inside = 0
    for seed in range(20):
        found = trust_of(points, coordinates, seed=seed)
        assert found.queries == 100
        inside += found.lower <= whole <= found.upper
    assert inside >= 16


def test_trustworthiness_of__is_one_for_the_points_themselves_and_a_half_for_chance():
    points = clouds(600, dimensions=2).astype(np.float32)
    assert trust_of(points, points).value == 1.0
    shuffled = points[np.random.default_rng(0).permutation(600)]
    assert trust_of(points, shuffled).value == pytest.approx(0.5, abs=0.03)


def test_trustworthiness_of__cells_in_one_place_lose_nothing():
    points = np.zeros((50, 3))
    assert trust_of(points, np.zeros((50, 2))).value == 1.0
