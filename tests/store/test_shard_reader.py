from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec

from chemores_dask.errors import FormatError
from chemores_dask.store.layout import FAST_PIPELINE, PLAIN_PIPELINE, count_codecs, open_array, plain_codecs
from chemores_dask.store.shard_reader import array_files, read_bytes, read_chunks, read_part


def write_array(folder, values, *, chunk, shard, pipeline=FAST_PIPELINE, codecs=None):
    zarr.open_group(folder.parent, mode="a", zarr_format=3)
    zarr.create_array(
        folder,
        shape=values.shape,
        chunks=(chunk,),
        shards=(shard,) if shard else None,
        dtype=values.dtype,
        compressors=codecs or count_codecs(),
        fill_value=0,
        overwrite=True,
        zarr_format=3,
    )
    open_array(folder, pipeline=pipeline, mode="r+")[:] = values
    return folder


def some_counts(size, *, seed=0):
    return np.random.default_rng(seed).poisson(0.8, size).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(
    chunk=st.integers(1, 40),
    chunks=st.integers(1, 6),
    size=st.integers(1, 300),
    pipeline=st.sampled_from([FAST_PIPELINE, PLAIN_PIPELINE]),
    data=st.data(),
)
def test_read_part__gives_any_window_of_any_geometry(tmp_path_factory, chunk, chunks, size, pipeline, data):
    values = some_counts(size, seed=size)
    folder = write_array(
        tmp_path_factory.mktemp("a") / "x", values, chunk=chunk, shard=chunk * chunks, pipeline=pipeline
    )
    files = array_files(folder)
    assert (files.length, files.per_file, files.chunk, files.sharded) == (size, chunk * chunks, chunk, True)
    for _ in range(3):
        start = data.draw(st.integers(0, size))
        stop = data.draw(st.integers(start, size))
        lost = [n for n in range(start // files.per_file, -(-stop // files.per_file)) if not files.file(n).is_file()]
        if not lost:  # a shard of zeros, for which the fast pipeline leaves no file
            found = read_part(files, start, stop)
            assert found.dtype == np.int32
            assert np.array_equal(found, values[start:stop])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("size", [1, 7, 8, 9, 100])
def test_read_part__reads_files_of_one_chunk(tmp_path, dtype, size):
    values = (np.arange(size, dtype=dtype) + 1) * 2**20
    files = array_files(write_array(tmp_path / "x", values, chunk=8, shard=None, codecs=plain_codecs()))
    assert (files.sharded, files.compressor, files.per_file) == (False, "zstd", 8)
    assert np.array_equal(read_part(files, 0, size), values)
    assert np.array_equal(read_part(files, size // 2, size), values[size // 2 :])


def test_read_part__agrees_with_zarr_on_large_chunks(tmp_path):
    values = np.random.default_rng(1).geometric(0.4, 3 * 2**18 + 77).astype(np.int32)
    folder = write_array(tmp_path / "x", values, chunk=2**14, shard=2**18)
    for start, stop in ((0, len(values)), (5, 2**18), (2**18 - 3, 2**19 + 3), (2**17, 2**17 + 1)):
        assert np.array_equal(read_part(array_files(folder), start, stop), zarr.open_array(folder)[start:stop])


def test_read_part__reads_chunks_in_any_order_and_absent_ones(tmp_path):
    """Shards as other programs may write them: chunks of zeros are left out."""
    values = np.zeros(64, dtype=np.int32)
    values[20:24] = 7
    folder = tmp_path / "x"
    zarr.create_array(
        folder,
        shape=(64,),
        chunks=(8,),
        shards=(64,),
        dtype="i4",
        compressors=count_codecs(),
        fill_value=0,
        zarr_format=3,
    )
    with zarr.config.set({"array.write_empty_chunks": False}):
        zarr.open_array(folder, mode="r+")[:] = values
    assert np.array_equal(read_part(array_files(folder), 0, 64), values)
    assert np.array_equal(read_part(array_files(folder), 10, 30), values[10:30])
    assert [chunk for chunk, _ in read_chunks(array_files(folder), 0, np.array([0, 2, 7]))] == [0, 7, 2]


@pytest.mark.parametrize("shard", [32, None])
def test_read_part__finds_every_flipped_bit(tmp_path, shard):
    values = some_counts(32) + 1
    folder = write_array(tmp_path / "x", values, chunk=8 if shard else 32, shard=shard)
    files = array_files(folder)
    whole = files.file(0).read_bytes()
    for position in range(len(whole)):
        for bit in (0, 5):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            files.file(0).write_bytes(bytes(damaged))
            with pytest.raises(ValueError, match="fails its checksum"):
                read_part(files, 0, 32)


def test_read_part__does_not_look_at_chunks_that_are_not_asked_for(tmp_path):
    values = some_counts(32) + 1
    files = array_files(write_array(tmp_path / "x", values, chunk=8, shard=32))
    damaged = bytearray(files.file(0).read_bytes())
    damaged[18] ^= 1
    files.file(0).write_bytes(bytes(damaged))
    assert np.array_equal(read_part(files, 8, 32), values[8:])
    with pytest.raises(ValueError, match="chunk 0"):
        read_part(files, 7, 9)


@pytest.mark.parametrize("shard", [32, None])
def test_read_part__finds_every_truncation(tmp_path, shard):
    values = some_counts(32) + 1
    files = array_files(write_array(tmp_path / "x", values, chunk=8 if shard else 32, shard=shard))
    whole = files.file(0).read_bytes()
    for length in range(len(whole)):
        files.file(0).write_bytes(whole[:length])
        for start, stop in ((0, 32), (9, 11)):
            with pytest.raises(ValueError, match="checksum" if length else "missing or empty"):
                read_part(files, start, stop)
    files.file(0).unlink()
    with pytest.raises(ValueError, match="missing or empty"):
        read_part(files, 9, 11)


def test_read_part__refuses_a_chunk_of_another_size(tmp_path):
    """Valid checksums around too few values: bytes that some other program wrote."""
    values = some_counts(32) + 1
    folder = write_array(tmp_path / "x", values, chunk=32, shard=None)
    short = write_array(tmp_path / "y", values[:16], chunk=16, shard=None)
    array_files(folder).file(0).write_bytes(array_files(short).file(0).read_bytes())
    with pytest.raises(ValueError, match="another number of values"):
        read_part(array_files(folder), 0, 32)


def test_read_part__serves_many_threads(tmp_path):
    values = some_counts(2**16) + 1
    files = array_files(write_array(tmp_path / "x", values, chunk=2**10, shard=2**13))
    start = threading.Barrier(8)

    def read(number):
        start.wait()
        return all(
            np.array_equal(read_part(files, n, n + 9000), values[n : n + 9000]) for n in range(number, 40000, 3571)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))


@pytest.mark.parametrize(
    "codecs",
    [[GzipCodec()], [BloscCodec(cname="lz4", typesize=4)], [Crc32cCodec()], [Crc32cCodec(), GzipCodec()]],
)
def test_array_files__leaves_other_codecs_to_zarr(tmp_path, codecs):
    folder = write_array(tmp_path / "x", some_counts(32), chunk=8, shard=32, codecs=codecs)
    assert array_files(folder) is None


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("fill_value", 3),
        ("data_type", "float64"),
        ("storage_transformers", [{"name": "x"}]),
        ("chunk_key_encoding", {"name": "v2", "configuration": {"separator": "."}}),
        ("shape", [4, 4]),
        ("codecs", []),
    ],
)
def test_array_files__leaves_other_metadata_to_zarr(tmp_path, entry, value):
    folder = write_array(tmp_path / "x", some_counts(32), chunk=8, shard=32)
    described = json.loads((folder / "zarr.json").read_text())
    (folder / "zarr.json").write_text(json.dumps(described | {entry: value}))
    assert array_files(folder) is None


def test_array_files__refuses_damaged_metadata(tmp_path):
    folder = write_array(tmp_path / "x", some_counts(32), chunk=8, shard=32)
    (folder / "zarr.json").write_text("{")
    with pytest.raises(FormatError, match="not valid JSON"):
        array_files(folder)
    (folder / "zarr.json").unlink()
    with pytest.raises(FormatError, match="missing"):
        array_files(folder)


def test_array_files__sees_that_an_array_has_grown(tmp_path):
    folder = write_array(tmp_path / "x", some_counts(32), chunk=8, shard=32)
    assert array_files(folder).length == 32
    zarr.open_array(folder, mode="r+").resize((640,))
    assert array_files(folder).length == 640


def test_read_bytes__reads_from_both_ends(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(bytes(range(100)))
    assert read_bytes(file, 0, None).tolist() == list(range(100))
    assert read_bytes(file, 10, 5).tolist() == [10, 11, 12, 13, 14]
    assert read_bytes(file, -3, None).tolist() == [97, 98, 99]
    assert read_bytes(file, 98, 10).tolist() == [98, 99]
    assert len(read_bytes(file, 200, 10)) == 0
