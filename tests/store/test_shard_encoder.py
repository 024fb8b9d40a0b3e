from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import ChecksumError
from chemores_dask.store import shard_encoder
from chemores_dask.store.layout import count_codecs, plain_codecs
from chemores_dask.store.shard_encoder import file_digest, write_chunk_file, write_shard_file
from chemores_dask.store.shard_reader import array_files, read_part


@settings(max_examples=40, deadline=None)
@given(chunk=st.integers(1, 50), chunks=st.integers(1, 5), share=st.floats(0, 1))
def test_write_shard_file__is_read_by_zarr_and_by_us(tmp_path_factory, chunk, chunks, share):
    shard = chunk * chunks
    values = np.random.default_rng(chunk).integers(0, 2**31 - 1, int(share * shard), dtype=np.int32)
    folder = tmp_path_factory.mktemp("a") / "x"
    zarr.create_array(
        folder,
        shape=(2 * shard,),
        chunks=(chunk,),
        shards=(shard,),
        dtype="i4",
        compressors=count_codecs(),
        zarr_format=3,
    )
    kept = write_shard_file(folder / "c" / "1", values, chunk=chunk, shard=shard)
    assert kept == file_digest(folder / "c" / "1")
    whole = np.concatenate([values, np.zeros(shard - len(values), dtype=np.int32)])
    assert np.array_equal(read_part(array_files(folder), shard, 2 * shard), whole)
    assert np.array_equal(zarr.open_array(folder)[shard:], whole)
    assert [file.name for file in (folder / "c").iterdir()] == ["1"]


def test_write_chunk_file__is_read_by_zarr_and_by_us(tmp_path):
    values = np.arange(50, dtype=np.int32)
    zarr.create_array(tmp_path / "x", shape=(100,), chunks=(50,), dtype="i4", compressors=plain_codecs(), zarr_format=3)
    write_chunk_file(tmp_path / "x" / "c" / "1", values)
    assert np.array_equal(read_part(array_files(tmp_path / "x"), 50, 100), values)
    assert np.array_equal(zarr.open_array(tmp_path / "x")[50:], values)


def test_write_shard_file__writes_the_same_bytes_again(tmp_path):
    values = np.arange(64, dtype=np.int32)
    sums = [write_shard_file(tmp_path / name, values, chunk=8, shard=64) for name in ("a", "b")]
    assert sums[0] == sums[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_write_shard_file__notices_a_disk_that_keeps_other_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_encoder, "read_bytes", lambda file, offset, length: np.zeros(9, dtype=np.uint8))
    with pytest.raises(ChecksumError, match="read back"):
        write_shard_file(tmp_path / "a", np.arange(8, dtype=np.int32), chunk=8, shard=8)
    assert not (tmp_path / "a").exists()


def test_file_digest__tells_shards_apart(tmp_path):
    """The CRC32C of whole shards would be the same for all: each part ends with its own."""
    kept = {
        write_shard_file(tmp_path / str(seed), np.arange(64, dtype=np.int32) * seed, chunk=8, shard=64)
        for seed in range(5)
    }
    assert len(kept) == 5
