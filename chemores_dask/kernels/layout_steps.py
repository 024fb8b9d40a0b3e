"""One round over some cells of a map: taking the mean of one's neighbors, or being pulled by neighbors and pushed by landmarks.

Cells of a block move, all others stand where they stood before the round; so blocks can be taken in any order, and every cell makes its own
draws.

References
----------
McInnes L, Healy J, Melville J (2018). UMAP: uniform manifold approximation and projection for dimension reduction. arXiv:1802.03426.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.sampled_counts import bits_at, uniform_at

LARGEST_STEP = 4.0
"""A gradient is cut to this before it is multiplied by the length of the steps, as in umap-learn."""

NEAR = 1e-3
"""Keeps the push between cells in one place finite."""


@jit
def part_of_each_cell(offset: Vector, index: Vector) -> Vector:
    """Which cells hang together.

    Parameters
    ----------
    offset, index
        Symmetric graph in compressed rows.

    Returns
    -------
    For every cell the smallest row number in its part of the graph.
    """
    cells = len(offset) - 1
    leader = np.arange(cells)
    for cell in range(cells):
        for edge in range(offset[cell], offset[cell + 1]):
            first = cell
            while leader[first] != first:
                leader[first] = leader[leader[first]]
                first = leader[first]
            second = index[edge]
            while leader[second] != second:
                leader[second] = leader[leader[second]]
                second = leader[second]
            if first < second:
                leader[second] = first
            else:
                leader[first] = second
    for cell in range(cells):  # a leader comes before those it leads
        leader[cell] = leader[leader[cell]]
    return leader


@jit
def spread_coordinates(
    offset: Vector, index: Vector, weight: Vector, coordinates: Matrix, fixed: Vector, start: int, placed: Matrix
) -> None:
    """Put cells at the weighted mean of those neighbors that have a place.

    Parameters
    ----------
    offset, index, weight
        Edges of the cells of the block, in compressed rows; ``offset`` starts at 0.
    coordinates
        Of all cells; NaN for those without a place.
    fixed
        Cells of the block that stay.
    start
        Row number of the first cell of the block.
    placed
        Filled: coordinates of the block.
    """
    for row in range(len(offset) - 1):
        cell = start + row
        placed[row, 0] = coordinates[cell, 0]
        placed[row, 1] = coordinates[cell, 1]
        if fixed[row]:
            continue
        total = 0.0
        across = 0.0
        upward = 0.0
        for edge in range(offset[row], offset[row + 1]):
            other = index[edge]
            if not np.isnan(coordinates[other, 0]):
                total += weight[edge]
                across += weight[edge] * coordinates[other, 0]
                upward += weight[edge] * coordinates[other, 1]
        if total > 0.0:
            placed[row, 0] = across / total
            placed[row, 1] = upward / total


@jit
def cut(value: float) -> float:
    """A gradient, cut to what one step may be."""
    return min(max(value, -LARGEST_STEP), LARGEST_STEP)


@jit
def move_cells(
    offset: Vector,
    index: Vector,
    weight: Vector,
    coordinates: Matrix,
    landmarks: Vector,
    start: int,
    heaviest: float,
    key: np.uint64,
    curve: tuple[float, float],
    step: float,
    pushes: int,
    moved: Matrix,
) -> None:
    """Move cells toward their neighbors and away from landmarks drawn at random: the gradient steps of UMAP.

    An edge pulls with the probability ``weight / heaviest``; with every pull come some pushes. The similarity of two cells at distance
    ``d`` is ``1 / (1 + a d^(2b))``.

    Parameters
    ----------
    offset, index, weight
        Edges of the cells of the block, in compressed rows; ``offset`` starts at 0.
    coordinates
        Of all cells, before the round.
    landmarks
        Row numbers of the cells that push.
    start
        Row number of the first cell of the block.
    heaviest
        Largest weight of the whole graph.
    key
        Of the round; draws follow from it and the row number of the cell.
    curve
        ``a`` and ``b``.
    step
        Length of the steps.
    pushes
        Landmarks that push, for each pull.
    moved
        Filled: coordinates of the block after the round.
    """
    a, b = curve
    number = np.uint64(len(landmarks))
    standing = coordinates[landmarks]  # together, so that they stay in the cache
    for row in range(len(offset) - 1):
        cell = start + row
        own = np.uint64(bits_at(key, np.uint64(cell + 1)))
        draw = 0
        across = np.float64(coordinates[cell, 0])
        upward = np.float64(coordinates[cell, 1])
        for edge in range(offset[row], offset[row + 1]):
            draw += 1
            if uniform_at(own, np.uint64(draw)) * heaviest >= weight[edge]:
                continue
            other = index[edge]
            right = across - coordinates[other, 0]
            up = upward - coordinates[other, 1]
            square = right * right + up * up
            if square > 0.0:
                power = square**b
                pull = -2.0 * a * b * power / (square * (a * power + 1.0))
                across += step * cut(pull * right)
                upward += step * cut(pull * up)
            for _ in range(pushes):
                draw += 1
                pusher = np.int64(np.uint64(bits_at(own, np.uint64(draw))) % number)
                right = across - standing[pusher, 0]
                up = upward - standing[pusher, 1]
                square = right * right + up * up
                if square > 0.0 and landmarks[pusher] != cell:
                    push = 2.0 * b / ((NEAR + square) * (a * square**b + 1.0))
                    across += step * cut(push * right)
                    upward += step * cut(push * up)
        moved[row, 0] = across
        moved[row, 1] = upward
