"""Joins: all against all, and lists against lists."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from chemores_dask.graph import inverted_lists, neighbor_join
from chemores_dask.graph.inverted_lists import ChosenRows, Queries, sort_into_lists, stage_embedding
from chemores_dask.graph.neighbor_join import chosen_probes, distances_to_centers, join_all, join_lists, near_lists

NOBODY = np.empty(0, dtype=np.int64)


def drawn(cells=600, components=5, seed=0):
    return np.random.default_rng(seed).normal(size=(cells, components)).astype(np.float32)


def exact(points, neighbors):
    distance = np.sqrt(((points[:, None].astype(float) - points[None]) ** 2).sum(axis=2)).astype(np.float32)
    np.fill_diagonal(distance, np.inf)
    order = np.lexsort((np.broadcast_to(np.arange(len(points)), distance.shape), distance), axis=1)[:, :neighbors]
    return np.take_along_axis(distance, order, 1), order


def listed(points, folder, centers, *, rows=90):
    staged = stage_embedding(da.from_array(points, chunks=(rows, -1)), str(folder), ChosenRows(NOBODY, NOBODY))
    return sort_into_lists(str(folder), staged.bounds, centers, Queries(points[:1], np.array([0]), 2)).lists


@pytest.mark.parametrize(("rows", "per_task"), [(90, 40), (90, 4096), (1000, 250)])
def test_join_all__is_exact(tmp_path, monkeypatch, rows, per_task):
    monkeypatch.setattr(neighbor_join, "QUERIES_PER_TASK", per_task)
    monkeypatch.setattr(neighbor_join, "CANDIDATES_PER_READ", 64)
    points = drawn()
    staged = stage_embedding(da.from_array(points, chunks=(rows, -1)), str(tmp_path), ChosenRows(NOBODY, NOBODY))
    distance, neighbor = join_all(str(tmp_path), staged.bounds, neighbors=7)
    assert neighbor.dtype == np.int32
    assert np.array_equal(distance, exact(points, 7)[0])
    assert np.array_equal(neighbor, exact(points, 7)[1])


@pytest.mark.parametrize("per_group", [1, 100, 10**6])
def test_join_lists__with_all_lists_is_exact(tmp_path, monkeypatch, per_group):
    monkeypatch.setattr(inverted_lists, "CELLS_PER_GROUP", per_group)
    points = drawn()
    lists = listed(points, tmp_path, np.concatenate([points[:20], np.full((1, 5), 99, np.float32)]))
    distance, neighbor = join_lists(lists, probes=lists.number, neighbors=7)
    assert np.array_equal(distance, exact(points, 7)[0])
    assert np.array_equal(neighbor, exact(points, 7)[1])


@pytest.mark.parametrize("probes", [1, 3, 8])
def test_join_lists__looks_at_the_lists_with_the_nearest_centers(tmp_path, probes):
    points = drawn()
    centers = points[:20].copy()
    lists = listed(points, tmp_path, centers)
    distance, neighbor = join_lists(lists, probes=probes, neighbors=4)
    of_cell = lists.list_of_cells()
    to_center = ((points[:, None].astype(float) - centers[None]) ** 2).sum(axis=2)
    between = ((points[:, None].astype(float) - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(between, np.inf)
    for cell in range(0, 600, 7):
        near = np.argsort(((centers[of_cell[cell]] - centers) ** 2).sum(axis=1))[: 4 * probes]
        chosen = near[np.argsort(to_center[cell, near])[:probes]]
        candidates = np.flatnonzero(np.isin(of_cell, chosen) & (np.arange(600) != cell))
        wanted = candidates[np.argsort(between[cell, candidates])[:4]]
        assert np.array_equal(neighbor[cell, : len(wanted)], wanted)
        assert np.isinf(distance[cell, len(wanted) :]).all()


def test_join_lists__holds_the_same_bits_for_any_grouping(tmp_path, monkeypatch):
    points = drawn(900, 12)
    found = []
    for number, per_group in enumerate((50, 333)):
        monkeypatch.setattr(inverted_lists, "CELLS_PER_GROUP", per_group)
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(join_lists(listed(points, folder, points[:30].copy()), probes=5, neighbors=6))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_near_lists__hold_their_own_even_among_equals():
    centers = np.ones((50, 3), np.float32)
    near = near_lists(centers, np.array([0, 17, 49]), 2)
    assert near.shape == (3, 8)
    assert all(own in row for own, row in zip((0, 17, 49), near, strict=True))
    assert near_lists(centers[:5], np.array([4]), 2).tolist() == [[0, 1, 2, 3, 4]]


def test_distances_to_centers__are_squares_and_never_below_zero():
    points, centers = drawn(40, 6), drawn(9, 6, seed=1)
    distances = distances_to_centers(points + 1000, centers + 1000, own=np.arange(9) == 4)
    assert (distances[:, 4] == -1).all()
    wanted = ((points[:, None] - centers[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(np.delete(distances, 4, 1), np.delete(wanted, 4, 1), atol=1e-2)
    assert (distances_to_centers(centers, centers) >= 0).all()


def test_chosen_probes__are_the_nearest():
    distances = drawn(30, 12) ** 2
    chosen = chosen_probes(distances, 5)
    assert (chosen.sum(axis=1) == 5).all()
    assert (np.where(chosen, distances, -1).max(axis=1) < np.where(chosen, np.inf, distances).min(axis=1)).all()
    assert chosen_probes(distances, 12).all()
