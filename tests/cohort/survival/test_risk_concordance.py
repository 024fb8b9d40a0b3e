"""Concordance of risk scores against R, by simulation, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.risk_concordance import RESULT, ConcordanceOptions, concordance
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.cox_cases import (
    by_r,
    case_columns,
    case_patients,
    our_patients,
    reference_cases,
    some_patients,
)

OUTCOME = {"duration": "stop", "event": "event"}
PLAIN = {"duration": "months", "event": "died"}


def test_concordance__equals_r(reference_folder):
    cases = reference_cases(reference_folder, "concordance")
    assert len(cases) == 7
    for case in cases:
        columns = case_columns(case)
        columns["risk"] = columns.pop("covariates")
        patients = case_patients(case, reference_folder)
        if not case["reverse"]:
            patients[case["x"]] = -patients[case["x"]]
        options = ConcordanceOptions(method="harrell" if case["timewt"] == "n" else "uno")
        result = concordance(patients, **columns, options=options)
        check_result(RESULT, result)
        found = result.isel(score=0)
        assert float(found["concordance_value"]) == pytest.approx(case["concordance"], rel=1e-10)
        assert float(found["concordance_standard_error"]) == pytest.approx(case["se"], rel=1e-9)
        for name, key in (("concordant", "concordant"), ("discordant", "discordant"), ("tied", "tied.x")):
            assert float(found[f"concordance_{name}"]) == pytest.approx(case["counts"][key], rel=1e-10)
        assert int(found["concordance_patients"]) == case["n"]


def test_concordance__equals_r_with_weights_clusters_and_a_last_time():
    expected, patients = by_r()["concordance"], our_patients()
    weighted = ConcordanceOptions(weights="weight", cluster="clinic")
    until = ConcordanceOptions(method="uno", weights="weight", until=15.0)
    for options, strata, values in ((weighted, None, expected["weighted"]), (until, "site", expected["uno"])):
        found = concordance(patients, **OUTCOME, risk="age", strata=strata, options=options)
        pair = [float(found[f"concordance_{name}"][0]) for name in ("value", "standard_error")]
        assert pair == pytest.approx(values, rel=1e-9)


def test_concordance__compares_scores_of_the_same_patients_as_r():
    expected = by_r()["concordance"]
    found = concordance(our_patients(), **OUTCOME, risk=["age", "marker"])
    np.testing.assert_allclose(found["concordance_value"], expected["two"], rtol=1e-9)
    variance = np.array(expected["two_var"])
    apart = np.sqrt(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1])
    assert float(found["concordance_difference_standard_error"][1]) == pytest.approx(apart, rel=1e-8)
    assert float(found["concordance_difference"][1]) == pytest.approx(expected["two"][1] - expected["two"][0])
    assert np.isnan(found["concordance_difference_p_value"][0])
    assert 0.5 < float(found["concordance_difference_p_value"][1]) < 1


@pytest.mark.compiled
def test_concordance__covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(9)
    # Of two exponential lives with log hazards of variance 1, the shorter is that of the larger hazard with chance E[1/(1+e^-|d|)].
    apart = np.abs(rng.normal(scale=np.sqrt(2), size=400_000))
    truth, covered = float((1 / (1 + np.exp(-apart))).mean()), 0
    for _ in range(120):
        x = rng.normal(size=80)
        life = rng.exponential(np.exp(-x))
        columns = {"t": life, "e": np.ones(80, dtype=bool), "x": x}
        patients = xr.Dataset({name: ("patient", values) for name, values in columns.items()})
        found = concordance(patients, duration="t", event="e", risk="x")
        covered += float(found["concordance_lower"][0]) <= truth <= float(found["concordance_upper"][0])
    assert 103 < covered < 120


@pytest.mark.compiled
def test_concordance__of_uno_does_not_depend_on_censoring():
    rng = np.random.default_rng(10)
    x = rng.normal(size=3000)
    life = rng.exponential(np.exp(-np.where(x > 0, 1.5 * x, 0)))
    whole = xr.Dataset({name: ("patient", values) for name, values in {"t": life, "e": life > 0, "x": x}.items()})
    lost = rng.exponential(0.8, 3000)
    seen = whole.assign(t=np.minimum(whole["t"], lost), e=whole["t"] <= lost)
    outcome = {"duration": "t", "event": "e", "risk": "x"}
    value = {
        (method, name): float(
            concordance(cohort, **outcome, options=ConcordanceOptions(method=method, until=1.5))["concordance_value"][0]
        )
        for method in ("harrell", "uno")
        for name, cohort in (("whole", whole), ("seen", seen))
    }
    apart = {method: abs(value[method, "whole"] - value[method, "seen"]) for method in ("harrell", "uno")}
    assert value["harrell", "whole"] == value["uno", "whole"]
    assert apart["uno"] < 0.012
    assert apart["uno"] < apart["harrell"]


def test_concordance__of_a_constant_score_is_one_half():
    found = concordance(some_patients(one=np.ones(60)), **PLAIN, risk="one")
    assert float(found["concordance_value"][0]) == 0.5
    assert np.isnan(found["concordance_p_value"][0])


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"risk": "sex"}, InputError, "risk of concordance must be a numeric variable"),
        ({"risk": []}, InputError, "risk of concordance must be a numeric variable"),
        ({"risk": ["age", "age"]}, InputError, "different names"),
        ({"event": "nobody"}, TooFewEventsError, "'nobody' is false for all 60 patients"),
        ({"strata": "own"}, InputError, "use fewer strata"),
        ({"entry": "zero", "options": ConcordanceOptions(method="uno")}, ParameterError, "late entry"),
        ({"options": ConcordanceOptions(until=1e-9)}, InputError, "a later 'until'"),
    ],
)
def test_concordance__says_what_cannot_be_compared(changed, error, words):
    patients = some_patients(nobody=np.zeros(60), own=np.arange(60), zero=np.zeros(60))
    with pytest.raises(error, match=words):
        concordance(patients, **{**PLAIN, "risk": "age", **changed})


@pytest.mark.parametrize("options", [{"method": "gonen"}, {"until": 0.0}, {"until": -1.0}, {"level": 1.0}])
def test_concordance_options__refuse_what_cannot_be(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        ConcordanceOptions(**options)
