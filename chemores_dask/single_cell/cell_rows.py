"""How an analysis looks at the cells it was given: as blocks of rows that fit into memory."""

from __future__ import annotations

import math
from collections.abc import Hashable

import dask.array as da
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.aliases import Rows
from chemores_dask.errors import InputError
from chemores_dask.memory import values_per_block
from chemores_dask.stream.plan import KERNEL_BYTES, Plan, check_fits, plan_rows
from chemores_dask.stream.rows import as_rows

NONZEROS_PER_BLOCK = 2**24
"""Stored values in a block cut from a matrix in memory."""


def check_cells(cells: AnnData, *, caller: str) -> None:
    """Refuse what is not an AnnData.

    Raises
    ------
    InputError
        Saying what was given instead.
    """
    if not isinstance(cells, AnnData):
        message = (
            f"{caller} needs cells as AnnData. Got {type(cells).__name__}; "
            "open a store with open_cells, or wrap the matrix in AnnData."
        )
        raise InputError(message)


def planned_rows(
    cells: AnnData, *, caller: str, state_bytes: int = 0, kernel_bytes: int = KERNEL_BYTES, kept_bytes: int = 0
) -> tuple[Rows, Plan]:
    """The matrix of the cells as rows, once it is known that a pass over them fits into memory.

    Parameters
    ----------
    cells
        ``X`` lazy (CSR blocks of whole rows) or in memory (sparse or dense).
    caller
        The analysis, for messages.
    state_bytes
        What the analysis keeps per block in flight.
    kernel_bytes
        What its kernel holds for each stored value at its peak, besides the block it is given.
    kept_bytes
        What it gathers from all blocks, as long as the cells.

    Returns
    -------
    The rows and the plan of one pass. Nothing is computed.

    Raises
    ------
    InputError
        If there is no matrix.
    BlockTooLargeError
        If the blocks in flight would not fit.
    """
    matrix = cells.X
    if matrix is None:
        message = (
            f"{caller} needs a matrix of cells by genes in X. Found none; put the matrix there, or open the cells anew."
        )
        raise InputError(message)
    if isinstance(matrix, da.Array):
        rows = as_rows(matrix)
        nonzeros_per_row = cells.uns.get("nonzeros_per_cell")
        nonzeros_per_block = cells.uns.get("nonzeros_per_block", 0)
    else:
        nonzeros_per_block = 0
        nonzeros_per_row = _stored(matrix) / max(cells.n_obs, 1)
        values = values_per_block(NONZEROS_PER_BLOCK)
        rows = as_rows(matrix, rows_per_block=max(math.ceil(values / max(nonzeros_per_row, 1)), 1))
    plan = plan_rows(
        rows,
        nonzeros_per_row=nonzeros_per_row,
        nonzeros_per_block=nonzeros_per_block,
        state_bytes=state_bytes,
        kernel_bytes=kernel_bytes,
        kept_bytes=kept_bytes,
    )
    return rows, check_fits(plan)


def labels_of(names: object) -> np.ndarray:
    """Names of cells or genes as coordinates of a result."""
    return np.asarray(names, dtype=object)


def labels_can_be_compared(column: pd.Series) -> bool:
    """Whether the values of a column can be told apart: lists and dictionaries cannot."""
    return column.dtype != object or all(isinstance(value, Hashable) for value in column)


def _stored(matrix: sp.spmatrix | sp.sparray | np.ndarray) -> int:
    return int(matrix.nnz) if sp.issparse(matrix) else int(np.count_nonzero(matrix))
