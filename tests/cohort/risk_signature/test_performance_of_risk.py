"""Limits over drawn cohorts."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.performance_of_risk import Performance, Question, measure_performance

GENERATOR = np.random.default_rng(2)
N = 50
RISK = GENERATOR.normal(size=N)
DURATION, EVENT = GENERATOR.exponential(10, N), GENERATOR.random(N) < 0.7
HORIZONS, TIMES = np.array([5.0, 9.0]), np.linspace(0, 9, 10)[1:]


def asked(predicted=None):
    return Question(RISK, DURATION, EVENT, predicted, HORIZONS, TIMES)


def test_measure_performance__first_row_is_the_cohort_itself():
    found = measure_performance(asked(), draws=120, seed=1).values
    assert set(found) == {"concordance", "uno_concordance", "auc", "survival"}
    assert found["auc"].shape == (121, 11)
    fewer = measure_performance(asked(), draws=60, seed=1).values
    np.testing.assert_array_equal(fewer["concordance"], found["concordance"][:61])
    other = measure_performance(asked(), draws=60, seed=2).values
    assert other["concordance"][0] == fewer["concordance"][0]
    assert not np.array_equal(other["concordance"][1:], fewer["concordance"][1:])


def test_measure_performance__derives_accuracy_and_ratio():
    predicted = np.exp(-0.1 * np.append(HORIZONS, TIMES)) * np.ones((N, 1))
    found = measure_performance(asked(predicted), draws=3, seed=1).values
    np.testing.assert_allclose(found["prediction_accuracy"], 1 - found["brier"] / found["brier_null"], equal_nan=True)
    np.testing.assert_allclose(
        found["observed_over_expected"][0], (1 - found["survival"][0]) / (1 - predicted[0]), rtol=1e-12
    )
    whole = np.trapezoid([0, *found["brier"][0, 2:]], [0, *TIMES]) / 9
    assert found["integrated_brier"][0] == pytest.approx(whole)


def test_limited__needs_half_of_the_draws():
    values = np.full((101, 2), np.nan)
    values[0] = 3.0
    values[1:, 0] = np.arange(100)
    values[1:41, 1] = 1.0
    own, low, high = Performance({"auc": values}).limited("auc", level=0.9)
    assert own.tolist() == [3, 3]
    assert (low[0], high[0]) == pytest.approx((4.95, 94.05))
    assert np.isnan([low[1], high[1]]).all()
