"""Which lists of points a query looks at: those whose centers are nearest to it."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.nearest import prepare_candidates, prepare_queries

CHUNK = 16
"""Entries of a row of products that are compared at once."""

TILE_POINTS = 512
TILE_CENTERS = 512
"""A tile of products, 1 MB, stays in the cache between the product and the look at it."""


def nearest_centers(points: Matrix, centers: Matrix) -> Vector:
    """The center nearest to each point, by products in float32; of equals the first.

    Parameters
    ----------
    points
        Float32, points by components.
    centers
        Float32, at least one.

    Returns
    -------
    Numbers of centers, int32.
    """
    middle = centers.mean(axis=0, dtype=np.float64)
    prepared = np.empty((len(centers), centers.shape[1] + 1), dtype=np.float32)
    prepare_candidates(centers, middle, prepared)
    found = np.zeros(len(points), dtype=np.int32)
    queries = np.empty((min(TILE_POINTS, len(points)), centers.shape[1] + 1), dtype=np.float32)
    squares = np.empty(len(queries))
    tile = np.empty(TILE_POINTS * TILE_CENTERS, dtype=np.float32)
    for start in range(0, len(points), TILE_POINTS):
        some = points[start : start + TILE_POINTS]
        prepare_queries(some, middle, queries[: len(some)], squares)
        smallest = np.full(len(some), np.inf, dtype=np.float32)
        for first in range(0, len(centers), TILE_CENTERS):
            others = prepared[first : first + TILE_CENTERS]
            products = tile[: len(some) * len(others)].reshape(len(some), len(others))
            np.dot(queries[: len(some)], others.T, out=products)
            keep_smallest(products, first, smallest, found[start : start + len(some)])
    return found


@jit
def keep_smallest(products: Matrix, first: int, smallest: Vector, found: Vector) -> None:
    """Hold the smallest product of each row and its column, over several tiles; of equals the first.

    Parameters
    ----------
    products
        A tile.
    first
        Number of its first column.
    smallest, found
        For each row the smallest so far, and its column; changed in place.
    """
    width = products.shape[1]
    for row in range(products.shape[0]):
        limit = smallest[row]
        for start in range(0, width, CHUNK):
            stop = min(start + CHUNK, width)
            below = np.int32(0)
            if stop - start == CHUNK:
                for lane in range(CHUNK):
                    below += np.int32(products[row, start + lane] < limit)
            else:
                below = np.int32(1)
            if below == 0:
                continue
            for column in range(start, stop):
                if products[row, column] < limit:
                    limit = products[row, column]
                    found[row] = first + column
        smallest[row] = limit


@jit
def choose_probes(distances: Matrix, limits: Vector, probes: int, chosen: Matrix) -> None:
    """Mark the lists with the smallest distances; of equals the first.

    Parameters
    ----------
    distances
        Queries by lists.
    limits
        For each query its smallest distance but ``probes - 1``.
    probes
        Lists to mark for each query; at most as many as there are.
    chosen
        Booleans, queries by lists; filled.
    """
    for query in range(distances.shape[0]):
        left = probes
        for place in range(distances.shape[1]):
            nearer = distances[query, place] < limits[query]
            chosen[query, place] = nearer
            left -= int(nearer)
        for place in range(distances.shape[1]):
            if left > 0 and distances[query, place] == limits[query]:
                chosen[query, place] = True
                left -= 1


@jit
def queries_by_list(lists: Vector, queries: Vector, starts: Vector, ordered: Vector) -> None:
    """Put pairs of list and query in the order of lists, queries in the order they came.

    Parameters
    ----------
    lists, queries
        The pairs.
    starts
        For each list where its queries begin; moved behind them.
    ordered
        Queries in the new order; filled.
    """
    for pair in range(len(lists)):
        place = starts[lists[pair]]
        ordered[place] = queries[pair]
        starts[lists[pair]] = place + 1
