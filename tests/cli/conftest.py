"""The command line in this process, and a tiny simulated cohort in a store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chemores_dask.cli.main import main
from chemores_dask.store.layout import LOCK_FILE

HOLDER = """
import fcntl, os, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(1)
os.unlink(file.name)
"""

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


def call(*arguments):
    """Run the command line; its exit code."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code or 0


@pytest.fixture(scope="session")
def chemores():
    """Run ``chemores`` with some arguments; gives the exit code."""
    return call


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The files of a tiny simulated cohort."""
    folder = tmp_path_factory.mktemp("cohort") / "files"
    assert call("simulate", folder, "--preset", "tiny", "--seed", "1") == 0
    return folder


@pytest.fixture(scope="session")
def finished_store(files, tmp_path_factory):
    """A store with its cells and patients; tests copy it before they write."""
    store = tmp_path_factory.mktemp("store") / "cohort.zarr"
    assert call("ingest", files / "samples.csv", store) == 0
    bulk = [
        "--cohort",
        "bulk",
        "--expression",
        files / "bulk_expression.tsv.gz",
        "--duration",
        "time",
        "--event",
        "event",
    ]
    assert call("ingest-patients", files / "clinical.tsv", store, *bulk) == 0
    return store


@pytest.fixture
def store(finished_store, tmp_path):
    """A copy of that store."""
    return Path(shutil.copytree(finished_store, tmp_path / "cohort.zarr"))


@pytest.fixture(scope="session")
def pipelines():
    """Folder of the pipelines of this project."""
    return PIPELINES


@pytest.fixture
def held_store(store):
    """That copy, into which another process writes for a second."""
    arguments = [sys.executable, "-IS", "-c", HOLDER, str(store / LOCK_FILE)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield store


@pytest.fixture
def without_report(monkeypatch):
    """Survival commands leave the report out, which is most of their time; for tests of numbers."""
    monkeypatch.setattr("chemores_dask.cli.survival_run.write_report", lambda record, results, *, path: path)
