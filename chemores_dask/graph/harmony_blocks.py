"""Blocks of cells of harmony, in files: what one task does with one block, or with those of its cells whose turn it is.

A block is kept as three arrays, with its cells ordered by turn and group: the row and the group of every cell, the embedding, and the
corrected embedding of the last iteration. Tasks get the folder and the numbers, and give back sums over cells.
"""

from __future__ import annotations

import shutil
import weakref
from dataclasses import dataclass

import numpy as np
from dask.base import tokenize

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.soft_clusters import add_cluster_sums, corrected_rows, soft_shares, tiles
from chemores_dask.randomness import cell_uniforms
from chemores_dask.stream.array_files import read_array, remove_arrays, write_array
from chemores_dask.stream.staging import folder_for_files

CELLS = "cells"
ORIGINAL = 0
"""Number of the embedding among the versions of a block; those behind it are corrected."""


@dataclass(frozen=True, eq=False)
class BlockFiles:
    """Where the blocks of one call are, and how their cells take turns.

    Attributes
    ----------
    folder
        Seen by all workers. A temporary one goes with the last lazy value that holds this.
    turns
        Every cell has its turn once a round.
    seed
        For the turns, and for the sample.
    sample
        Share of the cells in the sample.
    """

    folder: str
    turns: int
    seed: Seed
    sample: float

    def __dask_tokenize__(self) -> tuple[object, ...]:
        return (self.folder, self.turns, self.seed, self.sample)

    def remove(self, version: int) -> None:
        """Remove a version of all blocks."""
        remove_arrays(self.folder, _start_of_names(version))


def block_files(*parts: object, turns: int, seed: Seed, sample: float) -> BlockFiles:
    """Make room for the blocks of one call.

    Parameters
    ----------
    parts
        All that the files follow from: the same call finds the same folder within ``staging_folder``.
    turns, seed, sample
        As in :class:`BlockFiles`.
    """
    parent, temporary = folder_for_files()
    folder = parent / f"harmony-{tokenize(*parts, turns, seed, sample)}"
    folder.mkdir(exist_ok=True)
    files = BlockFiles(str(folder), turns, seed, sample)
    if temporary:
        weakref.finalize(files, shutil.rmtree, str(parent), ignore_errors=True)
    return files


@dataclass(frozen=True, eq=False)
class StagedBlock:
    """What is known of a block once it is in its files.

    Attributes
    ----------
    offsets
        Where every turn starts, and the number of cells.
    places
        Where the cells of the sample lie in the files.
    order
        Which cells of the sample come first: a number between 0 and 1 for each.
    rows, numbers
        The cells of the sample: embedding, and number among all cells.
    """

    offsets: Vector
    places: Vector
    order: Vector
    rows: Matrix
    numbers: Vector


def stage_block(rows: Matrix, groups: Vector, *, files: BlockFiles, block: int, start: int) -> StagedBlock:
    """Write a block to its files.

    Parameters
    ----------
    rows
        Cells by components, float32.
    groups
        Group of every cell.
    files
        Where to.
    block
        Its number.
    start
        Number of its first cell among all cells.
    """
    numbers = np.arange(start, start + len(rows), dtype=np.uint64)
    draws = cell_uniforms(files.seed, numbers, draws=2)
    turn = np.minimum((draws[:, 0] * files.turns).astype(np.int64), files.turns - 1)
    order = np.lexsort((groups, turn))
    offsets = np.searchsorted(turn[order], np.arange(files.turns + 1))
    write_array(files.folder, _name(CELLS, block), np.column_stack([order, groups[order]]).astype(np.int32))
    write_array(files.folder, _name(ORIGINAL, block), rows[order])
    places = np.flatnonzero(draws[order, 1] < files.sample)
    sampled = order[places]
    return StagedBlock(offsets, places, draws[sampled, 1], rows[sampled], start + sampled)


@dataclass(frozen=True, eq=False)
class TurnTaken:
    """Sums over the cells of a turn.

    Attributes
    ----------
    counts
        Groups by clusters.
    log_partition
        Sum of the logarithms of what shares were divided by.
    """

    counts: Matrix
    log_partition: float


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of one round.

    Attributes
    ----------
    centroids
        Clusters by components, float32, of length 1.
    sigma
        Their width.
    """

    centroids: Matrix
    sigma: float


@dataclass(frozen=True, eq=False)
class Place:
    """Which cells a task works on.

    Attributes
    ----------
    files
        Where they are.
    version
        By which embedding they are assigned to clusters.
    block
        Number of the block.
    offsets
        Where the turns of the block start, and the number of cells.
    """

    files: BlockFiles
    version: int
    block: int
    offsets: Vector


def take_turn(place: Place, turn: int, penalties: Matrix, clusters: Clusters) -> TurnTaken:
    """Assign those cells of a block anew whose turn it is.

    Parameters
    ----------
    place
        The block.
    turn
        Number of the turn.
    penalties
        Groups by clusters.
    clusters
        The clusters.
    """
    start, stop = int(place.offsets[turn]), int(place.offsets[turn + 1])
    rows = read_array(place.files.folder, _name(place.version, place.block), start=start, stop=stop)
    groups = read_array(place.files.folder, _name(CELLS, place.block), start=start, stop=stop)[:, 1]
    counts = np.zeros(penalties.shape)
    partition = 0.0
    with single_blas_thread():
        for tile in tiles(len(rows)):
            _, found = _shares(rows[tile], groups[tile], penalties, clusters, counts)
            partition += found
    return TurnTaken(counts, partition)


def sum_block(place: Place, levels: Matrix, penalties: Matrix, clusters: Clusters) -> Matrix:
    """Sums of the embedding over the cells of a block, weighted by their shares: batches by clusters by components.

    Parameters
    ----------
    place
        The block.
    levels
        Batches of every group.
    penalties
        Turns by groups by clusters.
    clusters
        The clusters.
    """
    rows, placed, groups = _read_block(place)
    sums = np.zeros((int(levels.max()) + 1, len(clusters.centroids), rows.shape[1]))
    unused = np.zeros(penalties.shape[1:])
    with single_blas_thread():
        for turn, tile in _turn_tiles(place.offsets):
            shares, _ = _shares(placed[tile], groups[tile], penalties[turn], clusters, unused)
            add_cluster_sums(rows[tile], shares, groups[tile], levels=levels, sums=sums)
    return sums


def correct_block(place: Place, levels: Matrix, penalties: Matrix, clusters: Clusters, shifts: Matrix) -> int:
    """Write the next version of a block: the embedding less the shifts of its batches. Gives its number.

    Parameters
    ----------
    place
        The block.
    levels
        Batches of every group.
    penalties
        Turns by groups by clusters.
    clusters
        The clusters.
    shifts
        Batches by clusters by components, float32.
    """
    rows, placed, groups = _read_block(place)
    corrected = np.empty_like(rows)
    unused = np.zeros(penalties.shape[1:])
    with single_blas_thread():
        for turn, tile in _turn_tiles(place.offsets):
            shares, _ = _shares(placed[tile], groups[tile], penalties[turn], clusters, unused)
            corrected[tile] = corrected_rows(rows[tile], shares, groups[tile], levels=levels, shifts=shifts)
    write_array(place.files.folder, _name(place.version + 1, place.block), corrected)
    return place.version + 1


def read_places(place: Place, chosen: Vector) -> Matrix:
    """Read some cells of a block.

    Parameters
    ----------
    place
        The block.
    chosen
        Where the cells lie in the file.
    """
    return read_array(place.files.folder, _name(place.version, place.block))[chosen]


@dataclass(frozen=True, eq=False)
class ScoreReader:
    """Reads a version of a block in the order of the cells.

    Attributes
    ----------
    files
        Where it is.
    version
        Which.
    """

    files: BlockFiles
    version: int

    def __dask_tokenize__(self) -> tuple[object, ...]:
        return (self.files.__dask_tokenize__(), self.version)

    def __call__(self, *, block_id: tuple[int, ...] = (0, 0)) -> Matrix:
        """Read the block with this number."""
        found = read_array(self.files.folder, _name(self.version, block_id[0]))
        order = read_array(self.files.folder, _name(CELLS, block_id[0]))[:, 0]
        scores = np.empty_like(found)
        scores[order] = found
        return scores


def _read_block(place: Place) -> tuple[Matrix, Matrix, Vector]:
    """The embedding, that by which cells are assigned, and groups."""
    folder = place.files.folder
    rows = read_array(folder, _name(ORIGINAL, place.block))
    placed = rows if place.version == ORIGINAL else read_array(folder, _name(place.version, place.block))
    return rows, placed, np.ascontiguousarray(read_array(folder, _name(CELLS, place.block))[:, 1])


def _shares(
    rows: Matrix, groups: Vector, penalties: Matrix, clusters: Clusters, counts: Matrix
) -> tuple[Matrix, float]:
    return soft_shares(
        rows, groups, centroids=clusters.centroids, penalties=penalties, sigma=clusters.sigma, counts=counts
    )


def _turn_tiles(offsets: Vector) -> list[tuple[int, slice]]:
    return [
        (turn, slice(int(offsets[turn]) + tile.start, int(offsets[turn]) + tile.stop))
        for turn in range(len(offsets) - 1)
        for tile in tiles(int(offsets[turn + 1] - offsets[turn]))
    ]


def _name(version: int | str, block: int) -> str:
    return f"{_start_of_names(version)}{block}"


def _start_of_names(version: int | str) -> str:
    return f"rows-{version}-"
