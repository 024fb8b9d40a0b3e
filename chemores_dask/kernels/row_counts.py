"""Blocks of raw counts: what they may hold, and the plain arrays that kernels walk over."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Block, Vector
from chemores_dask.errors import CountsError
from chemores_dask.kernels.jit import jit

LARGEST_COUNT = 2**31 - 1
"""Counts are stored as int32."""


def require_counts(rows: Block) -> Block:
    """Refuse a block that does not hold raw counts.

    Parameters
    ----------
    rows
        Block of cells by genes, of integers or of floats with whole values.

    Returns
    -------
    The block; its values in one of the types for which kernels are compiled (32- and 64-bit integers and floats).

    Raises
    ------
    CountsError
        If a value is negative, fractional, not a number, or above ``LARGEST_COUNT``.
    """
    values = rows.data
    if values.dtype.name not in ("int32", "int64", "float32", "float64"):
        values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
        rows = type(rows)((values, rows.indices, rows.indptr), shape=rows.shape)
    wrong = first_wrong_count(values)
    if wrong >= 0:
        message = (
            f"Counts must be whole numbers from 0 to {LARGEST_COUNT}. Found {values[wrong]}; pass raw counts in X "
            "(not normalized, scaled or corrected ones), or round corrected counts first."
        )
        raise CountsError(message)
    return rows


def plain_counts(rows: Block) -> tuple[Vector, Vector, Vector]:
    """Counts and their genes as int32, and the starts of the rows as int64.

    Parameters
    ----------
    rows
        Block of counts. The values of an int32 block are taken as they are: whoever walks over them looks for negative ones.

    Returns
    -------
    Values, indices and starts of rows; views where the types are right.

    Raises
    ------
    CountsError
        If a value of another type is not a count.
    """
    values = rows.data
    if values.dtype != np.int32:
        values = require_counts(rows).data.astype(np.int32)
    return values, rows.indices.astype(np.int32, copy=False), rows.indptr.astype(np.int64, copy=False)


@jit
def first_wrong_count(values: Vector) -> int:
    """Position of the first value that is not a count, or -1."""
    for position in range(len(values)):
        value = values[position]
        # The comparison is also false for a value that is not a number.
        if not (0 <= value <= LARGEST_COUNT) or int(value) != value:
            return position
    return -1
