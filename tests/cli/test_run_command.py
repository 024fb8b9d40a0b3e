from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import xarray as xr

from chemores_dask.cli.run_command import adapted_pipeline
from chemores_dask.errors import ParameterError
from chemores_dask.store.results import list_results, open_result
from chemores_dask.workflow.pipeline_file import read_pipeline
from tests.held_memory import budget_with_room

SMALL = """
[pipeline]
name = "small"
title = "A small study"
seed = 7
[[gene_set]]
name = "stemness"
up = ["CD44", "CD27", "ITGB7"]
[[view]]
name = "normalized"
of = "cells"
normalize = 1e4
[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[[step]]
name = "scores"
analysis = "module_score"
of = "normalized"
[step.parameters]
gene_sets = ["stemness"]
method = "scanpy"
[[step]]
name = "states"
analysis = "score_states"
of = "scores"
[step.parameters]
gene_set = "stemness"
[[section]]
title = "Scores"
figures = [{ kind = "score_distribution", step = "scores", gene_set = "stemness" }]
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "study" / "pipeline.toml"
    path.parent.mkdir()
    path.write_text(SMALL)
    return path


def addresses(store):
    return {(entry.step, entry.fingerprint) for entry in list_results(store) if entry.complete}


@pytest.mark.slow
def test_run__goes_from_files_to_a_report_and_skips_it_all_next_time(
    chemores, files, store, *, pipelines, capsys, tmp_path
):
    command = ["run", pipelines / "tall_relapse", "--store", store, "--out", tmp_path / "out"]
    claims = ["--claims", files / "truth" / "claims.toml"]
    assert chemores(*command, *claims) == 0
    first = capsys.readouterr()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    steps = len(read_pipeline("tall_relapse").steps)
    assert f"{steps} steps ran, 0 were done before" in first.out
    assert "log hazard ratio per standard deviation of the bulk stemness score" in first.out
    assert first.out.rstrip().endswith(f"Report: {tmp_path / 'out' / 'report.html'}")
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert [claim["holds"] for claim in record["claims"] if claim["step"].startswith("survival")] == [True, True]
    assert record["bill"]["passes"] <= 13
    before = addresses(store)
    assert chemores(*command, *claims) == 0
    assert f"0 steps ran, {steps} were done before" in capsys.readouterr().out
    assert addresses(store) == before
    assert chemores(*command[:-2], "--dry-run") == 0
    assert f"0 of {steps} steps would run" in capsys.readouterr().out


def test_run__dry_run_says_what_and_why_and_computes_nothing(chemores, store, small, capsys, tmp_path):
    assert chemores("run", small.parent, "--store", store, "--dry-run") == 0
    assert "never run" in capsys.readouterr().out
    assert addresses(store) == set()
    assert chemores("run", small, "--store", store, "--out", tmp_path / "out") == 0
    small.write_text(SMALL.replace('method = "scanpy"', 'method = "seurat"'))
    capsys.readouterr()
    assert chemores("run", small, "--store", store, "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    # The findings of the audit come first.
    assert lines[0].startswith("Not looked at: ")
    lines = lines[next(number for number, line in enumerate(lines) if line.startswith("step ")) :]
    assert [line.split()[:2] for line in lines[1:4]] == [["quality", "skip"], ["scores", "run"], ["states", "run"]]
    assert 'parameters changed: method "scanpy" -> "seurat"' in lines[2]
    assert lines[-1] == "2 of 3 steps would run."


def test_run__seed_and_gene_sets_of_the_user_count(small, tmp_path):
    sets = tmp_path / "mine.gmt"
    sets.write_text("stemness\tmine\tCD44\tFOS\nother\tmine\tJUN\n")
    pipeline = adapted_pipeline(small, gene_sets=sets, seed=99)
    assert pipeline.seed == 99
    assert pipeline.gene_sets["stemness"].up == ("CD44", "FOS")
    assert pipeline.gene_sets.names == ("stemness", "other")


def test_run__another_seed_reruns_what_draws(chemores, store, small, capsys, tmp_path):
    assert chemores("run", small, "--store", store, "--out", tmp_path / "out") == 0
    capsys.readouterr()
    assert chemores("run", small, "--store", store, "--dry-run", "--seed", 8) == 0
    assert "parameters changed: seed 7 -> 8" in capsys.readouterr().out


def test_run__refuses_figures_that_do_not_exist(small):
    small.write_text(SMALL.replace("score_distribution", "score_distribtion"))
    with pytest.raises(ParameterError, match=r"Did you mean score_distribution"):
        adapted_pipeline(small, gene_sets=None, seed=None)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('analysis = "quality"', 'analysis = "qualty"', "Did you mean quality"),
        ('method = "scanpy"', 'methd = "scanpy"', "Did you mean method"),
        ("seed = 7", "seed = = 7", "must be TOML"),
        ('gene_set = "stemness"\n[[section', 'gene_set = "stem"\n[[section', "The step 'states'"),
    ],
)
def test_run__an_error_is_one_clear_message(chemores, store, small, *, capsys, tmp_path, old, new, expected):
    assert old in SMALL
    small.write_text(SMALL.replace(old, new))
    assert chemores("run", small, "--store", store, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert expected in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_run__interrupted_goes_on_to_the_same_results(chemores, store, pipelines, tmp_path):
    whole = shutil.copytree(store, tmp_path / "whole.zarr")
    assert chemores("run", pipelines / "tall_relapse", "--store", whole, "--out", tmp_path / "whole") == 0
    command = ["run", pipelines / "tall_relapse", "--store", store, "--out", tmp_path / "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "chemores_dask.cli.main", *map(str, command)], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 180
    while not addresses(store) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    done = addresses(store)
    assert process.returncode == 130, said
    assert "run the same command again" in said
    assert 0 < len(done) < 20
    assert chemores(*command) == 0
    assert done < addresses(store)
    assert addresses(store) == addresses(whole)
    for step, fingerprint in addresses(store):
        xr.testing.assert_identical(
            open_result(store, step=step, fingerprint=fingerprint).compute(),
            open_result(whole, step=step, fingerprint=fingerprint).compute(),
        )


def test_run__names_an_unknown_analysis_before_what_follows_from_it(chemores, store, pipelines, capsys, tmp_path):
    text = (pipelines / "tall_relapse" / "pipeline.toml").read_text().replace('analysis = "pca"', 'analysis = "pcca"')
    (tmp_path / "pipeline.toml").write_text(text)
    assert chemores("run", tmp_path, "--store", store, "--out", tmp_path / "out") == 1
    assert "Did you mean pca?" in capsys.readouterr().err


def test_run__memory_is_a_budget_that_the_bill_shows(chemores, store, small, capsys, tmp_path):
    command = ["run", small, "--store", store, "--out", tmp_path / "out"]
    assert chemores(*command, "--memory", "10MB") == 1
    assert "a budget of at least" in " ".join(capsys.readouterr().err.split())
    assert addresses(store) == set()
    assert chemores(*command, "--memory", "much") == 1
    assert "such as 4GB" in " ".join(capsys.readouterr().err.split())
    budget = budget_with_room("2GB")
    assert chemores(*command, "--memory", f"{budget}B") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "of memory at most (predicted " in said
    assert f"budget {budget / 1e9:.1f} GB)" in said
