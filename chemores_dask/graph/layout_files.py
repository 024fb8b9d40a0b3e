"""A graph and an embedding in files, and the rounds of a map over their blocks.

Tasks get the folder and row numbers, read what they need and give back coordinates of their block. The grid does not depend on the number
of workers, and a round reads only what stood before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import xarray as xr
from dask import delayed

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.graph.embedding import embedding_blocks
from chemores_dask.graph.inverted_lists import stage_embedding
from chemores_dask.kernels.layout_steps import move_cells, spread_coordinates
from chemores_dask.stream.array_files import SUFFIX, read_array, write_array
from chemores_dask.stream.compute import compute

CELLS_PER_TASK = 2**15
PUSHES = 5
"""Landmarks that push, for each pull: umap-learn's rate of negative samples."""

OFFSET, INDEX, WEIGHT, LANDMARKS = "offset", "index", "weight", "landmarks"
Block = tuple[int, int]


@dataclass(frozen=True)
class Round:
    """What one round of moves needs to know.

    Attributes
    ----------
    key
        For its draws.
    curve
        ``a`` and ``b`` of the similarity ``1 / (1 + a d^(2b))``.
    step
        Length of the steps.
    heaviest
        Largest weight of the graph.
    """

    key: int
    curve: tuple[float, float]
    step: float
    heaviest: float


def write_graph(folder: str, matrix: sp.csr_matrix) -> None:
    """Keep a graph in files.

    Parameters
    ----------
    folder
        Seen by all workers.
    matrix
        Symmetric.
    """
    write_array(folder, OFFSET, matrix.indptr)
    write_array(folder, INDEX, matrix.indices)
    write_array(folder, WEIGHT, matrix.data)


def write_rows(folder: str, embedding: xr.DataArray) -> Vector:
    """Keep an embedding in files, one for each block.

    Parameters
    ----------
    folder
        Seen by all workers.
    embedding
        Over cells and components.

    Returns
    -------
    First row of every block, and the number of cells.
    """
    return stage_embedding(embedding_blocks(embedding), folder).bounds


def rows_of(folder: str, bounds: Vector, chosen: Vector) -> Matrix:
    """Some cells of the embedding.

    Parameters
    ----------
    folder, bounds
        As from :func:`write_rows`.
    chosen
        Row numbers, in any order.

    Returns
    -------
    Cells by components, float32, in the order asked for.
    """
    wanted, place = np.unique(chosen, return_inverse=True)
    ends = np.searchsorted(wanted, bounds)
    task = delayed(_read_some, pure=True)
    parts = [
        task(folder, number, wanted[first:last] - bounds[number]) for number, (first, last) in enumerate(pairwise(ends))
    ]
    return np.concatenate(compute(*parts))[place]


def spread(folder: str, coordinates: Matrix) -> Matrix:
    """One round in which cells other than landmarks move to the weighted mean of those neighbors that have a place.

    Parameters
    ----------
    folder
        With the graph and the landmarks.
    coordinates
        Of all cells; NaN without a place.

    Returns
    -------
    The coordinates afterwards.
    """
    return _over_blocks(folder, coordinates, _spread_block)


def move(folder: str, coordinates: Matrix, settings: Round) -> Matrix:
    """One round in which all cells move: pulled by neighbors, pushed by landmarks.

    Parameters
    ----------
    folder
        With the graph and the landmarks.
    coordinates
        Of all cells.
    settings
        Of the round.

    Returns
    -------
    The coordinates afterwards.
    """
    return _over_blocks(folder, coordinates, _move_block, settings)


def coordinates_file(folder: str) -> Path:
    """Where the coordinates before a round lie."""
    return Path(folder) / f"coordinates{SUFFIX}"


def _over_blocks(folder: str, coordinates: Matrix, work: Callable[..., Matrix], *settings: object) -> Matrix:
    write_array(folder, "coordinates", coordinates)
    task = delayed(work, pure=False)
    cells = len(coordinates)
    blocks = [(start, min(start + CELLS_PER_TASK, cells)) for start in range(0, cells, CELLS_PER_TASK)]
    return np.concatenate(compute(*(task(folder, block, *settings) for block in blocks)))


def _read_some(folder: str, number: int, wanted: Vector) -> Matrix:
    return read_array(folder, f"block-{number}")[wanted]


def _read_edges(folder: str, block: Block) -> tuple[Vector, Vector, Vector]:
    start, stop = block
    offset = read_array(folder, OFFSET, start=start, stop=stop + 1).astype(np.int64)
    first, last = int(offset[0]), int(offset[-1])
    index = read_array(folder, INDEX, start=first, stop=last)
    weight = read_array(folder, WEIGHT, start=first, stop=last)
    return offset - first, index, weight


def _read_coordinates(folder: str) -> Matrix:
    # All tasks of a machine look at one copy.
    found: Matrix = np.asarray(np.load(coordinates_file(folder), mmap_mode="r"))
    return found


def _spread_block(folder: str, block: Block) -> Matrix:
    start, stop = block
    fixed = np.zeros(stop - start, dtype=bool)
    landmarks = read_array(folder, LANDMARKS)
    fixed[landmarks[(landmarks >= start) & (landmarks < stop)] - start] = True
    placed = np.empty((stop - start, 2), dtype=np.float32)
    spread_coordinates(*_read_edges(folder, block), _read_coordinates(folder), fixed, start, placed)
    return placed


def _move_block(folder: str, block: Block, settings: Round) -> Matrix:
    start, stop = block
    moved = np.empty((stop - start, 2), dtype=np.float32)
    move_cells(
        *_read_edges(folder, block),
        _read_coordinates(folder),
        read_array(folder, LANDMARKS),
        start,
        settings.heaviest,
        np.uint64(settings.key),
        settings.curve,
        settings.step,
        PUSHES,
        moved,
    )
    return moved
