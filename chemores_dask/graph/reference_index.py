"""Reference cells in lists of cells that lie near each other, to be searched by the cells of another cohort.

Small references are one list, and the search is exact. Larger ones are cut by k-means into about ``4 sqrt(cells)`` lists, of which a query
searches those with the nearest centers; how many is found by comparing with an exact search for some cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.graph.quantizer import moved_centers, number_of_lists, sums_by_center
from chemores_dask.kernels.list_probes import nearest_centers
from chemores_dask.kernels.reference_search import search_lists
from chemores_dask.randomness import random_order

EXACT_CELLS = 4096
"""Up to so many reference cells there is one list."""

CELLS_PER_LIST = 64
"""Reference cells for each list from which its center is learned."""

ROUNDS = 8
ROWS_AT_ONCE = 4096
FIRST_PROBES = 8
MINIMUM_RECALL = 0.95


@dataclass(frozen=True)
class ReferenceIndex:
    """Lists of reference cells.

    Attributes
    ----------
    centers
        Of the lists, lists by components.
    members
        Coordinates of the cells, list by list, within a list component by component, flat.
    offset
        Where each list begins, in cells.
    number
        Row numbers of the cells, in the order of ``members``.
    probes
        Lists that a query searches.
    recall
        Share of the true nearest cells that are found with so many probes, among the cells it was measured on.
    """

    centers: Matrix
    members: Vector
    offset: Vector
    number: Vector
    probes: int
    recall: float = 1.0

    @property
    def lists(self) -> int:
        """Number of lists."""
        return len(self.offset) - 1

    def search(self, queries: Matrix, *, neighbors: int, probes: int | None = None) -> tuple[Matrix, Matrix]:
        """Find the nearest reference cells.

        Parameters
        ----------
        queries
            Cells by components, float32.
        neighbors
            Reference cells for each query; at most as many as there are.
        probes
            Lists to search, those of the index unless given.

        Returns
        -------
        Row numbers (int32) and Euclidean distances (float32), by (distance, row number).
        """
        index = np.empty((len(queries), neighbors), dtype=np.int32)
        distance = np.empty((len(queries), neighbors), dtype=np.float32)
        asked = self.probes if probes is None else probes
        points = np.ascontiguousarray(queries, dtype=np.float32)
        for first in range(0, len(points), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            probe = nearest_lists(points[rows], self.centers, count=min(asked, self.lists))
            order = np.argsort(probe[:, 0], kind="stable")
            search_lists(
                points[rows], order, probe, self.members, self.offset, self.number, index[rows], distance[rows]
            )
        short = np.flatnonzero(index[:, -1] < 0)
        if len(short) and asked < self.lists:
            index[short], distance[short] = self.search(points[short], neighbors=neighbors, probes=2 * asked)
        return index, distance


def build_index(reference: Matrix, *, seed: Seed, exact_cells: int = EXACT_CELLS) -> ReferenceIndex:
    """Put reference cells into lists.

    Parameters
    ----------
    reference
        Cells by components, float32.
    seed
        For the cells that the centers begin with.
    exact_cells
        Up to so many cells there is one list.

    Returns
    -------
    The index; the same bits for the same cells, in one thread.
    """
    cells = len(reference)
    lists = 1 if cells <= exact_cells else number_of_lists(cells)
    if lists == 1:
        centers, codes = reference[:1].copy(), np.zeros(cells, dtype=np.int64)
    else:
        order = random_order(cells, seed=seed)
        sample, centers = reference[np.sort(order[: lists * CELLS_PER_LIST])], reference[order[:lists]]
        for _ in range(ROUNDS):
            centers = moved_centers(centers, *sums_by_center(sample, centers))
        codes = nearest_centers(reference, centers)
    number = np.argsort(codes, kind="stable").astype(np.int32)
    offset = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(centers)))]).astype(np.int64)
    members = np.empty(reference.size, dtype=np.float32)
    components = reference.shape[1]
    for first, stop in pairwise(offset):
        members[first * components : stop * components] = reference[number[first:stop]].T.ravel()
    return ReferenceIndex(centers, members, offset, number, probes=min(FIRST_PROBES, lists))


def with_recall(
    index: ReferenceIndex, queries: Matrix, *, neighbors: int, minimum: float = MINIMUM_RECALL
) -> ReferenceIndex:
    """Raise the probes until some queries find enough of their true nearest reference cells.

    Parameters
    ----------
    index
        The lists.
    queries
        Cells on which the recall is measured.
    neighbors
        Reference cells for each query.
    minimum
        Share of the true nearest cells that must be found.

    Returns
    -------
    The index with its probes and the recall measured with them; all lists are searched where fewer are not enough.
    """
    if index.lists == 1 or not len(queries):
        return replace(index, recall=1.0)
    true, _ = index.search(queries, neighbors=neighbors, probes=index.lists)
    probes = index.probes
    while True:
        found, _ = index.search(queries, neighbors=neighbors, probes=probes)
        common = sum(len(np.intersect1d(one, other)) for one, other in zip(found, true, strict=True))
        recall = common / true.size
        if recall >= minimum or probes >= index.lists:
            return replace(index, probes=probes, recall=recall)
        probes = min(2 * probes, index.lists)


def nearest_lists(points: Matrix, centers: Matrix, *, count: int) -> Matrix:
    """Numbers of the nearest centers of every point.

    Parameters
    ----------
    points, centers
        By components, float32.
    count
        Centers for each point.

    Returns
    -------
    Points by centers, the nearest one first, otherwise in no order.
    """
    half = (centers.astype(np.float64) ** 2).sum(axis=1).astype(np.float32) / 2
    away = half - points @ centers.T
    first = np.argmin(away, axis=1)[:, None]
    if count == 1:
        return first
    if count >= len(centers):
        return np.broadcast_to(np.arange(len(centers)), away.shape)
    np.put_along_axis(away, first, -np.inf, axis=1)
    chosen = np.argpartition(away, count - 1, axis=1)[:, :count]
    place = np.argmax(chosen == first, axis=1)[:, None]
    np.put_along_axis(chosen, place, chosen[:, :1], axis=1)
    chosen[:, :1] = first
    return chosen
