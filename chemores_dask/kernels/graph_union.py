"""From weights to nearest neighbors to a symmetric graph in compressed rows."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

SOUND, OUTSIDE, ITSELF, TWICE, UNKNOWN, UNSORTED = range(6)
"""What :func:`first_wrong_cell` found: nothing, a row number that is none, the cell itself, a neighbor twice, a bad distance, disorder."""

LARGER, PROBABILISTIC = range(2)
"""How the weights from one cell to another and back become one."""


@jit
def first_wrong_cell(index: Matrix, distance: Matrix) -> tuple[int, int]:
    """Find the first cell whose neighbors cannot be used.

    Parameters
    ----------
    index, distance
        Cells by neighbors.

    Returns
    -------
    Its row, and what is wrong; -1 and ``SOUND`` if all is well.
    """
    cells, neighbors = index.shape
    for cell in range(cells):
        for column in range(neighbors):
            neighbor = index[cell, column]
            if neighbor < 0 or neighbor >= cells:
                return cell, OUTSIDE
            if neighbor == cell:
                return cell, ITSELF
            # Also refuses what is not a number.
            if not (distance[cell, column] >= 0 and distance[cell, column] < np.inf):
                return cell, UNKNOWN
            if column and distance[cell, column] < distance[cell, column - 1]:
                return cell, UNSORTED
            for other in range(column):
                if index[cell, other] == neighbor:
                    return cell, TWICE
    return -1, SOUND


@jit
def weight_towards(index: Matrix, weight: Matrix, cell: int, neighbor: int) -> float:
    """The weight from one cell to another, 0 where the other is not among its neighbors."""
    found: float = weight.dtype.type(0)
    for column in range(index.shape[1]):
        if index[cell, column] == neighbor:
            found = weight[cell, column]
            break
    return found


@jit
def union_sizes(index: Matrix, weight: Matrix, size: Vector) -> None:
    """Count the entries of every row of the symmetric graph.

    Parameters
    ----------
    index, weight
        Cells by neighbors; a weight of 0 is no edge.
    size
        One per cell, int64 zeros; filled.
    """
    cells, neighbors = index.shape
    for cell in range(cells):
        for column in range(neighbors):
            if weight[cell, column] > 0:
                neighbor = index[cell, column]
                size[cell] += 1
                if weight_towards(index, weight, neighbor, cell) == 0:
                    size[neighbor] += 1


@jit
def fill_union(
    index: Matrix,
    weight: Matrix,
    union: int,
    offset: Vector,
    reached: Vector,
    column_of: Vector,
    value_of: Vector,
) -> None:
    """Write the edges of every row of the symmetric graph: first those that only others have, at the end the own ones.

    Parameters
    ----------
    index, weight
        Cells by neighbors; a weight of 0 is no edge.
    union
        What two weights ``a`` and ``b`` become: ``a + b - ab`` (``PROBABILISTIC``) or the larger of the two (``LARGER``).
    offset
        Where the entries of every row begin, cells + 1.
    reached
        Where the entries of every row begin; afterwards where its own ones do.
    column_of, value_of
        One per edge; filled.
    """
    cells, neighbors = index.shape
    for cell in range(cells):
        place = offset[cell + 1]
        for column in range(neighbors - 1, -1, -1):
            there = weight[cell, column]
            if there > 0:
                neighbor = index[cell, column]
                back = weight_towards(index, weight, neighbor, cell)
                place -= 1
                column_of[place] = neighbor
                value_of[place] = there + back - there * back if union == PROBABILISTIC else max(there, back)
                if back == 0:
                    column_of[reached[neighbor]] = cell
                    value_of[reached[neighbor]] = there
                    reached[neighbor] += 1


@jit
def sort_rows(offset: Vector, reached: Vector, widest: int, column_of: Vector, value_of: Vector) -> None:
    """Order the edges of every row by column: the first ones are in order, the cell's own ones, which come last, are not.

    Parameters
    ----------
    offset
        Where the entries of every row begin, cells + 1.
    reached
        Where its own ones do.
    widest
        The largest number of own entries.
    column_of, value_of
        One per edge; sorted within rows.
    """
    columns = np.empty(widest, dtype=column_of.dtype)
    values = np.empty(widest, dtype=value_of.dtype)
    for cell in range(len(reached)):
        count = offset[cell + 1] - reached[cell]
        for entry in range(count):
            column = column_of[reached[cell] + entry]
            value = value_of[reached[cell] + entry]
            free = entry
            while free > 0 and columns[free - 1] > column:
                columns[free] = columns[free - 1]
                values[free] = values[free - 1]
                free -= 1
            columns[free] = column
            values[free] = value
        # From the back, the larger of the two last ones goes to the last free place.
        left, right, place = reached[cell] - 1, count - 1, offset[cell + 1] - 1
        while right >= 0:
            if left >= offset[cell] and column_of[left] > columns[right]:
                column_of[place] = column_of[left]
                value_of[place] = value_of[left]
                left -= 1
            else:
                column_of[place] = columns[right]
                value_of[place] = values[right]
                right -= 1
            place -= 1
