"""Score residuals and sandwich errors: R's values, their sum, a jackknife, compiled and plain twins."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.cox import climb, cox_terms, risk_order
from chemores_dask.kernels.cox_robust import robust_covariance, score_rows

# R 4.2.2, survival 3.5-3, ties "efron" and "breslow", coxph.control(eps = 1e-11, iter.max = 60), with the cohort of _cohort():
# coxph(Surv(start, time, event) ~ x + z + strata(s), weights = w, ties = ties, cluster = g) and, for the errors of the model,
# robust = FALSE: coefficients, errors of the model, robust errors, log-likelihood at 0 and at the end, score statistic.
R_VALUES = {
    True: [
        *(0.129150477600063, 0.116921742073418, 0.199065273310509, 0.281238758031157, 0.219824987778237),
        *(0.282419756193836, -34.5976693914873, -34.309527432184, 0.570310245796415),
    ],
    False: [
        *(0.10992123514361, 0.0991482136676704, 0.200211628981792, 0.281251015858075, 0.200973014085728),
        *(0.249386959140144, -36.7772149496407, -36.5778114718305, 0.394642533029329),
    ],
}


def _cohort():
    i = np.arange(24)
    time = (i * 7) % 6 + 2.0
    start = np.minimum((i * 3) % 4, time - 1)
    matrix = np.column_stack([((i * 13) % 17) / 4 - 2, ((i * 5) % 9) / 3])
    order, risk = risk_order(time, (i * 5) % 7 < 5, start, (i % 5 < 2).astype(int), 0.5 + ((i * 11) % 6) / 4)
    return np.ascontiguousarray(matrix[order]), risk, (i % 5)[order]


@pytest.mark.parametrize("efron", [True, False])
def test_robust_covariance__equals_r_with_ties_strata_late_entry_and_weights(efron):
    design, risk, cluster = _cohort()
    b, covariance, log_likelihood, _, _, score = climb(design, risk, efron, np.zeros(2), 50)
    robust = robust_covariance(b, design, risk, efron, covariance, cluster)
    null = cox_terms(np.zeros(2), design, risk, efron, np.zeros(2), np.zeros((2, 2)))
    found = [*b, *np.sqrt(np.diag(covariance)), *np.sqrt(np.diag(robust)), null, log_likelihood, score]
    np.testing.assert_allclose(found, R_VALUES[efron], rtol=1e-9)


@pytest.mark.parametrize("efron", [True, False])
def test_score_rows__add_up_to_the_slope(efron):
    design, risk, _ = _cohort()
    b, slope = np.array([0.4, -0.2]), np.zeros(2)
    cox_terms(b, design, risk, efron, slope, np.zeros((2, 2)))
    np.testing.assert_allclose(score_rows(b, design, risk, efron).sum(axis=0), slope, rtol=1e-10)


def test_robust_covariance__is_the_same_compiled_and_plain():
    design, risk, cluster = _cohort()
    b, covariance = climb(design, risk, True, np.zeros(2), 50)[:2]
    compiled = robust_covariance(b, design, risk, True, covariance, cluster)
    np.testing.assert_allclose(
        compiled, robust_covariance.python(b, design, risk, True, covariance, cluster), rtol=1e-12
    )
    np.testing.assert_allclose(score_rows(b, design, risk, True), score_rows.python(b, design, risk, True), rtol=1e-12)


def test_score_rows__are_zero_for_those_who_are_absent():
    design, risk, _ = _cohort()
    absent = risk._replace(weight=np.where(np.arange(24) == 5, 0.0, risk.weight))
    rows = score_rows(np.array([0.4, -0.2]), design, absent, True)
    assert (rows[5] == 0).all()
    assert (rows[:5] != 0).any()


def _plain_score_rows(b, design, risk):
    """Breslow's score residuals from their definition, a sum over the moments at which the patient is at risk."""
    scores = np.exp(design @ b)
    rows = np.zeros_like(design)
    for i in range(len(scores)):
        for k in range(risk.first[i], risk.past[i]):
            inside = (risk.first <= k) & (k < risk.past)
            total = scores[inside].sum()
            mean = scores[inside] @ design[inside] / total
            deaths = (risk.event & (risk.first == k)).sum()
            rows[i] -= scores[i] * deaths / total * (design[i] - mean)
            if risk.event[i] and k == risk.first[i]:
                rows[i] += design[i] - mean
    return rows


def test_score_rows__keep_small_hazards_beside_large_ones():
    i = np.arange(24)
    x = np.where(i % 4 == 0, 45.0 + i / 7, ((i * 13) % 17) / 4.0)
    time = np.where(i % 4 == 0, 2.0 + i % 3, 6.0 + (i * 7) % 11)
    order, risk = risk_order(time, (i * 5) % 7 < 5, np.full(24, -np.inf), (i % 5 < 2).astype(int))
    design, b = np.ascontiguousarray(x[order, None]), np.array([1.0])
    assert np.ptp(np.exp(design @ b)) > 1e18
    expected = _plain_score_rows(b, design, risk)
    early = x[order] > 40
    assert (np.abs(expected[early]) > 1e-3).all()
    np.testing.assert_allclose(score_rows(b, design, risk, False), expected, rtol=1e-9, atol=1e-12)
