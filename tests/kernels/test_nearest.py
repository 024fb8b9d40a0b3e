"""Nearest points by products and exact distances, against all distances."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.nearest import (
    NOBODY,
    Search,
    distance_between,
    keep_nearest,
    prepare_candidates,
    prepare_queries,
    slack,
)


def all_nearest(points, cells, candidates, candidate_cells, neighbors):
    """By all distances: float64 sums, rounded to float32 once."""
    differences = points[:, None].astype(np.float64) - candidates[None].astype(np.float64)
    distance = np.sqrt((differences**2).sum(axis=2)).astype(np.float32)
    distance[cells[:, None] == candidate_cells[None]] = np.inf
    order = np.lexsort((np.broadcast_to(candidate_cells, distance.shape), distance), axis=1)[:, :neighbors]
    return np.take_along_axis(distance, order, axis=1), candidate_cells[order]


def searched(points, neighbors, *, pieces=3, center=None):
    search = Search(
        points, np.arange(len(points)), points.mean(axis=0, dtype=float) if center is None else center, neighbors
    )
    for some in np.array_split(np.arange(len(points)), pieces):
        search.look_at(points[some], some, np.arange(len(points)))
    return search


def drawn(cells, components, *, seed=0, scale=1.0, shift=0.0):
    return (np.random.default_rng(seed).normal(size=(cells, components)) * scale + shift).astype(np.float32)


@pytest.mark.parametrize("components", [1, 2, 5, 50, 67])
@pytest.mark.parametrize("neighbors", [1, 15])
def test_search__finds_what_all_distances_find(components, neighbors):
    points = drawn(700, components)
    found = searched(points, neighbors)
    distance, neighbor = all_nearest(points, np.arange(700), points, np.arange(700), neighbors)
    assert np.array_equal(found.distance, distance)
    assert np.array_equal(found.neighbor, neighbor)


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 1e4), (1e15, 0.0), (1e-20, 0.0), (1.0, -1e6)])
def test_search__stays_exact_where_products_lose_their_digits(scale, shift):
    points = drawn(300, 8, scale=scale, shift=shift)
    for center in (None, np.zeros(8)):
        found = searched(points, 5, center=center)
        distance, neighbor = all_nearest(points, np.arange(300), points, np.arange(300), 5)
        assert np.array_equal(found.neighbor, neighbor)
        assert np.array_equal(found.distance, distance)


def test_search__takes_the_first_of_cells_in_one_place():
    points = np.repeat(drawn(4, 6), 30, axis=0)
    found = searched(points, 10, pieces=7)
    assert not found.distance.any()
    first = np.array([cell for cell in range(30) if cell != 5][:10])
    assert np.array_equal(found.neighbor[5], first)
    assert np.array_equal(found.neighbor[29], np.arange(10))
    assert np.array_equal(found.neighbor[119], 90 + np.arange(10))


def test_search__does_not_depend_on_the_order_of_candidates():
    points = drawn(400, 10).round(1)  # many ties
    straight = searched(points, 7)
    search = Search(points, np.arange(400), np.zeros(10), 7)
    order = np.random.default_rng(1).permutation(400)
    for some in np.array_split(order, 5):
        search.look_at(points[some], some, np.arange(400))
    assert np.array_equal(search.distance, straight.distance)
    assert np.array_equal(search.neighbor, straight.neighbor)


def test_search__leaves_places_empty_where_candidates_are_few():
    points = drawn(3, 4)
    found = searched(points, 5, pieces=1)
    assert np.isinf(found.distance[:, 2:]).all()
    assert (found.neighbor[:, 2:] == NOBODY).all()
    assert np.isfinite(found.distance[:, :2]).all()


def test_keep_nearest__plain_and_compiled_agree():
    points, candidates = drawn(20, 9), drawn(45, 9, seed=1)
    center = np.zeros(9)
    queries, squares, others = np.empty((20, 10), np.float32), np.empty(20), np.empty((45, 10), np.float32)
    results = []
    for kernel, prepare_left, prepare_right in (
        (keep_nearest, prepare_queries, prepare_candidates),
        (keep_nearest.python, prepare_queries.python, prepare_candidates.python),
    ):
        prepare_left(points, center, queries, squares)
        largest = prepare_right(candidates, center, others)
        distance, neighbor = np.full((20, 4), np.inf, np.float32), np.full((20, 4), NOBODY)
        kernel(
            queries @ others.T,
            np.arange(20),
            squares,
            slack(squares, largest, components=9),
            points,
            np.arange(20),
            candidates,
            np.arange(10, 55),
            distance,
            neighbor,
        )
        results.append((distance, neighbor, queries.copy(), squares.copy(), others.copy()))
    for compiled, plain in zip(*results, strict=True):
        assert np.array_equal(compiled, plain)
    expected = all_nearest(points, np.arange(20), candidates, np.arange(10, 55), 4)
    assert np.array_equal(results[0][0], expected[0])
    assert np.array_equal(results[0][1], expected[1])


def test_slack__bounds_the_error_of_products():
    for scale, shift in ((1.0, 0.0), (3.0, 50.0), (1e-3, 1.0)):
        points, candidates = drawn(200, 50, scale=scale, shift=shift), drawn(300, 50, seed=2, scale=scale, shift=shift)
        center = np.zeros(50)
        queries, squares, others = np.empty((200, 51), np.float32), np.empty(200), np.empty((300, 51), np.float32)
        prepare_queries(points, center, queries, squares)
        largest = prepare_candidates(candidates, center, others)
        differences = points[:, None].astype(np.float64) - candidates[None].astype(np.float64)
        error = (queries @ others.T).astype(np.float64) + squares[:, None] - (differences**2).sum(axis=2)
        bound = slack(squares, largest, components=50)
        assert (error.max(axis=1) <= bound).all()
        assert bound.max() < 1e-4 * (squares.max() + largest)


@pytest.mark.parametrize("components", [1, 3, 4, 50])
def test_distance_between__is_rounded_once(components):
    first, second = drawn(50, components, shift=100.0), drawn(50, components, seed=1, shift=100.0)
    for left, right in zip(first, second, strict=True):
        expected = np.float32(np.sqrt(((left.astype(np.float64) - right) ** 2).sum()))
        assert distance_between(left, right) == distance_between.python(left, right)
        assert distance_between(left, right) == distance_between(right, left)
        assert abs(distance_between(left, right) - expected) <= np.spacing(expected)
    assert distance_between(first[0], first[0]) == 0
