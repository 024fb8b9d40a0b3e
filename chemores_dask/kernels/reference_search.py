"""Nearest reference cells of queries, through lists of reference cells that lie near each other."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit


@jit
def insert_candidate(number: int, square: np.float32, index: Vector, distance: Vector) -> None:
    """Put a candidate among the nearest so far, which lie in order of (distance, number); the last one leaves.

    Parameters
    ----------
    number
        Of the candidate.
    square
        Its squared distance.
    index, distance
        Numbers and squared distances of the nearest so far; changed in place.
    """
    last = len(index) - 1
    if square > distance[last] or (square == distance[last] and number >= index[last]):
        return
    place = last
    while place > 0 and (square < distance[place - 1] or (square == distance[place - 1] and number < index[place - 1])):
        distance[place] = distance[place - 1]
        index[place] = index[place - 1]
        place -= 1
    distance[place] = square
    index[place] = number


@jit
def square_distances(values: Vector, first: int, size: int, query: Vector, square: Vector) -> None:
    """Squared distances from a query to points that are stored component by component.

    Parameters
    ----------
    values
        Holds the points from ``first`` on: ``size`` numbers for every component of the query.
    first, size
        Where they begin, and how many points there are.
    query
        One point.
    square
        Filled in its first ``size`` places. Every sum runs over the components in their order, so its bits do not depend on other points.
    """
    points = square[:size]
    points[:] = np.float32(0.0)
    components = len(query)
    whole = components - components % 4
    for component in range(0, whole, 4):
        begin = first + component * size
        # Four components at once: the sums are read and written a quarter as often.
        one, two = values[begin : begin + size], values[begin + size : begin + 2 * size]
        three, four = values[begin + 2 * size : begin + 3 * size], values[begin + 3 * size : begin + 4 * size]
        a, b, c, d = query[component], query[component + 1], query[component + 2], query[component + 3]
        for point in range(size):
            x, y, z, w = a - one[point], b - two[point], c - three[point], d - four[point]
            points[point] += (x * x + y * y) + (z * z + w * w)
    for component in range(whole, components):
        begin = first + component * size
        last = values[begin : begin + size]
        a = query[component]
        for point in range(size):
            x = a - last[point]
            points[point] += x * x


@jit
def search_lists(
    queries: Matrix,
    order: Vector,
    probe: Matrix,
    members: Vector,
    offset: Vector,
    number: Vector,
    index: Matrix,
    distance: Matrix,
) -> None:
    """Find the nearest members of some lists.

    Parameters
    ----------
    queries
        Points by components, float32.
    order
        Order in which the queries are served: those near each other behind each other, so that lists stay in the cache.
    probe
        Queries by lists: which lists each query searches.
    members
        Points of all lists; each list component by component.
    offset
        Where each list begins, in points; one more than there are lists.
    number
        Numbers of the points, in the order of ``members``.
    index
        Queries by neighbors, int32: filled with the numbers of the nearest, by (distance, number); -1 where the lists hold too few.
    distance
        Of the same shape, float32: filled with their Euclidean distances; infinity where there is none.
    """
    components = queries.shape[1]
    longest = 0
    for each in range(len(offset) - 1):
        longest = max(longest, offset[each + 1] - offset[each])
    square = np.empty(longest, dtype=np.float32)
    for query in order:
        nearest, squares = index[query], distance[query]
        nearest[:] = -1
        squares[:] = np.inf
        for each in probe[query]:
            first = offset[each]
            size = offset[each + 1] - first
            square_distances(members, first * components, size, queries[query], square)
            for point in range(size):
                if square[point] <= squares[-1]:
                    insert_candidate(number[first + point], square[point], nearest, squares)
        for column in range(len(squares)):
            squares[column] = np.sqrt(squares[column])
