"""One model per gene: twins, the general kernel, missing values, hopeless genes."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels import cox
from chemores_dask.kernels.cox import fit_cox, risk_order, standardize
from chemores_dask.kernels.cox_columns import fit_univariate, scan_efron, univariate_terms

PATIENTS = 50


@pytest.fixture
def cohort():
    rng = np.random.default_rng(7)
    duration = rng.integers(1, 15, PATIENTS).astype(float)
    event = rng.random(PATIENTS) < 0.6
    order, risk = risk_order(duration, event, np.full(PATIENTS, -np.inf), np.zeros(PATIENTS, dtype=int))
    return order, risk, rng.normal(size=(6, PATIENTS)), standardize(rng.normal(size=(PATIENTS, 2)))[0]


def _scan(matrix, order, risk, covariates=None, *, function=scan_efron, steps=50):
    beside = np.zeros((PATIENTS, 0)) if covariates is None else np.ascontiguousarray(covariates[order])
    return function(np.ascontiguousarray(matrix), order, risk.duration, risk.event, beside, steps)


def _starts(risk):
    fresh = np.r_[True, risk.duration[1:] != risk.duration[:-1]]
    return np.append(np.flatnonzero(fresh), risk.duration.size)


@pytest.mark.parametrize("covariates", [False, True])
def test_scan_efron__is_the_same_compiled_and_plain(cohort, covariates):
    order, risk, matrix, beside = cohort
    matrix[1, 3] = np.nan
    given = beside if covariates else None
    compiled = _scan(matrix, order, risk, given)
    for one, other in zip(compiled, _scan(matrix, order, risk, given, function=scan_efron.python), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_univariate_terms__are_those_of_the_general_kernel(cohort):
    order, risk, matrix, _ = cohort
    x = matrix[0][order]
    slope, information = np.zeros(1), np.zeros((1, 1))
    value = cox.cox_terms(np.array([0.3]), x[:, None].copy(), risk, True, slope, information)
    for function in (univariate_terms, univariate_terms.python):
        found = function(0.3, x, risk.event, _starts(risk))
        np.testing.assert_allclose(found, (value, slope[0], information[0, 0]), rtol=1e-12)
        assert function(1e6, x, risk.event, _starts(risk))[0] == -np.inf


def test_fit_univariate__equals_the_general_fit(cohort):
    order, risk, matrix, _ = cohort
    x = standardize(matrix[0][order][:, None])[0]
    general = fit_cox(x, risk, True, np.zeros(1), 50)
    for function in (fit_univariate, fit_univariate.python):
        b, error, log_likelihood, _, status = function(x[:, 0].copy(), risk.event, _starts(risk), 50)
        assert status == cox.OK
        np.testing.assert_allclose(
            (b, error, log_likelihood), (general[0][0], general[1][0, 0] ** 0.5, general[2]), rtol=1e-10
        )


@pytest.mark.parametrize("covariates", [False, True])
def test_scan_efron__leaves_out_patients_without_a_value(cohort, covariates):
    order, risk, matrix, beside = cohort
    missing = np.zeros(PATIENTS, dtype=bool)
    missing[[0, 5, 17]] = True
    matrix[0, missing] = np.nan
    found = _scan(matrix[:1], order, risk, beside if covariates else None)
    duration, event = np.empty(PATIENTS), np.empty(PATIENTS, dtype=bool)
    duration[order], event[order] = risk.duration, risk.event
    kept = ~missing
    small_order, small = risk_order(duration[kept], event[kept], np.full(kept.sum(), -np.inf), np.zeros(kept.sum()))
    rest = beside[kept][small_order] if covariates else np.zeros((kept.sum(), 0))
    expected = scan_efron(matrix[:1, kept].copy(), small_order, small.duration, small.event, rest, 50)
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=1e-9)
    assert found[5][0] == PATIENTS - 3


def test_scan_efron__gives_hopeless_genes_a_status(cohort):
    order, risk, matrix, beside = cohort
    duration = np.empty(PATIENTS)
    duration[order] = risk.duration
    matrix[0] = 0.1 + 0.2
    matrix[1, 4] = np.inf
    matrix[2] = np.nan
    matrix[3] = beside[:, 0] * 3 + 1
    matrix[4] = duration == duration.max()
    status = _scan(matrix, order, risk, beside)[4]
    assert status.tolist()[:4] == [cox.CONSTANT, cox.INFINITE, cox.TOO_FEW_EVENTS, cox.COLLINEAR]
    assert status[5] == cox.OK
    estimates = np.array(_scan(matrix, order, risk, beside)[:2])
    assert np.isnan(estimates[:, status != cox.OK]).all()
    assert np.isfinite(estimates[:, status == cox.OK]).all()


@pytest.mark.parametrize("function", [scan_efron, scan_efron.python], ids=["compiled", "plain"])
def test_scan_efron__flags_separation_constancy_in_risk_sets_and_too_few_steps(function):
    duration = np.arange(1.0, PATIENTS + 1)
    event = np.arange(PATIENTS) >= 5
    order, risk = risk_order(duration, event, np.full(PATIENTS, -np.inf), np.zeros(PATIENTS))
    early_death = (np.arange(PATIENTS) < 25).astype(float)
    censored_first = (np.arange(PATIENTS) < 5).astype(float)
    status = _scan(np.stack([early_death, censored_first]), order, risk, function=function)[4]
    assert status.tolist() == [cox.SEPARATED, cox.CONSTANT]
    noise = np.random.default_rng(0).normal(size=(1, PATIENTS))
    assert _scan(noise, order, risk, function=function, steps=1)[4].tolist() == [cox.NOT_CONVERGED]


def test_scan_efron__does_not_care_for_shift_and_scale(cohort):
    order, risk, matrix, _ = cohort
    plain = _scan(matrix, order, risk)
    shifted = _scan(matrix * 1e-5 + 1e2, order, risk)
    np.testing.assert_allclose(shifted[0] * 1e-5, plain[0], rtol=1e-6)
    np.testing.assert_allclose(shifted[1] * 1e-5, plain[1], rtol=1e-6)
