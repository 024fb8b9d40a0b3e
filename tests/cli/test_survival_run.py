"""Tests of what the survival commands have in common: flow, units, record, report, privacy."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cli.survival_run import file_checksum


@pytest.fixture
def trial(tmp_path):
    """A clinical table of 60 patients with a column that no report may show, and two who lack something."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "patient": [f"P{row:03d}" for row in range(60)],
            "os_months": np.round(rng.exponential(20, 60), 2),
            "vital": np.where(rng.random(60) < 0.6, "Dead", "Alive"),
            "arm": np.where(np.arange(60) % 2, "new", "old"),
            "note": [f"secret {row}" for row in range(60)],
        }
    )
    table.loc[3, "os_months"] = np.nan
    table.loc[7, "arm"] = ""
    table.to_csv(tmp_path / "trial.csv", index=False)
    return tmp_path / "trial.csv"


def call(chemores, trial, out, *options):
    named = ["--clinical", trial, "--time", "os_months", "--event", "vital", "--group", "arm", "--out", out]
    return chemores("survival", "km", *named, *options)


def test_survival_run__states_flow_unit_and_events_everywhere(chemores, trial, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(chemores, trial, out) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for sentence in (
        "58 patients",
        "Left out: 1 (os_months is missing)",
        "Left out: 1 (arm is missing)",
        "Times in os_months: months",
    ):
        assert sentence in said.out
    page = (out / "report.html").read_text()
    for part in ("in months", "Dead is an event", "arm is missing", "58 patients", "Log-rank test", "Provenance"):
        assert part in page
    flow = pd.read_csv(out / "tables" / "cohort.exclusion.tsv", sep="\t")
    assert flow["flow_left_out"].tolist() == [0, 1, 1]
    assert flow["flow_remaining"].tolist() == [60, 59, 58]


def test_survival_run__shows_nothing_of_a_patient(chemores, trial, tmp_path):
    assert call(chemores, trial, tmp_path / "out") == 0
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "secret" not in text
            assert "P001" not in text
            assert str(tmp_path) not in text


def test_survival_run__speaks_of_no_cells_and_no_pipeline(chemores, trial, tmp_path):
    assert call(chemores, trial, tmp_path / "out") == 0
    page = (tmp_path / "out" / "report.html").read_text()
    for word in ("cells", "Claims", "was not audited", "Passes over the counts", "seed"):
        assert word not in page
    assert "Made by chemores_dask" in page
    assert "chemores survival km" in page


def test_survival_run__records_files_versions_and_parameters(chemores, trial, tmp_path, without_report):
    assert call(chemores, trial, tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["pipeline"] == "survival km"
    assert record["inputs"] == {"clinical: trial.csv": hashlib.sha256(trial.read_bytes()).hexdigest()[:16]}
    assert [step["analysis"] for step in record["steps"]] == ["read_tables", "kaplan_meier", "log_rank"]
    assert record["steps"][1]["parameters"]["group"] == "arm"
    assert record["versions"]["chemores_dask"]


def test_survival_run__says_that_nobody_named_the_unit(chemores, trial, tmp_path, capsys, without_report):
    table = pd.read_csv(trial).rename(columns={"os_months": "time"})
    table.to_csv(trial, index=False)
    named = ["--clinical", trial, "--time", "time", "--event", "vital", "--out", tmp_path / "out"]
    assert chemores("survival", "km", *named) == 0
    assert "nothing says the unit of time" in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "out" / "km_summary.csv")["time_unit"].isna().all()
    assert chemores("survival", "km", *named, "--time-unit", "days") == 0
    assert pd.read_csv(tmp_path / "out" / "km_summary.csv")["time_unit"].tolist() == ["days"]


def test_survival_run__writes_the_same_bytes_again(chemores, trial, tmp_path, without_report):
    assert call(chemores, trial, tmp_path / "a") == 0
    assert call(chemores, trial, tmp_path / "b") == 0
    for name in ("km_curves.csv", "km_summary.csv", "log_rank.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_survival_run__an_error_leaves_no_folder(chemores, trial, tmp_path, capsys):
    assert call(chemores, trial, tmp_path / "out", "--event-value", "Deceased") == 1
    assert capsys.readouterr().err.startswith("Error: The value of an event must occur in the column 'vital'")
    assert not (tmp_path / "out").exists()
    assert call(chemores, tmp_path / "none.csv", tmp_path / "out") == 1
    assert "Nothing was found" in capsys.readouterr().err


def test_survival_run__an_interruption_leaves_no_folder(chemores, trial, tmp_path, monkeypatch):
    def interrupted(*nouns, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("chemores_dask.cli.survival_run.write_tables", interrupted)
    assert call(chemores, trial, tmp_path / "out") == 130
    assert not (tmp_path / "out").exists()


def test_file_checksum__is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_checksum(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()[:16]
