from __future__ import annotations

import json

from benchmarks.enrichment_jobs import check_enrichment, enrichment_jobs, enrichment_requirements
from benchmarks.measurement import DONE, Notebook


def keys(jobs):
    return [job.key for job in jobs]


def test_enrichment_jobs__stand_beside_the_smallest_size():
    assert keys(enrichment_jobs([200_000, 100_000])) == ["enrichment.ours@100000", "enrichment.gseapy@100000"]
    assert keys(enrichment_jobs([100_000], skip=["rivals"])) == ["enrichment.ours@100000"]
    assert enrichment_jobs([100_000], skip=["enrichment"]) == []


def test_enrichment_requirements__ask_for_a_minute(tmp_path):
    notebook = Notebook(tmp_path)
    assert enrichment_requirements(notebook, sizes=[100_000]) == []
    for step, seconds in (("enrichment.ours", 20.0), ("enrichment.gseapy", 90.0)):
        notebook.add(
            {"step": step, "cells": 100_000, "status": DONE, "seconds": seconds, "peak_bytes": 1e9, "facts": {}}
        )
    rows = enrichment_requirements(notebook, sizes=[100_000])
    assert [row["met"] for row in rows] == ["yes", "yes", "yes"]
    assert rows[0]["required"] == "<= 60 s"


def test_check_enrichment__holds_scores_against_each_other(tmp_path):
    checks = tmp_path / "100" / "checks"
    checks.mkdir(parents=True)
    assert check_enrichment(tmp_path, [100]) == []
    for name, scores in (("ours", [0.5, -0.25]), ("gseapy", [-0.25, 0.5])):
        sets = ["a", "b"] if name == "ours" else ["b", "a"]
        (checks / f"enrichment_{name}.json").write_text(json.dumps({"sets": sets, "score": scores, "p_value": [0, 0]}))
    (row,) = check_enrichment(tmp_path, [100])
    assert row["met"] == "yes"
    (checks / "enrichment_gseapy.json").write_text(json.dumps({"sets": ["a"], "score": [0.4], "p_value": [0]}))
    (row,) = check_enrichment(tmp_path, [100])
    assert row["met"] == "no"
