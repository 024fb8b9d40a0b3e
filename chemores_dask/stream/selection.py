"""Some columns of lazy rows, or sums over columns, made below the last mapping where that mapping offers it."""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from typing import Any, Protocol, runtime_checkable

import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.blockwise import Blockwise
from dask.delayed import Delayed

from chemores_dask.aliases import Block, Columns, Matrix, Rows, Vector
from chemores_dask.errors import ParameterError
from chemores_dask.kernels.chosen_columns import ChosenColumns, chosen_width
from chemores_dask.kernels.cross_products import ColumnSumsBlock, WeightedSumsBlock
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream.reduce import reduce_rows
from chemores_dask.stream.rows import block_dtype, call_with_columns, map_rows


@runtime_checkable
class Selectable(Protocol):
    """A kernel of ``map_rows`` that can do its work for some columns only."""

    def select(self, positions: Vector) -> Callable[[Block, Columns], Block]:
        """The kernel that takes a whole block and gives the chosen columns of what this kernel gives, to the bit."""


@runtime_checkable
class Summable(Protocol):
    """A kernel of ``map_rows`` that can add up what it gives without keeping it."""

    def column_sums(self) -> Callable[[Block, Columns], Vector]:
        """The kernel that takes a whole block and gives the sums of the columns of what this kernel gives, to the bit, rows last."""

    def weighted_sums(self, weighted: WeightedSumsBlock) -> Callable[[Block, Columns], Matrix]:
        """The kernel that takes a whole block and multiplies what this kernel gives with weights, to the bit."""


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
    below, kernel = _below(rows)
    source: Rows = rows
    chosen: Callable[[Block, Columns], Block] = ChosenColumns(positions)
    if isinstance(kernel, Selectable):
        source, chosen = below, kernel.select(positions)
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


def sum_columns(rows: Rows) -> Delayed:
    """Sums of all columns in one pass, lazily.

    Where the rows come from ``map_rows`` and a kernel that is :class:`Summable`, what it would give is added up as it is made.

    Parameters
    ----------
    rows
        Cells by genes.

    Returns
    -------
    Delayed vector: one sum per column in float64, and the number of rows.
    """
    below, kernel = _below(rows)
    source: Rows = rows
    block: Callable[[Block, Columns], Vector] = ColumnSumsBlock()
    if isinstance(kernel, Summable):
        source, block = below, kernel.column_sums()
    return reduce_rows(source, Reduction(block=block, merge=add))


def weigh_columns(rows: Rows, weights: sp.csr_matrix) -> da.Array:
    """Rows times a sparse matrix of weights, lazily.

    Where the rows come from ``map_rows`` and a kernel that is :class:`Summable`, what it would give is added up as it is made, and only
    for columns with weights.

    Parameters
    ----------
    rows
        Cells by genes.
    weights
        Genes by sums.

    Returns
    -------
    Dense rows by sums, float64.
    """
    below, kernel = _below(rows)
    weighted = WeightedSumsBlock.from_matrix(weights)
    source: Rows = rows
    block: Callable[[Block, Columns], Matrix] = weighted
    if isinstance(kernel, Summable):
        source, block = below, kernel.weighted_sums(weighted)
    return map_rows(source, block, width=weighted.width, dtype=np.float64)


def _below(rows: Rows) -> tuple[Rows, Any]:
    """What the last mapping was given and its kernel, if there is one that takes rows alone."""
    layer = rows.dask.layers.get(rows.name)
    if not isinstance(layer, Blockwise) or len(layer.indices) != 1:
        return rows, None
    function, kernel = _called(layer.task)
    ((name, _),) = layer.indices
    if function is not call_with_columns or name not in rows.dask.layers:
        return rows, None
    # A kernel of rows keeps blocks and columns; only the type below it is not known here, and nothing asks for it.
    return da.Array(rows.dask, name, chunks=rows.chunks, dtype=rows.dtype, meta=rows._meta), kernel


def _called(task: Any) -> tuple[Any, Any]:
    return getattr(task, "func", None), (getattr(task, "kwargs", None) or {}).get("function")
