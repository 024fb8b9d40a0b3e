"""A CSR matrix in whole shards: one writer per shard, every shard read back, windows of rows read with their checksums.

The matrix lies as AnnData wants it: ``data`` (int32), ``indices`` (int32), ``indptr`` (int64). While it is written, ``data`` and
``indices`` are a whole number of shards long; :func:`finish_matrix` trims them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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
from chemores_dask.store.shard_reader import array_files, read_part

POINTER_TYPE = np.dtype(np.int64)
COUNT_ARRAYS = ("data", "indices")
SAMPLE = "sample"

UNREADABLE = (ValueError, RuntimeError, IndexError)
"""What reading raises for bytes that are not those written: our reader ValueError, zarr and the codecs any of these."""


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
        whole = _padded(values, size)
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


def _padded(values: Vector, size: int) -> Vector:
    if len(values) == size:
        return values
    whole = np.zeros(size, dtype=COUNT_TYPE)
    whole[: len(values)] = values
    return whole


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
    try:
        return read_values(folder, start, stop)
    except UNREADABLE as error:
        size = shard_size(folder)
        raise ChecksumError(damage_text(folder, range(start // size, (stop - 1) // size + 1))) from error


def read_values(folder: Path, start: int, stop: int) -> Vector:
    """Read the values of an array from one position up to another, straight from its files where it is stored our way.

    Parameters
    ----------
    folder
        Of the array.
    start, stop
        Positions, the last one excluded.

    Returns
    -------
    The values.

    Raises
    ------
    ValueError, RuntimeError, IndexError
        If bytes on disk are not those that were written.
    """
    files = array_files(folder)
    if files is not None:
        return read_part(files, start, stop)
    array = open_array(folder)
    values = np.asarray(array[start:stop])
    size = shard_size(folder)
    # For zarr a missing file is full of zeros.
    if any(is_lost(shard_file(folder, number)) for number in range(start // size, (stop - 1) // size + 1)):
        message = "is missing or empty"
        raise ValueError(message)
    return values


def shard_size(folder: Path) -> int:
    """Values in one file of an array."""
    return _sizes(folder)[1]


def shard_window(folder: Path, number: int) -> tuple[int, int]:
    """Positions of the values of one file: first, and last (excluded)."""
    length, size = _sizes(folder)
    return number * size, min((number + 1) * size, length)


def _sizes(folder: Path) -> tuple[int, int]:
    files = array_files(folder)
    if files is not None:
        return files.length, files.per_file
    array = open_array(folder)
    (size,) = array.shards or array.chunks
    return int(array.shape[0]), int(size)


def damage_text(folder: Path, numbers: Iterable[int]) -> str:
    """Say which of some shards of the cells are damaged, and whose cells lie in them."""
    broken = [(number, reason) for number in numbers if (reason := shard_damage(folder, number))]
    named = "; ".join(
        f"{str(shard_file(folder, number))!r} (samples: {listed(cells_of_shard(folder.parents[1], number)[2])}) {reason}"
        for number, reason in broken[:4]
    )
    found = named or f"a shard of {str(folder)!r} could not be read, but can be now"
    return (
        f"The bytes of a shard must be those that were written. Found: {found}. "
        "Restore the file from a backup, or ingest again; verify_cells lists all damage."
    )


def shard_damage(folder: Path, number: int) -> str:
    """Why a shard cannot be read; empty if it can."""
    if is_lost(shard_file(folder, number)):
        return "is missing or empty"
    try:
        read_values(folder, *shard_window(folder, number))
    except UNREADABLE as error:
        return str(error) if "checksum" in str(error) else f"fails its checksum ({error})"
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
    size = shard_size(matrix / COUNT_ARRAYS[0])
    rows = open_array(matrix / "indptr").shape[0] - 1
    pointers = read_pointers(matrix, 0, rows)
    first = int(np.searchsorted(pointers, number * size, side="right")) - 1
    last = min(int(np.searchsorted(pointers, (number + 1) * size, side="left")), rows)
    return first, last, samples_of(cells, first, last)


def samples_of(cells: Path, first: int, last: int) -> tuple[str, ...]:
    """Samples of some rows, in order; none if the table of cells does not name them."""
    if SAMPLE not in (group_attributes(cells / "obs") or {}).get("column-order", ()):
        return ()
    samples = read_elem(zarr.open_group(cells / "obs", mode="r")[SAMPLE])[first:last]
    return tuple(dict.fromkeys(str(sample) for sample in samples))


def read_pointers(folder: Path, first: int, last: int) -> Vector:
    """Pointers of the rows from ``first`` up to ``last``: one more than rows."""
    array = folder / "indptr"
    try:
        return read_values(array, first, last + 1)
    except UNREADABLE as error:
        size = shard_size(array)
        lost = any(is_lost(shard_file(array, number)) for number in range(first // size, last // size + 1))
        found = "lacks a chunk" if lost else f"fails its checksum ({error})"
        raise ChecksumError(_pointer_damage(folder, found)) from error


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
