"""Some columns of lazy rows, chosen below the last mapping where that mapping offers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import dask.array as da
import scipy.sparse as sp
from dask.blockwise import Blockwise

from chemores_dask.aliases import Block, Columns, Rows, Vector
from chemores_dask.errors import ParameterError
from chemores_dask.kernels.chosen_columns import ChosenColumns, chosen_width
from chemores_dask.stream.rows import block_dtype, call_with_columns


@runtime_checkable
class Selectable(Protocol):
    """A kernel of ``map_rows`` that can do its work for some columns only."""

    def select(self, positions: Vector) -> Callable[[Block, Columns], Block]:
        """The kernel that takes a whole block and gives the chosen columns of what this kernel gives, to the bit."""


def select_columns(rows: Rows, positions: Vector) -> Rows:
    """Some columns of rows, lazily.

    Where the rows come from ``map_rows`` and a kernel that offers :class:`Selectable`, the kernel makes the chosen columns only
    (logarithms of chosen genes, scaled by the total of all); elsewhere the other columns are dropped from each block.

    Parameters
    ----------
    rows
        Cells by genes.
    positions
        For each column its number among those chosen, which keep their order; -1 where it is dropped.

    Returns
    -------
    Rows with the chosen columns, in the same blocks and of the same type.
    """
    if positions.shape != (rows.shape[1],):
        message = f"Positions must have one entry for each of the {rows.shape[1]} columns. Got shape {positions.shape}."
        raise ParameterError(message)
    source, kernel = _below_selectable(rows)
    chosen = ChosenColumns(positions) if kernel is None else kernel.select(positions)
    width = chosen_width(positions)
    dtype = block_dtype(rows.dtype)
    return da.map_blocks(
        call_with_columns,
        source,
        dtype=dtype,
        meta=sp.csr_matrix((0, width), dtype=dtype),
        chunks=(rows.chunks[0], (width,)),
        function=chosen,
        names=(),
    )


def _below_selectable(rows: Rows) -> tuple[Rows, Selectable | None]:
    layer = rows.dask.layers.get(rows.name)
    if not isinstance(layer, Blockwise) or len(layer.indices) != 1:
        return rows, None
    function, kernel = _called(layer.task)
    ((name, _),) = layer.indices
    if function is not call_with_columns or not isinstance(kernel, Selectable) or name not in rows.dask.layers:
        return rows, None
    # A kernel of rows keeps blocks and columns; only the type below it is not known here, and nothing asks for it.
    return da.Array(rows.dask, name, chunks=rows.chunks, dtype=rows.dtype, meta=rows._meta), kernel


def _called(task: Any) -> tuple[Any, Any]:
    return getattr(task, "func", None), (getattr(task, "kwargs", None) or {}).get("function")
