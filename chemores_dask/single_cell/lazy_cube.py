"""A cohort cube that is made sample by sample, for cohorts whose cube is larger than the memory."""

from __future__ import annotations

from itertools import pairwise
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from chemores_dask.aliases import Rows, Vector
from chemores_dask.kernels.group_sums import GroupSums, merge_group_sums
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream.reduce import reduce_rows

CHUNK_BYTES = 2**26
"""Of one variable in one task: as large as the chunks in which stores keep results, so that every task writes whole ones."""

ENTRY_BYTES = 8


def samples_stand_together(sample_codes: Vector) -> bool:
    """Whether the cells of every sample follow one another.

    Parameters
    ----------
    sample_codes
        Sample of each cell.
    """
    changes = np.count_nonzero(np.diff(sample_codes))
    return changes < max(len(np.unique(sample_codes)), 1)


def samples_per_chunk(samples: int, states: int, genes: int) -> int:
    """Samples that one task makes.

    Parameters
    ----------
    samples, states, genes
        Shape of the cube.

    Returns
    -------
    At least 1.
    """
    return max(min(samples, CHUNK_BYTES // (ENTRY_BYTES * max(states * genes, 1))), 1)


def lazy_cube(rows: Rows, block: Any, *, codes: Vector, shape: tuple[int, int, int]) -> dict[str, da.Array]:
    """The sums of a cohort cube, one task for some whole samples.

    Every block of rows is read once and becomes sums of the groups it meets; a task takes the groups of its samples out of the few
    blocks that have cells of them.

    Parameters
    ----------
    rows
        Counts, with the cells of each sample together, in the order of the codes.
    block
        Of the reduction that makes the sums of one block; its column is ``group``.
    codes
        Group of each cell: number of the sample times the number of states, plus number of the state.
    shape
        Samples, states and genes.

    Returns
    -------
    ``count_sum``, ``detected``, ``log_sum`` and ``log_square_sum`` over (sample, state, gene).
    """
    samples, states, genes = shape
    width = samples_per_chunk(*shape)
    sums = reduce_rows(rows, Reduction(block, merge_group_sums), columns={"group": codes}).states.blocks
    borders = np.append(np.arange(0, samples, width), samples)
    chunks = ((*np.diff(borders).tolist(),), (states,), (genes,))
    token = tokenize(sums.name, shape, width)
    layer = {}
    for number, (first, last) in enumerate(pairwise(borders)):
        met = _blocks_with(codes, rows.chunks[0], first * states, last * states)
        keys = [(sums.name, place, 0) for place in met]
        layer[(f"cube-{token}", number)] = (_chunk_sums, keys, int(first), int(last), states, genes)
    graph = HighLevelGraph.from_collections(f"cube-{token}", layer, dependencies=[sums])
    return {
        name: _variable(graph, f"cube-{token}", name, chunks=chunks, dtype=dtype)
        for name, dtype in (("count_sum", "i8"), ("detected", "i8"), ("log_sum", "f8"), ("log_square_sum", "f8"))
    }


def _variable(
    graph: HighLevelGraph, source: str, name: str, *, chunks: tuple[tuple[int, ...], ...], dtype: str
) -> da.Array:
    own = f"{source}-{name}"
    layer = {(own, number, 0, 0): (getitem, (source, number), name) for number in range(len(chunks[0]))}
    whole = HighLevelGraph({**graph.layers, own: layer}, {**graph.dependencies, own: {source}})
    return da.Array(whole, own, chunks=chunks, dtype=dtype)


def _blocks_with(codes: Vector, block_rows: tuple[int, ...], first: int, last: int) -> range:
    """Blocks that have rows of the groups from ``first`` up to ``last``; their rows follow one another."""
    rows = np.flatnonzero((codes >= first) & (codes < last))
    ends = np.cumsum(block_rows)
    return range(
        int(np.searchsorted(ends, rows[0], side="right")), int(np.searchsorted(ends, rows[-1], side="right")) + 1
    )


def _chunk_sums(parts: list[np.ndarray], first: int, last: int, states: int, genes: int) -> dict[str, np.ndarray]:
    shape = ((last - first) * states, genes)
    sums: list[GroupSums] = [part[0, 0] for part in parts]
    windows = [slice(*np.searchsorted(each.codes, (first * states, last * states))) for each in sums]
    chunk = {}
    for name, given in sums[0].sums.items():
        if name == "cells":
            continue
        array = np.empty(shape, dtype=np.int64 if given.dtype.kind == "i" else given.dtype)
        filled = np.zeros(shape[0], dtype=bool)
        for each, window in zip(sums, windows, strict=True):
            _add_rows(array, filled, each.codes[window] - first * states, each.sums[name][window])
        array[~filled] = 0
        chunk[name] = array.reshape(last - first, states, genes)
    return chunk


def _add_rows(array: np.ndarray, filled: Vector, places: Vector, values: np.ndarray) -> None:
    for place, row in zip(places, values, strict=True):
        if filled[place]:
            array[place] += row
        else:
            array[place] = row
            filled[place] = True
