"""Raw counts in the one form that is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block, Vector
from chemores_dask.errors import CountsError

COUNT_TYPE = np.dtype(np.int32)
LARGEST_COUNT = int(np.iinfo(COUNT_TYPE).max)


def canonical_counts(block: Any) -> Block:
    """Bring a block of counts to the one form that is stored.

    Parameters
    ----------
    block
        Rows of counts, sparse or dense, of any number type.

    Returns
    -------
    CSR matrix of int32: columns sorted within rows, no duplicates, no stored zeros. The block itself is not changed.

    Raises
    ------
    CountsError
        If a value is negative, not a whole number, not finite, or larger than an int32 holds.
    """
    matrix = sp.csr_matrix(block)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    values = matrix.data
    if values.size:
        _check_counts(values)
    kept = values != 0
    if kept.all():
        counts = sp.csr_matrix(
            (values.astype(COUNT_TYPE, copy=False), matrix.indices.astype(COUNT_TYPE, copy=False), matrix.indptr),
            shape=matrix.shape,
        )
    else:
        pointers = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
        counts = sp.csr_matrix(
            (values[kept].astype(COUNT_TYPE), matrix.indices[kept].astype(COUNT_TYPE), pointers), shape=matrix.shape
        )
    counts.has_canonical_format = True
    return counts


def _check_counts(values: Vector) -> None:
    if values.dtype.kind not in "iufb":
        message = f"Counts must be whole numbers. Found values of type {values.dtype}; pass raw counts."
        raise CountsError(message)
    if values.dtype.kind == "f":
        wrong = values[~(np.isfinite(values) & (values == np.floor(values)))]
        if wrong.size:
            message = (
                f"Counts must be whole numbers. Found {wrong.size:,} values that are not, for example {wrong[0]:.6g}; "
                "pass raw counts, not normalized or log-transformed ones."
            )
            raise CountsError(message)
    smallest, largest = values.min(), values.max()
    if smallest < 0:
        message = f"Counts must not be negative. Found {smallest:.6g}; pass raw counts, not scaled or corrected ones."
        raise CountsError(message)
    if largest > LARGEST_COUNT:
        message = f"Counts must not exceed {LARGEST_COUNT:,}. Found {largest:.6g}; check the source of the matrix."
        raise CountsError(message)
