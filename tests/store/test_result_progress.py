from __future__ import annotations

import json

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.store import datasets, result_progress
from chemores_dask.store.datasets import read_dataset, write_dataset
from chemores_dask.store.layout import group_attributes, is_complete_group
from chemores_dask.store.result_progress import (
    PLAN_FILE,
    ChosenBlocks,
    chunk_file,
    chunk_files,
    missing_blocks,
    partial_files,
    replace_file,
)
from tests.store.sources import file_digests

VALUES = np.random.default_rng(0).random((40, 3))
seen: list[int] = []
limit = [1000]


def _read(block_id=None, offset=0.0):
    if len(seen) >= limit[0]:
        raise KeyboardInterrupt
    seen.append(block_id[0])
    return VALUES[block_id[0] * 5 : block_id[0] * 5 + 5] + offset


def lazy(offset=0.0):
    """Two lazy variables that share eight reads of five rows; their stored chunks hold ten rows."""
    rows = da.map_blocks(_read, chunks=((5,) * 8, (3,)), dtype=float, offset=offset)
    return xr.Dataset(
        {
            "score": (("cell", "k"), rows * 2),
            "name": ("cell", da.map_blocks(_named, rows, drop_axis=1, dtype=object)),
            "eager": ("k", [1.0, 2.0, 3.0]),
        },
        coords={"k": ["a", "b", "c"]},
    )


def _named(block):
    return np.array([f"cell {value:.6f}" for value in block[:, 0]], dtype=object)


@pytest.fixture(autouse=True)
def start(monkeypatch):
    monkeypatch.setattr(datasets, "RESULT_ROWS", 10)
    seen.clear()
    limit[0] = 1000
    with dask.config.set(scheduler="synchronous"):
        yield


def write(folder, dataset):
    write_dataset(dataset, folder, attributes={"step": "s"}, go_on=True)


def interrupt(folder, dataset, *, after):
    limit[0] = after
    with pytest.raises(KeyboardInterrupt):
        write(folder, dataset)
    limit[0] = 1000


def test_write_dataset__goes_on_with_finished_chunks(tmp_path):
    write(tmp_path / "whole", lazy())
    assert sorted(seen) == list(range(8))
    seen.clear()
    for finished in (1, 2, 3):
        seen.clear()
        interrupt(tmp_path / "cut", lazy(), after=3)
        assert not is_complete_group(tmp_path / "cut")
        assert len(missing_blocks(tmp_path / "cut" / "score", lazy()["score"].data.rechunk((10, 3)))) == 4 - finished
    seen.clear()
    write(tmp_path / "cut", lazy())
    assert len(seen) == 2
    assert file_digests(tmp_path / "cut") == file_digests(tmp_path / "whole")


def test_write_dataset__does_not_read_at_all_where_every_chunk_is_there(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(datasets, "metadata_digest", _stop)
        with pytest.raises(ZeroDivisionError):
            write(tmp_path / "g", lazy())
    seen.clear()
    write(tmp_path / "g", lazy())
    assert seen == []
    assert not (tmp_path / "g" / PLAN_FILE).exists()
    np.testing.assert_array_equal(read_dataset(tmp_path / "g")["score"], VALUES * 2)


def _stop(_):
    raise ZeroDivisionError


@pytest.mark.parametrize("what", ["other numbers", "other versions", "damaged description", "no plan"])
def test_write_dataset__starts_anew_where_chunks_were_made_of_something_else(tmp_path, monkeypatch, what):
    interrupt(tmp_path / "g", lazy(), after=6)
    wanted = VALUES * 2
    if what == "other versions":
        monkeypatch.setattr(result_progress, "versions", lambda: {"numpy": "99"})
    elif what == "damaged description":
        file = tmp_path / "g" / "score" / "zarr.json"
        file.write_text(file.read_text().replace("10", "11", 1))
    elif what == "no plan":
        (tmp_path / "g" / PLAN_FILE).unlink()
    else:
        wanted = (VALUES + 1) * 2
    seen.clear()
    write(tmp_path / "g", lazy(1.0 if what == "other numbers" else 0.0))
    assert sorted(seen) == list(range(8))
    np.testing.assert_array_equal(read_dataset(tmp_path / "g")["score"], wanted)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "lost"])
def test_write_dataset__writes_damaged_chunks_again(tmp_path, damage):
    interrupt(tmp_path / "g", lazy(), after=7)
    file = next(iter(chunk_files(tmp_path / "g" / "score")))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "lost":
        file.unlink()
    else:
        file.write_bytes({"flip": content, "cut": content[:-5], "empty": b""}[damage])
    write(tmp_path / "g", lazy())
    np.testing.assert_array_equal(read_dataset(tmp_path / "g")["score"], VALUES * 2)


def test_write_dataset__removes_what_a_killed_process_left(tmp_path):
    interrupt(tmp_path / "g", lazy(), after=6)
    left = tmp_path / "g" / "score" / "c" / "3" / "0.1234.partial"
    left.write_bytes(b"half a chunk")
    write(tmp_path / "g", lazy())
    assert not list(partial_files(tmp_path / "g"))
    left.write_bytes(b"of a worker that died after the others had finished")
    np.testing.assert_array_equal(read_dataset(tmp_path / "g")["score"], VALUES * 2)


def test_write_dataset__erases_a_complete_one(tmp_path):
    write(tmp_path / "g", lazy())
    seen.clear()
    write(tmp_path / "g", lazy())
    assert sorted(seen) == list(range(8))


def test_write_dataset__keeps_its_plan_while_unfinished_only(tmp_path):
    interrupt(tmp_path / "g", lazy(), after=6)
    plan = json.loads((tmp_path / "g" / PLAN_FILE).read_text())
    assert set(plan["variables"]) == {"score", "name"}
    assert "numpy" in plan["versions"]
    assert "complete" not in group_attributes(tmp_path / "g")


@pytest.mark.parametrize("blocks", [[(0, 0)], [(3, 0), (1, 0)], []])
def test_chosen_blocks__computes_no_others(blocks):
    rows = da.map_blocks(_read, chunks=((5,) * 8, (3,)), dtype=float)
    (count,) = dask.compute(ChosenBlocks(rows + 1, blocks=blocks))
    assert count == len(blocks)
    assert sorted(seen) == sorted(block[0] for block in blocks)


def test_chunk_files__counts_a_single_value(tmp_path):
    write_dataset(xr.Dataset({"a": ((), 1.0)}), tmp_path / "g", attributes={})
    assert chunk_files(tmp_path / "g" / "a") == [tmp_path / "g" / "a" / "c"]
    assert chunk_file(tmp_path / "g" / "a", ()) == tmp_path / "g" / "a" / "c"


def test_replace_file__leaves_the_old_one_where_the_disk_is_full(tmp_path, monkeypatch):
    replace_file(tmp_path / "a", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
