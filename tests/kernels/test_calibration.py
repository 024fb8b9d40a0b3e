"""Calibration and net benefit, worked by hand and by simulation; with R's rms in tests of the analysis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss

from chemores_dask.kernels.calibration import (
    brier_score,
    calibration_intercept,
    calibration_slope,
    log_odds,
    net_benefit,
    probability_bins,
    spiegelhalter_test,
)


def simulated(patients, *, seed=0, shift=0.0, boldness=1.0):
    """Outcomes, and predictions that are too bold by a factor and off by a shift."""
    generator = np.random.default_rng(seed)
    linear = generator.normal(0, 1.2, size=patients)
    return expit(boldness * linear + shift), generator.random(patients) < expit(linear)


def test_calibration_slope__finds_the_boldness_of_predictions():
    assert calibration_slope(*simulated(20_000)).coefficients[1] == pytest.approx(1, abs=0.05)
    assert calibration_slope(*simulated(20_000, boldness=2)).coefficients[1] == pytest.approx(0.5, abs=0.03)


def test_calibration_intercept__finds_the_shift_of_predictions():
    probability, positive = simulated(20_000, shift=0.7)
    found = calibration_intercept(probability, positive)
    assert found.place[0] == pytest.approx(-0.7, abs=0.06)
    assert expit(log_odds(probability) + found.place[0]).mean() == pytest.approx(positive.mean(), rel=1e-9)


def test_spiegelhalter_test__holds_its_level_and_finds_bold_predictions():
    p_values = np.array([spiegelhalter_test(*simulated(300, seed=seed))[1] for seed in range(400)])
    assert 0.02 <= (p_values < 0.05).mean() <= 0.09
    assert spiegelhalter_test(*simulated(300, boldness=3))[1] < 1e-6
    assert np.isnan(spiegelhalter_test(np.full(4, 0.5), np.array([True, False, True, False]))).all()


def test_brier_score__equals_scikit_learn():
    probability, positive = simulated(50)
    assert brier_score(probability, positive) == pytest.approx(brier_score_loss(positive, probability), rel=1e-12)


def test_probability_bins__hold_about_as_many_patients_each():
    probability, positive = simulated(103)
    found = probability_bins(probability, positive, 10)
    assert found.patients.sum() == 103
    assert set(found.patients) <= {10, 11}
    assert (np.diff(found.predicted) > 0).all()
    for number in range(10):
        assert found.positives[number] == positive[found.number == number].sum()


def test_probability_bins__keep_equal_probabilities_together():
    probability = np.repeat([0.1, 0.5, 0.9], [10, 2, 3])
    found = probability_bins(probability, probability > 0.4, 10)
    assert found.patients.tolist() == [10, 2, 3]
    assert found.predicted == pytest.approx([0.1, 0.5, 0.9])
    assert probability_bins(np.full(5, 0.3), np.arange(5) > 2, 10).patients.tolist() == [5]


def test_net_benefit__worked_by_hand():
    probability = np.array([0.9, 0.6, 0.4, 0.2])
    positive = np.array([True, False, True, False])
    by_model, by_all = net_benefit(probability, positive, np.array([0.25, 0.5]))
    assert by_model == pytest.approx([0.5 - 0.25 / 3, 0.25 - 0.25])
    assert by_all == pytest.approx([0.5 - 0.5 / 3, 0.0])


def test_log_odds__are_finite_for_certainty():
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
