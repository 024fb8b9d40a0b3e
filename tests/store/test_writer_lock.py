from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from chemores_dask.errors import FormatError, StoreBusyError, StoreError
from chemores_dask.store import writer_lock
from chemores_dask.store.layout import LOCK_FILE, writable_root
from chemores_dask.store.writer_lock import WITHOUT_LIMIT, writing

HOLDER = """
import fcntl, json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
file = open(folder / "writer.lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
json.dump({"process": os.getpid(), "host": "here", "command": "chemores run", "since": "today"}, file)
file.flush()
print("held", flush=True)
time.sleep(float(sys.argv[2]))
os.unlink(file.name)
"""


@pytest.fixture
def holder(tmp_path):
    """Start another process that holds the lock of a store."""
    started = []

    def hold(seconds):
        arguments = [sys.executable, "-IS", "-c", HOLDER, str(tmp_path / "s.zarr"), str(seconds)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_writing__refuses_a_second_process_and_says_who_holds_the_store(tmp_path, holder):
    store = writable_root(tmp_path / "s.zarr")
    process = holder(60)
    with (
        pytest.raises(
            StoreBusyError, match=f"in use by process {process.pid} on here.*chemores run.*Reading is always possible"
        ),
        writing(store),
    ):
        pass
    assert (store / "zarr.json").is_file()


def test_writing__is_free_when_the_holder_is_killed(tmp_path, holder):
    process = holder(60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / "s.zarr" / LOCK_FILE).is_file()
    with writing(tmp_path / "s.zarr"):
        assert f'"process": {os.getpid()}' in (tmp_path / "s.zarr" / LOCK_FILE).read_text()
    assert not (tmp_path / "s.zarr").exists() or not (tmp_path / "s.zarr" / LOCK_FILE).exists()


def test_writing__waits_where_asked_to(tmp_path, holder):
    holder(1.0)
    told = []
    started = time.monotonic()
    with writing(tmp_path / "s.zarr", wait=WITHOUT_LIMIT, on_wait=told.append):
        assert time.monotonic() - started > 0.3
    assert len(told) == 1
    assert "Waiting for the store" in told[0]


def test_writing__gives_up_after_the_time_given(tmp_path, holder):
    holder(60)
    started = time.monotonic()
    with pytest.raises(StoreBusyError), writing(tmp_path / "s.zarr", wait=0.5):
        pass
    assert 0.5 <= time.monotonic() - started < 5


def test_writing__may_be_called_within_itself(tmp_path):
    store = writable_root(tmp_path / "s.zarr")
    with writing(store):
        with writing(tmp_path / "." / "s.zarr"):
            pass
        assert (store / LOCK_FILE).is_file()
    assert [file.name for file in store.iterdir()] == ["zarr.json"]


def test_writing__leaves_nothing_where_nothing_was_written(tmp_path):
    with writing(tmp_path / "s.zarr"):
        assert (tmp_path / "s.zarr" / LOCK_FILE).is_file()
    assert not (tmp_path / "s.zarr").exists()


def test_writing__lets_a_store_be_made_under_its_lock(tmp_path):
    with writing(tmp_path / "s.zarr") as root:
        writable_root(root)
    assert (tmp_path / "s.zarr" / "zarr.json").is_file()


def test_writing__is_given_back_after_an_error(tmp_path):
    store = writable_root(tmp_path / "s.zarr")
    with pytest.raises(ZeroDivisionError), writing(store):
        raise ZeroDivisionError
    assert not (store / LOCK_FILE).exists()


def test_writing__survives_the_removal_of_the_store(tmp_path):
    store = writable_root(tmp_path / "s.zarr")
    with writing(store):
        for file in store.iterdir():
            file.unlink()
        store.rmdir()
    assert not store.exists()


def test_writing__refuses_a_folder_that_is_no_store(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(FormatError, match="must be a store"), writing(tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_writing__says_so_where_the_file_system_knows_no_locks(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(writer_lock.fcntl, "flock", unknown)
    with pytest.raises(StoreError, match=r"must know locks \(flock\).*local disk"), writing(tmp_path / "s.zarr"):
        pass


def test_writing__refuses_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"), writing(tmp_path / "file" / "s.zarr"):
        pass


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_writing__is_not_shared_with_the_child_of_a_fork(tmp_path):
    store = writable_root(tmp_path / "s.zarr")
    with writing(store):
        child = os.fork()
        if not child:
            code = 1
            try:
                with writing(store):
                    pass
            except StoreBusyError:
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (store / LOCK_FILE).is_file()
