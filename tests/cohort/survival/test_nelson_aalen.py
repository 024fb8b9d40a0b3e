"""Nelson-Aalen against R, lifelines and paper.

Expected values: ``survfit(Surv(entry, time, event) ~ arm, stype = 2, ctype = 1 or 2, conf.type = "log" or "log-log")``.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from lifelines import NelsonAalenFitter

from chemores_dask.cohort.survival.nelson_aalen import RESULT, TIES, nelson_aalen
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.results_spec import check_result
from tests.cohort.survival.curve_cases import curve_patients, expected, patients_of

SCALES = {"log": "plain", "log-log": "log"}


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("scale", SCALES)
def test_nelson_aalen__equals_r(ties, scale):
    result = nelson_aalen(
        curve_patients(),
        duration="time",
        event="event",
        group="arm",
        entry="entry",
        ties=ties,
        confidence=SCALES[scale],
    )
    check_result(RESULT, result)
    table = expected("nelson_aalen")
    table = table[(table["ctype"] == 1 + TIES.index(ties)) & (table["conf"] == scale)]
    assert len(table) == 20
    for arm, rows in table.groupby("arm"):
        ours = result.sel(group=arm, time=rows["time"].to_numpy())
        np.testing.assert_allclose(ours["nelson_aalen_hazard"], rows["hazard"], rtol=1e-12)
        np.testing.assert_allclose(ours["nelson_aalen_standard_error"], rows["error"], rtol=1e-12)
        np.testing.assert_allclose(ours["nelson_aalen_lower"], rows["lower"], rtol=1e-10, atol=1e-12)
        finite = np.isfinite(rows["upper"].to_numpy())
        np.testing.assert_allclose(ours["nelson_aalen_upper"][finite], rows["upper"][finite], rtol=1e-10)


def test_nelson_aalen__equals_the_reference_curves_of_r(reference_folder):
    folder = reference_folder / "reference" / "survival"
    cases = json.loads((folder / "kaplan_meier.json").read_text())["cases"]
    for case in (case for case in cases if case["id"] in {"lung-sex-log", "veteran-90-log", "ovarian-log"}):
        duration, event = case["surv"].removeprefix("Surv(").removesuffix(")").split(", ")
        table = pd.read_csv(folder / case["data"])[[duration, event, case["group"]]].dropna()
        patients = patients_of(**{name: table[name].to_numpy() for name in table})
        result = nelson_aalen(patients, duration=duration, event=event, group=case["group"])
        for group, rows in pd.DataFrame(case["curve"]).groupby("group"):
            ours = result["nelson_aalen_hazard"].sel(group=group, time=rows["time"].to_numpy())
            np.testing.assert_allclose(ours, rows["cumhaz"], rtol=1e-12)


def test_nelson_aalen__equals_lifelines():
    rng = np.random.default_rng(4)
    months, died = rng.exponential(size=50), rng.random(50) < 0.6
    result = nelson_aalen(patients_of(months=months, died=died), duration="months", event="died")
    fitted = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(months, died)
    hazard = fitted.cumulative_hazard_.iloc[1:, 0].to_numpy()
    np.testing.assert_allclose(result["nelson_aalen_hazard"].values[0], hazard, rtol=1e-12)


def test_nelson_aalen__adds_tied_events_one_after_the_other():
    patients = patients_of(months=[1.0, 1, 2, 3], died=[1, 1, 1, 0])
    at_once = nelson_aalen(patients, duration="months", event="died")
    in_turn = nelson_aalen(patients, duration="months", event="died", ties="efron")
    np.testing.assert_allclose(at_once["nelson_aalen_hazard"].values[0], [1 / 2, 1, 1])
    np.testing.assert_allclose(in_turn["nelson_aalen_hazard"].values[0], [1 / 4 + 1 / 3, 13 / 12, 13 / 12])
    variance = in_turn["nelson_aalen_standard_error"].values[0] ** 2
    np.testing.assert_allclose(variance[0], 1 / 16 + 1 / 9)


def test_nelson_aalen__works_without_events_and_with_one_patient():
    alive = nelson_aalen(patients_of(months=[1.0, 2], died=[0, 0]), duration="months", event="died")
    assert alive["nelson_aalen_hazard"].values.tolist() == [[0, 0]]
    assert np.isnan(alive["nelson_aalen_upper"]).all()
    one = nelson_aalen(patients_of(months=[3.0], died=[1]), duration="months", event="died", confidence="plain")
    assert one["nelson_aalen_hazard"].item() == 1
    assert one["nelson_aalen_lower"].item() == 0
    apart = patients_of(months=[1.0, 2, 5], died=[1, 0, 1], arm=["a", "a", "b"])
    result = nelson_aalen(apart, duration="months", event="died", group="arm")
    np.testing.assert_array_equal(result["nelson_aalen_hazard"].sel(group="a"), [0.5, 0.5, np.nan])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"ties": "exact"}, "'ties'"), ({"confidence": "log-log"}, "'confidence'.*log, plain"), ({"level": 1}, "'level'")],
)
def test_nelson_aalen__refuses_parameters_out_of_range(options, words):
    with pytest.raises(ParameterError, match=words):
        nelson_aalen(patients_of(months=[1.0, 2], died=[1, 0]), duration="months", event="died", **options)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_nelson_aalen__names_patients_with_impossible_times(value):
    with pytest.raises(InputError, match=r"'months'.*1 of 2 patients: 1 \("):
        nelson_aalen(patients_of(months=[1.0, value], died=[1, 0]), duration="months", event="died")
