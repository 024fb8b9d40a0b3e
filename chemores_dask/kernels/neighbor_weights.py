"""Weights from each cell to its nearest neighbors: those of UMAP's fuzzy sets, and those of Gaussian kernels with a width per cell."""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

BISECTIONS = 64
TOLERANCE = 1e-5
LEAST_WIDTH = 1e-3
"""A width is at least this share of the mean distance to the neighbors."""


@jit
def fuzzy_weights(distance: Matrix, mean_distance: float, weight: Matrix) -> None:
    """Membership of the neighbors of a cell in its fuzzy set: ``exp(-(d - rho) / sigma)``, at most 1.

    ``rho`` is the distance to the first neighbor that is not in the same place; ``sigma`` is found by bisection, so that the memberships
    sum to ``log2(neighbors + 1)``.

    Parameters
    ----------
    distance
        Cells by neighbors, float32, ascending, without the cell itself.
    mean_distance
        Of all cells, each counted as its own neighbor at distance 0: for cells whose neighbors are all in the same place.
    weight
        Of the same shape, float32; filled.
    """
    cells, neighbors = distance.shape
    target = math.log2(neighbors + 1.0)
    for cell in range(cells):
        first = np.float32(0.0)
        total = 0.0
        for column in range(neighbors):
            total += np.float64(distance[cell, column])
            if first == 0 and distance[cell, column] > 0:
                first = distance[cell, column]
        low, high, width = 0.0, math.inf, 1.0
        for _ in range(BISECTIONS):
            found = 0.0
            for column in range(neighbors):
                beyond = np.float64(distance[cell, column] - first)
                found += math.exp(-beyond / width) if beyond > 0 else 1.0
            if abs(found - target) < TOLERANCE:
                break
            if found > target:
                high = width
                width = (low + high) / 2.0
            else:
                low = width
                width = width * 2.0 if high == math.inf else (low + high) / 2.0
        least = LEAST_WIDTH * (total / (neighbors + 1.0) if first > 0 else mean_distance)
        width = max(width, least)
        for column in range(neighbors):
            beyond = np.float64(distance[cell, column] - first)
            weight[cell, column] = math.exp(-beyond / width) if beyond > 0 else 1.0


@jit
def gaussian_weights(index: Matrix, distance: Matrix, squared_width: Vector, weight: Matrix) -> None:
    """Gaussian kernels of two cells with a width each: ``sqrt(2 s t / (s^2 + t^2)) exp(-d^2 / (s^2 + t^2))``.

    Parameters
    ----------
    index
        Row numbers of the neighbors, cells by neighbors.
    distance
        Of the same shape, float32.
    squared_width
        One per cell.
    weight
        Of the same shape, float32; filled. Two cells of width 0 have weight 1 in the same place, otherwise 0.
    """
    cells, neighbors = distance.shape
    for cell in range(cells):
        own = np.float64(squared_width[cell])
        for column in range(neighbors):
            other = np.float64(squared_width[index[cell, column]])
            square = np.float64(distance[cell, column]) * np.float64(distance[cell, column])
            both = own + other
            if both > 0:
                weight[cell, column] = math.sqrt(2.0 * math.sqrt(own) * math.sqrt(other) / both) * math.exp(
                    -square / both
                )
            else:
                weight[cell, column] = 1.0 if square == 0 else 0.0
