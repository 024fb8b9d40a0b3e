from __future__ import annotations

import json

from benchmarks.differential_jobs import check_differential, differential_jobs, differential_requirements
from benchmarks.measurement import DONE, Notebook


def keys(jobs):
    return [job.key for job in jobs]


def test_differential_jobs__stand_beside_the_smallest_size():
    own = ["differential.negative_binomial@100000", "differential.voom@100000"]
    assert keys(differential_jobs([200_000, 100_000], skip=["rivals"])) == own
    peers = ["differential.beside_peer@100000", "differential.pydeseq2@100000"]
    assert keys(differential_jobs([100_000])) == own + peers
    assert differential_jobs([100_000], skip=["differential"]) == []


def test_differential_requirements__ask_for_two_minutes(tmp_path):
    notebook = Notebook(tmp_path)
    assert differential_requirements(notebook, sizes=[100_000]) == []
    for step, seconds in (("negative_binomial", 60.0), ("voom", 121.0), ("beside_peer", 2.0), ("pydeseq2", 40.0)):
        notebook.add(
            {
                "step": f"differential.{step}",
                "cells": 100_000,
                "status": DONE,
                "seconds": seconds,
                "peak_bytes": 3e9,
                "facts": {},
            }
        )
    rows = differential_requirements(notebook, sizes=[100_000])
    assert [row["met"] for row in rows] == ["yes", "yes", "no", "yes", "yes"]
    assert rows[0]["required"] == "<= 120 s"


def test_check_differential__holds_effects_against_each_other(tmp_path):
    checks = tmp_path / "100" / "checks"
    checks.mkdir(parents=True)
    assert check_differential(tmp_path, [100]) == []
    for name, genes, change in (("ours", ["a", "b"], [0.5, -0.25]), ("pydeseq2", ["c", "b", "a"], [9.0, -0.26, 0.51])):
        (checks / f"differential_{name}.json").write_text(json.dumps({"genes": genes, "change": change}))
    (row,) = check_differential(tmp_path, [100])
    assert row["met"] == "yes"
    (checks / "differential_pydeseq2.json").write_text(json.dumps({"genes": ["a"], "change": [0.7]}))
    (row,) = check_differential(tmp_path, [100])
    assert row["met"] == "no"
