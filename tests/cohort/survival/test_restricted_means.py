"""Restricted means against R and paper.

Expected values: ``summary(survfit(Surv(time, event) ~ arm), rmean = 20)$table``, with ``Surv(entry, time, event)`` for late entry.
Differences and ratios follow from them by the formulas of survRM2 (independent groups, normal; the ratio on its logarithm).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from chemores_dask.cohort.survival.restricted_means import RESULT, restricted_mean
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.curve_cases import curve_patients, expected, patients_of

OUTCOME = {"duration": "time", "event": "event", "group": "arm"}
SIMPLE = {"duration": "months", "event": "died", "group": "arm"}


@pytest.mark.parametrize(
    ("case", "entry", "horizon"), [("plain", None, 20), ("entry", "entry", 20), ("between", None, 20.5)]
)
def test_restricted_mean__equals_r(case, entry, horizon):
    result = restricted_mean(curve_patients(), **OUTCOME, entry=entry, horizon=horizon)
    check_result(RESULT, result)
    table = expected("restricted_mean").query("case == @case")
    np.testing.assert_allclose(result["restricted_mean_time"], table["mean"], rtol=1e-12)
    np.testing.assert_allclose(result["restricted_mean_standard_error"], table["error"], rtol=1e-12)


def test_restricted_mean__equals_the_reference_values_of_r(reference_folder):
    folder = reference_folder / "reference" / "survival"
    cases = [c for c in json.loads((folder / "kaplan_meier.json").read_text())["cases"] if c["id"].endswith("-log")]
    for case in (case for case in cases if case["group"] and not case["weights"] and "start" not in case["surv"]):
        duration, event = case["surv"].removeprefix("Surv(").removesuffix(")").split(", ")
        table = pd.read_csv(folder / case["data"])[[duration, event, case["group"]]].dropna()
        patients = patients_of(**{name: table[name].to_numpy() for name in table})
        result = restricted_mean(
            patients, duration=duration, event=event, group=case["group"], horizon=case["rmst_tau"]
        )
        np.testing.assert_allclose(result["restricted_mean_time"], case["rmst"], rtol=1e-12)
        np.testing.assert_allclose(result["restricted_mean_standard_error"], case["rmst_se"], rtol=1e-12)


def test_restricted_mean__compares_groups_as_survrm2_does():
    result = restricted_mean(curve_patients(), **OUTCOME, horizon=20, level=0.9)
    mean, error = (expected("restricted_mean").query("case == 'plain'")[name].to_numpy() for name in ("mean", "error"))
    assert result["pair"].values.tolist() == ["b vs a", "c vs a", "c vs b"]
    z = norm.ppf(0.95)
    for place, (first, second) in enumerate([(0, 1), (0, 2), (1, 2)]):
        pair = {
            name.removeprefix("restricted_mean_"): float(result[name][place])
            for name in result
            if "pair" in result[name].dims
        }
        difference, spread = mean[second] - mean[first], np.hypot(error[first], error[second])
        assert pair["difference"] == pytest.approx(difference, rel=1e-12)
        assert pair["difference_standard_error"] == pytest.approx(spread, rel=1e-12)
        assert pair["difference_lower"] == pytest.approx(difference - z * spread, rel=1e-10)
        assert pair["difference_upper"] == pytest.approx(difference + z * spread, rel=1e-10)
        assert pair["difference_p_value"] == pytest.approx(2 * norm.sf(abs(difference) / spread), rel=1e-10)
        ratio, relative = mean[second] / mean[first], np.hypot(error[first] / mean[first], error[second] / mean[second])
        assert pair["ratio"] == pytest.approx(ratio, rel=1e-12)
        assert np.log(pair["ratio_upper"]) == pytest.approx(np.log(ratio) + z * relative, rel=1e-10)
        assert np.log(pair["ratio_lower"]) == pytest.approx(np.log(ratio) - z * relative, rel=1e-10)
        assert pair["ratio_p_value"] == pytest.approx(2 * norm.sf(abs(np.log(ratio)) / relative), rel=1e-10)
    p_values = np.sort(result["restricted_mean_difference_p_value"].values)
    holm = np.minimum(np.maximum.accumulate(p_values * [3, 2, 1]), 1)
    np.testing.assert_allclose(np.sort(result["restricted_mean_difference_holm_p_value"].values), np.sort(holm))


def test_restricted_mean__compares_with_a_reference():
    result = restricted_mean(curve_patients(), **OUTCOME, reference="b")
    assert result["pair"].values.tolist() == ["a vs b", "c vs b"]
    both = restricted_mean(curve_patients(), **OUTCOME)
    assert float(result["restricted_mean_difference"][0]) == -float(both["restricted_mean_difference"][0])
    with pytest.raises(ParameterError, match=r"'reference'.*Got 'z'; groups: a, b, c"):
        restricted_mean(curve_patients(), **OUTCOME, reference="z")


def test_restricted_mean__ends_where_the_first_group_ends():
    patients = patients_of(months=[1.0, 4, 2, 6], died=[1, 0, 1, 0], arm=["a", "a", "b", "b"])
    result = restricted_mean(patients, **SIMPLE)
    assert float(result["restricted_mean_horizon"]) == 4
    assert result["restricted_mean_time"].values.tolist() == [2.5, 3]
    assert result["restricted_mean_event_total"].values.tolist() == [1, 1]
    with pytest.raises(ParameterError, match=r"'horizon'.*Got 5.*a \(4\)"):
        restricted_mean(patients, **SIMPLE, horizon=5)


def test_restricted_mean__makes_no_test_without_events():
    patients = patients_of(months=[5.0, 6, 7, 8], died=[0, 0, 0, 0], arm=["a", "a", "b", "b"])
    result = restricted_mean(patients, **SIMPLE)
    assert result["restricted_mean_difference"].item() == 0
    assert np.isnan(result["restricted_mean_difference_p_value"].item())
    assert np.isnan(result["restricted_mean_ratio_p_value"].item())
    alone = restricted_mean(patients, duration="months", event="died")
    assert "pair" not in alone.dims
    at_once = patients_of(months=[0.0, 0, 7, 8], died=[1, 1, 0, 1], arm=["a", "a", "b", "b"])
    assert np.isnan(restricted_mean(at_once, **SIMPLE, horizon=5)["restricted_mean_ratio"].item())


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_restricted_mean__names_patients_with_impossible_times(value):
    patients = patients_of(months=[1.0, value], died=[1, 0])
    with pytest.raises(InputError, match=r"'months'.*1 of 2 patients: 1 \("):
        restricted_mean(patients, duration="months", event="died")


def test_restricted_mean__errs_at_its_level_when_nothing_differs():
    rng = np.random.default_rng(3)
    arm = np.repeat(["a", "b"], 50)
    p_values = []
    for _ in range(100):
        alive, followed = rng.exponential(10, 100), rng.uniform(8, 30, 100)
        patients = patients_of(months=np.minimum(alive, followed), died=alive <= followed, arm=arm)
        p_values.append(restricted_mean(patients, **SIMPLE, horizon=8)["restricted_mean_difference_p_value"].item())
    assert 0.02 < np.mean(np.array(p_values) < 0.1) < 0.2
    assert 0.42 < np.mean(p_values) < 0.58
