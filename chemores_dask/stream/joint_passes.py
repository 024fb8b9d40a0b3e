"""Reductions over the same rows that are computed together: one task per block makes all of their states.

The keys of all that follows stay as they are, so that merges, results and what is kept of them have the same names and the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from chemores_dask.kernels.joint_walks import JointBlock
from chemores_dask.stream.reduce import BlockStates, RowsReduced
from chemores_dask.stream.rows import call_with_columns


def join_passes(collections: Sequence[Any]) -> list[Any]:
    """Let reductions over the same rows make their states in common tasks.

    Parameters
    ----------
    collections
        Lazy values, in any order; those that are not reductions of rows are left as they are.

    Returns
    -------
    The same values in the same order.
    """
    by_rows: dict[Any, dict[str, BlockStates]] = {}
    for each in collections:
        if isinstance(each, RowsReduced):
            states = each.states
            if states.blocks.name in each.dask.layers:
                by_rows.setdefault(states.rows.name, {})[states.blocks.name] = states
    layers: dict[str, HighLevelGraph] = {}
    for together in by_rows.values():
        if len(together) > 1:
            layers |= _joint_layers(list(together.values()))
    return [_rebuilt(each, layers) if isinstance(each, RowsReduced) else each for each in collections]


def _joint_layers(together: list[BlockStates]) -> dict[str, HighLevelGraph]:
    """For every array of states, a graph in which its blocks are taken out of common ones."""
    columns: dict[str, da.Array] = {}
    names = []
    for states in together:
        for array in states.columns.values():
            columns[array.name] = array
        names.append({array.name: name for name, array in states.columns.items()})
    rows = together[0].rows
    joint = da.map_blocks(
        _joint_states,
        rows,
        *columns.values(),
        dtype=object,
        meta=np.empty((0, 0), dtype=object),
        chunks=((1,) * rows.numblocks[0], (1,)),
        name=f"joint-{tokenize([states.blocks.name for states in together])}",
        joint=JointBlock([states.reduction for states in together], names),
        names=tuple(columns),
    )
    graphs = {}
    for place, states in enumerate(together):
        layer = {
            (states.blocks.name, number, 0): (_taken, (joint.name, number, 0), place)
            for number in range(rows.numblocks[0])
        }
        graphs[states.blocks.name] = HighLevelGraph.from_collections(states.blocks.name, layer, dependencies=[joint])
    return graphs


def _rebuilt(reduced: RowsReduced, graphs: dict[str, HighLevelGraph]) -> RowsReduced:
    joint = graphs.get(reduced.states.blocks.name)
    if joint is None or reduced.states.blocks.name not in reduced.dask.layers:
        return reduced
    graph = HighLevelGraph.merge(reduced.dask, joint)
    return RowsReduced(reduced.key, graph, states=reduced.states)


def _joint_states(block: Any, *values: np.ndarray, joint: JointBlock, names: tuple[str, ...]) -> np.ndarray:
    held = np.empty((1, 1), dtype=object)
    held[0, 0] = call_with_columns(block, *values, function=joint, names=names)
    return held


def _taken(joint: np.ndarray, place: int) -> np.ndarray:
    held = np.empty((1, 1), dtype=object)
    held[0, 0] = joint[0, 0][place]
    return held
