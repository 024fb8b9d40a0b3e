from __future__ import annotations

import pytest

from chemores_dask.store.results import list_results

CHEMOTHERAPY = """
[pipeline]
name = "small"
title = "A small study"
seed = 7
[[step]]
name = "cube"
analysis = "cohort_cube"
of = "cells"
[step.parameters]
sample = "sample"
state = "batch"
[[step]]
name = "change"
analysis = "paired_composition"
of = "cube"
[step.parameters]
state = "A"
before = "diagnosis"
after = "AFTER"
"""


@pytest.fixture
def pipeline(tmp_path):
    def write(after="relapse"):
        path = tmp_path / "pipeline.toml"
        path.write_text(CHEMOTHERAPY.replace("AFTER", after))
        return path

    return write


def test_audit__says_what_is_wrong_and_computes_nothing(chemores, store, pipeline, capsys):
    assert chemores("audit", store, "--pipeline", pipeline()) == 0
    shown = capsys.readouterr().out
    assert (
        "WARNING  unattainable_p_value: With 3 pairs the test 'change' (sign flip) cannot give a P value below 0.25"
        in shown
    )
    assert "Not looked at: " in shown
    assert shown.rstrip().splitlines()[-1].startswith("Design audit: 1 warning")
    assert list_results(store) == []


def test_audit__strict_refuses_errors_only(chemores, store, pipeline, capsys):
    assert chemores("audit", store, "--pipeline", pipeline(), "--strict") == 0
    assert chemores("audit", store, "--pipeline", pipeline("remission")) == 0
    capsys.readouterr()
    assert chemores("audit", store, "--pipeline", pipeline("remission"), "--strict") == 1
    said = capsys.readouterr()
    assert "ERROR  absent_values" in said.out
    assert said.err.startswith("Error: The design of a study must be sound. Found 1 error")


def test_audit__dry_run_shows_findings_first(chemores, store, pipeline, capsys):
    assert chemores("run", pipeline(), "--store", store, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert shown.index("unattainable_p_value") < shown.index("steps would run")


def test_audit__knows_pipelines_by_name(chemores, store, capsys):
    assert chemores("audit", store, "--pipeline", "tall_relapse") == 0
    assert "unattainable_p_value" in capsys.readouterr().out
