"""A full disk at any write, and a person who presses Ctrl-C: one clear message, and the same command goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.patients import open_patients, write_patients
from chemores_dask.store.results import list_results, open_result
from chemores_dask.testing.nouns import tiny_cells, tiny_patients
from chemores_dask.workflow.pipeline_file import read_pipeline
from chemores_dask.workflow.runner import run_pipeline

PIPELINE = """
[pipeline]
name = "small"
title = "A small study"
seed = 3
[[view]]
name = "normalized"
of = "cells"
normalize = 1e4
[[step]]
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

# The n-th file opened for writing below the store fails as on a full disk; so does everything after it.
FULL_DISK = """
import errno, os, sys
from chemores_dask.cli.main import main
store, allowed = sys.argv[1], int(sys.argv[2])
opened = 0
def look(event, arguments):
    global opened
    if event == "open" and str(arguments[0]).startswith(store) and isinstance(arguments[2], int) and arguments[2] & 3:
        opened += 1
        if opened > allowed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
sys.addaudithook(look)
main(sys.argv[3:])
"""


@pytest.fixture
def study(tmp_path):
    store = tmp_path / "cohort.zarr"
    write_cells(tiny_cells(), store)
    write_patients(tiny_patients(), store, cohort="trial")
    (tmp_path / "pipeline.toml").write_text(PIPELINE)
    return store, tmp_path / "pipeline.toml", tmp_path / "out"


def command(study):
    store, pipeline, out = study
    return ["run", str(pipeline), "--store", str(store), "--out", str(out)]


@pytest.mark.slow
def test_run__says_that_the_disk_is_full_and_goes_on(study, tmp_path):
    store = study[0]
    chance = random.Random(5)
    for _ in range(4):
        allowed = chance.randint(0, 60)
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(store), str(allowed), *command(study)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            assert done.returncode == 1
            assert "No space left on device" in done.stderr, done.stderr
            assert "Traceback" not in done.stderr
            assert "run the same command again" in done.stderr
        for entry in list_results(store):
            if entry.complete:
                open_result(store, step=entry.step, fingerprint=entry.fingerprint).load()
    record = run_pipeline(read_pipeline(study[1]), store, out=study[2])
    assert all(entry.complete for entry in list_results(store) if (entry.step) in {step.name for step in record.steps})
    assert open_patients(store, cohort="trial").sizes["patient"] == 40


@pytest.mark.slow
def test_run__ends_cleanly_when_a_person_interrupts(study):
    store = study[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "chemores_dask.cli.main", *command(study)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (store / "writer.lock").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "run the same command again" in err
    assert not (store / "writer.lock").exists()
    record = run_pipeline(read_pipeline(study[1]), store, out=study[2])
    assert {step.name for step in record.steps} == {"quality", "components"}
