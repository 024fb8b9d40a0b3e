"""The partial likelihood: hand-worked ties, derivatives by differences, R's values, compiled and plain twins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chemores_dask.kernels import cox
from chemores_dask.kernels.cox import (
    climb,
    cox_terms,
    fit_cox,
    inverse_information,
    log_determinant,
    risk_order,
    risk_set_sums,
    standardize,
)


def _cohort(*, patients=40, covariates=3, late=False, strata=1, seed=4, weighted=False):
    rng = np.random.default_rng(seed)
    duration = rng.integers(2, 12, patients).astype(float)
    entry = (
        np.where(rng.random(patients) < 0.4, rng.integers(0, 9, patients), -np.inf)
        if late
        else np.full(patients, -np.inf)
    )
    entry = np.minimum(entry, duration - 1)
    event = rng.random(patients) < 0.7
    weight = rng.uniform(0.5, 2, patients) if weighted else None
    order, risk = risk_order(duration, event, entry, rng.integers(0, strata, patients), weight)
    return np.ascontiguousarray(standardize(rng.normal(size=(patients, covariates)))[0][order]), risk


def _terms(b, design, risk, function=cox_terms, efron=True):
    p = b.size
    slope, information = np.zeros(p), np.zeros((p, p))
    value = function(b, design, risk, efron, slope, information)
    return value, slope, information


def test_cox_terms__match_a_hand_worked_tie():
    # Two of three patients die at time 1: log of S0 = r1 + r2 + r3, then of S0 - (r1 + r2) / 2.
    order, risk = risk_order(np.array([1.0, 1.0, 2.0]), np.array([True, True, False]), np.full(3, -np.inf), np.zeros(3))
    x = np.array([[0.5], [-1.0], [2.0]])
    b = 0.3
    r = np.exp(b * x[:, 0])
    expected = b * (0.5 - 1.0) - math.log(r.sum()) - math.log(r.sum() - (r[0] + r[1]) / 2)
    assert _terms(np.array([b]), x[order], risk)[0] == pytest.approx(expected, rel=1e-14)


def test_cox_terms__match_a_hand_worked_weighted_tie():
    # R's rules: deaths are weighted, and each of Efron's terms has the mean weight of the tied deaths; Breslow has one term of all of it.
    weight = np.array([2.0, 1.0, 0.5])
    order, risk = risk_order(
        np.array([1.0, 1.0, 2.0]), np.array([True, True, False]), np.full(3, -np.inf), np.zeros(3), weight
    )
    x = np.array([[0.5], [-1.0], [2.0]])
    r = weight * np.exp(0.3 * x[:, 0])
    own = 0.3 * (2 * 0.5 - 1.0)
    efron = own - 1.5 * (math.log(r.sum()) + math.log(r.sum() - (r[0] + r[1]) / 2))
    breslow = own - 3.0 * math.log(r.sum())
    assert _terms(np.array([0.3]), x[order], risk)[0] == pytest.approx(efron, rel=1e-14)
    assert _terms(np.array([0.3]), x[order], risk, efron=False)[0] == pytest.approx(breslow, rel=1e-14)


SETTINGS = pytest.mark.parametrize(
    ("late", "strata", "weighted", "efron"),
    [(False, 1, False, True), (True, 1, True, True), (False, 3, True, False), (True, 3, False, False)],
)


@SETTINGS
def test_cox_terms__have_the_slope_and_curvature_of_their_value(late, strata, weighted, efron):
    design, risk = _cohort(late=late, strata=strata, weighted=weighted)
    b = np.array([0.2, -0.4, 0.1])
    _, slope, information = _terms(b, design, risk, efron=efron)
    h = 1e-5
    for j in range(3):
        up, down = b.copy(), b.copy()
        up[j] += h
        down[j] -= h
        high, low = _terms(up, design, risk, efron=efron), _terms(down, design, risk, efron=efron)
        assert slope[j] == pytest.approx((high[0] - low[0]) / (2 * h), rel=1e-6)
        curvature = -(high[1] - low[1]) / (2 * h)
        np.testing.assert_allclose(information[j, : j + 1], curvature[: j + 1], rtol=1e-5, atol=1e-6)


@SETTINGS
def test_cox_terms__are_the_same_compiled_and_plain(late, strata, weighted, efron):
    design, risk = _cohort(late=late, strata=strata, weighted=weighted)
    b = np.array([0.2, -0.4, 0.1])
    plain = _terms(b, design, risk, cox_terms.python, efron=efron)
    for one, other in zip(_terms(b, design, risk, efron=efron), plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("function", [risk_set_sums, risk_set_sums.python], ids=["compiled", "plain"])
@pytest.mark.parametrize("late", [False, True])
def test_risk_set_sums__are_those_of_the_definition(function, late):
    _, risk = _cohort(patients=31, late=late, strata=3)
    values = np.random.default_rng(0).random((31, 2))
    sums = function(values, risk)
    for i in np.flatnonzero(risk.event):
        moment, stratum = risk.first[i], np.cumsum(risk.opens)
        for c in range(2):
            at_risk = [
                j
                for j in range(31)
                if risk.duration[j] >= risk.duration[i] > risk.entry[j]
                and risk.first[j] < risk.past[j]
                and stratum[risk.first[j]] == stratum[moment]
            ]
            assert sums[moment, c] == pytest.approx(values[at_risk, c].sum(), rel=1e-14)


def test_risk_set_sums__keep_small_risk_sets_exact_beside_large_entrants():
    # The giant leaves the risk set before the small ones die; a sum from which it is subtracted would have lost them.
    duration, entry = np.array([1.0, 3.0, 4.0, 5.0]), np.array([0.5, 2.0, 0.0, 0.0])
    _, risk = risk_order(duration, np.ones(4, dtype=bool), entry, np.zeros(4))
    values = np.where(risk.duration == 3.0, 1e20, 1.0)[:, None]
    assert risk_set_sums(values, risk)[:, 0].tolist() == [1.0, 2.0, 1e20, 3.0]


def test_cox_terms__take_weight_zero_for_absence():
    design, risk = _cohort(weighted=True, late=True)
    gone = np.arange(40) % 7 == 0
    kept = ~gone
    order, small = risk_order(
        risk.duration[kept], risk.event[kept], risk.entry[kept], np.zeros(kept.sum()), risk.weight[kept]
    )
    absent = risk._replace(weight=np.where(gone, 0.0, risk.weight))
    b = np.array([0.2, -0.4, 0.1])
    for one, other in zip(_terms(b, design, absent), _terms(b, design[kept][order].copy(), small), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_cox_terms__recount_late_risk_sets_as_if_nobody_entered_late():
    design, risk = _cohort()
    recounted = risk._replace(late=True)
    for one, other in zip(_terms(np.ones(3), design, risk), _terms(np.ones(3), design, recounted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_cox_terms__refuse_coefficients_out_of_bounds():
    design, risk = _cohort()
    assert _terms(np.full(3, 1e4), design, risk)[0] == -np.inf


@pytest.mark.parametrize("fit", [fit_cox, fit_cox.python], ids=["compiled", "plain"])
def test_fit_cox__finds_the_maximum_from_anywhere(fit):
    design, risk = _cohort(patients=80, strata=2)
    fits = [fit(design, risk, True, start, 50) for start in (np.zeros(3), np.array([2.0, -2.0, 1.0]))]
    for b, covariance, _, _, status in fits:
        assert status == cox.OK
        np.testing.assert_allclose(b, fits[0][0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(covariance, covariance.T, rtol=1e-10)
        assert np.abs(_terms(b, design, risk)[1]).max() < 1e-9


def test_fit_cox__names_what_went_wrong():
    design, risk = _cohort()
    same = np.ascontiguousarray(np.column_stack([design[:, 0], design[:, 0]]))
    assert fit_cox(same, risk, True, np.zeros(2), 50)[4] == cox.COLLINEAR
    assert fit_cox(design, risk, True, np.zeros(3), 1)[4] == cox.NOT_CONVERGED
    order, risk = risk_order(np.arange(1.0, 21), np.ones(20, dtype=bool), np.full(20, -np.inf), np.zeros(20))
    split = standardize((np.arange(20) < 10).astype(float)[:, None])[0][order]
    assert fit_cox(split, risk, True, np.zeros(1), 60)[4] == cox.SEPARATED


def test_climb__starts_with_the_score_statistic():
    design, risk = _cohort()
    _, slope, information = _terms(np.zeros(3), design, risk)
    whole = np.tril(information) + np.tril(information, -1).T
    score = climb(design, risk, True, np.zeros(3), 50)[5]
    assert score == pytest.approx(slope @ np.linalg.solve(whole, slope), rel=1e-10)
    assert score == pytest.approx(climb.python(design, risk, True, np.zeros(3), 50)[5], rel=1e-12)


@pytest.mark.parametrize("function", [log_determinant, log_determinant.python], ids=["compiled", "plain"])
def test_log_determinant__is_that_of_numpy(function):
    root = np.random.default_rng(2).normal(size=(4, 4))
    matrix = root @ root.T
    assert function(np.tril(matrix)) == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-10)
    assert function(np.ones((2, 2))) == -np.inf


def test_inverse_information__inverts_or_says_no():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    matrix = root @ root.T
    inverse = np.zeros((4, 4))
    assert inverse_information(np.tril(matrix), inverse)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), rtol=1e-8)
    assert inverse_information.python(np.tril(matrix), inverse)
    assert not inverse_information(np.ones((2, 2)), np.zeros((2, 2)))
    assert not inverse_information(np.zeros((1, 1)), np.zeros((1, 1)))


def test_risk_order__marks_runs_and_strata():
    order, risk = risk_order(
        np.array([1.0, 2.0, 2.0, 3.0]), np.array([True, False, True, True]), np.full(4, -np.inf), np.array([1, 0, 0, 0])
    )
    assert order.tolist() == [3, 1, 2, 0]
    assert risk.first.tolist() == [0, 1, 1, 2]
    assert risk.past.tolist() == [2, 2, 2, 3]
    assert risk.opens.tolist() == [True, False, True]
    assert risk.weight.tolist() == [1, 1, 1, 1]
    assert not risk.late


def test_standardize__marks_constants_and_survives_a_shift():
    values = np.column_stack([np.full(5, 0.1 + 0.2), np.arange(5) + 1e9])
    scaled, center, spread = standardize(values)
    assert spread[0] == 0
    assert center[1] == 1e9 + 2
    np.testing.assert_allclose(scaled[:, 1], standardize(np.arange(5.0)[:, None])[0][:, 0], rtol=1e-9)
