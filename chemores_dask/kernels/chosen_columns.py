"""Some columns of a block of rows, as they are or as logarithms of scaled counts: the others are read once and never written."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block, Columns, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_counts import require_counts

DROPPED = -1
"""Position of a column that is not chosen."""

SMALL_COUNTS = 32
"""Logarithms of counts below this are taken once per row: most counts are 1, 2 or 3."""

EXPECTED_SHARE = 8
"""Room is made for one entry in this many at first; it grows where more are chosen."""


@jit
def grown(values: Vector, used: int, least: int) -> Vector:
    """An array with room for more.

    Parameters
    ----------
    values
        The array.
    used
        Entries to keep.
    least
        Entries it must have room for.

    Returns
    -------
    A longer array of the same type that begins with the entries kept.
    """
    longer = np.empty(max(least, 2 * len(values)), dtype=values.dtype)
    longer[:used] = values[:used]
    return longer


@jit
def select_columns_of_rows(
    indptr: Vector, indices: Vector, values: Vector, positions: Vector
) -> tuple[Vector, Vector, Vector]:
    """Keep some columns of CSR rows.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    positions
        New number of each column; negative where it is dropped.

    Returns
    -------
    Row starts, columns and values that are kept, in the order of the old ones.
    """
    new_indptr = np.zeros(len(indptr), dtype=np.int64)
    new_indices = np.empty(len(indices) // EXPECTED_SHARE + 1, dtype=np.int32)
    new_values = np.empty(len(new_indices), dtype=values.dtype)
    target = 0
    for row in range(len(indptr) - 1):
        start, stop = indptr[row], indptr[row + 1]
        # One entry more, because every entry is written before it is known whether it is kept.
        if target + stop - start + 1 > len(new_indices):
            new_indices = grown(new_indices, target, target + stop - start + 1)
            new_values = grown(new_values, target, len(new_indices))
        target = compress_row(indices, values, start, stop, positions, new_indices, new_values, target)
        new_indptr[row + 1] = target
    return new_indptr, new_indices[:target].copy(), new_values[:target].copy()


@jit
def compress_row(
    indices: Vector,
    values: Vector,
    start: int,
    stop: int,
    positions: Vector,
    new_indices: Vector,
    new_values: Vector,
    target: int,
) -> int:
    """Write the chosen entries of one row, without a branch that would be guessed wrongly.

    Parameters
    ----------
    indices, values
        All entries.
    start, stop
        The row.
    positions
        New number of each column; negative where it is dropped.
    new_indices, new_values
        Written to.
    target
        Where to begin there.

    Returns
    -------
    Where the next row begins.
    """
    # Unsigned numbers spare the question whether an index counts from the end.
    place = np.uint64(target)
    for entry in range(np.uint64(start), np.uint64(stop)):
        position = positions[np.uint32(indices[entry])]
        new_indices[place] = position
        new_values[place] = values[entry]
        place += np.uint64(position >= 0)
    last: int = np.int64(place)  # type: ignore[assignment, unused-ignore]
    return last


@jit
def log_scale_chosen(
    indptr: Vector, indices: Vector, values: Vector, positions: Vector, target_sum: float
) -> tuple[Vector, Vector, Vector, int]:
    """Keep some columns of CSR counts as log1p(count * target_sum / total of the row over all columns).

    Parameters
    ----------
    indptr, indices, values
        The rows.
    positions
        New number of each column; negative where it is dropped.
    target_sum
        Sum to which every row is scaled.

    Returns
    -------
    Row starts, columns and values that are kept, and whether a count was negative (then below 0).
    """
    new_indptr = np.zeros(len(indptr), dtype=np.int64)
    new_indices = np.empty(len(indices) // EXPECTED_SHARE + 1, dtype=np.int32)
    new_values = np.empty(len(new_indices), dtype=np.float32)
    table = np.empty(SMALL_COUNTS, dtype=np.float64)
    counts = np.empty(1, dtype=values.dtype)
    lowest = 0
    target = 0
    for row in range(len(indptr) - 1):
        start, stop = indptr[row], indptr[row + 1]
        total = 0
        for entry in range(np.uint64(start), np.uint64(stop)):
            count = int(values[entry])
            total += count
            lowest |= count
        if target + stop - start + 1 > len(new_indices):
            new_indices = grown(new_indices, target, target + stop - start + 1)
            new_values = grown(new_values, target, len(new_indices))
        if stop - start + 1 > len(counts):
            counts = np.empty(2 * (stop - start) + 1, dtype=values.dtype)
        kept = compress_row(indices, values, start, stop, positions, new_indices[target:], counts, 0)
        factor = target_sum / total if total > 0 else 0.0
        table[:] = -1.0
        for entry in range(kept):
            count = int(counts[entry])
            if count < 0 or count >= SMALL_COUNTS:
                new_values[target + entry] = math.log1p(count * factor) if count > 0 else 0.0
                continue
            if table[count] < 0.0:
                table[count] = math.log1p(count * factor)
            new_values[target + entry] = table[count]
        target += kept
        new_indptr[row + 1] = target
    return new_indptr, new_indices[:target].copy(), new_values[:target].copy(), lowest


def chosen_width(positions: Vector) -> int:
    """Number of chosen columns."""
    return int(np.max(positions, initial=DROPPED)) + 1


@dataclass(frozen=True)
class ChosenColumns:
    """Keeps some columns of a block of rows.

    Attributes
    ----------
    positions
        New number of each column, in ascending order; -1 where it is dropped.
    """

    positions: Vector

    def __call__(self, rows: Block, columns: Columns) -> Block:
        """The chosen columns, of the same type."""
        del columns
        values = _plain_values(rows.data)
        indptr, indices, kept = select_columns_of_rows(rows.indptr, rows.indices, values, self.positions)
        return _as_block(kept.astype(rows.data.dtype, copy=False), indices, indptr, width=chosen_width(self.positions))


@dataclass(frozen=True)
class ChosenLogScale:
    """Scales counts to the same total in each row and takes logarithms, of some columns only.

    Attributes
    ----------
    target_sum
        Sum to which every row is scaled.
    positions
        New number of each column, in ascending order; -1 where it is dropped.
    """

    target_sum: float
    positions: Vector

    def __call__(self, rows: Block, columns: Columns) -> Block:
        """The chosen columns as float32: the bits of scaling all columns and choosing afterwards."""
        del columns
        if rows.data.dtype != np.int32:
            rows = require_counts(rows)
        indptr, indices, values, lowest = log_scale_chosen(
            rows.indptr, rows.indices, rows.data, self.positions, self.target_sum
        )
        if lowest < 0:
            require_counts(rows)
        return _as_block(values, indices, indptr, width=chosen_width(self.positions))


def _plain_values(values: Vector) -> Vector:
    if values.dtype.name in ("int32", "int64", "float32", "float64"):
        return values
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def _as_block(values: Vector, indices: Vector, indptr: Vector, *, width: int) -> Block:
    if len(indices) < 2**31:
        indptr = indptr.astype(np.int32)
    block = sp.csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, width))
    # As canonical as the rows were: columns keep their order.
    block.has_canonical_format = True
    return block
