"""Compressed sparse matrices inside HDF5 files, read in windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.errors import FormatError
from chemores_dask.ingest.counts_check import whole_counts
from chemores_dask.ingest.h5_vector import VectorReader
from chemores_dask.ingest.row_buckets import Entries
from chemores_dask.ingest.source import BlockLimit, row_windows

PREVIEW = 2**15


def read_offsets(group: h5py.Group, *, lines: int, path: Path) -> np.ndarray:
    """Read where each compressed row (or column) starts, and check that this agrees with the data.

    Parameters
    ----------
    group
        Holds ``data``, ``indices`` and ``indptr``.
    lines
        How many rows (or columns, if compressed by columns) there must be.
    path
        For the message.

    Returns
    -------
    int64 array of ``lines + 1`` offsets.

    Raises
    ------
    FormatError
        If the three arrays do not fit together.
    """
    for name in ("data", "indices", "indptr"):
        if name not in group:
            message = (
                f"{group.name} of {path} must hold data, indices and indptr. {name!r} is absent; write the file again."
            )
            raise FormatError(message)
    offsets = group["indptr"][:].astype(np.int64)
    stored = group["data"].shape[0]
    problem = ""
    if len(offsets) != lines + 1:
        problem = f"{len(offsets):,} offsets for {lines:,} lines"
    elif group["indices"].shape[0] != stored:
        problem = f"{stored:,} values but {group['indices'].shape[0]:,} indices"
    elif offsets[0] != 0 or offsets[-1] != stored or (np.diff(offsets) < 0).any():
        problem = f"offsets that run from {offsets[0]:,} to {offsets[-1]:,} for {stored:,} values"
    if problem:
        message = (
            f"The header of {group.name} in {path} must agree with its data. Found {problem}; the file is damaged, "
            "fetch or write it again."
        )
        raise FormatError(message)
    return offsets


def stream_csr(
    group: h5py.Group, *, offsets: np.ndarray, columns: int, limit: BlockLimit, path: Path
) -> Iterator[Block]:
    """Read a matrix that is compressed by rows.

    Parameters
    ----------
    group
        Holds ``data`` and ``indices``.
    offsets
        Where each row starts.
    columns
        Width of the matrix.
    limit
        How large a block may be.
    path
        For the message.

    Yields
    ------
    Blocks of whole rows.
    """
    with VectorReader(group["data"], path) as data, VectorReader(group["indices"], path) as indices:
        for start, stop in row_windows(offsets, limit):
            first, last = int(offsets[start]), int(offsets[stop])
            places = _checked_indices(indices.read(first, last), group, size=columns, path=path)
            pointers = (offsets[start : stop + 1] - first).astype(np.int32 if last - first < 2**31 else np.int64)
            yield sp.csr_matrix((data.read(first, last), places, pointers), shape=(stop - start, columns))


def entries_by_column(
    group: h5py.Group, *, offsets: np.ndarray, rows: int, limit: BlockLimit, path: Path
) -> Iterator[Entries]:
    """Read a matrix that is compressed by columns, as entries.

    Parameters
    ----------
    group
        Holds ``data`` and ``indices``.
    offsets
        Where each column starts.
    rows
        Height of the matrix.
    limit
        How many values may be read at a time.
    path
        For the message.

    Yields
    ------
    Row numbers, column numbers and counts.
    """
    for first in range(0, int(offsets[-1]), limit.nonzeros):
        window = slice(first, min(first + limit.nonzeros, int(offsets[-1])))
        row = _checked_indices(group["indices"][window], group, size=rows, path=path)
        inside = np.diff(np.clip(offsets, window.start, window.stop))
        column = np.repeat(np.arange(len(inside), dtype=np.int32), inside)

        def describe(position: int, row: np.ndarray = row, column: np.ndarray = column) -> str:
            return f"row {row[position] + 1}, column {column[position] + 1}"

        yield row, column, whole_counts(group["data"][window], where=f"{group.name} of {path}", describe=describe)


def preview(values: h5py.Dataset) -> np.ndarray:
    """Read some values from the beginning, the middle and the end of a one-dimensional array."""
    size = values.shape[0]
    if size <= 3 * PREVIEW:
        return values[:]
    middle = size // 2
    return np.concatenate([values[:PREVIEW], values[middle : middle + PREVIEW], values[size - PREVIEW :]])


def texts(values: h5py.Dataset) -> np.ndarray:
    """Read an array of texts, whatever way they are stored."""
    return decoded(values[:])


def decoded(values: np.ndarray) -> np.ndarray:
    """Turn bytes in an array in memory into texts."""
    if values.dtype.kind == "S":
        # Several times faster than decoding by numpy.
        return np.array([item.decode() for item in values.ravel().tolist()], dtype=object).reshape(values.shape)
    return np.array([item.decode() if isinstance(item, bytes) else str(item) for item in values.ravel()], dtype=object)


def _checked_indices(indices: np.ndarray, group: h5py.Group, *, size: int, path: Path) -> np.ndarray:
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        found = int(indices.max() if indices.max() >= size else indices.min())
        message = (
            f"Indices of {group.name} in {path} must lie between 0 and {size - 1:,}. Found {found:,}; the file is "
            "damaged, fetch it again."
        )
        raise FormatError(message)
    return indices.astype(np.int32, copy=False)
