"""Nearest points: a matrix product says who may be near, an exact distance decides.

Distances by a product, ``|x|^2 - 2 q'x + |q|^2``, cost little and lose digits; two points that are the same need not come out at distance
zero. They serve as a filter here, with a bound on what they lose; whoever passes is measured exactly, so what is kept does not depend on
the product or on the library that made it.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

CHUNK = 16
"""Entries of a row of products that are compared at once."""

NOBODY = np.iinfo(np.int64).max
"""Stands where no neighbor was found yet."""

ROUNDING = 2.0**-24
"""Largest relative error of one operation in float32."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""Below this, numbers in float32 lose their digits."""

TILE_QUERIES = 512
TILE_CANDIDATES = 512
"""A tile of products, 1 MB, stays in the cache between the product and the look at it."""

SHARE_ABOVE = 1.0 + 2.0**-21
"""Squares of distances that were rounded to float32 lie below their true squares by less than this."""


@jit
def prepare_queries(points: Matrix, center: Vector, prepared: Matrix, squares: Vector) -> None:
    """One side of a product: ``(q, 1)``, as seen from a center.

    Parameters
    ----------
    points
        Float32, points by components.
    center
        A point near them (float64): the smaller the differences, the tighter the bound of the filter.
    prepared
        Filled: float32, one more column than there are components.
    squares
        Filled: squared lengths, float64.
    """
    width = points.shape[1]
    for point in range(points.shape[0]):
        square = 0.0
        for component in range(width):
            value = np.float32(np.float64(points[point, component]) - center[component])
            prepared[point, component] = value
            square += np.float64(value) * np.float64(value)
        prepared[point, width] = np.float32(1.0)
        squares[point] = square


@jit
def prepare_candidates(points: Matrix, center: Vector, prepared: Matrix) -> float:
    """The other side: ``(-2 x, |x|^2)``, so that a product is the squared distance less ``|q|^2``.

    Parameters
    ----------
    points, center, prepared
        As for :func:`prepare_queries`.

    Returns
    -------
    The largest squared length.
    """
    width = points.shape[1]
    largest = 0.0
    for point in range(points.shape[0]):
        square = 0.0
        for component in range(width):
            value = np.float32(np.float64(points[point, component]) - center[component])
            prepared[point, component] = np.float32(-2.0) * value
            square += np.float64(value) * np.float64(value)
        prepared[point, width] = np.float32(square)
        largest = max(largest, square)
    return largest


def slack(query_squares: Vector, largest_square: float, *, components: int) -> Vector:
    """How much a product may lie above the true value.

    Parameters
    ----------
    query_squares
        Squared lengths of the queries.
    largest_square
        Of all candidates.
    components
        Of the points.

    Returns
    -------
    For each query a bound on the error of its products: a rounding for each term of the sum and for each number that goes in.
    """
    bound: Vector = ROUNDING * (np.sqrt(query_squares) + np.sqrt(largest_square)) ** 2 + SMALLEST
    return (components + 16) * bound


@jit
def distance_between(first: Vector, second: Vector) -> np.float32:
    """Euclidean distance of two float32 points, summed in float64 and rounded to float32 once."""
    length = len(first)
    whole = length - length % 4
    sum0 = sum1 = sum2 = sum3 = 0.0
    for start in range(0, whole, 4):
        step0 = np.float64(first[start]) - np.float64(second[start])
        step1 = np.float64(first[start + 1]) - np.float64(second[start + 1])
        step2 = np.float64(first[start + 2]) - np.float64(second[start + 2])
        step3 = np.float64(first[start + 3]) - np.float64(second[start + 3])
        sum0 += step0 * step0
        sum1 += step1 * step1
        sum2 += step2 * step2
        sum3 += step3 * step3
    for component in range(whole, length):
        step = np.float64(first[component]) - np.float64(second[component])
        sum0 += step * step
    return np.float32(np.sqrt((sum0 + sum1) + (sum2 + sum3)))


@jit
def keep_nearest(
    products: Matrix,
    rows: Vector,
    squares: Vector,
    slacks: Vector,
    points: Matrix,
    cells: Vector,
    candidates: Matrix,
    candidate_cells: Vector,
    kept_distance: Matrix,
    kept_cell: Matrix,
) -> None:
    """Let candidates take the places of farther neighbors.

    Parameters
    ----------
    products
        Queries by candidates: squared distance less the square of the query, not exact.
    rows
        Rows of the queries in ``points``, ``cells`` and what is kept.
    squares, slacks
        Squared lengths of these queries, and how far a product may be off.
    points, cells
        All queries and their cell numbers; a cell is not its own neighbor.
    candidates, candidate_cells
        The candidates as they are, and their cell numbers.
    kept_distance, kept_cell
        The nearest so far, in order of distance, then of cell number; changed in place.
    """
    last = kept_distance.shape[1] - 1
    width = products.shape[1]
    for query in range(products.shape[0]):
        row = rows[query]
        worst = np.float64(kept_distance[row, last])
        limit = np.float32(worst * worst * SHARE_ABOVE - squares[query] + slacks[query])
        for start in range(0, width, CHUNK):
            stop = min(start + CHUNK, width)
            passing = np.int32(0)
            if stop - start == CHUNK:
                for lane in range(CHUNK):
                    passing += np.int32(products[query, start + lane] <= limit)
            else:
                passing = np.int32(1)
            if passing == 0:
                continue
            for candidate in range(start, stop):
                cell = candidate_cells[candidate]
                if not products[query, candidate] <= limit or cell == cells[row]:
                    continue
                if worst == 0.0 and cell > kept_cell[row, last]:
                    continue
                distance = distance_between(points[row], candidates[candidate])
                if distance > worst or (distance == worst and cell > kept_cell[row, last]):
                    continue
                place = last
                while place > 0 and (
                    kept_distance[row, place - 1] > distance
                    or (kept_distance[row, place - 1] == distance and kept_cell[row, place - 1] > cell)
                ):
                    kept_distance[row, place] = kept_distance[row, place - 1]
                    kept_cell[row, place] = kept_cell[row, place - 1]
                    place -= 1
                kept_distance[row, place] = distance
                kept_cell[row, place] = cell
                worst = np.float64(kept_distance[row, last])
                limit = np.float32(worst * worst * SHARE_ABOVE - squares[query] + slacks[query])


@dataclass
class Search:
    """Queries of one task and the nearest neighbors found for them so far.

    Attributes
    ----------
    points, cells
        The queries and their cell numbers; a cell is not its own neighbor.
    center
        Where products are seen from.
    distance, neighbor
        The nearest so far, queries by neighbors: in order of distance, then of cell number.
    """

    points: Matrix
    cells: Vector
    center: Vector
    neighbors: InitVar[int]
    distance: Matrix = field(init=False)
    neighbor: Matrix = field(init=False)

    def __post_init__(self, neighbors: int) -> None:
        queries, components = self.points.shape
        self.distance = np.full((queries, neighbors), np.inf, dtype=np.float32)
        self.neighbor = np.full((queries, neighbors), NOBODY, dtype=np.int64)
        self._prepared = np.empty((queries, components + 1), dtype=np.float32)
        self._squares = np.empty(queries)
        prepare_queries(self.points, self.center, self._prepared, self._squares)
        self._some = np.empty((TILE_QUERIES, components + 1), dtype=np.float32)
        self._others = np.empty((TILE_CANDIDATES, components + 1), dtype=np.float32)
        self._tile = np.empty(TILE_QUERIES * TILE_CANDIDATES, dtype=np.float32)

    def look_at(self, candidates: Matrix, cells: Vector, rows: Vector) -> None:
        """Let some queries look at some candidates; no pair may come twice.

        Parameters
        ----------
        candidates, cells
            The candidates and their cell numbers.
        rows
            Rows of the queries.
        """
        components = candidates.shape[1]
        for first in range(0, len(candidates), TILE_CANDIDATES):
            others = candidates[first : first + TILE_CANDIDATES]
            other_cells = cells[first : first + TILE_CANDIDATES]
            prepared = self._others[: len(others)]
            largest = prepare_candidates(others, self.center, prepared)
            for start in range(0, len(rows), TILE_QUERIES):
                some = rows[start : start + TILE_QUERIES]
                queries = np.take(self._prepared, some, axis=0, out=self._some[: len(some)], mode="clip")
                products = self._tile[: len(some) * len(others)].reshape(len(some), len(others))
                np.dot(queries, prepared.T, out=products)
                squares = self._squares[some]
                slacks = slack(squares, largest, components=components)
                keep_nearest(
                    products,
                    some,
                    squares,
                    slacks,
                    self.points,
                    self.cells,
                    others,
                    other_cells,
                    self.distance,
                    self.neighbor,
                )
