"""Predicted survival against R, against the truth, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.cohort.survival.cox_prediction import RESULT, cox_prediction
from chemores_dask.cohort.survival.kaplan_meier import kaplan_meier
from chemores_dask.errors import ConvergenceWarning, InputError, MissingVariableError, ParameterError
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

TIMES = [0, 2, 7, 11, 20]
PLAIN = {"duration": "months", "event": "died"}


def _new_patients(**changed):
    columns = {
        "age": [40, 70.5],
        "marker": [5.0, 60.0],
        "stage": np.array(["II", "I"], dtype=object),
        "site": np.array(["south", "north"], dtype=object),
        **changed,
    }
    return xr.Dataset(
        {name: ("patient", values) for name, values in columns.items()}, coords={"patient": ["new 1", "new 2"]}
    )


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("confidence", ["log", "log-log", "plain"])
def test_cox_prediction__equals_survfit(fit, confidence):
    model = cox_model(our_patients(), **OURS, options=our_options(fit))
    found = cox_prediction(_new_patients(), model=model, times=TIMES, confidence=confidence)
    check_result(RESULT, found)
    assert found["patient"].values.tolist() == ["new 1", "new 2"]
    for place, expected in enumerate(by_r()[fit]["prediction"][confidence]):
        for name, key in (("survival", "surv"), ("lower", "lower"), ("upper", "upper")):
            values = np.array(expected[key], dtype=float)
            np.testing.assert_allclose(found[f"cox_prediction_{name}"][place], values, rtol=1e-8, atol=1e-12)


def test_cox_prediction__has_the_baseline_hazard_of_r(reference_folder):
    cases = [case for case in reference_cases(reference_folder, "coxph") if "baseline_cumhaz" in case]
    assert len(cases) == 8
    for case in cases:
        model = cox_model(case_patients(case, reference_folder), **case_columns(case), options=case_options(case))
        nobody = xr.Dataset({name: ("patient", [0.0]) for name in case["covariates"]})
        expected = case["baseline_cumhaz"]
        found = cox_prediction(nobody, model=model, times=expected["time"])["cox_prediction_survival"][0]
        np.testing.assert_allclose(-np.log(found), expected["hazard"], rtol=1e-8, err_msg=case["id"])


def test_cox_prediction__follows_kaplan_meier_where_covariates_say_nothing():
    rng = np.random.default_rng(8)
    patients = some_patients(patients=400, x=rng.normal(size=400))
    model = cox_model(patients, **PLAIN, covariates=["x"])
    curve = kaplan_meier(patients, **PLAIN)
    mean = xr.Dataset({"x": ("patient", model["cox_model_mean"].values)})
    times = np.quantile(patients["months"], [0.1, 0.3, 0.5, 0.7])
    found = cox_prediction(mean, model=model, times=times)
    expected = curve.sel(time=times, method="ffill")
    for name in ("survival", "lower", "upper"):
        np.testing.assert_allclose(found[f"cox_prediction_{name}"][0], expected[f"km_{name}"][0], atol=0.01)


@pytest.mark.compiled
def test_cox_prediction__covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(4)
    new = xr.Dataset({"x": ("patient", [1.0])})
    truth, covered = np.exp(-0.5 * np.exp(0.7)), 0
    for _ in range(120):
        x = rng.normal(size=80)
        life, lost = rng.exponential(np.exp(-0.7 * x)), rng.exponential(2.0, 80)
        columns = {"t": np.minimum(life, lost), "e": life <= lost, "x": x}
        patients = xr.Dataset({name: ("patient", values) for name, values in columns.items()})
        model = cox_model(patients, duration="t", event="e", covariates=["x"])
        found = cox_prediction(new, model=model, times=[0.5], confidence="log-log")
        covered += float(found["cox_prediction_lower"][0, 0]) <= truth <= float(found["cox_prediction_upper"][0, 0])
    # Of 120 limits of 95 %, 104 or fewer cover the truth in one of 1,500 trials.
    assert 104 < covered < 120


def test_cox_prediction__codes_new_patients_as_the_model_did():
    rng = np.random.default_rng(2)
    patients = some_patients(stage=rng.choice(["I", "II", "III"], 60))
    options = ModelOptions(splines={"age": 4})
    model = cox_model(patients, **PLAIN, covariates=["age", "stage"], options=options)
    whole = cox_prediction(patients, model=model, times=[0.5, 1.0])
    few = patients.isel(patient=np.flatnonzero(patients["stage"].values == "III")[:2])
    part = cox_prediction(few, model=model, times=[1.0])
    again = whole["cox_prediction_survival"].values[np.flatnonzero(patients["stage"].values == "III")[:2], 1:]
    np.testing.assert_allclose(part["cox_prediction_survival"], again, rtol=1e-12)
    risk = whole["cox_prediction_log_hazard_ratio"]
    assert float(risk.mean()) == pytest.approx(0, abs=1e-12)
    same = cox_prediction(patients, model=model.chunk(), times=[0.5, 1.0])
    xr.testing.assert_identical(whole, same)


def test_cox_prediction__ends_with_the_follow_up():
    patients = some_patients()
    model = cox_model(patients, **PLAIN, covariates=["age"], strata="sex")
    ends = [float(patients["months"][patients["sex"] == sex].max()) for sex in ("F", "M")]
    assert model["cox_model_stratum_follow_up"].values.tolist() == ends
    found = cox_prediction(patients, model=model, times=[min(ends), max(ends), max(ends) * 1.01])
    unknown = np.isnan(found["cox_prediction_survival"].values)
    assert not unknown[:, 0].any()
    assert unknown[:, 2].all()
    shorter = ["F", "M"][int(np.argmin(ends))]
    assert (unknown[:, 1] == (patients["sex"].values == shorter)).all()
    assert set(found["cox_prediction_stratum"].values) == {"F", "M"}


@pytest.mark.parametrize(
    ("changed", "options", "error", "words"),
    [
        ({"stage": ["II", "IV"]}, {}, InputError, "Unknown to the model: IV; it knows I, II, III"),
        ({"site": ["south", "east"]}, {}, InputError, r"Found east \(patients new 2\)"),
        ({"age": [40, np.nan]}, {}, InputError, r"'age' must be known.*new 2"),
        ({"age": ["old", "young"]}, {}, InputError, "'age' must hold numbers"),
        ({}, {"times": []}, ParameterError, "'times'"),
        ({}, {"times": [-1]}, ParameterError, "'times'"),
        ({}, {"times": [np.inf]}, ParameterError, "'times'"),
        ({}, {"confidence": "exact"}, ParameterError, "'confidence'"),
    ],
)
def test_cox_prediction__says_what_cannot_be_predicted(changed, options, error, words):
    model = cox_model(our_patients(), **OURS)
    new = _new_patients(
        **{name: np.array(values, dtype=object if name != "age" else None) for name, values in changed.items()}
    )
    with pytest.raises(error, match=words):
        cox_prediction(new, model=model, **{"times": [1.0], **options})


def test_cox_prediction__needs_a_whole_model(reference_folder):
    patients = our_patients()
    with pytest.raises(MissingVariableError, match="'cox_model_coefficient'"):
        cox_prediction(patients, model=kaplan_meier(patients, duration="stop", event="event"), times=[1.0])
    with pytest.raises(MissingVariableError, match="'marker'"):
        cox_prediction(patients.drop_vars("marker"), model=cox_model(patients, **OURS), times=[1.0])
    case = next(case for case in reference_cases(reference_folder, "coxph") if case["id"] == "separated")
    separated = case_patients(case, reference_folder)
    with pytest.warns(ConvergenceWarning):
        model = cox_model(separated, **case_columns(case))
    with pytest.raises(InputError, match="Not found: xsep"):
        cox_prediction(separated, model=model, times=[1.0])
