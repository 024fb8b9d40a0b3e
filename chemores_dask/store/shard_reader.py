"""Windows of a one-dimensional array read straight from its files, every byte held against its checksum.

A shard is a file of compressed chunks with an index of places and sizes at its end. Here the index and each wanted chunk are held
against their CRC32C, and the chunk is decompressed into its place in the array that is returned: one copy, no lock held, any number
of threads. An array that is not stored the way this package stores is left to zarr.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import blosc, zstd

from chemores_dask.aliases import Vector
from chemores_dask.errors import FormatError
from chemores_dask.store.layout import GROUP_FILE

# In the thread that calls, without the lock of the interpreter; zarr asks for the same.
blosc.use_threads = False

ENTRY = 16
"""Bytes of one chunk in the index of a shard: place and size."""

SUM = 4
"""Bytes of a CRC32C."""

ABSENT = 2**64 - 1
"""Place of a chunk that was not written because it holds zeros only."""

BYTES_CODEC = {"name": "bytes", "configuration": {"endian": "little"}}
SUM_CODEC = {"name": "crc32c"}
SMALLEST_BLOSC = 16
TYPES = ("int32", "int64")


@dataclass(frozen=True)
class ArrayFiles:
    """How an array lies in its files.

    Attributes
    ----------
    folder
        Of the array.
    length
        Values in it.
    dtype
        Of the values.
    per_file
        Values in one file.
    chunk
        Values in one chunk.
    sharded
        Whether a file holds chunks and an index; otherwise it is one chunk.
    compressor
        ``"blosc"`` or ``"zstd"``.
    """

    folder: Path
    length: int
    dtype: np.dtype[Any]
    per_file: int
    chunk: int
    sharded: bool
    compressor: str

    def file(self, number: int) -> Path:
        """The file with this number."""
        return self.folder / "c" / str(number)


def array_files(folder: Path) -> ArrayFiles | None:
    """How an array lies in its files; None if that is not the way of this package.

    Parameters
    ----------
    folder
        Of the array.

    Returns
    -------
    What the metadata say; they are parsed again when their file changes.

    Raises
    ------
    FormatError
        If the metadata are missing or damaged.
    """
    file = folder / GROUP_FILE
    try:
        state = file.stat()
    except FileNotFoundError as error:
        message = (
            f"{str(file)!r} must describe a zarr array. It is missing; the store is damaged, restore it from a backup."
        )
        raise FormatError(message) from error
    return _parsed(str(folder), state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=256)
def _parsed(folder: str, *_state: int) -> ArrayFiles | None:
    file = Path(folder) / GROUP_FILE
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        message = f"{str(file)!r} must describe a zarr array. It is not valid JSON; restore it from a backup."
        raise FormatError(message) from error
    try:
        return _understood(Path(folder), described)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _understood(folder: Path, described: Mapping[str, Any]) -> ArrayFiles | None:
    (length,) = described["shape"]
    (per_file,) = described["chunk_grid"]["configuration"]["chunk_shape"]
    codecs = described["codecs"]
    keys = described["chunk_key_encoding"]
    ours = (
        described["node_type"] == "array"
        and described["data_type"] in TYPES
        and described["fill_value"] == 0
        and not described.get("storage_transformers")
        and described["chunk_grid"]["name"] == "regular"
        and keys["name"] == "default"
        and keys.get("configuration", {}).get("separator", "/") == "/"
    )
    chunk, sharded = per_file, codecs[0]["name"] == "sharding_indexed"
    if sharded:
        (sharding,) = codecs
        inner = sharding["configuration"]
        (chunk,) = inner["chunk_shape"]
        codecs = inner["codecs"]
        ours = ours and (inner.get("index_location", "end"), inner["index_codecs"]) == ("end", [BYTES_CODEC, SUM_CODEC])
    first, compression, last = codecs
    compressor = compression["name"]
    if not ours or (first, last) != (BYTES_CODEC, SUM_CODEC) or compressor not in {"blosc", "zstd"}:
        return None
    dtype = np.dtype(described["data_type"]).newbyteorder("<")
    return ArrayFiles(folder, int(length), dtype, int(per_file), int(chunk), sharded, compressor)


def read_bytes(file: Path, offset: int, length: int | None) -> Vector:
    """Fetch some bytes of a file: the one place where shards are read.

    Parameters
    ----------
    file
        Its path.
    offset
        First byte; from the end where negative.
    length
        Bytes; all up to the end if None.

    Returns
    -------
    The bytes; fewer than asked for if the file ends before.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(opened).st_size
        start = max(size + offset, 0) if offset < 0 else min(offset, size)
        fetched = np.empty(size - start if length is None else min(length, size - start), dtype=np.uint8)
        done = 0
        while done < len(fetched):
            got = os.preadv(opened, [fetched[done:].data], start + done)
            if not got:
                return fetched[:done]
            done += got
        return fetched
    finally:
        os.close(opened)


def read_part(files: ArrayFiles, start: int, stop: int) -> Vector:
    """Read the values from one position up to another.

    Parameters
    ----------
    files
        How the array lies in its files.
    start, stop
        Positions in the array; what lies beyond its end but within a file can be read too.

    Returns
    -------
    The values.

    Raises
    ------
    ValueError
        If bytes are not those that were written; it says what is wrong.
    """
    found = np.empty(max(stop - start, 0), dtype=files.dtype)
    while start < stop:
        number, low = divmod(start, files.per_file)
        high = min(low + stop - start, files.per_file)
        place = len(found) - (stop - start)
        _read_file_part(files, number, low, high, found[place : place + high - low])
        start += high - low
    return found


def read_chunks(files: ArrayFiles, number: int, chunks: Vector) -> Iterator[tuple[int, Vector]]:
    """Read some chunks of one file, one after the other.

    Parameters
    ----------
    files
        How the array lies in its files.
    number
        Of the file.
    chunks
        Numbers within the file, ascending.

    Yields
    ------
    Number of the chunk and its values, which hold until the next chunk is asked for.

    Raises
    ------
    ValueError
        If bytes are not those that were written.
    """
    values = np.empty(files.chunk, dtype=files.dtype)
    for chunk, stored in _stored_chunks(files, number, chunks):
        _decode(files, stored, values)
        yield chunk, values


def _read_file_part(files: ArrayFiles, number: int, low: int, high: int, target: Vector) -> None:
    size = files.chunk
    chunks = np.arange(low // size, (high - 1) // size + 1)
    for chunk, stored in _stored_chunks(files, number, chunks):
        begin = chunk * size
        if low <= begin and begin + size <= high:
            _decode(files, stored, target[begin - low : begin - low + size])
        else:
            values = np.empty(size, dtype=files.dtype)
            _decode(files, stored, values)
            first, last = max(low, begin), min(high, begin + size)
            target[first - low : last - low] = values[first - begin : last - begin]


def _stored_chunks(files: ArrayFiles, number: int, chunks: Vector) -> Iterator[tuple[int, Vector | None]]:
    """The compressed bytes of some chunks, held against their checksums; None for a chunk of zeros that was not written."""
    file = files.file(number)
    total = files.per_file // files.chunk
    try:
        if not files.sharded:
            yield 0, _without_sum(read_bytes(file, 0, None), "its only chunk")
            return
        index_bytes = total * ENTRY + SUM
        whole = read_bytes(file, 0, None) if len(chunks) == total else None
        tail = read_bytes(file, -index_bytes, None) if whole is None else whole[-index_bytes:]
    except FileNotFoundError as error:
        message = "is missing or empty"
        raise ValueError(message) from error
    if len(tail) < index_bytes:
        message = "is missing or empty" if not len(tail) else "fails its checksum (it is cut short)"
        raise ValueError(message)
    index = _without_sum(tail, "the index").view("<u8").reshape(total, 2)[chunks]
    written = np.flatnonzero(index[:, 0] != ABSENT)
    if len(written) < len(chunks):
        yield from ((int(chunk), None) for chunk in np.delete(chunks, written))
    places, sizes = index[written, 0].astype(np.int64), index[written, 1].astype(np.int64)
    numbers = chunks[written].tolist()
    for first, last in _runs(places, sizes):
        begin, end = int(places[first]), int(places[last - 1] + sizes[last - 1])
        run = whole[begin:end] if whole is not None else read_bytes(file, begin, end - begin)
        starts = (places[first:last] - begin).tolist()
        for chunk, start, size in zip(numbers[first:last], starts, sizes[first:last].tolist(), strict=True):
            yield chunk, _without_sum(run[start : start + size], f"chunk {chunk}", size)


def _runs(places: Vector, sizes: Vector) -> Iterator[tuple[int, int]]:
    """Chunks that lie one behind the other, so that one read fetches them."""
    breaks = np.flatnonzero(places[1:] != (places + sizes)[:-1]) + 1
    borders = [0, *breaks.tolist(), len(places)] if len(places) else []
    yield from pairwise(borders)


def _without_sum(stored: Vector, what: str, size: int | None = None) -> Vector:
    content = stored[:-SUM]
    if len(stored) < SUM + 1 or (size is not None and len(stored) < size):
        message = (
            "is missing or empty" if size is None and not len(stored) else f"fails its checksum ({what} is cut short)"
        )
        raise ValueError(message)
    if google_crc32c.value(content) != int.from_bytes(stored[-SUM:].tobytes(), "little"):
        message = f"fails its checksum ({what})"
        raise ValueError(message)
    return content


def _decode(files: ArrayFiles, stored: Vector | None, target: Vector) -> None:
    if stored is None:
        target[:] = 0
    elif files.compressor == "zstd":
        decoded = np.frombuffer(zstd.decompress(stored), dtype=files.dtype)
        if len(decoded) != len(target):
            raise ValueError(_WRONG_SIZE)
        target[:] = decoded
    else:
        # Blosc says in its header how many bytes will come; fewer would leave the rest of the target as it was.
        if len(stored) < SMALLEST_BLOSC or int.from_bytes(stored[4:8].tobytes(), "little") != target.nbytes:
            raise ValueError(_WRONG_SIZE)
        blosc.decompress(stored, target)


_WRONG_SIZE = "fails its checksum (a chunk holds another number of values than it should)"
