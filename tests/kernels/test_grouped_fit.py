"""Weighted least squares with groups, against numpy on the whole design."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels import grouped_fit as module
from chemores_dask.kernels.grouped_fit import contrast_variance, factorize, fitted_value, grouped_fit


@pytest.fixture(params=["compiled", "python"])
def way(request, monkeypatch):
    if request.param == "python":
        for name in ("group_means", "factorize", "solve_lower", "solve_upper"):
            monkeypatch.setattr(module, name, getattr(module, name).python)
        return grouped_fit.python
    return grouped_fit


def _problem(seed=1):
    rng = np.random.default_rng(seed)
    group = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3])
    columns = rng.normal(size=(12, 2))
    return rng.normal(size=12), rng.uniform(0.2, 3, 12), group, columns


def _whole(y, w, design):
    root = np.sqrt(w)[:, None]
    beta = np.linalg.lstsq(design * root, y * root[:, 0], rcond=None)[0]
    return beta, np.linalg.inv((design * w[:, None]).T @ design)


def test_grouped_fit__equals_the_design_with_indicators(way):
    y, w, group, columns = _problem()
    beta, covariance = _whole(y, w, np.column_stack([np.eye(4)[group], columns]))
    fit = way(y, w, group, 4, columns)
    np.testing.assert_allclose(fit.level, beta[:4], rtol=1e-10)
    np.testing.assert_allclose(fit.free, beta[4:], rtol=1e-10)
    contrast = np.array([1.0, -2.0])
    assert contrast_variance(fit, contrast) == pytest.approx(contrast @ covariance[4:, 4:] @ contrast, rel=1e-10)
    assert contrast_variance.python(fit, contrast) == pytest.approx(contrast_variance(fit, contrast), rel=1e-12)


def test_grouped_fit__without_groups_equals_the_design(way):
    y, w, group, columns = _problem(2)
    design = np.column_stack([np.ones(12), columns])
    beta, _ = _whole(y, w, design)
    fit = way(y, w, group, 0, design)
    np.testing.assert_allclose(fit.free, beta, rtol=1e-10)
    fitted = [fitted_value(fit, group, design, i) for i in range(12)]
    np.testing.assert_allclose(fitted, design @ beta, rtol=1e-10)
    assert fitted_value.python(fit, group, design, 3) == pytest.approx(fitted[3], rel=1e-12)


def test_grouped_fit__leaves_out_what_nothing_determines(way):
    y, w, group, columns = _problem(3)
    columns = np.column_stack([columns[:, 0], (group == 1).astype(float), columns[:, 1]])
    fit = way(y, w, group, 4, columns)
    np.testing.assert_array_equal(fit.kept, [True, False, True])
    np.testing.assert_allclose(fit.free[[0, 2]], way(y, w, group, 4, columns[:, [0, 2]]).free, rtol=1e-10)
    assert fit.free[1] == 0
    assert contrast_variance(fit, np.array([0.0, 1.0, 0.0])) == np.inf


def test_grouped_fit__does_without_groups_of_no_weight(way):
    y, w, group, columns = _problem(4)
    w[group == 2] = 0.0
    kept = group != 2
    fit = way(y, w, group, 4, columns)
    less = way(y[kept], w[kept], np.where(group[kept] == 3, 2, group[kept]), 3, columns[kept])
    np.testing.assert_allclose(fit.free, less.free, rtol=1e-10)
    assert fit.total[2] == 0
    assert np.isfinite(fit.level).all()


def test_grouped_fit__takes_no_free_columns(way):
    y, w, group, _ = _problem(5)
    fit = way(y, w, group, 4, np.empty((12, 0)))
    np.testing.assert_allclose(fit.level[1], np.average(y[group == 1], weights=w[group == 1]))


def test_factorize__does_not_depend_on_units():
    products = np.diag([1e-30, 1e30])
    assert factorize(products, np.array([1e-30, 1e30])).all()
