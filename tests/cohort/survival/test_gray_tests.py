"""Gray's test against cmprsk, paper and chance.

Expected values: ``cuminc(time, cause, arm, rho = rho)$Tests``, with ``strata = site`` (cmprsk).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.survival.gray_tests import RESULT, gray_test
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.curve_cases import curve_patients, expected, patients_of

OUTCOME = {"duration": "time", "cause": "cause", "group": "arm"}
SIMPLE = {"duration": "months", "cause": "ended", "group": "arm"}


def test_gray_test__equals_the_reference_values_of_cmprsk(reference_folder):
    folder = reference_folder / "reference" / "survival"
    case = json.loads((folder / "competing_risks.json").read_text())
    table = pd.read_csv(folder / case["data"])[[case["time"], case["cause"], case["group"]]].dropna()
    patients = patients_of(**{name: table[name].to_numpy() for name in table})
    result = gray_test(patients, duration=case["time"], cause=case["cause"], group=case["group"])
    check_result(RESULT, result)
    for test in case["gray_test"]:
        ours = result.sel(cause=str(test["cause"]))
        assert float(ours["gray_statistic"]) == pytest.approx(test["stat"], abs=1e-9)
        assert float(ours["gray_p_value"]) == pytest.approx(test["p"], rel=1e-8)
        assert int(ours["gray_degrees_of_freedom"]) == test["df"]


@pytest.mark.parametrize("strata", [None, "site"])
@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
def test_gray_test__equals_cmprsk(rho, strata):
    result = gray_test(curve_patients(), **OUTCOME, rho=rho, strata=strata)
    table = expected("gray_test")
    table = table[(table["rho"] == rho) & (table["strata"] == int(strata is not None))]
    np.testing.assert_allclose(result["gray_statistic"], table["stat"], rtol=1e-9)
    np.testing.assert_allclose(result["gray_p_value"], table["pv"], rtol=1e-8)
    assert result["gray_degrees_of_freedom"].values.tolist() == [2, 2, 2]
    assert int(result["gray_patients"].sum()) == 160
    assert result.attrs["test"].endswith("Gray's test" + (f" (rho {rho:g})" if rho else ""))
    assert result.attrs["test"].startswith("stratified") == (strata is not None)


def test_gray_test__counts_the_excess_of_each_group():
    result = gray_test(curve_patients(), **OUTCOME)
    np.testing.assert_allclose(result["gray_excess"].sum("group"), 0, atol=1e-12)
    assert int(result["gray_event_total"].sum()) == int((curve_patients()["cause"] > 0).sum())
    assert float(result["gray_excess"].sel(cause="1", group="c")) > 0


def test_gray_test__takes_labels_for_codes():
    patients = curve_patients()
    named = patients.assign(cause=("patient", np.array(["alive", "relapse", "death", "second"])[patients["cause"]]))
    codes, labels = gray_test(patients, **OUTCOME), gray_test(named, **OUTCOME, censored="alive")
    assert labels["cause"].values.tolist() == ["death", "relapse", "second"]
    assert float(labels["gray_p_value"].sel(cause="relapse")) == float(codes["gray_p_value"].sel(cause="1"))
    decimals = gray_test(patients.assign(cause=patients["cause"].astype(float)), **OUTCOME, censored=0.0)
    xr.testing.assert_equal(decimals, codes)


def test_gray_test__does_not_care_for_the_order_of_patients():
    patients = curve_patients()
    shuffled = patients.isel(patient=np.random.default_rng(2).permutation(160))
    xr.testing.assert_equal(gray_test(patients, **OUTCOME), gray_test(shuffled, **OUTCOME))


def test_gray_test__sees_what_hazards_hide():
    # Deaths come first and for b only: the hazard of relapse is the same, fewer of b live to have one.
    rng = np.random.default_rng(7)
    arm = np.repeat(["a", "b"], 300)
    relapse, death = rng.exponential(10, 600), np.where(arm == "b", rng.exponential(4, 600), 1e3)
    patients = patients_of(months=np.minimum(relapse, death), ended=np.where(relapse < death, 1, 2), arm=arm)
    result = gray_test(patients, **SIMPLE, censored=None)
    assert (result["gray_p_value"] < 1e-6).all()
    assert float(result["gray_excess"].sel(cause="1", group="b")) < 0


def test_gray_test__refuses_comparisons_that_do_not_exist():
    columns = {"months": [1.0, 2, 3, 4], "ended": [1, 2, 1, 0]}
    with pytest.raises(InputError, match=r"at least two groups. 'arm' is 'a' for all 4"):
        gray_test(patients_of(**columns, arm=["a"] * 4), **SIMPLE)
    apart = patients_of(**columns, arm=["a", "a", "b", "b"], site=["x", "x", "y", "y"])
    with pytest.raises(TooFewEventsError, match="patients of two groups are at risk"):
        gray_test(apart, **SIMPLE, strata="site")
    with pytest.raises(ParameterError, match="'rho'"):
        gray_test(apart, **SIMPLE, rho=-1)
    with pytest.raises(ParameterError, match=r"'censored'.*Got 'alive'; values: 0, 1, 2"):
        gray_test(apart, **SIMPLE, censored="alive")
    with pytest.raises(InputError, match=r"'months' must be known.*1 of 4 patients: 0 \(nan\)"):
        gray_test(apart.assign(months=("patient", [np.nan, 2, 3, 4])), **SIMPLE)


def test_gray_test__has_no_p_for_a_cause_of_patients_left_alone():
    patients = patients_of(months=[1.0, 2, 3, 4, 9, 10], ended=[1, 1, 0, 0, 2, 2], arm=["a", "b", "a", "b", "b", "b"])
    result = gray_test(patients, **SIMPLE)
    assert np.isfinite(result["gray_p_value"].sel(cause="1"))
    assert int(result["gray_degrees_of_freedom"].sel(cause="1")) == 1


def test_gray_test__has_uniform_p_values_when_nothing_differs():
    rng = np.random.default_rng(11)
    arm, site = np.repeat(["a", "b"], 40), np.tile(["x", "y"], 40)
    p_values = []
    for _ in range(100):
        relapse, death, followed = rng.exponential(10, 80), rng.exponential(15, 80), rng.uniform(5, 25, 80)
        months = np.minimum.reduce([relapse, death, followed])
        ended = np.select([months == relapse, months == death], [1, 2], 0)
        patients = patients_of(months=months, ended=ended, arm=arm, site=site)
        p_values.append(gray_test(patients, **SIMPLE, strata="site")["gray_p_value"].values)
    below = np.mean(np.array(p_values) < 0.1, axis=0)
    assert ((below > 0.02) & (below < 0.2)).all()
    assert 0.42 < np.mean(p_values) < 0.58
