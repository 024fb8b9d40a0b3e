"""Counts are whole numbers, zero or more, that fit into 32 bits. Everything else is refused here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.errors import CountsError
from chemores_dask.store.raw_counts import LARGEST_COUNT


def first_offence(values: np.ndarray) -> int | None:
    """Find the first value that is not a count.

    Parameters
    ----------
    values
        Numbers of any kind.

    Returns
    -------
    Its position, or None where all are counts.
    """
    if values.size == 0:
        return None
    if values.dtype.kind == "b":
        return None
    if values.dtype.kind in "iu":
        # What a type cannot hold need not be looked for.
        negative = values.dtype.kind == "i" and values.min() < 0
        if negative or (np.iinfo(values.dtype).max > LARGEST_COUNT and values.max() > LARGEST_COUNT):
            return int(np.argmax((values < 0) | (values > LARGEST_COUNT)))
        return None
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int32)
        wrong = whole != values
    if wrong.any() or whole.min() < 0:
        return int(np.argmax(wrong | (whole < 0)))
    return None


def whole_counts(values: np.ndarray, *, where: str, describe: Callable[[int], str] | None = None) -> np.ndarray:
    """Turn numbers into 32-bit counts, or refuse them.

    Parameters
    ----------
    values
        Numbers of any kind; integers stored as floating point are welcome.
    where
        Where they come from, for the message.
    describe
        Tells which entry a position is, for the message.

    Returns
    -------
    The same numbers as int32.

    Raises
    ------
    CountsError
        If a value is negative, fractional, not finite, or above 2**31 - 1.
    """
    position = first_offence(values)
    if position is not None:
        value = values[position]
        if not np.isfinite(value):
            reason = "which is not a number that was counted"
        elif value > LARGEST_COUNT:
            reason = f"which is more than {LARGEST_COUNT:,}"
        elif value < 0:
            reason = "which is negative: the matrix looks scaled or corrected"
        else:
            reason = "which is not whole: the matrix looks normalized"
        entry = "" if describe is None else f" ({describe(position)})"
        message = (
            f"Counts must be whole numbers from 0 to 2**31 - 1. Found {value}{entry} in {where}, {reason}. Pass the "
            "raw counts; "
            "in an .h5ad they may lie in raw or in a layer, which the column 'counts_in' of the sample sheet can name."
        )
        raise CountsError(message)
    return values.astype(np.int32, copy=False)


def check_block(block: Block, *, barcodes: Sequence[str], genes: Sequence[str], where: str) -> Block:
    """Turn a block into 32-bit counts with sorted columns and no stored zeros, or refuse it.

    Parameters
    ----------
    block
        Cells by genes.
    barcodes, genes
        Names, for the message.
    where
        Where the block comes from, for the message.

    Returns
    -------
    The same counts as int32.

    Raises
    ------
    CountsError
        Naming the cell and the gene of the first value that is not a count.
    """

    def describe(position: int) -> str:
        row = int(np.searchsorted(block.indptr, position, side="right")) - 1
        return f"cell {barcodes[row]}, gene {genes[block.indices[position]]}"

    data = whole_counts(block.data, where=where, describe=describe)
    counts = sp.csr_matrix((data, block.indices, block.indptr), shape=block.shape, copy=False)
    if data.size and data.min() == 0:
        counts = counts.copy()
        counts.eliminate_zeros()
    return counts
