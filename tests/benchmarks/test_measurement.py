from __future__ import annotations

import pytest

from benchmarks.jobs import PARTS, SINGLE, jobs_of
from benchmarks.measurement import ABSENT, DONE, FAILED, Job, Notebook, measure
from benchmarks.run import bench, warm_jobs

CELLS = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("bench")
    bench([], place)
    return place


@pytest.mark.slow
def test_measure__says_what_a_step_cost(folder):
    notebook = bench(
        [Job("inputs.simulate", CELLS), Job("inputs.ingest_tenx", CELLS), Job("ours.chain", CELLS)], folder
    )
    assert [row["status"] for row in notebook.rows] == [DONE] * 3, [row["why"] for row in notebook.rows]
    chain = notebook.find("ours.chain", CELLS)
    assert chain["facts"]["rows_decoded"] >= CELLS
    assert chain["facts"]["nonzeros"] > 100 * CELLS
    assert chain["seconds"] == pytest.approx(sum(chain["parts"].values()))
    assert chain["peak_bytes"] > 50e6


@pytest.mark.slow
def test_bench__does_not_measure_twice(folder):
    jobs = [Job("inputs.simulate", CELLS), Job("inputs.ingest_tenx", CELLS), Job("ours.bare_decode", CELLS)]
    first = len(bench(jobs, folder).rows)
    assert len(bench(jobs, folder).rows) == first


@pytest.mark.slow
def test_measure__records_a_step_that_fails(folder):
    row = measure(Job("ours.no_such_step", CELLS), folder)
    assert row["status"] == FAILED
    assert "no_such_step" in row["why"]


@pytest.mark.slow
def test_measure__records_a_rival_that_is_not_there(folder, monkeypatch):
    monkeypatch.setenv("BENCH_BPCELLS", str(folder / "nothing"))
    bench([Job("inputs.simulate", CELLS), Job("inputs.ingest_tenx", CELLS)], folder)
    row = measure(Job("bpcells.quality", CELLS), folder)
    assert row["status"] == ABSENT
    assert "BPCells is not built" in row["why"]


def test_jobs_of__makes_inputs_before_what_needs_them():
    keys = [job.key for job in jobs_of([200_000, 100_000], tiled=2_000_000)]
    assert (
        keys.index("inputs.simulate@100000") < keys.index("inputs.ingest_tenx@100000") < keys.index("ours.chain@100000")
    )
    assert keys.index("inputs.export_h5ad@200000") < keys.index("scanpy.chain@200000")
    assert keys[-2:] == ["inputs.tile@2000000", "ours.chain@2000000"]
    assert len(keys) == len(set(keys))


def test_jobs_of__leaves_out_what_is_asked_to():
    keys = [job.key for job in jobs_of([100_000], tiled=0, skip=PARTS)]
    assert keys == [
        f"{step}@100000"
        for step in ("inputs.simulate", "inputs.ingest_tenx", "ours.bare_decode", "ours.full_pass", "ours.chain")
    ]


def test_jobs_of__holds_each_step_against_each_rival():
    keys = {job.step for job in jobs_of([100_000], tiled=0)}
    assert all(f"{module}.{step}" in keys for module in ("ours", "bpcells", "scanpy_dask") for step in SINGLE)


def test_warm_jobs__are_tiny():
    assert {job.cells for job in warm_jobs()} == {"warm-1000"}


def test_notebook__keeps_measurements(tmp_path):
    Notebook(tmp_path).add({"step": "ours.chain", "cells": 5, "status": DONE, "seconds": 1.0})
    again = Notebook(tmp_path)
    assert again.finished(Job("ours.chain", 5))
    assert not again.finished(Job("ours.chain", 6))
    assert again.find("ours.chain", "5")["seconds"] == 1.0
