"""One pass over the rows: a state per block, merged along a fixed tree."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.typing import Key

from chemores_dask.aliases import Columns, Rows
from chemores_dask.errors import ParameterError
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream.rows import call_with_columns, row_columns

FAN_IN = 8


class RowsReduced(Delayed):  # type: ignore[misc]
    """A delayed value that Dask optimizes together with arrays.

    Reading, mapping and the state of a block then become one task, and what is computed along with it, by the same ``compute``,
    shares its reads.
    """

    __slots__ = ()
    __dask_optimize__ = staticmethod(da.Array.__dask_optimize__)


def reduce_rows(rows: Rows, reduction: Reduction, *, columns: Columns | None = None, fan_in: int = FAN_IN) -> Delayed:
    """Learn something from all rows in one pass, lazily.

    The tree of merges is fixed by the numbers of the blocks, so the result has the same bits for any number of workers and any
    order in which tasks finish.

    Parameters
    ----------
    rows
        Cells by genes, as made by :func:`~chemores_dask.stream.rows.as_rows`.
    reduction
        What to learn.
    columns
        Arrays with one entry (or one row) per cell, handed to the reduction along with the rows.
    fan_in
        States merged by one task.

    Returns
    -------
    Delayed result of ``reduction.finish``. Passes over the rows when computed: 1.
    """
    if fan_in < 2:
        message = f"The 'fan_in' parameter of reduce_rows must be at least 2. Got {fan_in}."
        raise ParameterError(message)
    cut = row_columns(rows, columns)
    blocks = da.map_blocks(
        _block_state,
        rows,
        *cut.values(),
        dtype=object,
        meta=np.empty((0, 0), dtype=object),
        chunks=((1,) * rows.numblocks[0], (1,)),
        reduction=reduction,
        names=tuple(cut),
    )
    layer, finish = _tree([(blocks.name, number, 0) for number in range(blocks.numblocks[0])], reduction, fan_in=fan_in)
    graph = HighLevelGraph.from_collections(finish, layer, dependencies=[blocks])
    return RowsReduced(finish, graph, layer=finish)


def _tree(states: list[Key], reduction: Reduction, *, fan_in: int) -> tuple[dict[Key, Any], str]:
    token = tokenize(states[0], fan_in)
    layer: dict[Key, Any] = {}
    level = 0
    while len(states) > 1:
        merged: list[Key] = []
        for start in range(0, len(states), fan_in):
            key = (f"merge-{token}-{level}", start // fan_in)
            layer[key] = (_merge, states[start : start + fan_in], reduction)
            merged.append(key)
        states = merged
        level += 1
    finish = f"finish-{token}"
    layer[finish] = (_finish, states[0], reduction)
    return layer, finish


def _block_state(block: Any, *values: np.ndarray, reduction: Reduction, names: tuple[str, ...]) -> np.ndarray:
    held = np.empty((1, 1), dtype=object)
    held[0, 0] = call_with_columns(block, *values, function=reduction.block, names=names)
    return held


def _merge(states: list[np.ndarray], reduction: Reduction) -> np.ndarray:
    merged = states[0][0, 0]
    for state in states[1:]:
        merged = reduction.merge(merged, state[0, 0])
    held = np.empty((1, 1), dtype=object)
    held[0, 0] = merged
    return held


def _finish(state: np.ndarray, reduction: Reduction) -> Any:
    return reduction.finish(state[0, 0])
