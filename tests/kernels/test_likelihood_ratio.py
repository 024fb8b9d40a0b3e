"""The likelihood ratio of pairs of counts: against scipy's optimizer, and its mean without an effect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from chemores_dask.kernels import likelihood_ratio as kernels
from chemores_dask.kernels.beta_binomial import LOG_WEIGHTS, NODES, log_likelihood
from chemores_dask.kernels.likelihood_ratio import (
    bartlett_factor,
    bounds_of,
    draw_ratios,
    effect_limits,
    fit_pairs,
    null_draws,
    ratio_p_value,
)
from tests.published_counts import EXPANSION

COUNTS = np.array(list(EXPANSION.values()), dtype=float)
FOUND, TOTAL = COUNTS[:, [0, 2]], COUNTS[:, [1, 3]]
RARE = np.array([[1, 10], [2, 7], [0, 9], [3, 14], [1, 8], [2, 11], [1, 9], [0, 6]], dtype=float)
UNEQUAL = np.tile([100.0, 700.0], (8, 1))


def minimized(found, total, *, effect):
    """The best of several runs of Nelder and Mead, within the bounds."""
    bounds = bounds_of(total)

    def negative(theta):
        full = np.insert(theta, 1, 0.0) if not effect else theta
        if ((full < bounds[:, 0]) | (full > bounds[:, 1])).any():
            return np.inf
        return -log_likelihood(full, found, total, NODES, LOG_WEIGHTS, np.empty(4))

    best = np.inf
    for start in ([-3.0, 2.0, -0.5, -4.0], [-2.0, 0.5, -1.5, -2.0]):
        own = np.array(start) if effect else np.delete(start, 1)
        found_best = optimize.minimize(negative, own, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-8})
        best = min(best, found_best.fun)
    return -best


@pytest.mark.compiled
@pytest.mark.parametrize(("found", "total"), [(FOUND, TOTAL), (RARE, UNEQUAL)])
def test_fit_pairs__finds_the_maxima_that_scipy_finds(found, total):
    fit = fit_pairs(found, total)
    expected = 2 * (minimized(found, total, effect=True) - minimized(found, total, effect=False))
    assert fit.ratio == pytest.approx(expected, abs=2e-3)


def test_fit_pairs__turns_with_the_stages():
    forward, backward = fit_pairs(FOUND, TOTAL), fit_pairs(FOUND[:, ::-1].copy(), TOTAL[:, ::-1].copy())
    assert forward.ratio == pytest.approx(backward.ratio, abs=1e-3)
    assert forward.full[1] == pytest.approx(-backward.full[1], abs=1e-2)


def test_fit_pairs__of_a_state_found_at_one_stage_only_is_finite():
    found = RARE.copy()
    found[:, 0] = 0
    fit = fit_pairs(found, UNEQUAL)
    assert 0 < fit.ratio < 100
    assert fit.full[1] > 2
    lower, upper = effect_limits(fit, found, UNEQUAL, factor=1.0, level=0.95)
    assert lower > 0
    assert upper == np.inf


def test_effect_limits__are_where_the_test_turns():
    fit = fit_pairs(RARE, UNEQUAL)
    lower, upper = effect_limits(fit, RARE, UNEQUAL, factor=1.2, level=0.95)
    assert lower < fit.full[1] < upper
    # Nothing changes in this table, and the limits agree with the test that it does not.
    assert lower < 0 < upper
    assert ratio_p_value(fit.ratio, 1.2) > 0.05
    wide = effect_limits(fit, RARE, UNEQUAL, factor=2.0, level=0.95)
    assert wide[0] < lower
    assert wide[1] > upper


@pytest.mark.compiled
def test_null_draws__have_the_moments_of_the_model():
    null = np.array([-2.0, 0.0, np.log(0.5), -3.0])
    tables = null_draws(null, TOTAL, draws=4000, generator=np.random.default_rng(1))
    assert tables.shape == (4000, 8, 2)
    shares = tables / TOTAL
    effects = np.random.default_rng(2).standard_normal(200_000)
    means = 1 / (1 + np.exp(2.0 - 0.5 * effects))
    rho = 1 / (1 + np.exp(3.0))
    variance = means.var() + (means * (1 - means)).mean() * (rho + (1 - rho) / TOTAL)
    np.testing.assert_allclose(shares.mean(axis=0), means.mean(), atol=0.006)
    np.testing.assert_allclose(shares.var(axis=0), variance, rtol=0.15)


@pytest.mark.parametrize(
    ("null", "total"),
    [
        (fit_pairs(RARE, UNEQUAL).null, UNEQUAL),
        # Patients alike, where the slope of log sigma vanishes, and cells alike, where that of rho does.
        (np.array([-2.0, 0.0, -6.0, -3.0]), np.full((8, 2), 300.0)),
        (np.array([-3.0, 0.0, -1.5, -13.0]), np.full((6, 2), 200.0)),
    ],
    ids=["neither", "cells", "patients"],
)
def test_draw_ratios__equal_full_fits(null, total):
    tables = null_draws(null, total, draws=40, generator=np.random.default_rng(5))
    tables[0] = 0
    ratios = draw_ratios(tables, total, null, bounds_of(total), NODES, LOG_WEIGHTS)
    assert np.isnan(ratios[0])
    expected = [fit_pairs(table, total).ratio for table in tables[1:]]
    np.testing.assert_allclose(ratios[1:], expected, atol=0.02)


@pytest.mark.compiled
def test_draw_ratios__are_the_same_compiled_and_plain():
    fit = fit_pairs(RARE, UNEQUAL)
    tables = null_draws(fit.null, UNEQUAL, draws=2, generator=np.random.default_rng(3))
    arguments = (tables, UNEQUAL, fit.null, bounds_of(UNEQUAL), NODES, LOG_WEIGHTS)
    np.testing.assert_allclose(draw_ratios.python(*arguments), draw_ratios(*arguments), rtol=1e-9, atol=1e-9)


def test_bartlett_factor__is_that_of_student_where_samples_scatter():
    # Many cells, one scatter: the ratio is n log(1 + t^2 / (n - 1)), whose mean is n (psi(n / 2) - psi((n - 1) / 2)) = 1.22 for 8 patients.
    null, total = np.array([-0.5, 0.0, np.log(0.5), -3.0]), np.full((8, 2), 5000.0)
    factor = bartlett_factor(null, total, draws=300, generator=np.random.default_rng(4))
    assert factor == pytest.approx(1.22, abs=0.3)
    assert bartlett_factor(null, total, draws=300, generator=np.random.default_rng(4)) == factor


def test_bartlett_factor__is_1_where_no_cell_is_ever_found():
    null, total = np.array([-19.0, 0.0, -3.0, -5.0]), np.full((3, 2), 20.0)
    assert bartlett_factor(null, total, draws=5, generator=np.random.default_rng(4)) == 1.0


def test_ratio_p_value__is_that_of_chi_square():
    assert ratio_p_value(3.841459 * 1.3, 1.3) == pytest.approx(0.05, abs=1e-6)
    assert ratio_p_value(7.0, 1.0) == pytest.approx(stats.chi2.sf(7.0, 1))
    assert kernels.FREE.all()
