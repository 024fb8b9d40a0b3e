"""Rows kept in files: the same bits, whole files only, gone when nobody needs them, refused where they would not fit."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple

import dask
import numpy as np
import pytest
import scipy.sparse as sp
from dask.base import tokenize

from chemores_dask import metering
from chemores_dask.errors import ChecksumError, ParameterError, StagingSpaceError
from chemores_dask.stream import as_rows, compute, staging
from chemores_dask.stream.staging import (
    HEADER,
    PREFIX,
    BlockReader,
    BlockWriter,
    block_file,
    read_block,
    stage_rows,
    staging_folder,
)

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def matrix():
    return sp.random(50, 20, density=0.3, format="csr", random_state=1, dtype=np.float32)


@pytest.fixture
def temporary(tmp_path):
    with dask.config.set({"temporary-directory": str(tmp_path / "scratch")}):
        yield tmp_path / "scratch"


def first_pass(staged):
    (block,) = compute(staged.passing)
    return block


def same_bits(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_stage_rows__reads_what_passed(matrix, temporary):
    staged = stage_rows(as_rows(matrix, rows_per_block=8))
    same_bits(first_pass(staged), matrix)
    assert staged.missing() == []
    same_bits(compute(staged.complete())[0], matrix)


@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(50, 20), (1, 1), (0, 5), (5, 70_000), (4, 0)])
def test_block_writer__keeps_every_type_and_shape(tmp_path, kind, shape):
    rows = (sp.random(*shape, density=0.2, format="csr", random_state=2) * 100).astype(kind)
    rows.sort_indices()
    BlockWriter(str(tmp_path), "x", 1)(rows, block_id=(3, 0))
    same_bits(BlockReader(str(tmp_path), "x", shape[1])(block_id=(3, 0)), rows)


def test_stage_rows__computes_the_rows_once(matrix, temporary):
    calls = []
    rows = as_rows(matrix, rows_per_block=8).map_blocks(
        lambda block: calls.append(1) or block, dtype=np.float32, meta=matrix[:0]
    )
    staged = stage_rows(rows)
    compute(staged.passing)
    compute(staged.complete())
    assert len(calls) == 7


def test_stage_rows__counts_bytes_apart_from_passes(matrix, temporary):
    before = metering.snapshot()
    staged = stage_rows(as_rows(matrix, rows_per_block=8))
    compute(staged.passing)
    compute(staged.complete())
    found = metering.difference(before, metering.snapshot())
    assert found[metering.STAGED_BYTES_READ] == found[metering.STAGED_BYTES_WRITTEN] > 6 * matrix.nnz
    assert found.get(metering.ROWS_DECODED, 0) == 0


def test_stage_rows__removes_its_files_with_the_last_rows(matrix, temporary):
    staged = stage_rows(as_rows(matrix, rows_per_block=8))
    compute(staged.passing)
    lazy = staged.complete().map_blocks(abs, dtype=np.float32, meta=matrix[:0])
    del staged
    gc.collect()
    assert len(list(temporary.glob(f"{PREFIX}*/*"))) == 7
    same_bits(compute(lazy)[0], matrix)
    del lazy
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_stage_rows__keeps_what_lies_in_a_given_folder(matrix, tmp_path):
    with staging_folder(tmp_path / "here") as folder:
        staged = stage_rows(as_rows(matrix, rows_per_block=8))
        compute(staged.passing)
    del staged
    gc.collect()
    assert len(list(folder.glob("*.rows"))) == 7


def test_stage_rows__finds_files_of_a_run_that_was_killed(matrix, tmp_path):
    with staging_folder(tmp_path):
        first = stage_rows(as_rows(matrix, rows_per_block=8))
        compute(first.passing)
        again = stage_rows(as_rows(matrix, rows_per_block=8))
    assert again.missing() == []
    same_bits(compute(again.complete())[0], matrix)
    with staging_folder(tmp_path):
        assert len(stage_rows(as_rows(2 * matrix, rows_per_block=8)).missing()) == 7


@pytest.mark.parametrize("damage", ["short", "gone", "empty", "long", "foreign"])
def test_staged_rows__writes_again_what_is_torn(matrix, tmp_path, damage):
    with staging_folder(tmp_path):
        staged = stage_rows(as_rows(matrix, rows_per_block=8))
    compute(staged.passing)
    file = sorted(tmp_path.glob("*.rows"))[2]
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(
            {"short": content[:-3], "empty": b"", "long": content + b"x", "foreign": b"x" * len(content)}[damage]
        )
    assert staged.missing() == [2]
    same_bits(compute(staged.complete())[0], matrix)
    assert file.read_bytes() == content


def test_read_block__finds_any_changed_byte(matrix, tmp_path):
    BlockWriter(str(tmp_path), "x", 1)(matrix[:4])
    file = block_file(tmp_path, "x", 0)
    content = bytearray(file.read_bytes())
    for place in range(len(content)):
        content[place] ^= 0x10
        file.write_bytes(content)
        with pytest.raises(ChecksumError, match="Staged rows must be read as they were written"):
            read_block(file)
        content[place] ^= 0x10
    file.write_bytes(content[: HEADER.size - 1])
    with pytest.raises(ChecksumError, match="too short"):
        read_block(file)
    file.unlink()
    with pytest.raises(ChecksumError, match="cannot be read"):
        read_block(file)


def test_block_writer__leaves_no_part_of_a_file(matrix, tmp_path, monkeypatch):
    def cut_short(file, rows, parts):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "_write", cut_short)
    with pytest.raises(StagingSpaceError, match=r"No space left on device.*name another folder"):
        BlockWriter(str(tmp_path), "x", 1)(matrix)
    assert list(tmp_path.iterdir()) == []


def test_block_writer__refuses_with_the_first_block_what_would_not_fit(matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**6, 10**6 - 5000, 5000))
    with pytest.raises(
        StagingSpaceError, match=r"are still needed for 1000 blocks; 5.0 kB are free.*temporary-directory"
    ):
        BlockWriter(str(tmp_path), "x", 1000)(matrix)
    BlockWriter(str(tmp_path), "x", 2)(matrix)
    assert len(list(tmp_path.iterdir())) == 1


def test_stage_rows__has_names_that_follow_from_the_content(matrix, tmp_path):
    with staging_folder(tmp_path), dask.config.set({"tokenize.ensure-deterministic": True}):
        one, other = (stage_rows(as_rows(matrix.copy(), rows_per_block=8)) for _ in range(2))
    assert one.passing.name == other.passing.name
    assert one.stored.name == other.stored.name
    assert tokenize(one.reader) == tokenize(other.reader)


def test_stage_rows__removes_what_killed_processes_left(matrix, temporary):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = temporary / f"{PREFIX}-{socket.gethostname()}-{int(child.stdout)}-abc"
    alive = temporary / f"{PREFIX}-{socket.gethostname()}-{os.getpid()}-abc"
    elsewhere = temporary / f"{PREFIX}-another-host-{int(child.stdout)}-abc"
    for folder in (dead, alive, elsewhere):
        folder.mkdir(parents=True)
    stage_rows(as_rows(matrix))
    assert [folder.exists() for folder in (dead, alive, elsewhere)] == [False, True, True]


def test_stage_rows__asks_for_a_shared_folder_on_several_machines(matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "_remote_workers", lambda: True)
    with dask.config.set({"temporary-directory": None}):
        with pytest.raises(ParameterError, match="folder that all workers see"):
            stage_rows(as_rows(matrix))
        staged = stage_rows(as_rows(matrix), store=str(tmp_path / "cohort.zarr"))
    assert staged.reader.folder.startswith(str(tmp_path / PREFIX))
    same_bits(first_pass(staged), matrix)
