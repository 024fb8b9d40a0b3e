"""The same bits on threads and processes, and after the death of a worker or of the whole cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from chemores_dask.errors import StepFailedError
from chemores_dask.store import cells as cells_module
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.results import list_results, open_result
from chemores_dask.testing.nouns import tiny_cells
from chemores_dask.workflow import runner
from chemores_dask.workflow.pipeline_file import read_pipeline
from chemores_dask.workflow.runner import run_pipeline
from tests.resilience.test_interruptions import PIPELINE

SLOW_DEATH = {"distributed.scheduler.allowed-failures": 5, "distributed.comm.timeouts.connect": "5s"}


@pytest.fixture
def pipeline(tmp_path):
    (tmp_path / "pipeline.toml").write_text(PIPELINE)
    return read_pipeline(tmp_path / "pipeline.toml")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    opened = cells_module.open_cells
    monkeypatch.setattr(runner, "open_cells", lambda store: opened(store, rows_per_block=6))


def contents(store):
    found = {}
    for entry in list_results(store):
        dataset = open_result(store, step=entry.step, fingerprint=entry.fingerprint).load()
        found |= {(entry.step, str(name)): dataset[name].values for name in dataset.variables}
    return found


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert found[name].dtype == values.dtype, name
        assert np.array_equal(found[name], values, equal_nan=values.dtype.kind == "f"), name


def whole(pipeline, tmp_path):
    store = write_cells(tiny_cells(), tmp_path / "whole.zarr")
    with dask.config.set(scheduler="threads", num_workers=1):
        run_pipeline(pipeline, store, out=tmp_path / "out")
    return contents(store)


@pytest.mark.parametrize("workers", [2, 4])
def test_run_pipeline__has_the_same_bits_for_any_number_of_threads(pipeline, tmp_path, workers):
    store = write_cells(tiny_cells(), tmp_path / "cohort.zarr")
    with dask.config.set(scheduler="threads", num_workers=workers):
        run_pipeline(pipeline, store, out=tmp_path / "out")
    assert_same(contents(store), whole(pipeline, tmp_path))


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_run_pipeline__survives_the_death_of_workers_and_of_the_cluster(pipeline, tmp_path):
    wanted = whole(pipeline, tmp_path)
    store = write_cells(tiny_cells(), tmp_path / "cohort.zarr")
    with dask.config.set(SLOW_DEATH), _cluster() as cluster, Client(cluster):
        killer = threading.Thread(target=_kill_a_worker, args=(cluster, 0.3))
        killer.start()
        run_pipeline(pipeline, store, out=tmp_path / "out")  # the nanny starts another worker
        killer.join()
    assert_same(contents(store), wanted)
    again = write_cells(tiny_cells(), tmp_path / "again.zarr")
    lost = contextlib.suppress(StepFailedError, OSError, RuntimeError, ValueError)
    with dask.config.set(SLOW_DEATH), lost, _cluster() as cluster, Client(cluster, timeout="5s"):
        closer = threading.Timer(0.5, cluster.close)
        closer.start()
        try:
            run_pipeline(pipeline, again, out=tmp_path / "out")
        finally:
            closer.join()
    with dask.config.set(scheduler="threads", num_workers=2):
        run_pipeline(pipeline, again, out=tmp_path / "out")
    assert_same(contents(again), wanted)


def _cluster():
    return LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)


def _kill_a_worker(cluster, seconds):
    time.sleep(seconds)
    os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)
