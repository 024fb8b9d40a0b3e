"""Fine and Gray's model against cmprsk, Cox and chance.

Expected values: ``crr(time, cause, covariates, failcode = 1, 2 or 3, gtol = 1e-12, maxiter = 50)`` (cmprsk).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from chemores_dask.cohort.survival.fine_gray_model import RESULT, fine_gray
from chemores_dask.errors import ConvergenceWarning, InputError, ParameterError, TooFewEventsError
from chemores_dask.kernels.newton import STATUS_FLAGS
from chemores_dask.results_spec import check_result
from tests.cohort.survival.curve_cases import curve_patients, expected, patients_of

OUTCOME = {"duration": "time", "cause": "cause"}
TERMS = {"age": "age", "score": "score", "sex": "sex", "armb": "arm[b]", "armc": "arm[c]"}


def test_fine_gray__equals_the_reference_values_of_cmprsk(reference_folder):
    folder = reference_folder / "reference" / "survival"
    case = json.loads((folder / "competing_risks.json").read_text())
    fit = case["fine_gray"]
    table = pd.read_csv(folder / case["data"])[[case["time"], case["cause"], *fit["covariates"]]].dropna()
    result = fine_gray(
        patients_of(**{name: table[name].to_numpy() for name in table}),
        duration=case["time"],
        cause=case["cause"],
        of_interest=1,
        covariates=fit["covariates"],
    )
    check_result(RESULT, result)
    assert int(result["fine_gray_patients"]) == fit["n"]
    np.testing.assert_allclose(result["fine_gray_coefficient"], fit["coef"], rtol=1e-8)
    np.testing.assert_allclose(result["fine_gray_standard_error"], fit["se"], rtol=1e-8)
    assert float(result["fine_gray_log_likelihood"]) == pytest.approx(fit["loglik"], abs=1e-8)
    assert float(result["fine_gray_log_likelihood_null"]) == pytest.approx(fit["loglik_null"], abs=1e-8)


@pytest.mark.parametrize(("model", "covariates"), [(1, ["score"]), (2, ["age", "score", "sex", "arm"])])
@pytest.mark.parametrize("cause", [1, 2, 3])
def test_fine_gray__equals_cmprsk(cause, model, covariates):
    patients = curve_patients()
    result = fine_gray(patients, **OUTCOME, of_interest=cause, covariates=covariates)
    table = expected("fine_gray").query("cause == @cause and model == @model")
    assert result["term"].values.tolist() == [TERMS[name] for name in table["term"]]
    np.testing.assert_allclose(result["fine_gray_coefficient"], table["coef"], rtol=1e-6)
    np.testing.assert_allclose(result["fine_gray_standard_error"], table["se"], rtol=1e-6)
    assert float(result["fine_gray_log_likelihood"]) == pytest.approx(table["loglik"].iloc[0], abs=1e-8)
    z = table["coef"].to_numpy() / table["se"].to_numpy()
    np.testing.assert_allclose(result["fine_gray_p_value"], 2 * norm.sf(np.abs(z)), rtol=1e-6)
    upper = np.exp(table["coef"] + norm.ppf(0.975) * table["se"])
    np.testing.assert_allclose(result["fine_gray_hazard_ratio_upper"], upper, rtol=1e-6)
    counts = [int(result[f"fine_gray_{name}"]) for name in ("patients", "events", "other_events")]
    own = patients["cause"].values
    assert counts == [160, (own == cause).sum(), ((own != cause) & (own > 0)).sum()]


def test_fine_gray__does_not_depend_on_origin_and_unit_of_covariates():
    patients = curve_patients()
    plain = fine_gray(patients, **OUTCOME, of_interest=1, covariates=["age", "score"])
    moved = fine_gray(
        patients.assign(age=patients["age"] + 1e7, score=patients["score"] * 1e-6),
        **OUTCOME,
        of_interest=1,
        covariates=["age", "score"],
    )
    for name in ("coefficient", "standard_error"):
        values = moved[f"fine_gray_{name}"].values * [1, 1e-6]
        np.testing.assert_allclose(values, plain[f"fine_gray_{name}"], rtol=1e-6)
    order = np.random.default_rng(1).permutation(160)
    shuffled = fine_gray(patients.isel(patient=order), **OUTCOME, of_interest=1, covariates=["age", "score"])
    for name in ("coefficient", "standard_error"):
        np.testing.assert_allclose(shuffled[f"fine_gray_{name}"], plain[f"fine_gray_{name}"], rtol=1e-10)


def test_fine_gray__takes_labels_and_says_how_few_events_there_are():
    patients = curve_patients()
    named = patients.assign(cause=("patient", np.array(["alive", "relapse", "death", "second"])[patients["cause"]]))
    terms = {"covariates": ["age", "score", "sex", "arm"]}
    codes = fine_gray(patients, **OUTCOME, of_interest=3, **terms)
    labels = fine_gray(named, **OUTCOME, of_interest="second", censored="alive", **terms)
    xr.testing.assert_equal(codes, labels)
    assert "fewer than 10 per coefficient" in labels.attrs["note"]


def test_fine_gray__says_that_covariates_separate():
    months = np.arange(1.0, 41)
    ended = np.where(np.arange(40) % 4 == 0, 2, np.where(np.arange(40) < 16, 1, 0))
    patients = patients_of(months=months, ended=ended, never=np.where(ended == 1, 0.0, 1.0), age=np.cos(months))
    with pytest.warns(ConvergenceWarning, match=r"rises without end in: never \(to minus infinity\)"):
        result = fine_gray(patients, duration="months", cause="ended", of_interest=1, covariates=["never", "age"])
    assert result["fine_gray_status"].values.tolist() == [STATUS_FLAGS.index("separated"), STATUS_FLAGS.index("ok")]
    assert np.isnan(result["fine_gray_coefficient"]).all()
    assert np.isnan(result["fine_gray_wald_p_value"])


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"of_interest": "relapse"}, ParameterError, r"'of_interest'.*Got 'relapse'; causes: 1, 2, 3"),
        ({"of_interest": 0}, ParameterError, r"'of_interest'.*Got '0'"),
        ({"censored": 9}, ParameterError, r"'censored'.*Got '9'"),
        ({"covariates": []}, InputError, "at least one covariate"),
        ({"covariates": ["one"]}, InputError, "Constant: one"),
        ({"covariates": ["age", "twice"]}, InputError, "'twice' follows from"),
        ({"covariates": ["gap"]}, InputError, r"'gap' must be known and finite.*1 of 160 patients: 4 \(nan\)"),
        ({"covariates": ["age", "age"]}, InputError, "different names"),
        ({"level": 2.0}, ParameterError, "'level'"),
    ],
)
def test_fine_gray__refuses_models_without_a_meaning(changed, error, words):
    patients = curve_patients()
    patients = patients.assign(
        one=("patient", np.ones(160)),
        twice=2 * patients["age"] + 3,
        gap=("patient", np.where(np.arange(160) == 4, np.nan, np.arange(160.0))),
    )
    with pytest.raises(error, match=words):
        fine_gray(patients, **{**OUTCOME, "of_interest": 1, "covariates": ["age"], **changed})


def test_fine_gray__wants_more_events_than_coefficients():
    patients = patients_of(months=[1.0, 2, 3, 4], ended=[1, 0, 2, 0], age=[1.0, 2, 3, 5])
    with pytest.raises(TooFewEventsError, match=r"more events than coefficients. Found 1 with 'ended = 1' among 4"):
        fine_gray(patients, duration="months", cause="ended", of_interest=1, covariates=["age"])


def test_fine_gray__errs_at_its_level_when_nothing_matters():
    rng = np.random.default_rng(21)
    p_values = []
    for _ in range(100):
        relapse, death, followed = rng.exponential(10, 90), rng.exponential(15, 90), rng.uniform(5, 25, 90)
        months = np.minimum.reduce([relapse, death, followed])
        ended = np.select([months == relapse, months == death], [1, 2], 0)
        patients = patients_of(months=months, ended=ended, score=rng.normal(size=90))
        result = fine_gray(patients, duration="months", cause="ended", of_interest=1, covariates=["score"])
        p_values.append(float(result["fine_gray_p_value"][0]))
    assert 0.03 < np.mean(np.array(p_values) < 0.1) < 0.2
    assert 0.41 < np.mean(p_values) < 0.59
