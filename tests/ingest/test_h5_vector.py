"""Arrays read past HDF5 are those that HDF5 reads."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import FormatError
from chemores_dask.ingest import h5_vector
from chemores_dask.ingest.h5_vector import VectorReader, unshuffled

TYPES = ["<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f4", "<f8", ">i4", ">f8"]


def make_values(dtype: str, length: int, *, seed: int, largest: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    values = generator.integers(0, largest, length)
    with np.errstate(all="ignore"):
        return np.where(generator.random(length) < 0.1, -values, values).astype(dtype)


@settings(max_examples=80, deadline=None)
@given(
    dtype=st.sampled_from(TYPES),
    length=st.integers(1, 500),
    chunk=st.sampled_from([None, 1, 7, 64, 500, 1000]),
    shuffle=st.booleans(),
    compression=st.sampled_from([None, "gzip", "lzf"]),
    checksum=st.booleans(),
    largest=st.sampled_from([3, 300, 70_000, 2**31 - 1, 2**40]),
    windows=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=6),
    seed=st.integers(0, 9),
)
def test_read__is_what_the_library_reads(
    tmp_path_factory, dtype, length, chunk, shuffle, compression, checksum, largest, windows, seed
) -> None:
    path = tmp_path_factory.mktemp("vector") / "a.h5"
    values = make_values(dtype, length, seed=seed, largest=largest)
    kept = {} if chunk is None and compression is None else {"maxshape": (None,)}
    if chunk is not None:
        kept["chunks"] = (chunk,)
    filters = {"shuffle": shuffle, "compression": compression, "fletcher32": checksum} if kept else {}
    with h5py.File(path, "w") as file:
        file.create_dataset("values", data=values, **kept, **filters)
    with pytest.MonkeyPatch.context() as patch, h5py.File(path) as file:
        patch.setattr(h5_vector, "SMALLEST_CHUNK", 1)
        with VectorReader(file["values"], path) as reader:
            plain = not checksum or not filters
            native = np.dtype(dtype).isnative
            assert reader.direct == (native and (not kept or (compression == "gzip" and plain)))
            for one, other in windows:
                start, stop = sorted((min(one, length), min(other, length)))
                assert np.array_equal(reader.read(start, stop), file["values"][start:stop])


def test_read__gives_the_fill_value_for_chunks_that_were_never_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        values = file.create_dataset("v", shape=(4096,), dtype="i4", chunks=(1024,), compression="gzip", fillvalue=7)
        values[1024:2048] = 3
        file.create_dataset("empty", shape=(0,), dtype="i4")
        file.create_dataset("unwritten", shape=(9,), dtype="i4")
    with h5py.File(tmp_path / "a.h5") as file:
        for name in ("v", "empty", "unwritten"):
            with VectorReader(file[name], tmp_path) as reader:
                assert np.array_equal(reader.read(0, len(file[name])), file[name][:])


def test_read__leaves_chunks_whose_filter_was_skipped_to_the_library(tmp_path: Path) -> None:
    chunk = np.arange(1024, dtype=np.int32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        values = file.create_dataset("v", shape=(2048,), dtype="i4", chunks=(1024,), compression="gzip", shuffle=True)
        values[:1024] = chunk
        values.id.write_direct_chunk((1024,), chunk.tobytes(), filter_mask=3)
    with h5py.File(tmp_path / "a.h5") as file, VectorReader(file["v"], tmp_path) as reader:
        assert np.array_equal(reader.read(0, 2048), np.tile(chunk, 2))


def test_read__goes_through_the_library_where_the_file_is_unusual(tmp_path: Path) -> None:
    values = np.arange(5000)
    with h5py.File(tmp_path / "block.h5", "w", userblock_size=512) as file:
        file["v"] = values
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.create_dataset("v", data=values, external=[(str(tmp_path / "raw"), 0, values.nbytes)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(shape=(5000,), dtype=values.dtype)
        layout[:] = h5py.VirtualSource(tmp_path / "block.h5", "v", shape=(5000,))
        file.create_virtual_dataset("v", layout)
    for name in ("block", "outside", "virtual"):
        path = tmp_path / f"{name}.h5"
        with h5py.File(path) as file, VectorReader(file["v"], path) as reader:
            assert not reader.direct
            assert np.array_equal(reader.read(10, 4000), values[10:4000])


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "packed.h5"
    with h5py.File(path, "w") as file:
        values = np.random.default_rng(1).integers(0, 9, 2**16).astype(np.int32)
        file.create_dataset("v", data=values, chunks=(2**12,), compression="gzip", shuffle=True)
    return path


def place_of(path: Path, number: int) -> tuple[int, int]:
    with h5py.File(path) as file:
        info = file["v"].id.get_chunk_info(number)
        return info.byte_offset, info.size


def test_read__names_a_chunk_that_cannot_be_inflated(packed: Path) -> None:
    offset, size = place_of(packed, 5)
    content = bytearray(packed.read_bytes())
    content[offset + size // 2] ^= 255
    packed.write_bytes(bytes(content))
    with (
        h5py.File(packed) as file,
        VectorReader(file["v"], packed) as reader,
        pytest.raises(FormatError, match=r"packed\.h5 must be a whole.*chunk 5"),
    ):
        reader.read(0, 2**16)


def test_read__notices_chunks_of_another_size(packed: Path) -> None:
    with h5py.File(packed, "a") as file:
        for number, content in ((2, b"\0" * 100), (3, b"\0" * 10**6)):
            file["v"].id.write_direct_chunk((number * 2**12,), zlib.compress(content))
    for number in (2, 3):
        with (
            h5py.File(packed) as file,
            VectorReader(file["v"], packed) as reader,
            pytest.raises(FormatError, match=f"chunk {number} holds"),
        ):
            reader.read(number * 2**12, (number + 1) * 2**12)


@pytest.mark.parametrize("direct", [True, False])
def test_read__notices_that_the_file_was_cut_while_it_was_read(packed: Path, tmp_path: Path, direct: bool) -> None:
    if direct:
        packed = tmp_path / "whole.h5"
        with h5py.File(packed, "w") as file:
            file["v"] = np.arange(2**16, dtype=np.int32)
    with h5py.File(packed) as file, VectorReader(file["v"], packed) as reader:
        reader.read(0, 10)
        os.truncate(packed, packed.stat().st_size // 2)
        with pytest.raises(FormatError, match="ends before"):
            reader.read(10, 2**16)


@pytest.mark.parametrize("dtype", [name for name in TYPES if name[0] == "<"])
@pytest.mark.parametrize("largest", [1, 2**7, 2**15, 2**23, 2**31, 2**33])
def test_unshuffled__undoes_the_shuffle(dtype: str, largest: int) -> None:
    values = make_values(dtype, 257, seed=3, largest=largest)
    shuffled = values.view(np.uint8).reshape(len(values), -1).T.tobytes()
    assert np.array_equal(unshuffled(shuffled, np.dtype(dtype)), values, equal_nan=values.dtype.kind == "f")
