from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import ChecksumError
from chemores_dask.store import sharded_csr
from chemores_dask.store.layout import Geometry, count_codecs, open_array
from chemores_dask.store.sharded_csr import (
    cells_of_shard,
    checksum,
    create_matrix,
    finish_matrix,
    grow_matrix,
    read_rows,
    read_window,
    shard_file,
    write_shard,
)


def write_matrix(folder, matrix, geometry):
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    shards = max(-(-matrix.nnz // geometry.shard), 1)
    create_matrix(group, geometry=geometry, shards=1)
    grow_matrix(folder, shards=shards)
    for number in range(-(-matrix.nnz // geometry.shard)):
        window = slice(number * geometry.shard, (number + 1) * geometry.shard)
        write_shard(folder, number=number, data=matrix.data[window], indices=matrix.indices[window])
    finish_matrix(folder, row_nonzeros=np.diff(matrix.indptr), genes=matrix.shape[1])


def random_counts(cells, genes, *, rate=0.7, seed=0):
    return sp.csr_matrix(np.random.default_rng(seed).poisson(rate, (cells, genes)).astype(np.int32))


@settings(max_examples=40, deadline=None)
@given(
    chunk=st.integers(1, 9),
    chunks_per_shard=st.integers(1, 6),
    cells=st.integers(0, 25),
    genes=st.integers(0, 9),
    data=st.data(),
)
def test_read_rows__returns_what_was_written_for_any_window(
    tmp_path_factory, chunk, chunks_per_shard, cells, genes, data
):
    folder = tmp_path_factory.mktemp("cells") / "X"
    matrix = random_counts(cells, genes, seed=cells)
    write_matrix(folder, matrix, Geometry(chunk, chunk * chunks_per_shard))
    first = data.draw(st.integers(0, cells))
    last = data.draw(st.integers(first, cells))
    found = read_rows(folder, first, last, genes=genes)
    assert found.shape == (last - first, genes)
    assert (found != matrix[first:last]).nnz == 0
    assert found.data.dtype == found.indices.dtype == found.indptr.dtype == np.int32
    low, high = sorted(data.draw(st.tuples(st.integers(0, matrix.nnz), st.integers(0, matrix.nnz))))
    counts, columns = read_window(folder, low, high)
    assert np.array_equal(counts, matrix.data[low:high])
    assert np.array_equal(columns, matrix.indices[low:high])


@pytest.fixture
def stored(tmp_path):
    matrix = random_counts(60, 20)
    write_matrix(tmp_path / "cells" / "X", matrix, Geometry(16, 64))
    return tmp_path / "cells" / "X", matrix


@pytest.mark.parametrize("array", ["data", "indices"])
def test_read_window__finds_every_flipped_byte(stored, array):
    folder, matrix = stored
    file = shard_file(folder / array, 2)
    whole = file.read_bytes()
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        file.write_bytes(bytes(damaged))
        # Whole shard, more than it, and a large part of it; a small part may lie beside the damage.
        for start, stop in ((128, 192), (100, 250), (130, 190)):
            with pytest.raises(ChecksumError, match=r"c/2.*fails its checksum"):
                read_window(folder, start, stop)
    file.write_bytes(whole)
    assert np.array_equal(read_window(folder, 100, 250)[0], matrix.data[100:250])


@pytest.mark.parametrize("length", [0, 1, 50, -1])
def test_read_window__finds_a_truncated_shard(stored, length):
    folder, _ = stored
    file = shard_file(folder / "data", 1)
    file.write_bytes(file.read_bytes()[:length])
    for start, stop in ((64, 128), (70, 80), (0, 200)):
        with pytest.raises(ChecksumError, match="c/1"):
            read_window(folder, start, stop)


def test_read_window__finds_a_lost_shard(stored):
    folder, _ = stored
    shard_file(folder / "indices", 3).unlink()
    with pytest.raises(ChecksumError, match="is missing"):
        read_window(folder, 190, 260)
    read_window(folder, 0, 192)


def test_read_rows__finds_damaged_pointers(stored):
    folder, _ = stored
    file = folder / "indptr" / "c" / "0"
    damaged = bytearray(file.read_bytes())
    damaged[10] ^= 1
    file.write_bytes(bytes(damaged))
    with pytest.raises(ChecksumError, match="indptr"):
        read_rows(folder, 0, 3, genes=20)


def test_read_rows__finds_lost_pointers(stored):
    folder, _ = stored
    (folder / "indptr" / "c" / "0").unlink()
    with pytest.raises(ChecksumError, match="lacks a chunk"):
        read_rows(folder, 0, 3, genes=20)


def test_write_shard__notices_a_disk_that_keeps_other_bytes(stored, monkeypatch):
    folder, _ = stored
    real = sharded_csr.open_array

    class Forgetful:
        def __init__(self, array):
            self.array = array
            self.shards = array.shards

        def __setitem__(self, window, values):
            self.array[window] = np.where(np.arange(len(values)) == 5, 99, values)

        def __getitem__(self, window):
            return self.array[window]

    monkeypatch.setattr(sharded_csr, "open_array", lambda *args, **named: Forgetful(real(*args, **named)))
    with pytest.raises(ChecksumError, match="read back"):
        write_shard(folder, number=0, data=np.arange(64), indices=np.arange(64))


def test_write_shard__leaves_a_file_even_for_zeros(tmp_path):
    matrix = sp.csr_matrix(np.ones((40, 1), dtype=np.int32))
    write_matrix(tmp_path / "X", matrix, Geometry(4, 16))
    assert all(shard_file(tmp_path / "X" / "indices", number).stat().st_size for number in range(3))
    assert (read_rows(tmp_path / "X", 3, 40, genes=1) != matrix[3:]).nnz == 0


def test_write_shard__writes_the_same_bytes_again(stored):
    folder, matrix = stored
    before = shard_file(folder / "data", 1).read_bytes()
    write_shard(folder, number=1, data=matrix.data[64:128], indices=matrix.indices[64:128])
    assert shard_file(folder / "data", 1).read_bytes() == before


def test_read_rows__is_safe_beyond_two_billion_counts(tmp_path):
    """Huge arrays of which only two shards and the last pointers are on disk."""
    geometry = Geometry(2**10, 2**12)
    start = 2**33 + 2**12
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    for name in ("data", "indices"):
        group.create_array(
            name,
            shape=(2**34,),
            chunks=(geometry.chunk,),
            shards=(geometry.shard,),
            dtype="i4",
            compressors=count_codecs(),
        )
    values = np.arange(1, 2**13 + 1, dtype=np.int32)
    for part in range(2):
        window = slice(part * 2**12, (part + 1) * 2**12)
        number = start // 2**12 + part
        write_shard(tmp_path, number=number, data=values[window], indices=np.arange(2**12))
    pointers = start + np.array([0, 3000, 3000, 2**13], dtype=np.int64)
    group.create_array("indptr", shape=(4,), chunks=(4,), dtype="i8")[:] = pointers
    block = read_rows(tmp_path, 0, 3, genes=2**12)
    assert block.indptr.tolist() == [0, 3000, 3000, 8192]
    assert block[0].data.tolist() == list(range(1, 3001))
    assert np.array_equal(block.data, values)


def test_finish_matrix__counts_beyond_two_billion_in_64_bits(tmp_path):
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    create_matrix(group, geometry=Geometry(2**20, 2**28), shards=12)
    nonzeros = np.full(3, 2**30, dtype=np.int32)
    pointers = finish_matrix(tmp_path, row_nonzeros=nonzeros, genes=2**30)
    assert pointers.tolist() == [0, 2**30, 2**31, 3 * 2**30]
    assert open_array(tmp_path / "data").shape == (3 * 2**30,)


def test_checksum__tells_contents_apart():
    values = np.arange(10, dtype=np.int32)
    assert checksum(values) == checksum(values.copy()) != checksum(values[::-1])


def test_cells_of_shard__works_without_samples(stored):
    folder, matrix = stored
    first, last, samples = cells_of_shard(folder.parent, 1)
    assert samples == ()
    assert matrix.indptr[first] <= 64 < matrix.indptr[first + 1]
    assert matrix.indptr[last - 1] < 128 <= matrix.indptr[last]
