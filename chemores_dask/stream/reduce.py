"""One pass over the rows: a state per block, merged along a fixed tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.typing import Key

from chemores_dask.aliases import Columns, Rows
from chemores_dask.errors import ParameterError, StoreError
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream.checkpoints import Kept, kept_state, kept_value
from chemores_dask.stream.rows import call_with_columns, row_columns, shared_columns

FAN_IN = 2


@dataclass(frozen=True, eq=False)
class BlockStates:
    """How the states of blocks are made, for those who make several kinds of them in one task.

    Attributes
    ----------
    rows
        What is learned from.
    columns
        By the names under which the reduction knows them, cut along with the rows.
    reduction
        What is learned.
    blocks
        The states, one per block.
    """

    rows: Rows
    columns: Mapping[str, da.Array]
    reduction: Reduction
    blocks: da.Array


class RowsReduced(Delayed):  # type: ignore[misc]
    """A delayed value that Dask optimizes together with arrays.

    Reading, mapping and the state of a block then become one task, and what is computed along with it, by the same ``compute``,
    shares its reads.
    """

    __slots__ = ("states",)
    __dask_optimize__ = staticmethod(da.Array.__dask_optimize__)

    def __init__(self, key: str, graph: HighLevelGraph, *, states: BlockStates) -> None:
        super().__init__(key, graph, layer=key)
        self.states = states


def reduce_rows(
    rows: Rows,
    reduction: Reduction,
    *,
    columns: Columns | None = None,
    shared: Columns | None = None,
    fan_in: int = FAN_IN,
) -> Delayed:
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
    shared
        Arrays with one entry per column of the rows, of which every block gets the whole, as a matrix of one row.
    fan_in
        States merged by one task.

    Returns
    -------
    Delayed result of ``reduction.finish``. Passes over the rows when computed: 1; less where an interrupted run has kept what it had
    learned (:mod:`~chemores_dask.stream.checkpoints`).
    """
    if fan_in < 2:
        message = f"The 'fan_in' parameter of reduce_rows must be at least 2. Got {fan_in}."
        raise ParameterError(message)
    cut = row_columns(rows, columns) | shared_columns(rows, shared)
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
    tree = _Tree(blocks.name, reduction, fan_in=fan_in)
    finish = tree.grow(blocks.numblocks[0])
    graph = HighLevelGraph.from_collections(finish, tree.layer, dependencies=[blocks])
    return RowsReduced(finish, graph, states=BlockStates(rows, cut, reduction, blocks))


class _Tree:
    """The tasks that merge states, along a tree that the numbers of the blocks fix.

    Where checkpoints are kept, every state is; the branches below one that is there are not grown, so their rows are not read.
    """

    def __init__(self, blocks: str, reduction: Reduction, *, fan_in: int) -> None:
        self.layer: dict[Key, Any] = {}
        self._blocks = blocks
        self._reduction = reduction
        self._fan_in = fan_in
        self._token = tokenize((blocks, 0, 0), fan_in)
        self._finish = f"finish-{self._token}"

    def grow(self, blocks: int) -> str:
        widths = [blocks]
        while widths[-1] > 1:
            widths.append(-(-widths[-1] // self._fan_in))
        kept = kept_value(self._finish)
        if kept is not None and kept.is_there():
            self.layer[self._finish] = (_recall, kept)
        else:
            level = len(widths) - 1
            state = self._state(level, 0, widths)
            self.layer[self._finish] = (_finish, state, self._reduction, kept, self._places(level, {0: state}))
        return self._finish

    def _state(self, level: int, number: int, widths: list[int]) -> Key:
        place = kept_state(self._finish, level=level, number=number)
        key: Key = (f"merge-{self._token}-{level - 1}" if level else self._blocks, number, *(() if level else (0,)))
        if place is not None and place.is_there():
            key = self._recalled(level, number)
            self.layer[key] = (_recall_state, place)
        elif level:
            numbers = range(number * self._fan_in, min((number + 1) * self._fan_in, widths[level - 1]))
            states = {child: self._state(level - 1, child, widths) for child in numbers}
            self.layer[key] = (_merge, list(states.values()), self._reduction, place, self._places(level - 1, states))
        elif place is not None:
            block, key = key, (f"kept-{self._token}", number)
            self.layer[key] = (_keep_state, block, place)
        return key

    def _places(self, level: int, states: Mapping[int, Key]) -> tuple[Kept, ...]:
        # What was recalled stays: if a worker is lost, its tasks run again, and then must find the file.
        made = [number for number, key in states.items() if key != self._recalled(level, number)]
        places = [kept_state(self._finish, level=level, number=number) for number in made]
        return tuple(place for place in places if place is not None)

    def _recalled(self, level: int, number: int) -> Key:
        return (f"recalled-{self._token}-{level}", number)


def _block_state(block: Any, *values: np.ndarray, reduction: Reduction, names: tuple[str, ...]) -> np.ndarray:
    return _held(call_with_columns(block, *values, function=reduction.block, names=names))


def _keep_state(state: np.ndarray, place: Kept) -> np.ndarray:
    return _held(place.keep(state[0, 0]))


def _recall_state(place: Kept) -> np.ndarray:
    return _held(_recall(place))


def _recall(place: Kept) -> Any:
    found, value = place.recall()
    if not found:
        message = f"A checkpoint that was there a moment ago must still be there. {place.file!r} is not; run the same command again."
        raise StoreError(message)
    return value


def _merge(
    states: list[np.ndarray], reduction: Reduction, place: Kept | None = None, children: Sequence[Kept] = ()
) -> np.ndarray:
    merged = states[0][0, 0]
    for state in states[1:]:
        merged = reduction.merge(merged, state[0, 0])
    return _held(merged if place is None else place.keep(merged, instead_of=children))


def _finish(state: np.ndarray, reduction: Reduction, place: Kept | None = None, children: Sequence[Kept] = ()) -> Any:
    value = reduction.finish(state[0, 0])
    return value if place is None else place.keep(value, instead_of=children)


def _held(state: Any) -> np.ndarray:
    held = np.empty((1, 1), dtype=object)
    held[0, 0] = state
    return held
