"""Cox models against R, and what they refuse."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lifelines import CoxPHFitter

from chemores_dask.cohort.survival.cox_models import RESULT, cox_model
from chemores_dask.errors import ConvergenceWarning, InputError, MissingVariableError, ParameterError, TooFewEventsError
from chemores_dask.results_spec import check_result


def _cases(folder):
    cases = json.loads((folder / "coxph.json").read_text())["cases"]
    hopeless = {"lung-constant-covariate", "separated"}
    return [c for c in cases if c["ties"] == "efron" and not c["weights"] and c["id"] not in hopeless]


def _case_result(case, folder):
    used = [case["start"], case["time"], case["event"], *case["covariates"], *(case["strata"] or []), case["cluster"]]
    used = list(dict.fromkeys(name for name in used if name))
    table = pd.read_csv(folder / case["data"])[used].dropna()
    return cox_model(
        xr.Dataset({name: ("patient", table[name].to_numpy()) for name in used}),
        duration=case["time"],
        event=case["event"],
        covariates=case["covariates"],
        strata=case["strata"],
        entry=case["start"],
    )


def _patients(patients=60, seed=5, **more):
    rng = np.random.default_rng(seed)
    columns = {
        "months": rng.exponential(size=patients),
        "died": rng.random(patients) < 0.7,
        "age": rng.normal(60, 9, patients),
        "sex": rng.choice(["F", "M"], patients),
        **more,
    }
    return xr.Dataset({name: ("patient", np.asarray(values)) for name, values in columns.items()})


def test_cox_model__equals_r(reference_folder):
    folder = reference_folder / "reference" / "survival"
    cases = _cases(folder)
    assert len(cases) == 19
    for case in cases:
        result = _case_result(case, folder)
        check_result(RESULT, result)
        error = case["naive_se"] if case["robust"] else case["se"]
        for name, expected in (("coefficient", case["coef"]), ("standard_error", error)):
            values = [expected[term] for term in case["covariates"]]
            np.testing.assert_allclose(result[f"cox_model_{name}"], values, rtol=1e-6, err_msg=case["id"])
        assert int(result["cox_model_patients"]) == case["n"]
        assert int(result["cox_model_events"]) == case["nevent"]
        assert float(result["cox_model_log_likelihood"]) == pytest.approx(case["loglik"], abs=1e-8)
        assert float(result["cox_model_log_likelihood_null"]) == pytest.approx(case["loglik_null"], abs=1e-8)
        ratio, score = case["lr_test"], case["score_test"]
        assert float(result["cox_model_likelihood_ratio_p_value"]) == pytest.approx(ratio["pvalue"], rel=1e-6)
        assert float(result["cox_model_score_statistic"]) == pytest.approx(score["test"], rel=1e-8)
        # R breaks a few ties of the linear predictor by rounding.
        assert float(result["cox_model_concordance"]) == pytest.approx(case["concordance"]["concordance"], abs=1e-3)
        if not case["robust"]:
            assert float(result["cox_model_wald_statistic"]) == pytest.approx(case["wald_test"]["test"], abs=0.006)
            terms = [(case["p"][t], case["hr_lower95"][t], case["hr_upper95"][t]) for t in case["covariates"]]
            names = ("p_value", "hazard_ratio_lower", "hazard_ratio_upper")
            for name, expected in zip(names, zip(*terms, strict=True), strict=True):
                # An infinite number is written as null.
                values = [np.inf if value is None else value for value in expected]
                np.testing.assert_allclose(result[f"cox_model_{name}"], values, rtol=1e-6, err_msg=case["id"])


def test_cox_model__survives_a_large_shift():
    patients = _patients()
    options = {"duration": "months", "event": "died", "covariates": ["age"]}
    plain = cox_model(patients, **options)
    shifted = cox_model(patients.assign(age=patients["age"] + 1e7), **options)
    for name in ("coefficient", "standard_error"):
        np.testing.assert_allclose(shifted[f"cox_model_{name}"], plain[f"cox_model_{name}"], rtol=1e-6)


def test_cox_model__leaves_out_separated_coefficients_with_a_warning(reference_folder):
    folder = reference_folder / "reference" / "survival"
    case = next(c for c in json.loads((folder / "coxph.json").read_text())["cases"] if c["id"] == "separated")
    with pytest.warns(ConvergenceWarning, match=r"xsep \(to plus infinity\)"):
        result = _case_result(case, folder)
    assert result["cox_model_status"].values.tolist() == [1, 0]
    assert np.isnan(result["cox_model_coefficient"][0])
    assert np.isnan(result["cox_model_p_value"][0])
    assert float(result["cox_model_coefficient"][1]) == pytest.approx(case["coef"]["z"], rel=1e-6)
    assert float(result["cox_model_log_likelihood"]) == pytest.approx(case["loglik"], abs=1e-7)
    assert float(result["cox_model_likelihood_ratio_p_value"]) == pytest.approx(case["lr_test"]["pvalue"], rel=1e-6)
    assert np.isnan(result["cox_model_wald_p_value"])


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


def test_cox_model__codes_text_and_keeps_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = cox_model(_patients(), duration="months", event="died", covariates=["age", "sex"], strata=None)
    assert result["term"].values.tolist() == ["age", "sex[M]"]
    assert "note" not in result.attrs


def test_cox_model__has_limits_that_follow_the_level():
    narrow = cox_model(_patients(), duration="months", event="died", covariates=["age"], level=0.5)
    wide = cox_model(_patients(), duration="months", event="died", covariates=["age"], level=0.99)
    assert (
        wide["cox_model_hazard_ratio_lower"] < narrow["cox_model_hazard_ratio_lower"] < narrow["cox_model_hazard_ratio"]
    )
    assert (
        narrow["cox_model_hazard_ratio"] < narrow["cox_model_hazard_ratio_upper"] < wide["cox_model_hazard_ratio_upper"]
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
        ({"covariates": ["age"], "ties": "breslow"}, ParameterError, "'ties'.*efron"),
        ({"covariates": ["age"], "event": "nobody"}, TooFewEventsError, "more events than coefficients. Found 0"),
        ({"covariates": ["first_censored"]}, InputError, "between patients who are at risk together"),
    ],
)
def test_cox_model__says_what_cannot_be_fitted(options, error, words):
    patients = _patients(one=np.ones(60), nobody=np.zeros(60))
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
    patients = _patients()
    before = patients.copy(deep=True)
    cox_model(patients, duration="months", event="died", covariates=["age"])
    xr.testing.assert_identical(patients, before)
    with pytest.raises(TooFewEventsError):
        cox_model(patients.isel(patient=[0]), duration="months", event="died", covariates=["age"])
