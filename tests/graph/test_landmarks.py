"""Landmarks: drawn by name, more where cells are rare, one at least in every part."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.graph.landmarks import choose_landmarks, keys_of
from chemores_dask.graph.stored_graph import connectivity_matrix
from chemores_dask.randomness import cell_keys
from tests.graph.graphs import clouds
from tests.graph.weighted_graphs import fuzzy_graph


def chosen(graph, number, seed=1):
    return choose_landmarks(graph, connectivity_matrix(graph, caller="test"), number=number, seed=seed)


def test_choose_landmarks__gives_the_number_asked_for_in_order():
    graph = fuzzy_graph(clouds(400))
    found = chosen(graph, 50)
    assert len(found) == 50
    assert (np.diff(found) > 0).all()
    assert np.array_equal(found, chosen(graph, 50))
    assert not np.array_equal(found, chosen(graph, 50, seed=2))


def test_choose_landmarks__draws_belong_to_names():
    points = clouds(300)
    order = np.random.default_rng(4).permutation(300)
    graph, shuffled = fuzzy_graph(points), fuzzy_graph(points[order])
    shuffled = shuffled.assign_coords(cell=graph["cell"].values[order])
    assert set(graph["cell"].values[chosen(graph, 40)]) == set(shuffled["cell"].values[chosen(shuffled, 40)])


def test_choose_landmarks__takes_more_of_what_is_sparse():
    points = clouds(800, 200, apart=0.0)
    points[800:] = 60 + 3 * points[800:]
    counts = [(chosen(fuzzy_graph(points), 100, seed=seed) >= 800).sum() for seed in range(5)]
    assert 28 < np.mean(counts) < 55  # 20 with equal weights, 43 with weights 3 : 1


def test_choose_landmarks__keeps_some_of_what_is_dense():
    points = clouds(800, 200, apart=0.0)
    points[800:] = 60 + 0.001 * points[800:]
    counts = [(chosen(fuzzy_graph(points), 100, seed=seed) >= 800).sum() for seed in range(5)]
    assert np.mean(counts) > 3


def test_choose_landmarks__every_part_has_one():
    points = clouds(200, 6, 6, 6, 6, 6, apart=500.0)
    found = chosen(fuzzy_graph(points, neighbors=4), 4)
    parts = np.searchsorted([200, 206, 212, 218, 224], found, side="right")
    assert set(parts) == set(range(6))


@pytest.mark.parametrize("change", ["same place", "no distances"])
def test_choose_landmarks__weighs_all_alike_where_distances_say_nothing(change):
    graph = fuzzy_graph(np.zeros((60, 3)) if change == "same place" else clouds(60))
    if change == "no distances":
        graph = graph.drop_vars(["neighbor_distance", "neighbor_index"])
    assert len(chosen(graph, 10)) >= 10


def test_keys_of__are_names_or_row_numbers():
    graph = fuzzy_graph(clouds(20))
    assert np.array_equal(keys_of(graph, 20), cell_keys(graph["cell"].values.tolist()))
    assert np.array_equal(keys_of(graph.drop_vars("cell"), 20), np.arange(20))
