"""AUC, Brier score and net benefit under censoring: against scikit-survival, repeated patients and hand-worked cohorts.

scikit-survival weighs a death by the share uncensored at its time, we (as R's riskRegression) by the share just before; they are equal
where no time is shared by a death and a censoring, as here. R's numbers stand in ``tests/cohort/risk_signature/test_validate_risk.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
from sksurv.metrics import brier_score, cumulative_dynamic_auc
from sksurv.util import Surv

from chemores_dask.kernels.survival_performance import (
    Measured,
    brier_at,
    dynamic_auc,
    measure_draws,
    measure_risk,
    net_benefit_at,
)
from chemores_dask.kernels.weighted_survival import survival_steps, timed_risk

N = 80
GENERATOR = np.random.default_rng(6)
RISK = np.round(GENERATOR.normal(size=N), 1)
DURATION = GENERATOR.exponential(10 * np.exp(-RISK))
EVENT = GENERATOR.random(N) < 0.6
HORIZONS = np.array([2.0, 5.0, 12.0])
PREDICTED = np.exp(-0.1 * np.exp(RISK)[:, None] * HORIZONS)
THRESHOLDS = np.array([0.1, 0.5])


def both(kernel):
    return pytest.param(kernel, id="compiled"), pytest.param(kernel.python, id="plain")


def question(rows=None):
    rows = np.arange(N) if rows is None else rows
    order, patients = timed_risk(RISK[rows], DURATION[rows], EVENT[rows])
    places = np.searchsorted(np.unique(DURATION[rows]), HORIZONS, side="right")
    return order, patients, Measured(places, 2, np.ascontiguousarray(PREDICTED[rows][order]), THRESHOLDS)


@pytest.mark.parametrize("auc", both(dynamic_auc))
def test_dynamic_auc__equals_scikit_survival(auc):
    _, patients, measured = question()
    _, before, _ = survival_steps(patients, np.ones(N))
    outcome = Surv.from_arrays(EVENT, DURATION)
    expected = cumulative_dynamic_auc(outcome, outcome, RISK, HORIZONS)[0]
    found = [auc(patients, np.ones(N), before, place) for place in measured.places]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("brier", both(brier_at))
def test_brier_at__equals_scikit_survival(brier):
    order, patients, measured = question()
    _, before, after = survival_steps(patients, np.ones(N))
    outcome = Surv.from_arrays(EVENT, DURATION)
    expected = brier_score(outcome, outcome, PREDICTED, HORIZONS)[1]
    found = [
        brier(patients, np.ones(N), before, after[place - 1], place, PREDICTED[order, k])
        for k, place in enumerate(measured.places)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("benefit", both(net_benefit_at))
def test_net_benefit_at__matches_a_hand_worked_cohort(benefit):
    # Three of four are treated at 0.5; among them one has the event by then, one is censored before: S = 1/2 after the second.
    duration, event = np.array([1.0, 2.0, 3.0, 3.0]), np.array([False, True, False, False])
    _, patients = timed_risk(np.zeros(4), duration, event)
    alive = np.array([0.2, 0.3, 0.4, 0.9])
    assert benefit(patients, np.ones(4), 2, alive, 0.5) == pytest.approx(3 / 4 * (1 / 2 - 1 / 2))
    assert benefit(patients, np.ones(4), 2, alive, 0.2) == pytest.approx(3 / 4 * (1 / 2 - 1 / 2 / 4))
    assert benefit(patients, np.ones(4), 2, alive, 0.95) == 0.0
    # Treated: only the one who is censored before the horizon.
    assert np.isnan(benefit(patients, np.ones(4), 2, alive, 0.75))


@pytest.mark.parametrize("kernel", both(measure_risk))
def test_measure_risk__weights_are_repeated_patients(kernel):
    weight = np.bincount(GENERATOR.integers(0, N, N), minlength=N)
    order, patients, measured = question()
    found = kernel(patients, weight[order].astype(float), measured)
    _, again, asked = question(np.repeat(np.arange(N), weight))
    np.testing.assert_allclose(found, kernel(again, np.ones(N), asked), rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("kernel", both(measure_risk))
def test_measure_risk__knows_nothing_beyond_follow_up(kernel):
    order, patients, measured = question()
    weight = np.where(DURATION[order] > 4, 0.0, 1.0)
    found = kernel(patients, weight, measured)
    np.testing.assert_array_equal(np.isnan(found[2:5]), [False, True, True])
    np.testing.assert_array_equal(np.isnan(found[5:8]), [False, True, True])


@pytest.mark.parametrize("kernel", both(measure_risk))
def test_measure_risk__without_predictions_is_shorter(kernel):
    _, patients, measured = question()
    found = kernel(patients, np.ones(N), measured._replace(predicted=np.empty((N, 0))))
    np.testing.assert_array_equal(found, kernel(patients, np.ones(N), measured)[:8])


@pytest.mark.parametrize("kernel", both(measure_draws))
def test_measure_draws__are_measured_one_by_one(kernel):
    _, patients, measured = question()
    weights = np.stack([np.ones(N), np.arange(N) % 3.0])
    found = kernel(patients, weights, measured)
    for row, weight in zip(found, weights, strict=True):
        np.testing.assert_array_equal(row, measure_risk(patients, weight, measured))
