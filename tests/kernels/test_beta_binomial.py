"""The likelihood of pairs of beta-binomial counts: against scipy's integrals, derivatives by differences, R's glmer.

R 4.2.2, lme4 1.1.31: ``glmer(cbind(x, n - x) ~ z + (1 | patient), family = binomial, nAGQ = 15)`` with ``z`` -1/2 and 1/2, on the published
expansion: the limit without correlation of cells.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import betaln, expit, gammaln, psi

from chemores_dask.kernels import beta_binomial as kernels
from chemores_dask.kernels.beta_binomial import (
    LOG_WEIGHTS,
    NODES,
    climb,
    digamma_rise,
    log_likelihood,
    log_rise,
    log_share,
    slopes,
)
from chemores_dask.kernels.likelihood_ratio import FREE, WITHOUT_EFFECT, bounds_of
from tests.published_counts import EXPANSION

COUNTS = np.array(list(EXPANSION.values()), dtype=float)
FOUND, TOTAL = COUNTS[:, [0, 2]], COUNTS[:, [1, 3]]
THETA = np.array([-3.0, 2.5, -0.3, -3.5])


def likelihood(theta, found=FOUND, total=TOTAL):
    gradient = np.empty(4)
    return log_likelihood(theta, found, total, NODES, LOG_WEIGHTS, gradient), gradient


def integrated(theta, found, total):
    """Log likelihood of one patient by adaptive integration of beta functions."""
    sigma, size = np.exp(theta[2]), np.exp(-theta[3])

    def integrand(u):
        value = stats.norm.pdf(u)
        for stage in range(2):
            mean = expit(theta[0] + theta[1] * (stage - 0.5) + sigma * u)
            up, down = size * mean, size * (1 - mean)
            value *= np.exp(
                betaln(found[stage] + up, total[stage] - found[stage] + down) - betaln(up, down) + shift[stage]
            )
        return value

    # Binomial coefficients keep the integrand within the range of floats.
    shift = gammaln(total + 1) - gammaln(found + 1) - gammaln(total - found + 1)
    return np.log(integrate.quad(integrand, -9, 9, epsabs=0, epsrel=1e-10, limit=500)[0]) - shift.sum()


@pytest.mark.parametrize("start", [1e-6, 0.3, 5.0, 19.9, 20.1, 333.0, 1e7])
@pytest.mark.parametrize("steps", [0.0, 1.0, 5.0, 700.0])
def test_rises__equal_scipy(start, steps):
    cancellation = 1e-15 * abs(gammaln(start + steps))
    assert log_rise(start, steps) == pytest.approx(
        gammaln(start + steps) - gammaln(start), rel=1e-11, abs=10 * cancellation
    )
    assert digamma_rise(start, steps) == pytest.approx(psi(start + steps) - psi(start), rel=1e-9, abs=1e-11)


def test_log_rise__does_not_cancel():
    # Gamma(a + 2) / Gamma(a) = a (a + 1).
    assert log_rise(1e12, 2.0) == pytest.approx(np.log(1e12) + np.log(1e12 + 1), rel=1e-15)
    assert log_rise.python(1e12, 2.0) == log_rise(1e12, 2.0)


def test_log_share__equals_scipy():
    for x, n, eta, size in ((0, 650, -4.0, 30.0), (66, 618, -2.0, 500.0), (618, 618, 3.0, 2.0)):
        mean = expit(eta)
        theirs = stats.betabinom(n, size * mean, size * (1 - mean)).logpmf(x)
        coefficient = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
        assert log_share(float(x), float(n), eta, size) == pytest.approx(theirs - coefficient, rel=1e-9)


def test_slopes__equal_differences():
    x, n, eta, size, by = 5.0, 626.0, -4.2, 80.0, 1e-5
    by_eta, by_size = slopes(x, n, eta, size)
    assert by_eta == pytest.approx(
        (log_share(x, n, eta + by, size) - log_share(x, n, eta - by, size)) / (2 * by), rel=1e-6
    )
    moved = [log_share(x, n, eta, size * np.exp(side * by)) for side in (1, -1)]
    assert by_size == pytest.approx((moved[0] - moved[1]) / (2 * by), rel=1e-5)


@pytest.mark.parametrize("theta", [THETA, [-4.0, 0.0, 0.5, -6.0], [-2.0, 3.0, -2.0, -1.0], [-5.0, 1.0, 1.0, -2.5]])
def test_log_likelihood__equals_scipys_integrals(theta):
    theta = np.asarray(theta, dtype=float)
    for patient in range(len(FOUND)):
        ours, _ = likelihood(theta, FOUND[[patient]], TOTAL[[patient]])
        # A zero with a wide effect of the patient has the most lopsided integrand: 2e-3 with 15 nodes.
        assert ours == pytest.approx(integrated(theta, FOUND[patient], TOTAL[patient]), abs=2e-3)


def test_log_likelihood__has_the_derivatives_of_differences():
    _, gradient = likelihood(THETA)
    for parameter in range(4):
        by = np.zeros(4)
        by[parameter] = 1e-5
        slope = (likelihood(THETA + by)[0] - likelihood(THETA - by)[0]) / 2e-5
        assert gradient[parameter] == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_log_likelihood__is_the_same_compiled_and_plain(monkeypatch):
    compiled, gradient = likelihood(THETA, FOUND[:2], TOTAL[:2])
    for name in ("log_rise", "digamma_rise", "log_share", "slopes", "_pull", "_peak"):
        monkeypatch.setattr(kernels, name, getattr(kernels, name).python)
    own = np.empty(4)
    plain = log_likelihood.python(THETA, FOUND[:2], TOTAL[:2], NODES, LOG_WEIGHTS, own)
    assert plain == pytest.approx(compiled, rel=1e-12)
    np.testing.assert_allclose(own, gradient, rtol=1e-8)


def test_climb__is_the_same_compiled_and_plain(monkeypatch):
    found, total = FOUND[:3], TOTAL[:3]
    starts = [np.array([-3.0, 3.0, -1.0, -4.0]) for _ in range(2)]
    compiled = climb(starts[0], FREE, bounds_of(total), found, total, NODES, LOG_WEIGHTS)
    monkeypatch.setattr(kernels, "_bounded", kernels._bounded.python)
    plain = climb.python(starts[1], FREE, bounds_of(total), found, total, NODES, LOG_WEIGHTS)
    assert plain == pytest.approx(compiled, rel=1e-9)
    np.testing.assert_allclose(starts[0], starts[1], atol=1e-3)


def test_climb__finds_what_glmer_finds_without_correlation():
    bounds = bounds_of(TOTAL)
    # A correlation of cells of 1e-9 is none.
    bounds[3] = -20.7
    free, fixed = FREE.copy(), WITHOUT_EFFECT.copy()
    free[3] = fixed[3] = False
    with_effect, without = np.array([-2.0, 2.0, -0.5, -20.7]), np.array([-2.0, 0.0, -0.5, -20.7])
    high = climb(with_effect, free, bounds, FOUND, TOTAL, NODES, LOG_WEIGHTS)
    low = climb(without, fixed, bounds, FOUND, TOTAL, NODES, LOG_WEIGHTS)
    assert with_effect[0] == pytest.approx(-2.93522549, abs=2e-4)
    assert with_effect[1] == pytest.approx(3.86261556, abs=2e-4)
    assert np.exp(with_effect[2]) == pytest.approx(0.46978171, abs=2e-4)
    assert without[0] == pytest.approx(-1.82566020, abs=2e-4)
    assert np.exp(without[2]) == pytest.approx(0.41335586, abs=2e-4)
    assert 2 * (high - low) == pytest.approx(1856.04454, abs=1e-2)


def test_climb__stops_at_a_maximum_that_neighbors_do_not_exceed():
    theta = np.array([-3.0, 3.0, -1.0, -4.0])
    height = climb(theta, FREE, bounds_of(TOTAL), FOUND, TOTAL, NODES, LOG_WEIGHTS)
    for parameter in range(4):
        for side in (-0.02, 0.02):
            moved = theta.copy()
            moved[parameter] += side
            assert likelihood(moved)[0] < height
