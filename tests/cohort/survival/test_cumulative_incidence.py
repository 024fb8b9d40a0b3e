"""Cumulative incidence against R and paper.

Expected values: ``timepoints(cuminc(time, cause, arm), at)`` (cmprsk) and ``survfit(Surv(time, factor(cause)) ~ arm, conf.type = ...)``,
with ``Surv(entry, time, factor(cause))`` for late entry (survival).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.survival.cumulative_incidence import RESULT, IncidenceOptions, cumulative_incidence
from chemores_dask.cohort.survival.kaplan_meier import kaplan_meier
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.curve_cases import curve_patients, expected, patients_of

OUTCOME = {"duration": "time", "cause": "cause", "group": "arm"}


def test_cumulative_incidence__equals_the_reference_values_of_cmprsk(reference_folder):
    folder = reference_folder / "reference" / "survival"
    case = json.loads((folder / "competing_risks.json").read_text())
    table = pd.read_csv(folder / case["data"])[[case["time"], case["cause"], case["group"]]].dropna()
    result = cumulative_incidence(
        patients_of(**{name: table[name].to_numpy() for name in table}),
        duration=case["time"],
        cause=case["cause"],
        group=case["group"],
        censored=case["censor_code"],
    )
    check_result(RESULT, result)
    assert len(case["cif"]) == 4
    for curve in case["cif"]:
        # Each jump appears twice: its last entry holds the value after it.
        known = pd.DataFrame({name: curve[name] for name in ("time", "est", "var")}, dtype=float).groupby("time").last()
        known = known[(known.index > 0) & known.index.isin(result["time"].values)]
        ours = result.sel(group=curve["group"], cause=str(curve["cause"]), time=known.index.to_numpy())
        np.testing.assert_allclose(ours["incidence_share"], known["est"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(ours["incidence_standard_error"] ** 2, known["var"], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("counting", None),
        *((f"jackknife {scale}", None) for scale in ("log-log", "log", "plain")),
        *((f"entry {scale}", "entry") for scale in ("log-log", "log", "plain")),
    ],
)
def test_cumulative_incidence__equals_r(kind, entry):
    variance, _, scale = kind.partition(" ")
    options = IncidenceOptions(variance if variance == "counting" else "jackknife", scale or "log-log")
    result = cumulative_incidence(curve_patients(), **OUTCOME, entry=entry, options=options)
    table = expected("cumulative_incidence").query("kind == @kind")
    assert len(table) > 40
    for (arm, cause), rows in table.groupby(["arm", "cause"]):
        curve = result.sel(group=arm, cause=str(cause))
        inside = rows[rows["time"] <= curve["time"].values[np.isfinite(curve["incidence_share"].values)].max()]
        ours = curve.sel(time=inside["time"].to_numpy(), method="ffill")
        np.testing.assert_allclose(ours["incidence_share"], inside["share"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(ours["incidence_standard_error"], inside["error"], rtol=1e-9, atol=1e-12)
        known = np.isfinite(inside["lower"].to_numpy(dtype=float)) & (inside["share"].to_numpy() > 0)
        for name in ("lower", "upper"):
            np.testing.assert_allclose(ours[f"incidence_{name}"][known], inside[name][known], rtol=1e-9, atol=1e-12)


def test_cumulative_incidence__is_a_hand_worked_table():
    # 5 at risk: cause x at 1, y at 2, censored at 3, x at 4, censored at 5.
    patients = patients_of(months=[1.0, 2, 3, 4, 5], ended=["x", "y", "-", "x", "-"])
    result = cumulative_incidence(patients, duration="months", cause="ended", censored="-")
    assert result["cause"].values.tolist() == ["x", "y"]
    np.testing.assert_allclose(result["incidence_share"].values[0, 0], [1 / 5, 1 / 5, 1 / 5, 1 / 2, 1 / 2])
    np.testing.assert_allclose(result["incidence_share"].values[0, 1], [0, 1 / 5, 1 / 5, 1 / 5, 1 / 5])
    np.testing.assert_allclose(result["incidence_event_free"].values[0], [4 / 5, 3 / 5, 3 / 5, 3 / 10, 3 / 10])
    assert result["incidence_at_risk"].values[0].tolist() == [5, 4, 3, 2, 1]
    assert result["incidence_censored"].values[0].tolist() == [0, 0, 1, 0, 1]
    assert result["incidence_event_total"].values.tolist() == [[2, 1]]


def test_cumulative_incidence__adds_up_and_is_less_than_one_minus_kaplan_meier():
    result = cumulative_incidence(curve_patients(), **OUTCOME)
    whole = result["incidence_share"].sum("cause", skipna=False) + result["incidence_event_free"]
    np.testing.assert_allclose(whole.values[np.isfinite(whole.values)], 1, rtol=1e-12)
    patients = curve_patients()
    patients["relapse"] = patients["cause"] == 1
    alone = 1 - kaplan_meier(patients, duration="time", event="relapse", group="arm")["km_survival"]
    excess = (alone - result["incidence_share"].sel(cause="1")).values
    assert np.nanmin(excess) > -1e-12
    assert np.nanmax(excess) > 0.05


def test_cumulative_incidence__of_one_cause_is_one_minus_kaplan_meier():
    patients = curve_patients()
    one = cumulative_incidence(
        patients, duration="time", cause="event", censored=False, options=IncidenceOptions("jackknife", "plain")
    )
    curve = kaplan_meier(patients, duration="time", event="event")
    np.testing.assert_allclose(one["incidence_share"].values[0, 0], 1 - curve["km_survival"].values[0], atol=1e-14)
    # Without weights the jackknife is Greenwood's formula.
    error = curve["km_standard_error"].values[0]
    known = np.isfinite(error)
    np.testing.assert_allclose(one["incidence_standard_error"].values[0, 0][known], error[known], rtol=1e-10)


def test_cumulative_incidence__stops_each_curve_at_its_last_patient():
    patients = patients_of(months=[1.0, 2, 5], ended=[1, 0, 2], arm=["a", "a", "b"])
    result = cumulative_incidence(patients, duration="months", cause="ended", group="arm")
    np.testing.assert_array_equal(result["incidence_share"].sel(group="a", cause="1"), [0.5, 0.5, np.nan])
    np.testing.assert_array_equal(result["incidence_share"].sel(group="a", cause="2"), [0, 0, np.nan])
    np.testing.assert_array_equal(result["incidence_share"].sel(group="b", cause="2"), [0, 0, 1])


def test_cumulative_incidence__works_with_one_patient_and_when_nobody_was_censored():
    # The errors of cmprsk and of survfit differ where everybody has left.
    for variance, error in (("counting", 1), ("jackknife", 0)):
        one = cumulative_incidence(
            patients_of(months=[3.0], ended=[2]),
            duration="months",
            cause="ended",
            censored=None,
            options=IncidenceOptions(variance),
        )
        assert one["incidence_share"].item() == 1
        assert one["incidence_standard_error"].item() == error


def test_cumulative_incidence__does_not_care_for_the_order_of_patients():
    patients = curve_patients()
    shuffled = patients.isel(patient=np.random.default_rng(2).permutation(160))
    for variance in ("counting", "jackknife"):
        options = {**OUTCOME, "entry": "entry", "options": IncidenceOptions(variance)}
        xr.testing.assert_equal(cumulative_incidence(patients, **options), cumulative_incidence(shuffled, **options))


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"ended": [1, 2, 3, 1]}, ParameterError, r"'censored'.*Got '0'; values: 1, 2, 3. Say censored=None"),
        ({"ended": [0, 0, 0, 0]}, TooFewEventsError, r"'ended' is '0', which stands for censored, for all 4 patients"),
        ({"ended": [0, 1, np.nan, 2]}, InputError, r"'ended' must be known.*1 of 4 patients: 2 \(nan\)"),
        ({"ended": ["0", "1", "", "2"]}, InputError, r"'ended' must be known.*1 of 4 patients: 2"),
        ({"months": [1.0, -2, 3, 4]}, InputError, r"'months' must not be negative.*1 \(-2.0\)"),
        ({"months": [1.0, np.inf, 3, 4]}, InputError, r"'months' must be known and finite.*1 \(inf\)"),
        ({"start": [0, 2.0, 0, 0]}, InputError, r"'start' must lie before 'months'.*1 \(2.0\)"),
    ],
)
def test_cumulative_incidence__refuses_impossible_follow_up(changed, error, words):
    columns = {"months": [1.0, 2, 3, 4], "ended": [0, 1, 2, 1], "start": [0.0, 0, 0, 0]} | changed
    with pytest.raises(error, match=words):
        cumulative_incidence(patients_of(**columns), duration="months", cause="ended", entry="start")


def test_cumulative_incidence__refuses_measurements_for_causes():
    patients = patients_of(months=np.arange(40.0), ended=np.arange(40))
    with pytest.raises(InputError, match=r"'ended' of cumulative_incidence must say which cause.*40 different values"):
        cumulative_incidence(patients, duration="months", cause="ended")


@pytest.mark.parametrize(
    "options",
    [{"variance": "greenwood"}, {"confidence": "logit"}, {"level": 1.0}],
    ids=lambda options: next(iter(options)),
)
def test_incidence_options__refuse_values_out_of_range(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        IncidenceOptions(**options)
