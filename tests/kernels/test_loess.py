"""The trend: against the compiled library, and where that library gives up."""

from __future__ import annotations

import numpy as np
import pytest
from skmisc.loess import loess

from chemores_dask.kernels.loess import local_quadratic, loess_trend, tree_vertices


def points(number, seed=0):
    random = np.random.default_rng(seed)
    x = np.log10(random.uniform(0.01, 10, number))
    return x, 1.3 * x + 0.1 * x**2 + random.normal(0, 0.1, number)


@pytest.mark.parametrize("number", [14, 20, 50, 333, 5001])
def test_local_quadratic__equals_the_compiled_library_without_ties(number):
    x, y = points(number)
    model = loess(x, y, span=0.3, degree=2)
    model.fit()
    np.testing.assert_allclose(local_quadratic(x, y, span=0.3), model.outputs.fitted_values, atol=1e-8)
    np.testing.assert_array_equal(loess_trend(x, y, span=0.3), model.outputs.fitted_values)


def test_local_quadratic__stays_close_to_the_library_with_ties():
    random = np.random.default_rng(3)
    x = np.log10(random.poisson(3 * random.random(3000)) + random.integers(1, 3, 3000))
    y = x + random.normal(0, 0.1, 3000)
    x = x + 1e-3 * random.integers(0, 30, 3000)
    model = loess(x, y, span=0.3, degree=2)
    model.fit()
    np.testing.assert_allclose(local_quadratic(x, y, span=0.3), model.outputs.fitted_values, atol=0.02)


@pytest.mark.parametrize("number", [1, 2, 3, 5, 13])
def test_loess_trend__takes_few_points(number):
    x, y = points(number)
    fitted = loess_trend(x, y, span=0.3)
    assert np.isfinite(fitted).all()


def test_loess_trend__of_no_points_is_empty():
    assert loess_trend(np.zeros(0), np.zeros(0), span=0.3).shape == (0,)


def test_loess_trend__of_one_value_of_x_is_the_mean():
    y = np.random.default_rng(0).normal(size=100)
    np.testing.assert_allclose(loess_trend(np.full(100, -1.2), y, span=0.3), y.mean(), atol=1e-9)


def test_loess_trend__of_three_values_of_x_goes_through_their_means():
    x = np.log10(np.repeat([1 / 30, 2 / 30, 3 / 30], [50, 30, 20]))
    y = x + np.random.default_rng(0).normal(size=100) * 0.01
    np.testing.assert_allclose(loess_trend(x, y, span=0.3), x, atol=0.01)


def test_local_quadratic__keeps_a_parabola():
    x = np.linspace(-2, 2, 200)
    np.testing.assert_allclose(local_quadratic(x, x**2 - x, span=0.3), x**2 - x, atol=0.02)


def test_local_quadratic__does_not_depend_on_the_order_of_points():
    x, y = points(300)
    order = np.random.default_rng(1).permutation(300)
    np.testing.assert_allclose(
        local_quadratic(x[order], y[order], span=0.3), local_quadratic(x, y, span=0.3)[order], rtol=1e-10
    )


def test_tree_vertices__enclose_the_points_and_rise():
    x = np.sort(np.repeat(np.arange(5.0), 20))
    vertices = tree_vertices(x, largest_cell=5)
    assert vertices[0] < 0
    assert vertices[-1] > 4
    assert (np.diff(vertices) > 0).all()
