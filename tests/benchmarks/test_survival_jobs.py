from __future__ import annotations

import pytest

from benchmarks.jobs import jobs_of
from benchmarks.measurement import DONE, Notebook
from benchmarks.one_step import WARM, Clock, Place, find_step
from benchmarks.survival_jobs import (
    MODEL_PEERS,
    MODEL_WORK,
    PATH_PART,
    WORKERS,
    model_requirements,
    scan_requirements,
    survival_jobs,
    survival_requirements,
    worker_requirements,
)


def test_survival_jobs__stand_beside_the_smallest_size():
    jobs = survival_jobs([200_000, 100_000])
    assert {job.cells for job in jobs} == {100_000}
    assert all(callable(find_step(job.step)) for job in jobs)
    own = {job.step for job in survival_jobs([100_000], skip=["rivals"])}
    assert {"survival.scan_400", "survival.scan_1336"} <= own < {job.step for job in jobs}
    assert survival_jobs([100_000], skip=["survival"]) == []
    assert "survival.scan_400@100" in [job.key for job in jobs_of([100], tiled=0)]


def test_scan_requirements__compare_genes_with_genes(tmp_path):
    notebook = Notebook(tmp_path)
    assert survival_requirements(notebook, sizes=[100]) == []
    for step, seconds, genes in (
        ("scan_400", 0.5, 20_000),
        ("scan_1336", 4.5, 20_000),
        ("lifelines", 1.3, 50),
        ("scikit_survival", 4.0, 200),
        ("r", 0.1, 1_000),
    ):
        facts = {"genes": genes}
        notebook.add(
            {
                "step": f"survival.{step}",
                "cells": 100,
                "status": DONE,
                "seconds": seconds,
                "peak_bytes": 1e9,
                "facts": facts,
            }
        )
    rows = scan_requirements(notebook, 100)
    assert [row["met"] for row in rows] == ["yes", "yes", "no", "yes", "yes", "-", "no"]
    assert rows[4]["reached"] == "1,040 times (26,000 us against 25.0 us; 50 genes there)"
    assert rows[6]["required"] == ">= 5 times"


@pytest.mark.parametrize("step", ["scan_400", "lifelines", "scikit_survival", "r"])
def test_steps_survival__run_on_tiny_cohorts(tmp_path, step):
    clock = Clock()
    try:
        find_step(f"survival.{step}")(Place(tmp_path / WARM, 10), clock)
    except SystemExit:
        pytest.skip("not installed here")
    assert clock.parts["scan"] >= 0
    assert clock.facts["genes"] in {3, 64}


def test_model_requirements__compare_fits_with_fits(tmp_path):
    notebook = Notebook(tmp_path)
    assert model_requirements(notebook, 100) == []
    for step, seconds, fits in (("ours", 0.2, 10), ("lifelines", 1.0, 5)):
        record = {"step": f"cox_model.{step}", "cells": 100, "status": DONE, "seconds": seconds, "peak_bytes": 1e9}
        notebook.add({**record, "facts": {"fits": fits}})
    (row,) = model_requirements(notebook, 100)
    assert row["reached"] == "10 times (200.0 ms against 20.0 ms)"
    assert row["met"] == "-"


def test_worker_requirements__compare_the_same_resamples(tmp_path):
    notebook = Notebook(tmp_path)
    assert worker_requirements(notebook, 100) == []
    for step, seconds in (("one_worker", 30.0), ("two_workers", 20.0)):
        record = {"step": f"elastic_net.{step}", "cells": 100, "status": DONE, "seconds": seconds, "peak_bytes": 1e9}
        notebook.add({**record, "facts": {"fits": 1000}})
    (row,) = worker_requirements(notebook, 100)
    assert row["reached"] == "1.50 times (30.0 s against 20.0 s)"
    assert row["met"] == "no"


@pytest.mark.parametrize(
    ("step", "fits"),
    [(f"{part}.{who}", 1) for part in MODEL_WORK for who in ("ours", *MODEL_PEERS[part])]
    + [(f"{PATH_PART}.{who}", 10) for who in WORKERS],
)
def test_steps_of_models__run_on_tiny_cohorts(tmp_path, step, fits):
    clock = Clock()
    try:
        find_step(step)(Place(tmp_path / WARM, 10), clock)
    except SystemExit:
        pytest.skip("not installed here")
    assert all(seconds >= 0 for seconds in clock.parts.values())
    assert set(clock.parts) & {"model", "curves"}
    assert clock.facts["fits"] == fits
