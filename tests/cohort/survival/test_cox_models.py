"""Cox models against R, and what they refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from lifelines import CoxPHFitter
from scipy.optimize import minimize
from scipy.special import chdtrc

from chemores_dask.cohort.survival.cox_models import RESULT, cox_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.errors import ConvergenceWarning, InputError, MissingVariableError, ParameterError, TooFewEventsError
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

TIES_BROKEN_BY_ROUNDING = {
    "veteran-strata-cell-efron": 5e-4,
    "lung-strata-sex-breslow": 1e-4,
    "lung-robust-breslow": 6e-5,
    "colon-wlw-efron": 1e-6,
}
"""Here coxph rounds a few equal risks to different numbers; R's ``concordance`` of the same model agrees with ours."""


def _same(result, name, expected, case, **tolerance):
    # An infinite number is written as null.
    values = [np.inf if value is None else value for value in np.atleast_1d(expected)]
    np.testing.assert_allclose(np.atleast_1d(result[f"cox_model_{name}"]), values, **tolerance, err_msg=case["id"])


@pytest.mark.compiled
def test_cox_model__equals_r(reference_folder):
    cases = [
        c for c in reference_cases(reference_folder, "coxph") if "constant" not in c["id"] and c["id"] != "separated"
    ]
    assert len(cases) == 40
    for case in cases:
        result = cox_model(case_patients(case, reference_folder), **case_columns(case), options=case_options(case))
        check_result(RESULT, result)
        error, used = ("naive_se", "robust_standard_error") if case["robust"] else ("se", "standard_error")
        for name, key in (
            ("coefficient", "coef"),
            ("standard_error", error),
            (used, "se"),
            ("z", "z"),
            ("p_value", "p"),
            ("hazard_ratio_lower", "hr_lower95"),
            ("hazard_ratio_upper", "hr_upper95"),
        ):
            _same(result, name, [case[key][term] for term in case["covariates"]], case, rtol=1e-6)
        np.testing.assert_allclose(result["cox_model_covariance"], case["vcov"], rtol=1e-6, err_msg=case["id"])
        _same(result, "patients", case["n"], case)
        _same(result, "events", case["nevent"], case)
        _same(result, "log_likelihood", case["loglik"], case, atol=1e-8, rtol=0)
        _same(result, "log_likelihood_null", case["loglik_null"], case, atol=1e-8, rtol=0)
        for name in ("likelihood_ratio", "score", "robust_score"):
            test = case["lr_test" if name == "likelihood_ratio" else f"{name}_test"]
            if test is not None:
                _same(result, f"{name}_statistic", test["test"], case, rtol=1e-8)
                _same(result, f"{name}_p_value", test["pvalue"], case, rtol=1e-6)
        _same(result, "wald_p_value", case["wald_test"]["pvalue"], case, rtol=1e-6)
        near = TIES_BROKEN_BY_ROUNDING.get(case["id"], 1e-10)
        _same(result, "concordance", case["concordance"]["concordance"], case, atol=near, rtol=0)
        _same(result, "concordance_standard_error", case["concordance"]["std"], case, atol=near, rtol=0)


@pytest.mark.parametrize("fit", FITS)
def test_cox_model__equals_r_with_text_weights_entry_and_strata_together(fit):
    expected = by_r()[fit]
    result = cox_model(our_patients(), **OURS, options=our_options(fit))
    assert result["term"].values.tolist() == ["age", "marker", "stage[II]", "stage[III]"]
    np.testing.assert_allclose(result["cox_model_coefficient"], expected["coef"], rtol=1e-8)
    np.testing.assert_allclose(result["cox_model_covariance"], expected["vcov"], rtol=1e-8)
    null, found = (float(result[f"cox_model_log_likelihood{end}"]) for end in ("_null", ""))
    assert [null, found] == pytest.approx(expected["loglik"], rel=1e-9)
    concordance = [float(result[f"cox_model_concordance{end}"]) for end in ("", "_standard_error")]
    assert concordance == pytest.approx(expected["concordance"], rel=1e-8)
    assert ("cox_model_clusters" in result) == fit.startswith("weighted")
    if expected.get("drop"):
        found = result["cox_model_covariate_likelihood_ratio_p_value"]
        np.testing.assert_allclose(found, expected["drop"][:3], rtol=1e-8)
        assert result["cox_model_covariate_degrees_of_freedom"].values.tolist() == [1, 1, 2]


@pytest.mark.parametrize("knots", [3, 4, 5])
def test_cox_model__fits_the_splines_of_r(knots):
    expected = by_r()[f"spline_{knots}"]
    options = ModelOptions(splines={"age": knots})
    chosen = {**OURS, "strata": None, "covariates": ["age", "marker"]}
    result = cox_model(our_patients(), **chosen, options=options)
    assert result["term"].values.tolist() == ["age" + "'" * bend for bend in range(knots - 1)] + ["marker"]
    np.testing.assert_allclose(result["cox_model_coefficient"], expected["coef"], rtol=1e-7)
    np.testing.assert_allclose(result["cox_model_standard_error"], expected["se"], rtol=1e-7)
    age = result.sel(covariate="age")
    assert float(age["cox_model_covariate_wald_p_value"]) == pytest.approx(expected["wald_age"], rel=1e-6)
    assert float(age["cox_model_nonlinear_wald_p_value"]) == pytest.approx(expected["wald_nonlinear"], rel=1e-6)
    assert float(age["cox_model_nonlinear_likelihood_ratio_p_value"]) == pytest.approx(
        expected["lr_nonlinear"], rel=1e-6
    )
    assert result["cox_model_nonlinear_degrees_of_freedom"].values.tolist() == [knots - 2, 0]
    assert np.isnan(result["cox_model_nonlinear_wald_p_value"][1])


def test_cox_model__survives_a_large_shift():
    patients = some_patients()
    options = {"duration": "months", "event": "died", "covariates": ["age"]}
    for splines in ({}, {"age": 4}):
        plain = cox_model(patients, **options, options=ModelOptions(splines=splines))
        shifted = cox_model(
            patients.assign(age=patients["age"] + 1e7), **options, options=ModelOptions(splines=splines)
        )
        for name in ("coefficient", "standard_error"):
            np.testing.assert_allclose(shifted[f"cox_model_{name}"], plain[f"cox_model_{name}"], rtol=1e-6)


def _separated(folder):
    case = next(case for case in reference_cases(folder, "coxph") if case["id"] == "separated")
    return case, case_patients(case, folder)


def test_cox_model__leaves_out_separated_coefficients_with_a_warning(reference_folder):
    case, patients = _separated(reference_folder)
    with pytest.warns(ConvergenceWarning, match=r"xsep \(to plus infinity\)"):
        result = cox_model(patients, **case_columns(case))
    assert result["cox_model_status"].values.tolist() == [1, 0]
    assert np.isnan(result["cox_model_coefficient"][0])
    assert np.isnan(result["cox_model_p_value"][0])
    assert float(result["cox_model_coefficient"][1]) == pytest.approx(case["coef"]["z"], rel=1e-6)
    assert float(result["cox_model_log_likelihood"]) == pytest.approx(case["loglik"], abs=1e-7)
    assert float(result["cox_model_likelihood_ratio_p_value"]) == pytest.approx(case["lr_test"]["pvalue"], rel=1e-6)
    assert np.isnan(result["cox_model_wald_p_value"])
    assert np.isnan(result["cox_model_baseline_hazard"]).all()


def _penalized(b, x, time):
    # All have the event, without ties: the likelihood and its information as they are written down.
    information, value = np.zeros((b.size, b.size)), 0.0
    for now in range(time.size):
        left = x[time >= time[now]]
        risk = np.exp(left @ b)
        mean = risk @ left / risk.sum()
        value += x[now] @ b - np.log(risk.sum())
        information += (left * risk[:, None]).T @ left / risk.sum() - np.outer(mean, mean)
    return -value - np.linalg.slogdet(information)[1] / 2


def test_cox_model__gives_separated_coefficients_with_firths_penalty(reference_folder):
    case, patients = _separated(reference_folder)
    result = cox_model(patients, **case_columns(case), options=ModelOptions(firth=True))
    x = np.column_stack([patients[name].values for name in case["covariates"]])
    table = (x - x.mean(axis=0), patients["time"].values)
    best = minimize(_penalized, np.zeros(2), table, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    np.testing.assert_allclose(result["cox_model_coefficient"], best.x, atol=1e-6)
    without = minimize(lambda b: _penalized(np.array([0, b[0]]), *table), [0.0], method="Nelder-Mead", tol=1e-11)
    null = _penalized(np.zeros(2), *table)
    ratio = float(result["cox_model_likelihood_ratio_statistic"])
    assert ratio == pytest.approx(2 * (null - best.fun), rel=1e-7)
    p_value = float(result["cox_model_covariate_likelihood_ratio_p_value"][0])
    alone = cox_model(patients, **case_columns(case) | {"covariates": ["z"]})
    assert p_value == pytest.approx(float(chdtrc(1, 2 * (without.fun - best.fun))), rel=1e-5)
    assert p_value < float(alone["cox_model_p_value"][0])
    assert result["cox_model_status"].values.tolist() == [0, 0]


def test_cox_model__equals_lifelines_on_the_leukemia_table(leukemia):
    kept = leukemia.dropna("patient", subset=["efs.time", "efs.censor"])
    kept["log_wbc"] = np.log10(kept["WBC"])
    result = cox_model(kept, duration="efs.time", event="efs.censor", covariates=["log_wbc", "MRD.binary", "Sex"])
    assert result["term"].values.tolist() == ["log_wbc", "MRD.binary", "Sex[Male]"]
    table = kept[["efs.time", "efs.censor", "log_wbc", "MRD.binary"]].to_dataframe()
    table["male"] = kept["Sex"].values == "Male"
    precise = {"precision": 1e-12, "r_precision": 1e-15}
    fitter = CoxPHFitter().fit(table.astype(float), "efs.time", "efs.censor", fit_options=precise)
    np.testing.assert_allclose(result["cox_model_coefficient"], fitter.params_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result["cox_model_standard_error"], fitter.standard_errors_, rtol=1e-4)
    assert int(result["cox_model_patients"]) == 262
    assert "fewer than 10 events per coefficient" in result.attrs["note"]
    assert result.attrs["events_per_term"] == pytest.approx(27 / 3)


def test_cox_model__matches_an_example_worked_by_hand():
    # Deaths at 1, 2, 3 of x = 1, 0, 1; one patient with x = 0 outlives them. With r = exp(b), the slope is 0 where
    # 2r/(2r+2) + r/(r+2) + r/(r+1) = 2: r/(r+1) is y, and 2y + r/(r+2) = 2 gives r^2 - r - 4 = 0.
    patients = xr.Dataset(
        {"time": ("patient", [1.0, 2, 3, 4]), "died": ("patient", [1, 1, 1, 0]), "x": ("patient", [1.0, 0, 1, 0])}
    )
    result = cox_model(patients, duration="time", event="died", covariates=["x"])
    r = (1 + np.sqrt(17)) / 2
    assert float(result["cox_model_hazard_ratio"][0]) == pytest.approx(r, rel=1e-10)
    information = 2 * r / (r + 1) ** 2 + 2 * r / (r + 2) ** 2
    assert float(result["cox_model_standard_error"][0]) == pytest.approx(information**-0.5, rel=1e-10)
    assert float(result["cox_model_log_likelihood"]) == pytest.approx(
        2 * np.log(r) - np.log(2 * r + 2) - np.log(r + 2) - np.log(r + 1), rel=1e-10
    )
    assert float(result["cox_model_log_likelihood_null"]) == pytest.approx(-np.log(24))
    at_mean = np.sqrt(r)
    steps = np.cumsum([at_mean / (2 * r + 2), at_mean / (r + 2), at_mean / (r + 1)])
    np.testing.assert_allclose(result["cox_model_baseline_hazard"], steps, rtol=1e-10)


def test_cox_model__codes_text_and_keeps_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = cox_model(some_patients(), duration="months", event="died", covariates=["age", "sex"], strata=None)
    assert result["term"].values.tolist() == ["age", "sex[M]"]
    assert "note" not in result.attrs


def test_cox_model__has_limits_that_follow_the_level():
    narrow, wide = (
        cox_model(
            some_patients(), duration="months", event="died", covariates=["age"], options=ModelOptions(level=level)
        )
        for level in (0.5, 0.99)
    )
    assert (
        wide["cox_model_hazard_ratio_lower"] < narrow["cox_model_hazard_ratio_lower"] < narrow["cox_model_hazard_ratio"]
    )
    assert (
        narrow["cox_model_hazard_ratio"] < narrow["cox_model_hazard_ratio_upper"] < wide["cox_model_hazard_ratio_upper"]
    )


def test_cox_model__counts_whole_weights_as_repeated_patients():
    patients = some_patients(weight=np.tile([1, 2, 3], 20))
    options = {"duration": "months", "event": "died", "covariates": ["age", "sex"]}
    weighted = cox_model(patients, **options, options=ModelOptions(ties="breslow", weights="weight"))
    repeated = patients.isel(patient=np.repeat(np.arange(60), patients["weight"].values))
    assert "cox_model_robust_standard_error" not in weighted
    again = cox_model(repeated, **options, options=ModelOptions(ties="breslow"))
    for name in ("coefficient", "standard_error"):
        np.testing.assert_allclose(weighted[f"cox_model_{name}"], again[f"cox_model_{name}"], rtol=1e-9)
    at_zero = [
        found["cox_model_baseline_hazard"] * np.exp(-(found["cox_model_coefficient"] @ found["cox_model_mean"]))
        for found in (weighted, again)
    ]
    np.testing.assert_allclose(*at_zero, rtol=1e-9)


@pytest.mark.compiled
def test_cox_model__covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(150):
        x = rng.normal(size=80)
        life, lost = rng.exponential(np.exp(-0.7 * x)), rng.exponential(2.0, 80)
        columns = {"t": np.minimum(life, lost), "e": life <= lost, "x": x}
        patients = xr.Dataset({name: ("patient", values) for name, values in columns.items()})
        found = cox_model(patients, duration="t", event="e", covariates=["x"])
        low, high = (float(found[f"cox_model_hazard_ratio_{end}"][0]) for end in ("lower", "upper"))
        covered += low <= np.exp(0.7) <= high
    # Of 150 limits of 95 %, 132 or fewer cover the truth in one of 2,500 trials.
    assert 132 < covered < 150


def test_cox_model__refuses_constants_where_r_leaves_them_out(reference_folder):
    case = next(case for case in reference_cases(reference_folder, "coxph") if case["id"] == "lung-constant-covariate")
    patients = case_patients(case, reference_folder)
    assert case["coef"]["const"] is None
    with pytest.raises(InputError, match="Constant: const; leave them out"):
        cox_model(patients, **case_columns(case))
    result = cox_model(patients, **case_columns(case) | {"covariates": ["age", "sex"]})
    np.testing.assert_allclose(
        result["cox_model_coefficient"], [case["coef"][name] for name in ("age", "sex")], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"covariates": ["one"]}, InputError, "must vary between patients. Constant: one"),
        ({"covariates": ["age", "twice"]}, InputError, "'twice' follows from the strata and age"),
        ({"covariates": ["age"], "strata": "age_group"}, InputError, "'age' follows from the strata"),
        ({"covariates": ["gap"]}, InputError, r"'gap' must be known and finite.*3 \(nan\)"),
        ({"covariates": ["endless"]}, InputError, r"'endless' must be known and finite.*4 \(inf\)"),
        ({"covariates": ["absent"]}, MissingVariableError, "'absent'.*it is absent"),
        ({"covariates": []}, InputError, "at least one covariate"),
        ({"covariates": ["age"], "event": "nobody"}, TooFewEventsError, "more events than coefficients. Found 0"),
        ({"covariates": ["first_censored"]}, InputError, "between patients who are at risk together"),
        ({"covariates": ["age"], "options": ModelOptions(weights="nobody")}, InputError, "'nobody' must be above 0"),
        ({"covariates": ["age"], "options": ModelOptions(cluster="absent")}, MissingVariableError, "'absent'"),
        (
            {"covariates": ["age"], "options": ModelOptions(splines={"twice": 3})},
            ParameterError,
            "Not among them: twice",
        ),
    ],
)
def test_cox_model__says_what_cannot_be_fitted(options, error, words):
    patients = some_patients(one=np.ones(60), nobody=np.zeros(60))
    patients["twice"] = patients["age"] * 2 - 3
    patients["gap"] = patients["age"].where(np.arange(60) != 3)
    patients["endless"] = patients["age"].where(np.arange(60) != 4, np.inf)
    if "strata" in options:
        patients["age_group"] = patients["age"] > 60
        patients["age"] = patients["age_group"] * 1.0
    months, died = patients["months"].values.copy(), patients["died"].values.copy()
    months[0], died[0] = months.min() / 2, False
    patients["months"], patients["died"] = ("patient", months), ("patient", died)
    patients["first_censored"] = ("patient", (np.arange(60) == 0).astype(float))
    with pytest.raises(error, match=words):
        cox_model(patients, **{"duration": "months", "event": "died", **options})


def test_cox_model__refuses_one_patient_and_leaves_its_input_alone():
    patients = some_patients()
    before = patients.copy(deep=True)
    cox_model(patients, duration="months", event="died", covariates=["age"])
    xr.testing.assert_identical(patients, before)
    with pytest.raises(TooFewEventsError):
        cox_model(patients.isel(patient=[0]), duration="months", event="died", covariates=["age"])
