"""Weights to neighbors: compiled against plain, and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.neighbor_weights import fuzzy_weights, gaussian_weights

FUZZY = pytest.mark.parametrize("kernel", [fuzzy_weights, fuzzy_weights.python])
GAUSSIAN = pytest.mark.parametrize("kernel", [gaussian_weights, gaussian_weights.python])


def distances(cells=20, neighbors=7, seed=0):
    return np.sort(np.random.default_rng(seed).gamma(2.0, size=(cells, neighbors)), axis=1).astype(np.float32)


@FUZZY
def test_fuzzy_weights__sum_to_the_logarithm(kernel):
    distance = distances()
    weight = np.empty_like(distance)
    kernel(distance, 1.0, weight)
    np.testing.assert_allclose(weight.sum(axis=1), np.log2(8), atol=2e-5)
    assert np.all(weight[:, 0] == 1)
    assert np.all(np.diff(weight, axis=1) <= 0)


@FUZZY
def test_fuzzy_weights__do_not_depend_on_the_unit_of_distance(kernel):
    distance = distances()
    near, far = np.empty_like(distance), np.empty_like(distance)
    kernel(distance, 1.0, near)
    kernel(distance * np.float32(1024), 1024.0, far)
    np.testing.assert_allclose(near, far, atol=5e-5)


@FUZZY
def test_fuzzy_weights__have_a_least_width(kernel):
    # Without it, the last neighbor would get log2(4) - 2 = 0; and the mean of all distances is the measure where all are 0.
    distance = np.array([[1, 1, 1.001], [0, 0, 0]], dtype=np.float32)
    weight = np.empty_like(distance)
    kernel(distance, 5.0, weight)
    mean = distance[0].sum(dtype=float) / 4
    assert weight[0, 2] == pytest.approx(np.exp(-float(distance[0, 2] - distance[0, 0]) / (1e-3 * mean)), rel=1e-6)
    assert weight[1].tolist() == [1, 1, 1]


def test_fuzzy_weights__compiled_equals_plain():
    distance = distances(cells=60)
    distance[:5, :3] = 0
    distance[7] = 2
    compiled, plain = np.empty_like(distance), np.empty_like(distance)
    fuzzy_weights(distance, 1.5, compiled)
    fuzzy_weights.python(distance, 1.5, plain)
    np.testing.assert_allclose(compiled, plain, rtol=2e-7, atol=0)


@GAUSSIAN
def test_gaussian_weights__follow_the_formula(kernel):
    distance = distances(cells=10, neighbors=3)
    index = (np.arange(10)[:, None] + [1, 2, 3]) % 10
    squared = np.linspace(0.5, 2.0, 10)
    weight = np.empty_like(distance)
    kernel(index, distance, squared, weight)
    own, other = squared[:, None], squared[index]
    expected = np.sqrt(2 * np.sqrt(own * other) / (own + other)) * np.exp(
        -(distance.astype(float) ** 2) / (own + other)
    )
    np.testing.assert_allclose(weight, expected, rtol=2e-7)


@GAUSSIAN
def test_gaussian_weights__without_width_join_only_what_is_in_one_place(kernel):
    index = np.array([[1, 2], [0, 2], [0, 1]])
    distance = np.array([[0, 1], [0, 1], [1, 1]], dtype=np.float32)
    weight = np.empty_like(distance)
    kernel(index, distance, np.array([0.0, 0.0, 1.0]), weight)
    assert weight.tolist() == [[1, 0], [1, 0], [0, 0]]
    kernel(index, distance, np.zeros(3), weight)
    assert weight.tolist() == [[1, 0], [1, 0], [0, 0]]
