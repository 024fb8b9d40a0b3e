"""Search through lists: compiled against plain, and against all distances."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.reference_search import insert_candidate, search_lists, square_distances

PLAIN = pytest.mark.parametrize("plain", [False, True])


def chosen(kernel, plain):
    return kernel.python if plain else kernel


@PLAIN
def test_insert_candidate__orders_by_distance_then_number(plain):
    index, distance = np.full(3, -1, dtype=np.int32), np.full(3, np.inf, dtype=np.float32)
    for number, square in ((7, 2.0), (3, 2.0), (9, 1.0), (1, 2.0), (5, 3.0)):
        chosen(insert_candidate, plain)(number, np.float32(square), index, distance)
    assert index.tolist() == [9, 1, 3]
    assert distance.tolist() == [1.0, 2.0, 2.0]


@PLAIN
@pytest.mark.parametrize("components", [1, 3, 4, 7, 8])
def test_square_distances__equal_the_formula(plain, components):
    points = np.random.default_rng(0).normal(size=(5, components)).astype(np.float32)
    query = np.arange(components, dtype=np.float32)
    square = np.full(9, -1, dtype=np.float32)
    values = np.concatenate([np.zeros(11, dtype=np.float32), points.T.ravel()])
    chosen(square_distances, plain)(values, 11, 5, query, square)
    np.testing.assert_allclose(square[:5], ((points - query) ** 2).sum(axis=1), rtol=1e-5)
    assert (square[5:] == -1).all()


@PLAIN
def test_search_lists__finds_the_nearest_of_the_lists_it_is_given(plain):
    random = np.random.default_rng(1)
    points = random.normal(size=(12, 3)).astype(np.float32)
    number = random.permutation(12).astype(np.int32)
    offset = np.array([0, 5, 5, 12])
    members = np.concatenate([points[number[first:stop]].T.ravel() for first, stop in ((0, 5), (5, 12))])
    queries = random.normal(size=(4, 3)).astype(np.float32)
    index, distance = np.empty((4, 6), dtype=np.int32), np.empty((4, 6), dtype=np.float32)
    probe = np.array([[0, 2], [2, 1], [1, 0], [2, 0]])
    chosen(search_lists, plain)(queries, np.array([2, 0, 3, 1]), probe, members, offset, number, index, distance)
    for query, lists in enumerate(probe):
        rows = np.concatenate([number[offset[each] : offset[each + 1]] for each in lists])
        away = np.sqrt(((points[rows] - queries[query]) ** 2).sum(axis=1))
        expected = rows[np.argsort(away)][:6]
        assert index[query, : len(expected)].tolist() == expected.tolist()
        np.testing.assert_allclose(distance[query, : len(expected)], np.sort(away)[:6], rtol=1e-5)
        assert (index[query, len(expected) :] == -1).all()
        assert np.isinf(distance[query, len(expected) :]).all()
