"""How many labels are found around a cell: the local inverse Simpson index."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

NEIGHBORS_PER_PERPLEXITY = 3
STEPS = 50
ENTROPY_TOLERANCE = 1e-5
TILE_ROWS = 512


def local_inverse_simpson(
    points: Matrix, codes: Sequence[Vector], *, labels: Sequence[int], perplexity: float = 30.0
) -> list[Vector]:
    """Effective number of labels among the neighbors of every cell [1]_, for several kinds of labels.

    The ``3 perplexity`` nearest neighbors are weighted by ``exp(-beta d)``, where ``beta`` gives the weights the stated perplexity; with
    the weight ``p`` of each label the index is ``1 / sum(p^2)``: 1 where one label is found, the number of labels where all are equal.

    Parameters
    ----------
    points
        Cells by components.
    codes
        Labels of every cell, from 0: one array for each kind.
    labels
        Number of labels of each kind.
    perplexity
        Effective number of neighbors; a third of all neighbors where there are fewer.

    Returns
    -------
    One number per cell, for each kind; 1 for a cell without neighbors.

    References
    ----------
    .. [1] Korsunsky I et al. (2019). Fast, sensitive and accurate integration of single-cell data with Harmony. Nature Methods
       16:1289-1296.
    """
    cells = len(points)
    neighbors = min(int(NEIGHBORS_PER_PERPLEXITY * perplexity), cells - 1)
    indices = [np.ones(cells) for _ in codes]
    if neighbors < 1:
        return indices
    entropy = math.log(max(min(perplexity, neighbors / NEIGHBORS_PER_PERPLEXITY), 1.0))
    centered = np.ascontiguousarray(points - points.mean(axis=0), dtype=np.float32)
    for start in range(0, cells, TILE_ROWS):
        rows = slice(start, min(start + TILE_ROWS, cells))
        nearest, distances = _nearest(points, centered, rows, neighbors)
        for own, count, index in zip(codes, labels, indices, strict=True):
            inverse_simpson(distances, own[nearest], count, entropy, index[rows])
    return indices


def _nearest(points: Matrix, centered: Matrix, rows: slice, neighbors: int) -> tuple[Matrix, Matrix]:
    """Nearest other cells of some cells, in any order, and their distances."""
    # Candidates by single precision, which is twice as fast; distances of those that are kept from differences, which loses no digits.
    distances = (centered**2).sum(axis=1)[None, :] - 2.0 * (centered[rows] @ centered.T)
    own = np.arange(rows.start, rows.stop)
    distances[own - rows.start, own] = np.inf
    nearest = np.argpartition(distances, neighbors - 1, axis=1)[:, :neighbors]
    differences = points[rows, None, :].astype(np.float64) - points[nearest]
    return nearest, np.sqrt((differences**2).sum(axis=2))


@jit
def inverse_simpson(distances: Matrix, codes: Matrix, labels: int, entropy: float, out: Vector) -> None:
    """The index of every row of distances to neighbors with these labels; the entropy of the weights is given."""
    neighbors = distances.shape[1]
    weights = np.empty(neighbors)
    mass = np.empty(labels)
    for i in range(distances.shape[0]):
        nearest = distances[i].min()
        beta, lowest, highest = 1.0, 0.0, math.inf
        for _ in range(STEPS):
            total, weighted = 0.0, 0.0
            for j in range(neighbors):
                weights[j] = math.exp(-(distances[i, j] - nearest) * beta)
                total += weights[j]
                weighted += weights[j] * (distances[i, j] - nearest)
            difference = math.log(total) + beta * weighted / total - entropy
            if abs(difference) < ENTROPY_TOLERANCE:
                break
            if difference > 0.0:
                lowest = beta
                beta = 2.0 * beta if highest == math.inf else 0.5 * (beta + highest)
            else:
                highest = beta
                beta = 0.5 * (beta + lowest)
        mass[:] = 0.0
        for j in range(neighbors):
            mass[codes[i, j]] += weights[j] / total
        out[i] = 1.0 / (mass * mass).sum()
