"""The lists that queries look at."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.list_probes import choose_probes, keep_smallest, nearest_centers, queries_by_list


@pytest.mark.parametrize(("points", "centers"), [(1, 1), (700, 3), (1300, 1100)])
def test_nearest_centers__are_the_nearest(points, centers):
    generator = np.random.default_rng(3)
    left, right = (generator.normal(5.0, 1.0, (count, 6)).astype(np.float32) for count in (points, centers))
    distance = ((left[:, None] - right[None]) ** 2).sum(axis=2)
    found = nearest_centers(left, right)
    assert found.dtype == np.int32
    np.testing.assert_allclose(distance[np.arange(points), found], distance.min(axis=1), atol=1e-4)


def test_nearest_centers__take_the_first_of_equals():
    assert not nearest_centers(np.ones((40, 3), np.float32), np.ones((600, 3), np.float32)).any()


def test_keep_smallest__plain_and_compiled_agree():
    products = np.random.default_rng(4).normal(size=(10, 53)).round(1).astype(np.float32)
    results = []
    for kernel in (keep_smallest, keep_smallest.python):
        smallest, found = np.full(10, np.inf, np.float32), np.zeros(10, np.int32)
        kernel(products[:, :20], 0, smallest, found)
        kernel(products[:, 20:], 20, smallest, found)
        results.append((smallest, found))
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])
    assert np.array_equal(results[0][1], products.argmin(axis=1))


@pytest.mark.parametrize("kernel", [choose_probes, choose_probes.python])
def test_choose_probes__marks_as_many_as_asked_and_the_first_of_equals(kernel):
    distances = np.array([[3.0, 1.0, 1.0, 1.0, 0.0], [5.0, 4.0, 3.0, 2.0, 1.0]], dtype=np.float32)
    chosen = np.empty(distances.shape, dtype=bool)
    kernel(distances, np.array([1.0, 3.0], np.float32), 3, chosen)
    assert chosen.tolist() == [[False, True, True, False, True], [False, False, True, True, True]]


@pytest.mark.parametrize("kernel", [queries_by_list, queries_by_list.python])
def test_queries_by_list__keeps_their_order(kernel):
    lists, queries = np.array([2, 0, 2, 1, 0], np.int32), np.array([10, 11, 12, 13, 14], np.int32)
    starts, ordered = np.array([0, 2, 3]), np.empty(5, np.int32)
    kernel(lists, queries, starts, ordered)
    assert ordered.tolist() == [11, 14, 13, 10, 12]
    assert starts.tolist() == [2, 3, 5]
