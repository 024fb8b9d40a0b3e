"""A scheduler, a process of its own, is killed in the middle of a run: a clear error, and the same run goes on elsewhere."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

import dask
import numpy as np
import pytest

from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.results import list_results, open_result
from chemores_dask.testing.nouns import tiny_cells
from chemores_dask.workflow.events import StepStarted
from chemores_dask.workflow.pipeline_file import read_pipeline
from chemores_dask.workflow.runner import run_pipeline
from tests.pipeline_texts import VIEWS

LONGEST = 120
TIMEOUTS = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s", "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0"}
PIPELINE = f"""
[pipeline]
name = "small"
title = "Two steps, one after the other"
seed = 3
{VIEWS}[[step]]
name = "quality"
analysis = "quality"
of = "cells"
[[step]]
name = "components"
analysis = "pca"
of = "normalized"
[step.parameters]
components = 3
"""

# Blocks take their time, so that the scheduler dies while the second step runs; the results of the first are there by then.
DRIVER = """
import os, signal, sys, threading, time
from distributed import Client
from chemores_dask.workflow import runner
from chemores_dask.workflow.events import StepStarted
from chemores_dask.workflow.pipeline_file import read_pipeline
_, address, scheduler, pipeline, store, out = sys.argv
opened = runner.open_cells
def slowly(block):
    time.sleep(0.03)
    return block
def open_small(store):
    cells = opened(store, rows_per_block=2)
    cells.X = cells.X.map_blocks(slowly, dtype=cells.X.dtype, meta=cells.X._meta)
    return cells
runner.open_cells = open_small
def watch(event):
    if isinstance(event, StepStarted) and event.name == "components":
        threading.Timer(0.4, os.kill, (int(scheduler), signal.SIGKILL)).start()
with Client(scheduler_file=address) as client:
    client.wait_for_workers(2, timeout=60)
    runner.run_pipeline(read_pipeline(pipeline), store, out=out, watch=watch)
"""


def contents(store):
    found = {}
    for entry in list_results(store):
        dataset = open_result(store, step=entry.step, fingerprint=entry.fingerprint).load()
        found |= {(entry.step, str(name)): dataset[name].values for name in dataset.variables}
    return found


@contextlib.contextmanager
def scheduler_of_its_own(folder):
    """A scheduler and two workers, each a process; gives the file with its address, and the number of its process."""
    file = folder / "scheduler.json"
    place = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": folder,
        "env": {**os.environ, **TIMEOUTS},
    }
    started = []
    try:
        module = "distributed.cli.dask_scheduler"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        started.append(subprocess.Popen([sys.executable, "-m", module, *options], **place))
        module = "distributed.cli.dask_worker"
        options = ["--scheduler-file", str(file), "--no-nanny", "--nthreads", "1", "--no-dashboard"]
        deadline = time.monotonic() + LONGEST
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        started += [
            subprocess.Popen([sys.executable, "-m", module, *options, "--death-timeout", "30"], **place)
            for _ in range(2)
        ]
        yield file, started[0].pid
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.cluster
def test_run_pipeline__goes_on_after_the_scheduler_was_killed(tmp_path):
    (tmp_path / "pipeline.toml").write_text(PIPELINE)
    pipeline = read_pipeline(tmp_path / "pipeline.toml")
    store = write_cells(tiny_cells(), tmp_path / "cohort.zarr")
    with scheduler_of_its_own(tmp_path) as (file, scheduler):
        arguments = [str(each) for each in (file, scheduler, tmp_path / "pipeline.toml", store, tmp_path / "out")]
        driver = subprocess.run(
            [sys.executable, "-c", DRIVER, *arguments],
            capture_output=True, text=True, timeout=LONGEST, check=False, env={**os.environ, **TIMEOUTS},
        )  # fmt: skip
    assert driver.returncode == 1, driver.stderr[-3000:]
    assert "The step 'components' (pca of normalized) failed." in driver.stderr, driver.stderr[-3000:]
    assert "run the same command again" in driver.stderr
    finished = {entry.step for entry in list_results(store) if entry.complete}
    assert finished == {"quality"}
    started = []
    with dask.config.set(scheduler="threads", num_workers=2):
        run_pipeline(pipeline, store, out=tmp_path / "out", watch=started.append)
    assert [event.name for event in started if isinstance(event, StepStarted)] == ["components"]
    whole = write_cells(tiny_cells(), tmp_path / "whole.zarr")
    with dask.config.set(scheduler="threads", num_workers=1):
        run_pipeline(pipeline, whole, out=tmp_path / "out")
    found, wanted = contents(store), contents(whole)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert found[name].dtype == values.dtype, name
        assert np.array_equal(found[name], values, equal_nan=values.dtype.kind == "f"), name
