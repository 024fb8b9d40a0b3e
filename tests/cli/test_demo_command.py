from __future__ import annotations

import json

import pytest


@pytest.mark.slow
def test_demo__shows_what_was_recovered_and_can_be_repeated_from_any_folder(chemores, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["demo", "demo", "--preset", "tiny"]
    assert chemores(*command) == 0
    shown = capsys.readouterr().out
    assert "What was planted, and what the pipeline recovered:" in shown
    assert "claims hold" in shown
    assert (tmp_path / "demo" / "results" / "report.html").is_file()
    assert chemores(*command) == 0
    record = json.loads((tmp_path / "demo" / "results" / "run.json").read_text())
    assert f"0 steps ran, {len(record['steps'])} were done before" in capsys.readouterr().out
    assert all(step["reused"] for step in record["steps"])
    assert chemores(*command, "--seed", "2") == 1
    assert "another seed" in capsys.readouterr().err


def test_demo__names_the_pipeline_that_is_not_there(chemores, capsys, tmp_path):
    assert chemores("demo", tmp_path / "demo", "--pipeline", tmp_path / "none") == 1
    assert "none" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
