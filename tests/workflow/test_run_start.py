from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from chemores_dask.errors import DamagedResultWarning, StepFailedError, StoreBusyError
from chemores_dask.store import datasets
from chemores_dask.store.layout import CHECKPOINTS, LOCK_FILE
from chemores_dask.store.results import is_complete, open_result
from chemores_dask.store.writer_lock import writing
from chemores_dask.stream.checkpoints import keeping_checkpoints
from chemores_dask.workflow.events import StepStarted, watch_nothing
from chemores_dask.workflow.run_start import staging_for_a_while, starting
from chemores_dask.workflow.runner import run_pipeline


def folder_of(store, record, step):
    return store / "results" / step / next(each.fingerprint for each in record.steps if each.name == step)


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_starting__leaves_neither_lock_nor_checkpoints_behind(store, read, tmp_path):
    run_pipeline(read(), store, out=tmp_path / "out")
    assert not (store / LOCK_FILE).exists()
    assert not (store / CHECKPOINTS).exists()


def test_starting__holds_the_store_only_where_something_must_be_written(store, read, tmp_path):
    with starting(read(), store, wait=0.0, watch=watch_nothing):
        assert (store / LOCK_FILE).is_file()
    run_pipeline(read(), store, out=tmp_path / "out")
    with starting(read(), store, wait=0.0, watch=watch_nothing) as start:
        assert not (store / LOCK_FILE).exists()
        assert set(start.opened) == {each.step.name for each in start.planned}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_starting__refuses_a_second_run_but_lets_it_read(store, read, tmp_path):
    reading, telling = os.pipe()
    child = os.fork()
    if not child:
        with writing(store):
            os.write(telling, b".")
            os.read(os.pipe()[0], 1)  # until it is killed
        os._exit(0)
    try:
        os.read(reading, 1)
        with pytest.raises(StoreBusyError, match=f"process {child} .*--wait"):
            run_pipeline(read(), store, out=tmp_path / "out")
        assert not (tmp_path / "out").exists()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    record = run_pipeline(read(), store, out=tmp_path / "out")
    assert not any(step.reused for step in record.steps)


def test_run_pipeline__makes_a_damaged_result_anew_and_says_so(store, read, tmp_path):
    first = run_pipeline(read(), store, out=tmp_path / "out")
    folder = folder_of(store, first, "chosen")
    wanted = datasets.read_dataset(folder).load()
    flip(next((folder / "gene_mean" / "c").iterdir()))
    started = []
    again = run_pipeline(
        read(),
        store,
        out=tmp_path / "out",
        watch=lambda e: started.append(e.name) if isinstance(e, StepStarted) else None,
    )
    assert started == ["chosen"]
    (record,) = [step for step in again.steps if not step.reused]
    assert any(said.startswith(DamagedResultWarning.__name__) and "gene_mean" in said for said in record.warnings)
    found = datasets.read_dataset(folder).load()
    assert all(np.array_equal(found[name], wanted[name], equal_nan=found[name].dtype.kind == "f") for name in wanted)
    last = run_pipeline(read(), store, out=tmp_path / "out")
    assert all(step.reused for step in last.steps)


def test_run_pipeline__removes_a_large_result_that_a_step_finds_damaged(store, read, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "LAZY_BYTES", 0)
    first = run_pipeline(read(), store, out=tmp_path / "out")
    fingerprints = {step.name: step.fingerprint for step in first.steps}
    shutil.rmtree(folder_of(store, first, "states"))
    flip(next(file for file in (folder_of(store, first, "scores") / "cell_score" / "c").rglob("*") if file.is_file()))
    with pytest.raises(StepFailedError, match="cell_score") as caught:
        run_pipeline(read(), store, out=tmp_path / "out")
    assert any("'scores' was removed; the next run" in note for note in caught.value.__notes__)
    assert not is_complete(store, step="scores", fingerprint=fingerprints["scores"])
    record = run_pipeline(read(), store, out=tmp_path / "out")
    assert {step.name for step in record.steps if not step.reused} == {"scores", "states"}
    open_result(store, step="states", fingerprint=fingerprints["states"])


def test_staging_for_a_while__removes_files_and_folders_of_its_own(tmp_path):
    with keeping_checkpoints(tmp_path / "kept") as folder:
        (folder / "staged").mkdir(parents=True)
        (folder / "staged" / "earlier.rows").touch()
        with staging_for_a_while():
            (folder / "staged" / "new.rows").touch()
            (folder / "staged" / "harmony-1").mkdir()
            (folder / "staged" / "harmony-1" / "block.npy").touch()
        assert [left.name for left in (folder / "staged").iterdir()] == ["earlier.rows"]


def test_staging_for_a_while__does_nothing_outside_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with staging_for_a_while():
        assert not list(tmp_path.iterdir())
