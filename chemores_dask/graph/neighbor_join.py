"""Every cell with the cells near it: all against all, or lists against the lists nearest to them.

A task owns the cells of a group of lists and finds all their neighbors, so nothing is merged.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from dask import delayed

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.graph.inverted_lists import ListReader, Lists
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.list_probes import choose_probes, queries_by_list
from chemores_dask.kernels.nearest import Search
from chemores_dask.stream.array_files import ArrayFile, read_array, write_array
from chemores_dask.stream.compute import compute

LISTS_PER_PROBE = 4
"""A cell chooses its probes among so many times as many lists: those nearest to its own."""

QUERIES_PER_TASK = 2**12
CANDIDATES_PER_READ = 2**13

OWN = -1.0
"""Distance at which a cell sees its own list, so that it is always chosen."""


def join_all(folder: str, bounds: Vector, *, neighbors: int) -> tuple[Matrix, Matrix]:
    """Exact neighbors: every cell looks at every other.

    Parameters
    ----------
    folder
        With the files ``block-N``.
    bounds
        First cell of every block, and the number of cells at the end.
    neighbors
        How many.

    Returns
    -------
    Distances and cell numbers, cells by neighbors.
    """
    parts = [
        (number, first, min(first + QUERIES_PER_TASK, stop))
        for number, (begin, stop) in enumerate(pairwise(bounds))
        for first in range(int(begin), int(stop), QUERIES_PER_TASK)
    ]
    task = delayed(_join_some, pure=True)
    found = compute(*(task(folder, bounds, *part, neighbors) for part in parts))
    return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])


def _join_some(
    folder: str, bounds: Vector, number: int, first: int, stop: int, neighbors: int
) -> tuple[Matrix, Matrix]:
    begin = bounds[number]
    points = read_array(folder, f"block-{number}", start=first - begin, stop=stop - begin)
    search = Search(points, np.arange(first, stop), points.mean(axis=0, dtype=np.float64), neighbors)
    everyone = np.arange(stop - first, dtype=np.int32)
    with single_blas_thread():
        for other, (left, right) in enumerate(pairwise(bounds)):
            with ArrayFile(folder, f"block-{other}") as file:
                for start in range(0, right - left, CANDIDATES_PER_READ):
                    candidates = file.rows(start, min(start + CANDIDATES_PER_READ, right - left))
                    cells = left + start + np.arange(len(candidates))
                    search.look_at(candidates, cells, everyone)
    return search.distance, _narrow(search.neighbor, int(bounds[-1]))


def join_lists(lists: Lists, *, probes: int, neighbors: int) -> tuple[Matrix, Matrix]:
    """Approximate neighbors: every cell looks at the cells of the lists whose centers are nearest to it.

    Parameters
    ----------
    lists
        Where the cells are.
    probes
        Lists that a cell looks at, its own among them.
    neighbors
        How many neighbors to keep.

    Returns
    -------
    Distances and cell numbers, cells by neighbors; infinite where the lists held too few cells.
    """
    write_array(lists.folder, "centers-of-lists", lists.centers)
    write_array(lists.folder, "starts-of-lists", lists.starts)
    write_array(lists.folder, "groups-of-lists", lists.groups)
    task = delayed(_join_group, pure=True)
    compute(*(task(lists.folder, group, probes, neighbors) for group in range(lists.number_of_groups)))
    cells = int(lists.starts[-1])
    distance = np.empty((cells, neighbors), dtype=np.float32)
    neighbor = np.empty((cells, neighbors), dtype=_number_type(cells))
    for group in range(lists.number_of_groups):
        rows = read_array(lists.folder, f"cells-{group}")
        distance[rows] = read_array(lists.folder, f"distance-{group}")
        neighbor[rows] = read_array(lists.folder, f"neighbor-{group}")
    return distance, neighbor


def _join_group(folder: str, group: int, probes: int, neighbors: int) -> None:
    lists = Lists(folder, *(read_array(folder, f"{what}-of-lists") for what in ("centers", "starts", "groups")))
    first_list, stop_list = lists.groups[group : group + 2]
    center = lists.centers[first_list:stop_list].mean(axis=0, dtype=np.float64)
    with ListReader(lists) as reader, single_blas_thread():
        points, cells = reader.points_and_cells(first_list, stop_list)
        search = Search(points, cells, center, neighbors)
        own = lists.starts[first_list : stop_list + 1] - lists.starts[first_list]
        # Its own list first: what lies nearest makes the limit for all others low from the start.
        for begin, stop in pairwise(own):
            search.look_at(points[begin:stop], cells[begin:stop], np.arange(begin, stop, dtype=np.int32))
        order, queries, bounds = _queries_of_lists(lists, points, group, probes)
        for number in order:
            if lists.starts[number] < lists.starts[number + 1]:
                search.look_at(
                    *reader.points_and_cells(number, number + 1), queries[bounds[number] : bounds[number + 1]]
                )
    write_array(folder, f"distance-{group}", search.distance)
    write_array(folder, f"neighbor-{group}", _narrow(search.neighbor, int(lists.starts[-1])))


def _queries_of_lists(lists: Lists, points: Matrix, group: int, probes: int) -> tuple[Vector, Vector, Vector]:
    """For every list the cells of the group that look at it, without those that are in it."""
    first_list, stop_list = (int(bound) for bound in lists.groups[group : group + 2])
    nobody = np.empty(0, dtype=np.int32)
    chosen_lists, chosen_queries = [nobody], [nobody]
    near = near_lists(lists.centers, np.arange(first_list, stop_list), probes)
    offset = lists.starts[first_list]
    for own, others in zip(range(first_list, stop_list), near, strict=True):
        begin, stop = lists.starts[own] - offset, lists.starts[own + 1] - offset
        if begin == stop:
            continue
        distances = distances_to_centers(points[begin:stop], lists.centers[others], own=others == own)
        chosen = chosen_probes(distances, probes)
        chosen[:, others == own] = False
        query, place = np.nonzero(chosen)
        chosen_lists.append(others[place].astype(np.int32))
        chosen_queries.append((begin + query).astype(np.int32))
    pairs_of_lists, pairs_of_queries = np.concatenate(chosen_lists), np.concatenate(chosen_queries)
    counts = np.bincount(pairs_of_lists, minlength=lists.number)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    ordered = np.empty(len(pairs_of_queries), dtype=np.int32)
    queries_by_list(pairs_of_lists, pairs_of_queries, bounds[:-1].copy(), ordered)
    return np.flatnonzero(counts), ordered, bounds


def near_lists(centers: Matrix, of_lists: Vector, probes: int) -> Matrix:
    """For some lists the lists among which their cells choose: those with the nearest centers, their own among them."""
    width = min(LISTS_PER_PROBE * probes, len(centers))
    distances = distances_to_centers(centers[of_lists], centers)
    distances[np.arange(len(of_lists)), of_lists] = OWN
    if width == len(centers):
        return np.broadcast_to(np.arange(width), distances.shape)
    return np.sort(np.argpartition(distances, width - 1, axis=1)[:, :width], axis=1)


def distances_to_centers(points: Matrix, centers: Matrix, *, own: Vector | None = None) -> Matrix:
    """Squared distances to centers, never below zero; ``OWN`` for the points' own list."""
    middle = centers.mean(axis=0, dtype=np.float64)
    left, right = (points - middle).astype(np.float32), (centers - middle).astype(np.float32)
    distances = np.einsum("ij,ij->i", right, right)[None, :] - 2.0 * (left @ right.T)
    distances += np.einsum("ij,ij->i", left, left)[:, None]
    np.maximum(distances, 0.0, out=distances)
    if own is not None:
        distances[:, own] = OWN
    return distances


def chosen_probes(distances: Matrix, probes: int) -> Matrix:
    """Which lists each query looks at: so many of the nearest."""
    if probes >= distances.shape[1]:
        return np.ones(distances.shape, dtype=bool)
    limits = np.partition(distances, probes - 1, axis=1)[:, probes - 1]
    chosen = np.empty(distances.shape, dtype=bool)
    choose_probes(distances, limits, probes, chosen)
    return chosen


def _number_type(cells: int) -> type[np.signedinteger]:
    return np.int32 if cells < 2**31 else np.int64


def _narrow(numbers: Matrix, cells: int) -> Matrix:
    # Nobody stays beyond the last cell, in any type.
    return np.minimum(numbers, cells).astype(_number_type(cells))
