"""Cells in the order of lists: files in which a task finds the cells of a list side by side.

Two rounds, each of whole files. First every block of cells is written as it comes; then, once the centers are known, again in the order of
lists; then every group of lists collects its cells from all blocks. Within a list, cells are in order of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
from dask import delayed

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.errors import ChecksumError, InputError
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.list_probes import nearest_centers
from chemores_dask.kernels.nearest import Search
from chemores_dask.stream.array_files import ArrayFile, read_array, remove_arrays, write_array
from chemores_dask.stream.compute import compute

CELLS_PER_GROUP = 2**15
"""Cells of the lists of one task."""

LONGEST = 32
"""A list with more than so many times the mean is cut: many cells in one place would all have to look at each other."""

LARGEST = 1e15
"""Of the coordinates: squares of distances stay finite in float32."""


@dataclass(frozen=True)
class Lists:
    """Where the cells of each list lie.

    Attributes
    ----------
    folder
        Of the files.
    centers
        Lists by components, float32.
    starts
        For each list its first place in the order of lists, and the number of cells at the end.
    groups
        For each group its first list, and the number of lists at the end.
    """

    folder: str
    centers: Matrix
    starts: Vector
    groups: Vector

    @property
    def number(self) -> int:
        """How many lists there are."""
        return len(self.centers)

    @property
    def number_of_groups(self) -> int:
        """How many groups of lists there are."""
        return len(self.groups) - 1

    def places_of_group(self, group: int) -> tuple[int, int]:
        """First place of a group in the order of lists, and the one behind its last."""
        first, stop = self.starts[self.groups[group : group + 2]]
        return int(first), int(stop)

    def list_of_cells(self) -> Vector:
        """The list of every cell, int32."""
        found = np.empty(self.starts[-1], dtype=np.int32)
        numbers = np.repeat(np.arange(self.number, dtype=np.int32), np.diff(self.starts))
        for group in range(self.number_of_groups):
            first, stop = self.places_of_group(group)
            found[read_array(self.folder, f"cells-{group}")] = numbers[first:stop]
        return found


class ListReader:
    """Reads lists, whichever group they are in; the files stay open."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._files: dict[int, tuple[ArrayFile, ArrayFile]] = {}

    def __enter__(self) -> ListReader:
        return self

    def __exit__(self, *_: object) -> None:
        for files in self._files.values():
            for file in files:
                file.close()

    def points_and_cells(self, first: int, stop: int) -> tuple[Matrix, Vector]:
        """Read lists that follow each other in one group."""
        starts, groups = self._lists.starts, self._lists.groups
        group = int(np.searchsorted(groups, first, side="right")) - 1
        if group not in self._files:
            folder = self._lists.folder
            self._files[group] = (ArrayFile(folder, f"points-{group}"), ArrayFile(folder, f"cells-{group}"))
        points, cells = self._files[group]
        offset = starts[groups[group]]
        return (
            points.rows(starts[first] - offset, starts[stop] - offset),
            cells.rows(starts[first] - offset, starts[stop] - offset),
        )


@dataclass(frozen=True)
class ChosenRows:
    """Cells whose coordinates are wanted, by their row numbers in ascending order.

    Attributes
    ----------
    sample
        Written to a file for each block.
    handed_over
        Given back.
    """

    sample: Vector
    handed_over: Vector


@dataclass(frozen=True)
class StagedEmbedding:
    """An embedding in files ``block-N``.

    Attributes
    ----------
    bounds
        First cell of every block, and the number of cells at the end.
    samples
        Names of the arrays that hold the sample.
    points
        Coordinates of the cells that were to be handed over.
    """

    bounds: Vector
    samples: list[str]
    points: Matrix


NONE_CHOSEN = ChosenRows(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def stage_embedding(blocks: da.Array, folder: str, chosen: ChosenRows = NONE_CHOSEN) -> StagedEmbedding:
    """Write every block of an embedding to a file, and its share of a sample to another.

    Parameters
    ----------
    blocks
        Float32 blocks of whole rows.
    folder
        For the files ``block-N`` and ``sample-N``.
    chosen
        Cells to look up on the way; none unless given.

    Returns
    -------
    What was written.
    """
    bounds = np.concatenate([[0], np.cumsum(blocks.chunks[0])]).astype(np.int64)
    tasks = []
    samples = []
    for number, block in enumerate(blocks.to_delayed()[:, 0]):
        sample, handed_over = (_within(rows, bounds, number) for rows in (chosen.sample, chosen.handed_over))
        if len(sample):
            samples.append(f"sample-{number}")
        tasks.append(delayed(_stage_block, pure=True)(block, number, folder, sample, handed_over))
    return StagedEmbedding(bounds, samples, np.concatenate(compute(*tasks)))


def _stage_block(block: Matrix, number: int, folder: str, sample: Vector, handed_over: Vector) -> Matrix:
    if len(block) and np.abs(block).max() > LARGEST:
        message = (
            f"Coordinates of cells must be at most {LARGEST:g}, so that squares of distances are finite. Found {np.abs(block).max():g}; "
            "divide the embedding by some number."
        )
        raise InputError(message)
    write_array(folder, f"block-{number}", block)
    if len(sample):
        write_array(folder, f"sample-{number}", block[sample])
    return block[handed_over]


def _within(rows: Vector, bounds: Vector, number: int) -> Vector:
    first, stop = np.searchsorted(rows, bounds[number : number + 2])
    return rows[first:stop] - bounds[number]


@dataclass(frozen=True)
class Queries:
    """Cells whose exact neighbors are looked for on the way.

    Attributes
    ----------
    points, cells
        Their coordinates and row numbers.
    neighbors
        How many.
    """

    points: Matrix
    cells: Vector
    neighbors: int

    def search(self, neighbors: int | None = None) -> Search:
        """Nothing found yet."""
        center = self.points.mean(axis=0, dtype=np.float64) if len(self.points) else np.zeros(self.points.shape[1])
        return Search(self.points, self.cells, center, self.neighbors if neighbors is None else neighbors)


@dataclass(frozen=True)
class Sorting:
    """What sorting into lists has found.

    Attributes
    ----------
    lists
        Where the cells are.
    distance, neighbor
        Exact neighbors of the queries.
    """

    lists: Lists
    distance: Matrix
    neighbor: Matrix


def sort_into_lists(folder: str, bounds: Vector, centers: Matrix, queries: Queries) -> Sorting:
    """Write the cells in the order of lists, and find the exact neighbors of some of them in the same turn.

    Parameters
    ----------
    folder
        With the files ``block-N``.
    bounds
        First cell of every block, and the number of cells at the end.
    centers
        Of the lists.
    queries
        Cells whose exact neighbors are wanted.

    Returns
    -------
    The lists, and what was found for the queries.
    """
    write_array(folder, "list-centers", centers)
    write_array(folder, "query-points", queries.points)
    task = delayed(_sort_block, pure=True)
    found = compute(
        *(
            task(folder, number, int(first), queries.cells, queries.neighbors)
            for number, first in enumerate(bounds[:-1])
        )
    )
    sizes = np.stack([part[0] for part in found])
    distance, neighbor = nearest_of([part[1] for part in found], [part[2] for part in found], queries.neighbors)
    remove_arrays(folder, "block-")
    offsets = np.zeros((len(centers) + 1, len(sizes)), dtype=np.int64)
    np.cumsum(sizes.T, axis=0, out=offsets[1:])
    write_array(folder, "offsets", offsets)
    lists = _layout(folder, centers, sizes.sum(axis=0))
    begin = offsets.sum(axis=1)
    collect = delayed(_collect_group, pure=True)
    tasks = []
    for group in range(lists.number_of_groups):
        first, stop = lists.places_of_group(group)
        # Lists that were cut may lie in several groups; those that reach into this one:
        left = min(int(np.searchsorted(begin, first, side="right")), len(centers)) - 1
        right = max(int(np.searchsorted(begin, stop)), left + 1)
        tasks.append(collect(folder, group, (first, stop), (left, right)))
    collected = sum(compute(*tasks)) % 2**64
    written = sum(part[3] for part in found) % 2**64
    if collected != written:
        message = (
            f"Cells must be read as they were written. Their sums differ in {folder!r}; compute the analysis again, and check the disk if "
            "it happens twice."
        )
        raise ChecksumError(message)
    remove_arrays(folder, "sorted-")
    return Sorting(lists, distance, neighbor)


def _sort_block(
    folder: str, number: int, first: int, query_cells: Vector, neighbors: int
) -> tuple[Vector, Matrix, Matrix, int]:
    points, centers = read_array(folder, f"block-{number}"), read_array(folder, "list-centers")
    cells = first + np.arange(len(points))
    search = Queries(read_array(folder, "query-points"), query_cells, neighbors).search()
    with single_blas_thread():
        lists = nearest_centers(points, centers)
        search.look_at(points, cells, np.arange(len(query_cells), dtype=np.int32))
    order = np.argsort(lists, kind="stable")
    write_array(folder, f"sorted-points-{number}", points[order])
    write_array(folder, f"sorted-cells-{number}", cells[order])
    return np.bincount(lists, minlength=len(centers)), search.distance, search.neighbor, _sum_of(points, cells)


def _sum_of(points: Matrix, cells: Vector) -> int:
    """A sum over all bits that does not depend on the order of the cells."""
    numbers = (1 + cells.astype(np.uint64)) * (1 + points.view(np.uint32).sum(axis=1, dtype=np.uint64))
    return int(numbers.sum(dtype=np.uint64))


def nearest_of(distances: Sequence[Matrix], neighbors: Sequence[Matrix], kept: int) -> tuple[Matrix, Matrix]:
    """The nearest of what several tasks have found for the same queries, by distance and then by cell number."""
    distance, neighbor = np.concatenate(distances, axis=1), np.concatenate(neighbors, axis=1)
    order = np.lexsort((neighbor, distance), axis=1)[:, :kept]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(neighbor, order, axis=1)


def _layout(folder: str, centers: Matrix, sizes: Vector) -> Lists:
    longest = max(LONGEST * -(-int(sizes.sum()) // len(sizes)), 1)
    pieces = np.maximum(-(-sizes // longest), 1)
    center = np.repeat(np.arange(len(sizes)), pieces)
    piece = np.arange(len(center)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    length = np.minimum(sizes[center] - piece * longest, longest)
    starts = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    cells = max(int(starts[-1]), 1)
    per_group = -(-cells // -(-cells // CELLS_PER_GROUP))  # all groups alike, so that no task is left for the end
    group = np.minimum(starts[:-1], cells - 1) // per_group
    groups = np.concatenate([np.flatnonzero(np.diff(group, prepend=-1)), [len(center)]])
    return Lists(folder, centers[center], starts, groups)


def _collect_group(folder: str, group: int, place: tuple[int, int], center: tuple[int, int]) -> int:
    """Write the cells at some places of the order of lists, which belong to some centers; gives their sum."""
    first, stop = place
    offsets = read_array(folder, "offsets", start=center[0], stop=center[1] + 1)
    before = offsets[:-1].sum(axis=1)
    points: Matrix | None = None
    cells = np.empty(stop - first, dtype=np.int64)
    for number, in_block in enumerate(offsets.T):
        offset, here = int(in_block[0]), np.diff(in_block)
        with (
            ArrayFile(folder, f"sorted-points-{number}") as point_file,
            ArrayFile(folder, f"sorted-cells-{number}") as cell_file,
        ):
            some, some_cells = (file.rows(offset, offset + int(here.sum())) for file in (point_file, cell_file))
        places = np.repeat(before - (np.cumsum(here) - here), here) + np.arange(len(some))
        inside = (places >= first) & (places < stop)
        points = np.empty((stop - first, some.shape[1]), dtype=np.float32) if points is None else points
        points[places[inside] - first] = some[inside]
        cells[places[inside] - first] = some_cells[inside]
        before += here
    write_array(folder, f"points-{group}", points)
    write_array(folder, f"cells-{group}", cells)
    return _sum_of(points, cells)
