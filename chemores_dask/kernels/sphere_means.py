"""K-means on the sphere, for a sample of cells in memory."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.kernels.soft_clusters import unit_rows
from chemores_dask.randomness import cell_uniforms

ITERATIONS = 30


def sphere_means(rows: Matrix, *, clusters: int, seed: Seed) -> Matrix:
    """Centers of cells that are scaled to length 1, started by k-means++ [1]_ and moved by Lloyd's steps until nothing changes.

    Parameters
    ----------
    rows
        Cells by components; at least as many as clusters.
    clusters
        Number of centers.
    seed
        For the first centers.

    Returns
    -------
    Clusters by components, float32, of length 1 (0 where all cells of a cluster cancel out or are 0).

    References
    ----------
    .. [1] Arthur D, Vassilvitskii S (2007). k-means++: the advantages of careful seeding. SODA, 1027-1035.
    """
    units = np.empty(rows.shape, dtype=np.float32)
    unit_rows(np.ascontiguousarray(rows, dtype=np.float32), units)
    centers: Matrix = units[_first_centers(units, clusters, seed)].copy()
    nearest = np.full(len(units), -1)
    for _ in range(ITERATIONS):
        found = np.argmax(units @ centers.T, axis=1)
        if np.array_equal(found, nearest):
            break
        nearest = found
        members = sp.csr_matrix((np.ones(len(units)), nearest, np.arange(len(units) + 1)), shape=(len(units), clusters))
        sums: Matrix = members.T @ units
        # A center that lost all its cells stays where it was.
        kept = np.bincount(nearest, minlength=clusters) == 0
        unit_rows(sums, sums)
        centers = np.where(kept[:, None], centers, sums.astype(np.float32))
    return centers


def _first_centers(units: Matrix, clusters: int, seed: Seed) -> Vector:
    draws = cell_uniforms(seed, np.arange(clusters, dtype=np.uint64)).ravel()
    chosen = np.empty(clusters, dtype=np.int64)
    chosen[0] = int(draws[0] * len(units))
    squares = np.maximum(2.0 - 2.0 * (units @ units[chosen[0]]).astype(np.float64), 0.0)
    for number in range(1, clusters):
        cumulated = np.cumsum(squares)
        # Where all cells lie on centers already, any cell will do.
        place = np.searchsorted(cumulated, draws[number] * cumulated[-1], side="right")
        chosen[number] = min(int(place), len(units) - 1) if cumulated[-1] > 0 else number % len(units)
        again = np.maximum(2.0 - 2.0 * (units @ units[chosen[number]]).astype(np.float64), 0.0)
        squares = np.minimum(squares, again)
    return chosen
