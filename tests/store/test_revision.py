from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import IncompleteStoreError, InputError, StoreError
from chemores_dask.store import result_cuts, revision, row_removal
from chemores_dask.store.cells import open_cells
from chemores_dask.store.layout import JOURNAL, REVISION
from chemores_dask.store.patients import write_patients
from chemores_dask.store.results import write_result
from chemores_dask.store.withdrawal import withdraw_patients
from chemores_dask.store.writer_lock import writing
from tests.store import revision_calls
from tests.store.killing import DyingProcesses
from tests.store.sources import file_digests, make_blocks, write_stream

CALLS = "tests.store.revision_calls"
TRIALS = 16
DATED = "zarr.json"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    made = write_stream(tmp_path_factory.mktemp("written") / "c.zarr", make_blocks(samples=6))
    names = open_cells(made).obs_names.to_numpy()
    write_result(
        xr.Dataset({"t": ("cell", np.arange(len(names)))}, coords={"cell": names}), made, step="q", fingerprint="f"
    )
    write_patients(xr.Dataset({"age": ("patient", [1, 2])}, coords={"patient": ["p1", "b"]}), made, cohort="bulk")
    return made


@pytest.fixture
def store(tmp_path, written):
    return shutil.copytree(written, tmp_path / "c.zarr")


def undated(folder):
    """Digests of all files but the descriptions that hold the time of the change."""
    return {
        name: digest
        for name, digest in file_digests(folder).items()
        if not (name == DATED or name.startswith("results/"))
    }


@pytest.mark.once
@pytest.mark.slow
def test_commit__withdrawal_survives_a_kill_at_any_change(store, tmp_path):
    processes = DyingProcesses()
    shutil.copytree(store, tmp_path / "done.zarr")
    left, changes, journal = processes.call(f"{CALLS}:withdraw", tmp_path / "done.zarr", folder=tmp_path / "done.zarr")
    assert left == 72
    old, new = (revision_calls.read(each) for each in (store, tmp_path / "done.zarr"))
    rng = np.random.default_rng(11)
    # Half of them where the parts are put in place and the old ones removed.
    numbers = np.concatenate(
        [rng.integers(1, changes + 1, TRIALS // 2), changes - rng.integers(0, changes // 4, TRIALS // 2)]
    )
    numbers = {*(int(number) for number in numbers), journal, journal + 1, journal + 4}
    seen: set[str] = set()
    for number in sorted(numbers):
        torn = tmp_path / f"torn{number}.zarr"
        shutil.copytree(store, torn, dirs_exist_ok=True)
        assert processes.call(f"{CALLS}:withdraw", torn, folder=torn, die_at=int(number)) == -9
        found = revision_calls.read(torn)
        if isinstance(found, str):
            assert "chemores withdraw" in found
            assert "--patient 'p1'" in found
        else:
            assert found in (old, new)
        seen.add("told" if isinstance(found, str) else "old" if found == old else "new")
        try:
            assert revision_calls.withdraw(torn) == 72
        except InputError:
            assert found == new  # only the lock was left to give back
        assert revision_calls.read(torn) == new
        assert undated(torn) == undated(tmp_path / "done.zarr")
        shutil.rmtree(torn)
    assert seen == {"old", "told", "new"}


def test_roll_forward__is_done_by_whoever_writes_next(store, tmp_path, monkeypatch):
    def dying(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(revision, "_put_away", dying)
        with pytest.raises(KeyboardInterrupt):
            withdraw_patients(store, patients=["p1"])
    with pytest.raises(IncompleteStoreError, match="run the same command again: chemores withdraw"):
        open_cells(store)
    with writing(store):
        pass
    assert open_cells(store).n_obs == 72
    assert not (store / REVISION).exists()


@pytest.mark.parametrize("failing", ["hardlink_to", "rename", "write_shard", "write_dataset"])
def test_withdrawal__survives_a_full_disk(store, monkeypatch, failing):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = revision_calls.read(store)
    owner = {"write_shard": row_removal, "write_dataset": result_cuts}.get(failing, Path)
    with monkeypatch.context() as patched:
        patched.setattr(owner, failing, full)
        with pytest.raises(OSError, match="No space left"):
            revision_calls.withdraw(store)
    assert failing == "rename" or revision_calls.read(store) == before
    assert revision_calls.withdraw(store) == 72
    assert open_cells(store).n_obs == 72


def test_commit__leaves_no_wrong_number_to_who_had_opened_the_store(store):
    opened = open_cells(store, rows_per_block=20)
    withdraw_patients(store, patients=["p1"])
    with pytest.raises(StoreError, match="open the cells again"):
        opened.X.compute()


def test_link_or_copy__copies_where_links_are_impossible(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("counts")
    revision.link_or_copy(tmp_path / "a", tmp_path / "x" / "b")
    assert (tmp_path / "x" / "b").samefile(tmp_path / "a")

    def without(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", without)
    revision.link_or_copy(tmp_path / "a", tmp_path / "x" / "b")
    assert not (tmp_path / "x" / "b").samefile(tmp_path / "a")
    assert (tmp_path / "x" / "b").read_text() == "counts"


def test_begin__goes_on_with_the_same_plan_only(tmp_path):
    assert not revision.begin(tmp_path, {"kind": "append", "digest": "a"})
    (revision.new_folder(tmp_path) / "part").write_text("x")
    assert revision.begin(tmp_path, {"kind": "append", "digest": "a"})
    assert (revision.new_folder(tmp_path) / "part").is_file()
    assert not revision.begin(tmp_path, {"kind": "append", "digest": "b"})
    assert not (revision.new_folder(tmp_path) / "part").exists()


def test_commit__needs_all_parts(tmp_path):
    revision.begin(tmp_path, {})
    with pytest.raises(StoreError, match="Missing: cells"):
        revision.commit(tmp_path, revision.Change(["cells"]), report={}, command="")
    assert not (tmp_path / REVISION / JOURNAL).exists()


def test_commit__replaces_and_removes(tmp_path):
    for place in ("kept", "folder", "gone"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "old").write_text("old")
    (tmp_path / "file").write_text("old")
    revision.begin(tmp_path, {})
    new = revision.new_folder(tmp_path)
    (new / "folder").mkdir()
    (new / "folder" / "new").write_text("new")
    (new / "file").write_text("new")
    assert revision.written_bytes(tmp_path) == 6
    revision.commit(tmp_path, revision.Change(["folder", "file"], ["gone", "absent"]), report={}, command="")
    assert sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()) == [
        "file",
        "folder/new",
        "kept/old",
    ]
    assert (tmp_path / "file").read_text() == "new"
    revision.roll_forward(tmp_path)


def test_note_in_history__adds_to_what_is_there(store):
    for kind in ("append", "withdrawal"):
        revision.begin(store, {"kind": kind})
        place = revision.note_in_history(store, {"kind": kind, "cells": 3})
        revision.commit(store, revision.Change([place]), report={}, command="")
    assert [entry["kind"] for entry in revision.read_history(store)] == ["append", "withdrawal"]
    assert json.loads((store / "zarr.json").read_text())["attributes"]["chemores-schema"] == 1
    assert open_cells(store).n_obs == 108


def test_pending__is_none_without_a_revision(tmp_path):
    assert revision.pending(tmp_path) is None
    assert revision.read_plan(tmp_path) is None
    revision.discard(tmp_path)
    revision.roll_forward(tmp_path)
    assert list(tmp_path.iterdir()) == []
