"""Parts of the performance: what stays when there is little to measure."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.response.performance_values import (
    THRESHOLDS,
    Classified,
    calibration_values,
    call_values,
    comparison_values,
    curve_values,
    drawn_values,
    learn_probabilities,
)
from chemores_dask.kernels.newton import OK, SEPARATED

SCORE = np.array([0.1, 0.4, 0.35, 0.8, 0.7, 0.2])
POSITIVE = np.array([False, True, False, True, True, False])
PATIENTS = Classified(SCORE, POSITIVE)


def test_curve_values__holds_the_curve_and_its_area():
    found = curve_values(PATIENTS, level=0.95)
    assert found["performance_auroc"] == 1.0
    assert [found["performance_auroc_p_value"], found["performance_minimum_p_value"]] == pytest.approx([0.1, 0.1])
    assert found["performance_roc_sensitivity"][[0, -1]].tolist() == [0.0, 1.0]


def test_call_values__worked_by_hand():
    found = call_values(PATIENTS, 0.3, level=0.95)
    counts = [
        found[f"performance_{name}"]
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives")
    ]
    assert counts == [3, 1, 2, 0]
    assert found["performance_sensitivity"] == 1.0
    assert found["performance_sensitivity_lower"] == pytest.approx(0.025 ** (1 / 3))
    assert found["performance_specificity"] == pytest.approx(2 / 3)
    assert found["performance_positive_predictive_value"] == 0.75
    assert found["performance_negative_predictive_value"] == 1.0


def test_call_values__of_nobody_called_has_no_predictive_value():
    found = call_values(PATIENTS, 9.0, level=0.95)
    assert np.isnan(found["performance_positive_predictive_value"])
    assert np.isnan(found["performance_positive_predictive_value_upper"])
    assert found["performance_negative_predictive_value"] == 0.5


def test_comparison_values__has_limits_about_the_difference():
    found = comparison_values(SCORE, -SCORE, POSITIVE, level=0.95)
    assert found["performance_against_difference"] == 1.0
    # Perfect areas do not vary, and so say nothing of other patients.
    for name in ("p_value", "difference_lower", "auroc_upper"):
        assert np.isnan(found[f"performance_against_{name}"])


def test_learn_probabilities__says_that_classes_are_parted():
    probability, status = learn_probabilities(SCORE, POSITIVE, SCORE)
    assert status == SEPARATED
    assert np.isnan(probability).all()
    assert learn_probabilities(np.ones(6), POSITIVE, SCORE)[1] == SEPARATED
    probability, status = learn_probabilities(SCORE, np.array([True, False, False, True, True, False]), SCORE)
    assert status == OK
    assert (np.diff(probability[np.argsort(SCORE)]) > 0).all()


def test_calibration_values__of_one_probability_for_all():
    found = calibration_values(np.full(6, 0.5), POSITIVE, bins=3, level=0.95)
    assert np.isnan(found["performance_calibration_slope"])
    assert found["performance_calibration_intercept"] == pytest.approx(0)
    assert found["performance_brier"] == found["performance_brier_null"] == 0.25
    assert found["performance_bin_patients"].tolist() == [6]


def test_drawn_values__has_no_decision_curve_without_probabilities():
    found = drawn_values(PATIENTS, None, draws=20, level=0.95, seed=1)
    assert set(found) == {"performance_auroc_bootstrap_lower", "performance_auroc_bootstrap_upper"}
    assert np.isnan(list(found.values())).all()  # parted classes are parted in every drawn cohort
    mixed = Classified(SCORE, np.array([True, False, False, True, True, False]))
    found = drawn_values(mixed, None, draws=20, level=0.95, seed=1)
    assert found["performance_auroc_bootstrap_lower"] < found["performance_auroc_bootstrap_upper"]
    found = drawn_values(PATIENTS, SCORE, draws=20, level=0.95, seed=1)
    assert found["performance_net_benefit"].shape == THRESHOLDS.shape
    assert found["performance_net_benefit_all"][49] == pytest.approx(0)
