"""Kaplan-Meier kernels: compiled and plain twins, hand-worked curves, limits at the ends."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.product_limit import (
    median_time,
    product_limit,
    restricted_mean,
    risk_table,
    survival_limits,
)

NO_ENTRY = np.full(5, -np.inf)
DURATION = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
EVENT = np.array([True, True, False, True, False])


@pytest.mark.parametrize("table", [risk_table, risk_table.python], ids=["compiled", "plain"])
def test_risk_table__counts_a_hand_worked_group(table):
    at_risk, events, censored = table(NO_ENTRY, DURATION, EVENT, np.array([1.0, 1.5, 2.0, 3.0, 4.0, 9.0]))
    assert at_risk.tolist() == [5, 4, 4, 2, 1, 0]
    assert events.tolist() == [1, 0, 1, 1, 0, 0]
    assert censored.tolist() == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("table", [risk_table, risk_table.python], ids=["compiled", "plain"])
def test_risk_table__counts_late_entries_after_their_entry_only(table):
    entry = np.array([0.0, 1.0, 2.0])
    at_risk, _, _ = table(entry, np.array([2.0, 3.0, 3.0]), np.ones(3, dtype=bool), np.array([1.0, 2.0, 3.0]))
    assert at_risk.tolist() == [1, 2, 2]


@pytest.mark.parametrize("curve", [product_limit, product_limit.python], ids=["compiled", "plain"])
def test_product_limit__multiplies_survivors_and_adds_greenwood(curve):
    survival, variance = curve(np.array([5, 4, 2, 1]), np.array([1, 1, 1, 0]))
    np.testing.assert_allclose(survival, [0.8, 0.6, 0.3, 0.3])
    np.testing.assert_allclose(variance, np.cumsum([1 / 20, 1 / 12, 1 / 2, 0]))


@pytest.mark.parametrize("curve", [product_limit, product_limit.python], ids=["compiled", "plain"])
def test_product_limit__has_infinite_variance_once_nobody_is_left(curve):
    survival, variance = curve(np.array([2, 1]), np.array([1, 1]))
    assert survival.tolist() == [0.5, 0.0]
    assert variance[1] == np.inf


@pytest.mark.parametrize("mean", [restricted_mean, restricted_mean.python], ids=["compiled", "plain"])
def test_restricted_mean__is_the_area_of_a_hand_worked_curve(mean):
    times, at_risk, events = np.array([1.0, 2.0, 4.0]), np.array([4, 3, 1]), np.array([1, 1, 1])
    survival, _ = product_limit(at_risk, events)
    area, variance = mean(times, survival, at_risk, events, 3.0)
    assert area == pytest.approx(1 + 0.75 + 0.5)
    assert variance == pytest.approx(1.25**2 / 12 + 0.5**2 / 6)


def test_survival_limits__leave_unknown_what_no_interval_covers():
    survival, variance = np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.1, np.inf])
    plain = survival_limits(survival, variance, confidence="plain", level=0.95)
    logarithm = survival_limits(survival, variance, confidence="log", level=0.95)
    double = survival_limits(survival, variance, confidence="log-log", level=0.95)
    for lower, upper in (plain, logarithm):
        assert lower[0] == upper[0] == 1
        assert np.isnan([lower[2], upper[2]]).all()
    assert np.isnan(double[0][[0, 2]]).all()
    assert 0 < double[0][1] < 0.5 < double[1][1] < 1


def test_survival_limits__stay_between_zero_and_one():
    survival, variance = np.array([0.9, 0.1]), np.array([0.5, 2.0])
    for confidence in ("log", "log-log", "plain"):
        lower, upper = survival_limits(survival, variance, confidence=confidence, level=0.99)
        assert (lower >= 0).all()
        assert (upper <= 1).all()


def test_median_time__lies_midway_on_a_flat_half():
    assert median_time(np.array([1.0, 2.0, 5.0]), np.array([0.75, 0.5, 0.25])) == 3.5
    assert median_time(np.array([1.0, 2.0, 5.0]), np.array([0.75, 0.5, 0.5])) == 2.0
    assert median_time(np.array([1.0, 2.0]), np.array([0.75, 0.4])) == 2.0
    assert np.isnan(median_time(np.array([1.0]), np.array([0.75])))
    assert np.isnan(median_time(np.array([1.0]), np.array([np.nan])))
