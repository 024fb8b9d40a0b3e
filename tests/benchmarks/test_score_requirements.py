from __future__ import annotations

from benchmarks.jobs import jobs_of
from benchmarks.measurement import DONE, Notebook
from benchmarks.one_step import find_step
from benchmarks.score_requirements import score_jobs, score_requirements


def test_score_jobs__are_measured_at_both_ends():
    steps = {"scores.module_score", "scores.module_score_alone", "scores.ucell", "scores.aucell"}
    jobs = score_jobs([100, 200, 300])
    assert {job.step for job in jobs} == steps
    assert {job.cells for job in jobs} == {100, 300}
    assert all(callable(find_step(step)) for step in steps)
    assert score_jobs([100], skip=["scores"]) == []
    found = [job.key for job in jobs_of([100, 300], tiled=0)]
    assert found.index("inputs.ingest_tenx@300") < found.index("scores.ucell@300")


def test_score_requirements__are_times_a_bare_pass(tmp_path):
    notebook = Notebook(tmp_path)
    for step, cells, ratio in (
        ("scores.module_score", 1_000_000, 1.4),
        ("scores.module_score_alone", 1_000_000, 2.4),
        ("scores.ucell", 1_000_000, 4.5),
        ("scores.aucell", 100_000, 2.0),
    ):
        notebook.add(
            {
                "step": step,
                "cells": cells,
                "status": DONE,
                "seconds": 10.0 * ratio,
                "peak_bytes": 1e9,
                "facts": {"over_bare": ratio, "bare_seconds": 10.0},
            }
        )
    rows = score_requirements(notebook, sizes=[100_000, 1_000_000])
    met = {(row["work"].partition(",")[0], row["cells"]): row["met"] for row in rows if "bare" in row["work"]}
    assert met == {
        ("module_score", 1_000_000): "yes",
        ("module_score_alone", 1_000_000): "-",
        ("ucell", 1_000_000): "no",
        ("aucell", 100_000): "yes",
    }
    assert sum("peak memory" in row["work"] for row in rows) == 4
