from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from chemores_dask.graph.reference_index import build_index, nearest_lists, with_recall


def points(cells=3000, components=6, seed=0):
    random = np.random.default_rng(seed)
    centers = random.normal(size=(12, components)) * 3
    return (centers[random.integers(0, 12, cells)] + random.normal(size=(cells, components))).astype(np.float32)


def test_search__is_exact_with_one_list():
    reference, queries = points(500), points(40, seed=1)
    index, distance = build_index(reference, seed=1).search(queries, neighbors=9)
    expected, numbers = NearestNeighbors(n_neighbors=9).fit(reference).kneighbors(queries)
    np.testing.assert_array_equal(index, numbers)
    np.testing.assert_allclose(distance, expected, rtol=1e-4)


def test_search__breaks_ties_by_row_number():
    reference = np.repeat(points(4), 5, axis=0)[np.random.default_rng(0).permutation(20)]
    index, distance = build_index(reference, seed=1).search(reference[:1], neighbors=5)
    assert index[0].tolist() == np.flatnonzero((reference == reference[0]).all(axis=1)).tolist()
    assert (distance == 0).all()


def test_search__with_all_lists_is_exact():
    reference, queries = points(), points(50, seed=1)
    index = build_index(reference, seed=3, exact_cells=100)
    assert index.lists == 4 * math.isqrt(3000)
    found, _ = index.search(queries, neighbors=10, probes=index.lists)
    expected = NearestNeighbors(n_neighbors=10).fit(reference).kneighbors(queries, return_distance=False)
    np.testing.assert_array_equal(found, expected)


def test_search__asks_more_lists_where_they_hold_too_few():
    reference = points(600)
    found, distance = build_index(reference, seed=3, exact_cells=100).search(points(7, seed=1), neighbors=590, probes=1)
    assert (found >= 0).all()
    assert np.isfinite(distance).all()


def test_search__of_no_cells_is_empty():
    assert build_index(points(30), seed=1).search(points(0), neighbors=4)[0].shape == (0, 4)


def test_with_recall__raises_the_probes_until_it_holds():
    reference, queries = points(6000, 12), points(200, 12, seed=1)
    index = build_index(reference, seed=1, exact_cells=100)
    low = with_recall(index, queries, neighbors=20, minimum=0.1)
    high = with_recall(index, queries, neighbors=20, minimum=0.9999)
    assert 0.1 <= low.recall < high.recall
    assert low.probes < high.probes
    true = NearestNeighbors(n_neighbors=20).fit(reference).kneighbors(queries, return_distance=False)
    found, _ = high.search(queries, neighbors=20)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found, true, strict=True)]) / 20 == pytest.approx(high.recall)


def test_with_recall__of_one_list_is_one():
    assert with_recall(build_index(points(30), seed=1), points(3), neighbors=2).recall == 1.0


def test_build_index__holds_every_cell_once_for_a_seed():
    reference = points()
    first, second = (build_index(reference, seed=5, exact_cells=100) for _ in range(2))
    assert sorted(first.number.tolist()) == list(range(3000))
    np.testing.assert_array_equal(first.members, second.members)
    assert (first.centers != build_index(reference, seed=6, exact_cells=100).centers).any()


def test_build_index__copes_with_copies_of_one_cell():
    reference = np.repeat(points(1), 300, axis=0)
    index = build_index(reference, seed=1, exact_cells=100)
    found, distance = index.search(reference[:2], neighbors=4)
    assert found.tolist() == [[0, 1, 2, 3]] * 2
    assert (distance == 0).all()


def test_nearest_lists__put_the_nearest_first():
    queries, centers = points(50), points(9, seed=2)
    away = ((queries[:, None] - centers[None]) ** 2).sum(axis=2)
    found = nearest_lists(queries, centers, count=4)
    np.testing.assert_array_equal(found[:, 0], away.argmin(axis=1))
    np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(np.argsort(away, axis=1)[:, :4], axis=1))
    assert nearest_lists(queries, centers, count=9).shape == (50, 9)
