"""One covariate: the same as the general kernel, for ties, strata, weights and absent patients."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels import cox
from chemores_dask.kernels.cox import climb, cox_terms, risk_order, standardize
from chemores_dask.kernels.cox_one_gene import Moments, count_deaths, fit_univariate, list_moments, univariate_terms

PATIENTS = 50
SETTINGS = pytest.mark.parametrize(
    ("strata", "weighted", "efron"), [(1, False, True), (3, True, True), (3, True, False), (1, False, False)]
)


def _cohort(*, strata=1, weighted=False, absent=0):
    rng = np.random.default_rng(7)
    duration = rng.integers(1, 15, PATIENTS).astype(float)
    weight = rng.uniform(0.5, 2, PATIENTS) if weighted else np.ones(PATIENTS)
    event = rng.random(PATIENTS) < 0.6
    _, risk = risk_order(duration, event, np.full(PATIENTS, -np.inf), rng.integers(0, strata, PATIENTS), weight)
    risk.weight[rng.permutation(PATIENTS)[:absent]] = 0.0
    return standardize(rng.normal(size=(PATIENTS, 1)))[0][:, 0], risk


@SETTINGS
@pytest.mark.parametrize("absent", [0, 9])
def test_univariate_terms__are_those_of_the_general_kernel(strata, weighted, efron, absent):
    x, risk = _cohort(strata=strata, weighted=weighted, absent=absent)
    slope, information, r = np.zeros(1), np.zeros((1, 1)), np.zeros(PATIENTS)
    own = (risk.weight * x)[risk.event].sum()
    for moments in (list_moments(risk), list_moments.python(risk)):
        for b in (0.0, 0.3):
            value = cox_terms(np.array([b]), x[:, None].copy(), risk, efron, slope, information)
            for function in (univariate_terms, univariate_terms.python):
                found = function(b, x, risk.weight, moments, efron, r)
                expected = (value - b * own, slope[0] - own, information[0, 0])
                np.testing.assert_allclose(found, expected, rtol=1e-11)


@SETTINGS
def test_fit_univariate__equals_the_general_fit(strata, weighted, efron):
    x, risk = _cohort(strata=strata, weighted=weighted, absent=5)
    general = climb(x[:, None].copy(), risk, efron, np.zeros(1), 50)
    null = cox_terms(np.zeros(1), x[:, None].copy(), risk, efron, np.zeros(1), np.zeros((1, 1)))
    for function in (fit_univariate, fit_univariate.python):
        found = function(x, risk.event, risk.weight, list_moments(risk), efron, 50)
        assert found[5] == cox.OK
        expected = (general[0][0], general[1][0, 0] ** 0.5, general[2], null, general[5])
        np.testing.assert_allclose(found[:5], expected, rtol=1e-10)


def test_univariate_terms__stay_exact_where_the_product_of_risk_sets_would_overflow():
    x, risk = _cohort()
    moments, r = list_moments(risk), np.zeros(PATIENTS)
    for b in (-60.0, 60.0):
        value = cox_terms(np.array([b]), x[:, None].copy(), risk, True, np.zeros(1), np.zeros((1, 1)))
        own = b * x[risk.event].sum()
        assert univariate_terms(b, x, risk.weight, moments, True, r)[0] == pytest.approx(value - own, rel=1e-12)


def test_count_deaths__leaves_out_the_absent():
    _, risk = _cohort()
    weight = np.where(np.arange(PATIENTS) < 20, 0.0, 2.0)
    for function in (count_deaths, count_deaths.python):
        known, total = function(risk, weight)
        assert known.sum() == risk.event[20:].sum()
        assert (total == 2 * known).all()
    moments = list_moments(risk)
    assert isinstance(moments, Moments)
    assert (moments.deaths >= known).all()


@pytest.mark.parametrize("fit", [fit_univariate, fit_univariate.python], ids=["compiled", "plain"])
def test_fit_univariate__names_what_went_wrong(fit):
    duration, event = np.arange(1.0, PATIENTS + 1), np.arange(PATIENTS) >= 5
    _, risk = risk_order(duration, event, np.full(PATIENTS, -np.inf), np.zeros(PATIENTS))
    moments, place = list_moments(risk), PATIENTS - risk.duration

    def status(x, steps=50):
        scaled = standardize(x.astype(float)[:, None])[0][:, 0].copy()
        return fit(scaled, risk.event, risk.weight, moments, True, steps)[5]

    assert status(place < 25) == cox.SEPARATED
    assert status(risk.duration <= 5) == cox.CONSTANT
    noise = np.random.default_rng(0).normal(size=PATIENTS)
    assert status(noise, steps=1) == cox.NOT_CONVERGED
    # One value far from all others: steps to where exponents overflow are halved.
    far = noise.copy()
    far[3] = 1e9
    assert status(far) in {cox.OK, cox.SEPARATED, cox.NOT_CONVERGED}
