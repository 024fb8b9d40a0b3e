"""The hazard ratio of one risk: that of the model of all covariates."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.risk_signature.hazard_of_risk import fit_risk
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.kernels.cox import CONSTANT, OK, SEPARATED
from tests.cohort.risk_signature.validation_cohorts import OUTCOME, cohort


def test_fit_risk__equals_cox_model():
    patients = cohort()
    found = fit_risk(patients["risk"].values, patients["months"].values, patients["event"].values == 1)
    model = cox_model(patients, **OUTCOME, covariates=["risk"])
    assert found.status == OK
    assert found.coefficient == pytest.approx(float(model["cox_model_coefficient"][0]), rel=1e-9)
    assert found.standard_error == pytest.approx(float(model["cox_model_standard_error"][0]), rel=1e-9)
    assert found.p_value == pytest.approx(float(model["cox_model_p_value"][0]), rel=1e-7)
    assert np.exp(found.limits(0.95)[1]) == pytest.approx(float(model["cox_model_hazard_ratio_lower"][0]))
    assert found.deviation == pytest.approx(patients["risk"].values.std())


def test_fit_risk__has_no_estimate_without_variation_or_overlap():
    months, event = np.arange(1.0, 9.0), np.ones(8, dtype=bool)
    assert fit_risk(np.full(8, 0.1), months, event).status == CONSTANT
    found = fit_risk(-months, months, event)
    assert found.status == SEPARATED
    assert np.isnan([found.coefficient, found.p_value, *found.limits(0.9)]).all()
