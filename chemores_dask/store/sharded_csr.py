"""A CSR matrix in whole shards: one writer per shard, every shard read back, windows of rows read with their checksums.

The matrix lies as AnnData wants it: ``data`` (int32), ``indices`` (int32), ``indptr`` (int64). While it is written, ``data`` and
``indices`` are a whole number of shards long; :func:`finish_matrix` trims them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import zarr
from anndata.io import read_elem

from chemores_dask.aliases import Block, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import ChecksumError
from chemores_dask.store.layout import (
    FAST_PIPELINE,
    PLAIN_PIPELINE,
    POINTER_CHUNK,
    Geometry,
    count_codecs,
    group_attributes,
    open_array,
    plain_codecs,
)
from chemores_dask.store.raw_counts import COUNT_TYPE, LARGEST_COUNT

POINTER_TYPE = np.dtype(np.int64)
COUNT_ARRAYS = ("data", "indices")
SAMPLE = "sample"

UNREADABLE = (ValueError, RuntimeError, IndexError)
"""What the two codec pipelines raise for bytes that are not those written."""

WORTH_WHOLE = 0.3
"""Share of a shard above which decoding all of it with the fast pipeline beats decoding some chunks with the plain one."""


@dataclass(frozen=True)
class ShardChecksums:
    """Checksums of one shard's decoded content, padding included.

    Attributes
    ----------
    number
        Of the shard.
    data, indices
        First eight bytes of BLAKE2b.
    """

    number: int
    data: int
    indices: int


def checksum(values: Vector) -> int:
    """Name the content of an array by 64 bits."""
    digest = hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=8).digest()
    return int.from_bytes(digest, "little")


def create_matrix(group: zarr.Group, *, geometry: Geometry, shards: int) -> None:
    """Make the arrays of an unfinished matrix, with room for some shards."""
    for name in COUNT_ARRAYS:
        group.create_array(
            name,
            shape=(shards * geometry.shard,),
            chunks=(geometry.chunk,),
            shards=(geometry.shard,),
            dtype=COUNT_TYPE,
            compressors=count_codecs(),
            fill_value=0,
            overwrite=True,
        )


def grow_matrix(folder: Path, *, shards: int) -> None:
    """Give an unfinished matrix room for at least this many shards."""
    for name in COUNT_ARRAYS:
        array = open_array(folder / name, mode="r+")
        (size,) = array.shards or array.chunks
        if array.shape[0] < shards * size:
            array.resize((shards * size,))


def finish_matrix(folder: Path, *, row_nonzeros: Vector, genes: int) -> Vector:
    """Trim the arrays to what was written, and write the pointers and the attributes AnnData looks for.

    Parameters
    ----------
    folder
        Of the matrix.
    row_nonzeros
        Stored counts of each row.
    genes
        Columns.

    Returns
    -------
    The pointers: int64, one more than rows.
    """
    pointers = np.zeros(len(row_nonzeros) + 1, dtype=POINTER_TYPE)
    np.cumsum(row_nonzeros, out=pointers[1:])
    group = zarr.open_group(folder, mode="r+")
    for name in COUNT_ARRAYS:
        open_array(folder / name, mode="r+").resize((int(pointers[-1]),))
    group.create_array(
        "indptr",
        shape=pointers.shape,
        chunks=(POINTER_CHUNK,),
        dtype=POINTER_TYPE,
        compressors=plain_codecs(),
        overwrite=True,
    )
    open_array(folder / "indptr", mode="r+")[:] = pointers
    group.attrs.update(
        {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [len(row_nonzeros), int(genes)]}
    )
    return pointers


def write_shard(folder: Path, *, number: int, data: Vector, indices: Vector) -> ShardChecksums:
    """Write one whole shard of both arrays, read it back, and name its content.

    Parameters
    ----------
    folder
        Of the matrix, with room for the shard.
    number
        Of the shard.
    data, indices
        Its counts and columns; a last, shorter one is padded with zeros.

    Returns
    -------
    Checksums of what is on disk.

    Raises
    ------
    ChecksumError
        If what was read back is not what was written.
    """
    sums = []
    for name, values in zip(COUNT_ARRAYS, (data, indices), strict=True):
        plain = open_array(folder / name)
        (size,) = plain.shards or plain.chunks
        whole = np.zeros(size, dtype=COUNT_TYPE)
        whole[: len(values)] = values
        # The fast pipeline writes no file for a shard of zeros (zarrs 0.2.3); a file is wanted, so that a missing one is a lost one.
        pipeline = FAST_PIPELINE if whole.any() else PLAIN_PIPELINE
        array = open_array(folder / name, pipeline=pipeline, mode="r+")
        window = slice(number * size, (number + 1) * size)
        array[window] = whole
        try:
            found = array[window]
        except UNREADABLE as error:
            raise ChecksumError(_write_failure(folder / name, number)) from error
        if not np.array_equal(found, whole):
            raise ChecksumError(_write_failure(folder / name, number))
        sums.append(checksum(whole))
    return ShardChecksums(number, *sums)


def _write_failure(array: Path, number: int) -> str:
    return (
        f"A written shard must read back as it was written. Shard {number} of {str(array)!r} does not; "
        "check the disk and its free space, then run the same command again."
    )


def shard_file(array: Path, number: int) -> Path:
    """The file of one shard."""
    return array / "c" / str(number)


def is_lost(file: Path) -> bool:
    """Whether a shard is missing or empty, which zarr takes for zeros."""
    return not file.is_file() or file.stat().st_size == 0


def read_window(folder: Path, start: int, stop: int) -> tuple[Vector, Vector]:
    """Read counts and columns at some positions, held against the checksums in the shards.

    Parameters
    ----------
    folder
        Of the matrix.
    start, stop
        Positions among all stored counts.

    Returns
    -------
    Counts and columns, int32.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written; the message names the file.
    """
    data, indices = (_read_array(folder / name, start, stop) for name in COUNT_ARRAYS)
    return data, indices


def _read_array(folder: Path, start: int, stop: int) -> Vector:
    if stop <= start:
        return np.empty(0, dtype=COUNT_TYPE)
    plain = open_array(folder)
    (size,) = plain.shards or plain.chunks
    numbers = range(start // size, (stop - 1) // size + 1)
    try:
        parts = _read_parts(plain, folder, start, stop)
    except UNREADABLE as error:
        raise ChecksumError(_damage(plain, folder, numbers)) from error
    if any(is_lost(shard_file(folder, number)) for number in numbers):
        raise ChecksumError(_damage(plain, folder, numbers))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read_parts(plain: zarr.Array[Any], folder: Path, start: int, stop: int) -> list[Vector]:
    # The fast pipeline verifies the checksums of chunks only where a whole shard is asked for (zarrs 0.2.3): wrong bytes in a part of
    # a shard come back without an error. So it reads whole shards, and the plain pipeline reads the short ends.
    (size,) = plain.shards or plain.chunks
    whole = plain.shape[0] // size
    first, last = start // size, min(-(-stop // size), whole)
    if first < last and (first + 1) * size - start < WORTH_WHOLE * size:
        first += 1
    if first < last and stop < last * size and stop - (last - 1) * size < WORTH_WHOLE * size:
        last -= 1
    if first >= last or stop - start < WORTH_WHOLE * size:
        return [np.asarray(plain[start:stop])]
    parts = []
    if start < first * size:
        parts.append(np.asarray(plain[start : first * size]))
    low, high = max(start, first * size), min(stop, last * size)
    fast = open_array(folder, pipeline=FAST_PIPELINE)
    parts.append(np.asarray(fast[first * size : last * size])[low - first * size : high - first * size])
    if high < stop:
        parts.append(np.asarray(plain[high:stop]))
    return parts


def _damage(plain: zarr.Array[Any], folder: Path, numbers: range) -> str:
    broken = [(number, reason) for number in numbers if (reason := shard_damage(plain, folder, number))]
    named = "; ".join(
        f"{str(shard_file(folder, number))!r} (samples: {listed(cells_of_shard(folder.parents[1], number)[2])}) {reason}"
        for number, reason in broken[:4]
    )
    found = named or f"a shard of {str(folder)!r} could not be read, but can be now"
    return (
        f"The bytes of a shard must be those that were written. Found: {found}. "
        "Restore the file from a backup, or ingest again; verify_cells lists all damage."
    )


def shard_damage(array: zarr.Array[Any], folder: Path, number: int) -> str:
    """Why a shard cannot be read; empty if it can."""
    (size,) = array.shards or array.chunks
    file = shard_file(folder, number)
    if is_lost(file):
        return "is missing or empty"
    try:
        array[number * size : min((number + 1) * size, array.shape[0])]
    except UNREADABLE as error:
        return f"fails its checksum ({error})"
    return ""


def cells_of_shard(cells: Path, number: int) -> tuple[int, int, tuple[str, ...]]:
    """Find the rows that have counts in a shard.

    Parameters
    ----------
    cells
        Folder of the AnnData.
    number
        Of the shard.

    Returns
    -------
    First row, last row (excluded), and the samples of these rows in order; no samples if the table of cells does not name them.
    """
    matrix = cells / "X"
    array = open_array(matrix / COUNT_ARRAYS[0])
    (size,) = array.shards or array.chunks
    rows = open_array(matrix / "indptr").shape[0] - 1
    pointers = read_pointers(matrix, 0, rows)
    first = int(np.searchsorted(pointers, number * size, side="right")) - 1
    last = min(int(np.searchsorted(pointers, (number + 1) * size, side="left")), rows)
    if SAMPLE not in (group_attributes(cells / "obs") or {}).get("column-order", ()):
        return first, last, ()
    samples = read_elem(zarr.open_group(cells / "obs", mode="r")[SAMPLE])[first:last]
    return first, last, tuple(dict.fromkeys(str(sample) for sample in samples))


def read_pointers(folder: Path, first: int, last: int) -> Vector:
    """Pointers of the rows from ``first`` up to ``last``: one more than rows."""
    array = open_array(folder / "indptr")
    (size,) = array.chunks
    try:
        pointers = np.asarray(array[first : last + 1])
    except UNREADABLE as error:
        raise ChecksumError(_pointer_damage(folder, f"fails its checksum ({error})")) from error
    if any(is_lost(shard_file(folder / "indptr", number)) for number in range(first // size, last // size + 1)):
        raise ChecksumError(_pointer_damage(folder, "lacks a chunk"))
    return pointers


def _pointer_damage(folder: Path, found: str) -> str:
    return (
        f"The pointers of the rows must be those that were written. {str(folder / 'indptr')!r} {found}. "
        "Restore the file from a backup, or ingest again."
    )


def read_rows(folder: Path, first: int, last: int, *, genes: int) -> Block:
    """Read some whole rows.

    Parameters
    ----------
    folder
        Of the matrix.
    first, last
        Rows, the last one excluded.
    genes
        Columns.

    Returns
    -------
    CSR matrix of int32 in canonical form; its pointers start at 0, in 32 bits where they fit.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written.
    """
    pointers = read_pointers(folder, first, last)
    start, stop = int(pointers[0]), int(pointers[-1])
    data, indices = read_window(folder, start, stop)
    local = pointers - start
    if stop - start <= LARGEST_COUNT:
        local = local.astype(COUNT_TYPE)
    rows = sp.csr_matrix((data, indices, local), shape=(last - first, genes))
    rows.has_canonical_format = True
    return rows
