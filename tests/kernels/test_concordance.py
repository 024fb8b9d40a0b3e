"""Concordance counts against R, and against their plain twin."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from chemores_dask.kernels.concordance import concordance_counts


def test_concordance_counts__equal_r(reference_folder):
    folder = reference_folder / "reference" / "survival"
    cases = json.loads((folder / "concordance.json").read_text())["cases"]
    checked = 0
    for case in cases:
        if case["timewt"] != "n":
            continue
        start, stop, event = ([None, "time", "event"], ["start", "stop", "event"])["start" in case["surv"]]
        stop = "time_month" if "time_month" in case["surv"] else stop
        columns = [c for c in (start, stop, event, case["x"], case["strata"]) if c]
        table = pd.read_csv(folder / case["data"])[columns].dropna()
        risk = table[case["x"]].to_numpy(float) * (1 if case["reverse"] else -1)
        entry = table[start].to_numpy(float) if start else np.full(len(table), -np.inf)
        stratum = table[case["strata"]].to_numpy() if case["strata"] else np.zeros(len(table), dtype=int)
        counts = concordance_counts(risk, table[stop].to_numpy(float), table[event].to_numpy(bool), entry, stratum)
        expected = case["counts"]
        assert counts.tolist() == [expected["concordant"], expected["discordant"], expected["tied.x"]], case["id"]
        checked += 1
    assert checked == 5


@pytest.mark.parametrize("counts", [concordance_counts, concordance_counts.python], ids=["compiled", "plain"])
def test_concordance_counts__match_a_hand_worked_cohort(counts):
    duration = np.array([1.0, 2.0, 2.0, 3.0])
    event = np.array([True, True, False, False])
    found = counts(np.array([5.0, 1.0, 3.0, 1.0]), duration, event, np.full(4, -np.inf), np.zeros(4, dtype=int))
    assert found.tolist() == [3, 1, 1]


def test_concordance_counts__compare_within_strata_and_after_entry_only():
    duration, event = np.array([1.0, 2.0]), np.array([True, True])
    risk, no_entry, one = np.array([2.0, 1.0]), np.full(2, -np.inf), np.zeros(2, dtype=int)
    assert concordance_counts(risk, duration, event, no_entry, one).tolist() == [1, 0, 0]
    assert concordance_counts(risk, duration, event, no_entry, np.array([0, 1])).sum() == 0
    assert concordance_counts(risk, duration, event, np.array([0.0, 1.0]), one).sum() == 0
