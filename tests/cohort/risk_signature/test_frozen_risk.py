"""What a signature says of patients: survival by its baseline."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.frozen_risk import FrozenRisk, predict_frozen
from chemores_dask.errors import InputError
from tests.cohort.risk_signature.validation_cohorts import cohort, signature

FROZEN = FrozenRisk(np.array([0.0, np.log(2)]), np.zeros(2), None, "", np.array([1.0, 3.0]), np.array([0.5, 1.0]))


def test_survival__is_a_step_at_each_event_of_training():
    found = FROZEN.survival(np.array([0, 1]), np.array([0.5, 1.0, 2.9, 3.0, 99.0]), landmark=0.0)
    hazard = np.array([0, 0.5, 0.5, 1, 1])
    np.testing.assert_allclose(found, np.exp(-np.outer([1, 2], hazard)))


def test_survival__from_a_landmark_is_conditional():
    found = FROZEN.survival(np.array([1]), np.array([2.0, 3.0]), landmark=1.5)
    np.testing.assert_allclose(found, [[1, np.exp(-2 * 0.5)]])
    assert FrozenRisk(np.zeros(1), np.zeros(1), None, "").survival(np.array([0]), np.array([1.0]), landmark=0.0) is None


def test_predict_frozen__says_why_a_patient_has_no_risk():
    patients = cohort()
    patients["expression"][0] = np.nan
    patients["expression"][1, 0] = np.nan
    found = predict_frozen(
        patients, signature((1.0, 0.2)), expression="expression", standardize="training", minimum_weight=0.8
    )
    assert np.isnan(found.risk[:2]).all()
    assert found.unscored[:2].tolist() == [1, 2]
    assert found.cutoff_origin.endswith("zscore")
    np.testing.assert_array_equal(found.high, found.risk > 0.5)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_predict_frozen__refuses_a_baseline_that_falls(wrong):
    frozen = signature()
    frozen["risk_signature_baseline_hazard"][5] = wrong
    with pytest.raises(InputError, match="must rise"):
        predict_frozen(cohort(), frozen, expression="expression", standardize="training", minimum_weight=0.8)
