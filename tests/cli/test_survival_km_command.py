"""Tests of ``chemores survival km``: R's answers out of files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

KM = {
    "time": "time",
    "at_risk": "n_risk",
    "events": "n_event",
    "survival": "surv",
    "lower_95": "lower",
    "upper_95": "upper",
}


@pytest.fixture(scope="module")
def survival(reference_folder):
    return reference_folder / "reference" / "survival"


def test_km__writes_curves_summary_and_test(chemores, tmp_path, without_report):
    text = "patient,days,event,arm\n" + "".join(
        f"P{row},{row % 9 + 1},{row % 2},{'ab'[row % 3 == 0]}\n" for row in range(30)
    )
    (tmp_path / "c.csv").write_text(text)
    named = ["--clinical", tmp_path / "c.csv", "--time", "days", "--event", "event", "--group", "arm"]
    assert chemores("survival", "km", *named, "--out", tmp_path / "out") == 0
    curves = pd.read_csv(tmp_path / "out" / "km_curves.csv")
    assert curves.columns.tolist() == [
        "group",
        "time",
        "at_risk",
        "events",
        "censored",
        "survival",
        "standard_error",
        "lower_95",
        "upper_95",
    ]
    summary = pd.read_csv(tmp_path / "out" / "km_summary.csv")
    assert summary["n"].sum() == 30
    assert (
        summary["observed"].sum()
        == summary["events"].sum()
        == pd.read_csv(tmp_path / "out" / "log_rank.csv")["events"][0]
    )
    assert (curves.groupby("group")["events"].sum().to_numpy() == summary["events"].to_numpy()).all()


def test_km__without_a_group_there_is_no_test(chemores, tmp_path, without_report):
    (tmp_path / "c.csv").write_text("patient,days,event\nA,1,1\nB,2,0\nC,3,1\n")
    named = ["--clinical", tmp_path / "c.csv", "--time", "days", "--event", "event", "--out", tmp_path / "out"]
    assert chemores("survival", "km", *named) == 0
    assert not (tmp_path / "out" / "log_rank.csv").exists()
    assert pd.read_csv(tmp_path / "out" / "km_curves.csv")["survival"].tolist() == [2 / 3, 2 / 3, 0.0]


@pytest.mark.parametrize("confidence", ["log", "log-log", "plain"])
def test_km__equals_r(chemores, survival, tmp_path, without_report, confidence):
    """Against ``survfit`` and ``survdiff`` of R's survival 3.5-3."""
    cases = json.loads((survival / "kaplan_meier.json").read_text())["cases"]
    case = next(case for case in cases if case["group"] == "sex" and case["conf_type"] == confidence)
    assert case["surv"] == "Surv(time_month, event)"
    named = ["--clinical", survival / case["data"], "--time", "time_month", "--event", "event", "--group", "sex"]
    assert chemores("survival", "km", *named, "--confidence", confidence, "--out", tmp_path / "out") == 0
    curves = pd.read_csv(tmp_path / "out" / "km_curves.csv")
    expected = pd.DataFrame(case["curve"])
    for column, theirs in KM.items():
        np.testing.assert_allclose(curves[column], expected[theirs].astype(float), rtol=1e-9, atol=1e-12)
    summary = pd.read_csv(tmp_path / "out" / "km_summary.csv")
    np.testing.assert_allclose(summary["median"], case["median"], rtol=1e-12)
    np.testing.assert_allclose(summary["median_lower_95"], np.array(case["median_lower"], dtype=float), rtol=1e-12)


def test_km__tests_as_r_does(chemores, survival, tmp_path, without_report):
    """Against ``survdiff(Surv(time, event) ~ sex)`` of R's survival 3.5-3."""
    named = ["--clinical", survival / "data" / "lung.csv", "--time", "time", "--event", "event", "--group", "sex"]
    assert chemores("survival", "km", *named, "--out", tmp_path / "out") == 0
    test = pd.read_csv(tmp_path / "out" / "log_rank.csv").iloc[0]
    expected = next(
        case for case in json.loads((survival / "logrank.json").read_text())["cases"] if case["id"] == "lung-sex"
    )
    assert test["statistic"] == pytest.approx(expected["chisq"], rel=1e-9)
    assert test["p"] == pytest.approx(expected["p"], rel=1e-6)
    summary = pd.read_csv(tmp_path / "out" / "km_summary.csv")
    np.testing.assert_allclose(summary["expected"], expected["expected"], rtol=1e-9)
