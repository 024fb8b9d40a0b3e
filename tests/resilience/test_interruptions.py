"""A full disk at any write, and a person who presses Ctrl-C: one clear message, and the same command goes on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys

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

# The n-th file opened for writing below the store fails as on a full disk; so does everything after it. The command runs once for each
# number that comes in, in a child of a process that has loaded all packages; how it ended and what it said go out as JSON.
FULL_DISK = """
import errno, json, os, sys
from chemores_dask.cli.main import main
import chemores_dask.cli.run_command
opened = 0
def look(event, arguments):
    global opened
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    if writes and str(arguments[0]).startswith(sys.argv[1]):
        opened += 1
        if opened > allowed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
for line in sys.stdin:
    allowed = int(line)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writing, 2)
        sys.addaudithook(look)
        sys.exit(main(sys.argv[2:]))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said]), flush=True)
"""

# Blocks take their time, so that the first step is not over before it is interrupted.
SLOW_BLOCKS = """
import sys, time
from chemores_dask.cli.main import main
from chemores_dask.workflow import runner
opened = runner.open_cells
def slowly(block):
    time.sleep(2)
    return block
def open_slow(store):
    cells = opened(store)
    cells.X = cells.X.map_blocks(slowly, dtype=cells.X.dtype, meta=cells.X._meta)
    return cells
runner.open_cells = open_slow
sys.exit(main(sys.argv[1:]))
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
def test_run__says_that_the_disk_is_full_and_goes_on(study):
    store = study[0]
    chance = random.Random(5)
    driver = [sys.executable, "-c", FULL_DISK, str(store), *command(study)]
    failed = 0
    with subprocess.Popen(driver, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(4):
            process.stdin.write(f"{chance.randint(0, 60)}\n")
            process.stdin.flush()
            code, said = json.loads(process.stdout.readline())
            if code:
                failed += 1
                assert code == 1
                assert "No space left on device" in said, said
                assert "Traceback" not in said
                assert "run the same command again" in said
            for entry in list_results(store):
                if entry.complete:
                    open_result(store, step=entry.step, fingerprint=entry.fingerprint).load()
    assert failed > 1
    record = run_pipeline(read_pipeline(study[1]), store, out=study[2])
    assert all(entry.complete for entry in list_results(store) if (entry.step) in {step.name for step in record.steps})
    assert open_patients(store, cohort="trial").sizes["patient"] == 40


@pytest.mark.slow
def test_run__ends_cleanly_when_a_person_interrupts(study):
    store = study[0]
    driver = [sys.executable, "-c", SLOW_BLOCKS, *command(study)]
    with subprocess.Popen(driver, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert any("[1/2] quality" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "run the same command again" in err
    assert not (store / "writer.lock").exists()
    record = run_pipeline(read_pipeline(study[1]), store, out=study[2])
    assert {step.name for step in record.steps} == {"quality", "components"}
