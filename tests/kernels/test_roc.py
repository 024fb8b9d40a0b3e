"""ROC curves against scikit-learn and DeLong's formulas; with R's pROC in tests of the analysis."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from chemores_dask.kernels.roc import area_limits, areas_under_curves, compare_areas, roc_points, youden_cutoff

GENERATOR = np.random.default_rng(1)
POSITIVE = GENERATOR.random(60) < 0.4
SCORES = np.round(GENERATOR.normal(size=(2, 60)) + 0.8 * POSITIVE, 1)


def placements(score, positive):
    """DeLong's structural components, pair by pair."""
    inside, outside = score[positive], score[~positive]
    wins = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    return wins.mean(axis=1), wins.mean(axis=0)


def test_areas_under_curves__equal_delongs_formulas():
    found = areas_under_curves(SCORES, POSITIVE)
    parts = [placements(score, POSITIVE) for score in SCORES]
    assert found.estimates == pytest.approx([roc_auc_score(POSITIVE, score) for score in SCORES], rel=1e-12)
    expected = (
        np.cov([part[0] for part in parts]) / POSITIVE.sum() + np.cov([part[1] for part in parts]) / (~POSITIVE).sum()
    )
    assert found.covariance == pytest.approx(expected, rel=1e-10)


def test_areas_under_curves__of_one_patient_in_a_class_have_no_variance():
    found = areas_under_curves(np.arange(4.0)[None, :], np.array([False, False, False, True]))
    assert found.estimates.tolist() == [1.0]
    assert np.isnan(found.covariance).all()


def test_area_limits__stay_between_zero_and_one():
    assert np.isnan(area_limits(1.0, 0.0)).all()
    assert np.isnan(area_limits(0.5, np.nan)).all()
    assert area_limits(0.99, 0.01) == (pytest.approx(0.99 - 1.959963984540054 * 0.1), 1.0)


def test_compare_areas__of_the_same_score_has_no_p_value():
    difference, z, p_value = compare_areas(areas_under_curves(np.stack([SCORES[0], 2 * SCORES[0]]), POSITIVE))
    assert difference == 0
    assert np.isnan([z, p_value]).all()


def test_roc_points__equal_scikit_learn():
    found = roc_points(SCORES[0], POSITIVE)
    wrong, right, cutoffs = roc_curve(POSITIVE, SCORES[0], drop_intermediate=False)
    assert found.cutoff == pytest.approx(cutoffs)
    assert found.sensitivity == pytest.approx(right)
    assert found.specificity == pytest.approx(1 - wrong)


def test_youden_cutoff__parts_patients_best():
    cutoff = youden_cutoff(SCORES[0], POSITIVE)

    def index(value):
        return (SCORES[0][POSITIVE] >= value).mean() + (SCORES[0][~POSITIVE] < value).mean()

    assert index(cutoff) == pytest.approx(max(index(value) for value in np.linspace(-4, 4, 1601)))
    assert cutoff not in SCORES[0]
    assert youden_cutoff(np.array([1.0, 1.0]), np.array([True, False])) == 1.0
