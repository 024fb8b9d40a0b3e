"""Robust priors; ``test_moderated_variance`` holds them against limma."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from chemores_dask.kernels.variance_outliers import log_upper_tail, robust_prior, winsorized_moments


@pytest.mark.parametrize(("degrees", "prior"), [(3.0, 4.0), (10.0, 50.0), (5.0, np.inf)])
def test_winsorized_moments__equal_those_of_many_draws(degrees, prior):
    rng = np.random.default_rng(1)
    draws = rng.chisquare(degrees, 400_000) / degrees
    if np.isfinite(prior):
        draws /= rng.chisquare(prior, 400_000) / prior
    logs = np.log(draws)
    drawn = np.clip(logs, *np.quantile(logs, [0.05, 0.9]))
    mean, variance = winsorized_moments(degrees, prior)
    assert mean == pytest.approx(drawn.mean(), abs=0.006)
    assert variance == pytest.approx(drawn.var(), rel=0.01)


def test_log_upper_tail__equals_scipy_and_goes_on_where_that_vanishes():
    values = np.array([0.5, 2.0, 50.0])
    np.testing.assert_allclose(log_upper_tail(values, 4.0, 9.0), np.log(scipy.stats.f.sf(values, 4, 9)), rtol=1e-10)
    far = log_upper_tail(np.array([1e80, 1e81]), 4.0, 9.0)
    assert np.isfinite(far).all()
    # Far out the tail falls as the power prior / 2 of the ratio.
    assert far[0] - far[1] == pytest.approx(4.5 * np.log(10), rel=1e-6)


def test_robust_prior__gives_outliers_fewer_degrees():
    rng = np.random.default_rng(2)
    variances = rng.chisquare(6, 300) / 6 / (rng.chisquare(10, 300) / 10)
    variances[:3] = 500.0
    plain = (np.full(300, 3.0), np.ones(300))
    degrees, level = robust_prior(variances, np.full(300, 6.0), np.ones(300, bool), None, plain)
    assert (degrees[:3] < 0.5 * np.median(degrees)).all()
    assert level[0] == pytest.approx(1.0, rel=0.15)


def test_robust_prior__of_too_few_variances_is_the_plain_one():
    plain = (np.full(4, 3.0), np.ones(4))
    assert robust_prior(np.arange(1.0, 5.0), np.full(4, 6.0), np.ones(4, bool), None, plain) is plain
