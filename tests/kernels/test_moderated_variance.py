"""Moderated variances against limma.

``expected/squeezed_variances.csv`` was made with R 4.2.2, limma 3.54.1 and statmod: 60 variances with 5 degrees of freedom around a
falling trend, two of them 40 times too large; ``squeezeVar(variance, 5)`` (plain), ``squeezeVar(variance, degrees)`` (unequal), with
``covariate = trend`` (trend), with ``robust = TRUE`` (robust), with both (robust_trend), with unequal degrees (robust_unequal).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import polygamma

from chemores_dask.kernels.moderated_variance import (
    SqueezedVariances,
    inverse_trigamma,
    natural_spline,
    squeeze_variances,
    total_degrees,
)


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(Path(__file__).parent / "expected" / "squeezed_variances.csv")


@pytest.mark.parametrize("case", ["plain", "unequal", "trend", "robust", "robust_trend", "robust_unequal"])
def test_squeeze_variances__equals_limma(expected, case):
    found = squeeze_variances(
        expected["variance"].to_numpy(),
        expected["degrees"].to_numpy(float) if "unequal" in case else 5.0,
        trend=expected["trend"].to_numpy() if "trend" in case else None,
        robust="robust" in case,
    )
    # limma finds the robust prior to 1e-8 of d0 / (1 + d0).
    tolerance = 1e-7 if "robust" in case else 1e-12
    for name in ("posterior", "prior_degrees", "prior_variance"):
        np.testing.assert_allclose(getattr(found, name), expected[f"{case}_{name}"], rtol=tolerance)


def test_squeeze_variances__keeps_the_outliers_of_a_robust_prior(expected):
    variances = expected["variance"].to_numpy()
    plain, robust = squeeze_variances(variances, 5.0), squeeze_variances(variances, 5.0, robust=True)
    outlier = int(np.argmax(variances))
    assert robust.posterior[outlier] > plain.posterior[outlier]
    assert robust.prior_degrees[outlier] < np.median(robust.prior_degrees)


def test_squeeze_variances__finds_the_prior_that_was_simulated():
    rng = np.random.default_rng(3)
    genes = 20_000
    variances = 0.25 * rng.chisquare(4, genes) / 4 / (rng.chisquare(8, genes) / 8)
    for robust in (False, True):
        found = squeeze_variances(variances, 4.0, robust=robust)
        assert np.median(found.prior_degrees) == pytest.approx(8, rel=0.1)
        assert found.prior_variance[0] == pytest.approx(0.25, rel=0.03)


@pytest.mark.parametrize("robust", [False, True])
def test_squeeze_variances__of_one_variance_scattering_by_chance_is_that_variance(robust):
    rng = np.random.default_rng(4)
    found = squeeze_variances(2.0 * rng.chisquare(6, 400) / 6 * 0.0 + 2.0, 6.0, robust=robust)
    assert np.isinf(found.prior_degrees).all()
    np.testing.assert_allclose(found.posterior, 2.0, rtol=0.3)


def test_squeeze_variances__leaves_unknown_variances_out():
    rng = np.random.default_rng(5)
    variances = rng.chisquare(4, 50) / 4 / (rng.chisquare(6, 50) / 6)
    whole = squeeze_variances(variances, 4.0)
    more = squeeze_variances(np.append(variances, [np.nan, 7.0]), np.append(np.full(50, 4.0), [4.0, 0.0]))
    np.testing.assert_allclose(more.posterior[:50], whole.posterior, rtol=1e-12)
    assert np.isnan(more.posterior[50])
    assert more.posterior[51] == pytest.approx(whole.prior_variance[0])


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize(
    "variances", [[], [2.0], [np.nan, 2.0], [np.nan], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1e-300, 1.0, 1e300]]
)
def test_squeeze_variances__answers_for_any_variances(variances, robust):
    found = squeeze_variances(np.array(variances), 3.0, robust=robust)
    assert isinstance(found, SqueezedVariances)
    known = np.isfinite(np.array(variances))
    assert np.isfinite(found.posterior[known]).all()
    assert np.isnan(found.posterior[~known]).all()


def test_total_degrees__never_exceeds_those_of_all_variances():
    np.testing.assert_array_equal(total_degrees(4.0, np.array([2.0, np.inf, 5.0])), [6.0, 12.0, 9.0])


def test_inverse_trigamma__is_the_inverse():
    for value in (1e-9, 1e-3, 0.5, 4.0, 1e5, 1e9):
        assert float(polygamma(1, inverse_trigamma(value))) == pytest.approx(value, rel=1e-4 if value > 1e7 else 1e-6)


def test_natural_spline__is_straight_outside_and_smooth_inside():
    x = np.linspace(0, 10, 200)
    inside = (x > 2) & (x < 8)
    basis = natural_spline(x, inside)
    assert basis.shape == (200, 4)
    second = np.diff(basis, n=2, axis=0)
    np.testing.assert_allclose(second[x[2:] < 2], 0, atol=1e-12)
    np.testing.assert_allclose(second[x[:-2] > 8], 0, atol=1e-9)
