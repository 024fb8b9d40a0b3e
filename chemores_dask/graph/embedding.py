"""Embeddings, as the analyses of this room read them: cells by components, lazily, in blocks of whole rows."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import InputError, MissingVariableError

CELL = "cell"
DIMS = (CELL, "component")

ROWS_PER_BLOCK = 2**16
"""Cells in a block: the grid is the same whatever blocks the embedding came in, so results do not depend on these."""


def embedding_of(cells: xr.Dataset | xr.DataArray, *, embedding: str | None = None, caller: str) -> xr.DataArray:
    """Find the embedding in what an analysis was given.

    Parameters
    ----------
    cells
        Dataset with variables over ``cell``, such as the result of ``pca``, or the embedding itself.
    embedding
        Name of the variable over ``cell`` and ``component``; not needed where there is only one.
    caller
        The analysis, for messages.

    Returns
    -------
    DataArray over ``cell`` and ``component`` with real numbers; lazy ones stay lazy.

    Raises
    ------
    InputError
        If there is nothing over ``cell`` and ``component``, or it does not hold real numbers.
    MissingVariableError
        If the variable is not there, or several could be meant.
    """
    if isinstance(cells, xr.DataArray):
        found = cells
    elif isinstance(cells, xr.Dataset):
        found = _variable_of(cells, embedding, caller=caller)
    else:
        message = (
            f"{caller} needs a Dataset over cells, such as the result of pca. Got {type(cells).__name__}; "
            "make one with xarray.Dataset({'pca_scores': (('cell', 'component'), scores)})."
        )
        raise InputError(message)
    if found.dims != DIMS or found.dtype.kind not in "fiu":
        message = (
            f"The embedding of {caller} must run over {DIMS} and hold real numbers. "
            f"{found.name!r} runs over {found.dims} and is {found.dtype}."
        )
        raise InputError(message)
    if not found.sizes["component"]:
        message = f"The embedding of {caller} must have a component. {found.name!r} has none; compute at least one."
        raise InputError(message)
    return found


def embedding_blocks(embedding: xr.DataArray, *, rows_per_block: int = ROWS_PER_BLOCK) -> da.Array:
    """Look at an embedding as float32 blocks of whole rows, cut along a grid of their own.

    Parameters
    ----------
    embedding
        Over ``cell`` and ``component``.
    rows_per_block
        Cells in a block.

    Returns
    -------
    Dask array of float32, cells by components. Nothing is computed; a block that holds NaN or infinity raises :class:`InputError`
    when it is.
    """
    data = embedding.data
    chunks = (rows_per_block, max(data.shape[1], 1))
    rows = data.rechunk(chunks) if isinstance(data, da.Array) else da.from_array(np.asarray(data), chunks=chunks)
    return rows.map_blocks(_finite, dtype=np.float32, meta=np.empty((0, 0), dtype=np.float32))


def _finite(block: Matrix) -> Matrix:
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(block, dtype=np.float32)
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        message = (
            f"An embedding must hold finite numbers. {len(rows):,} of {len(values):,} cells of a block have NaN, infinity, or numbers "
            f"beyond float32; the first stands in row {rows[0]:,} of the block. Drop these cells, or compute the embedding again."
        )
        raise InputError(message)
    return values


def _variable_of(cells: xr.Dataset, embedding: str | None, *, caller: str) -> xr.DataArray:
    if embedding is not None:
        check_variables(cells, [embedding], dims=DIMS, what="the result", caller=caller)
        return cells[embedding]
    candidates = [str(name) for name in cells.data_vars if cells[name].dims == DIMS]
    if len(candidates) != 1:
        message = f"{caller} needs one variable over {DIMS}. Found: {listed(candidates)}; name one with the parameter 'embedding'."
        raise MissingVariableError(message)
    return cells[candidates[0]]
