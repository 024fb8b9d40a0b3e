"""Residuals of Cox models against R."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.cohort.survival.model_residuals import RESULT, cox_residuals
from chemores_dask.errors import ConvergenceWarning, InputError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.cox_cases import (
    FITS,
    OURS,
    by_r,
    case_columns,
    case_options,
    case_patients,
    our_options,
    our_patients,
    reference_cases,
    some_patients,
)


def test_cox_residuals__equal_r(reference_folder):
    cases = [case for case in reference_cases(reference_folder, "coxph") if "martingale" in case]
    assert len(cases) == 8
    for case in cases:
        found = cox_residuals(case_patients(case, reference_folder), **case_columns(case), options=case_options(case))
        check_result(RESULT, found)
        for name in ("martingale", "deviance", "score", "dfbeta", "schoenfeld"):
            expected = np.array(case["score_residuals" if name == "score" else name])
            np.testing.assert_allclose(
                found[f"cox_residual_{name}"].values.reshape(expected.shape), expected, atol=1e-9, err_msg=case["id"]
            )
        np.testing.assert_array_equal(found["cox_residual_time"], case["schoenfeld_time"])


@pytest.mark.parametrize("fit", FITS)
def test_cox_residuals__equal_r_with_weights_entry_and_strata(fit):
    expected = by_r()[fit]
    found = cox_residuals(our_patients(), **OURS, options=our_options(fit))
    np.testing.assert_allclose(found["cox_residual_martingale"], expected["martingale"], atol=1e-9)
    np.testing.assert_allclose(found["cox_residual_schoenfeld"], expected["schoenfeld"], atol=1e-8)
    if fit.startswith("weighted"):
        np.testing.assert_allclose(found["cox_residual_dfbeta"], expected["dfbeta"], atol=1e-9)
    assert found["cox_residual_stratum"].values.tolist() == sorted(found["cox_residual_stratum"].values)


def test_cox_residuals__add_up_to_nothing():
    patients = some_patients().assign_coords(patient=[f"P{number}" for number in range(60)])
    options = {"duration": "months", "event": "died", "covariates": ["age", "sex"]}
    found = cox_residuals(patients, **options)
    for name in ("martingale", "score", "dfbeta"):
        np.testing.assert_allclose(found[f"cox_residual_{name}"].sum("patient"), 0, atol=1e-8)
    np.testing.assert_allclose(found["cox_residual_schoenfeld"].sum("event"), 0, atol=1e-9)
    died = set(patients["patient"].values[patients["died"].values])
    assert set(found["event"].values) == died
    error = np.sqrt((found["cox_residual_dfbeta"] ** 2).sum("patient"))
    model = cox_model(patients, **options, options=ModelOptions(robust=True))
    np.testing.assert_allclose(error, model["cox_model_robust_standard_error"], rtol=1e-10)


def test_cox_residuals__say_what_a_patient_does_to_the_coefficient():
    patients = some_patients(patients=200)
    options = {"duration": "months", "event": "died", "covariates": ["age"]}
    change = cox_residuals(patients, **options)["cox_residual_dfbeta"].values[:, 0]
    whole = float(cox_model(patients, **options)["cox_model_coefficient"][0])
    for place in (int(np.argmax(change)), int(np.argmin(change))):
        rest = patients.isel(patient=np.delete(np.arange(200), place))
        left = float(cox_model(rest, **options)["cox_model_coefficient"][0])
        assert whole - left == pytest.approx(change[place], rel=0.2)


def test_cox_residuals__need_finite_coefficients(reference_folder):
    case = next(case for case in reference_cases(reference_folder, "coxph") if case["id"] == "separated")
    patients = case_patients(case, reference_folder)
    with (
        pytest.warns(ConvergenceWarning),
        pytest.raises(InputError, match=r"cox_residuals needs every.*Not found: xsep"),
    ):
        cox_residuals(patients, **case_columns(case))
    found = cox_residuals(patients, **case_columns(case), options=ModelOptions(firth=True))
    assert np.isfinite(found["cox_residual_deviance"]).all()
