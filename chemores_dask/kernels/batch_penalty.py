"""Batches in soft clusters: how unevenly they are mixed, the penalty on that, and how far each is shifted."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector

FEWEST_CELLS = 1e-6
"""A cluster that holds less than this share of one cell is empty: nothing is known of its batches."""


def batch_counts(counts: Matrix, *, levels: Matrix, batches: int) -> Matrix:
    """Add groups up to batches.

    Parameters
    ----------
    counts
        Groups by clusters.
    levels
        Batches of every group: groups by batch variables.
    batches
        Number of batches of all variables together.

    Returns
    -------
    Batches by clusters.
    """
    found = np.zeros((batches, counts.shape[1]))
    for column in levels.T:
        np.add.at(found, column, counts)
    return found


def diversity_penalty(counts: Matrix, *, levels: Matrix, theta: Vector, shares: Vector) -> Matrix:
    """Logarithms of the factors that draw cells to clusters where their batches are too few.

    For batch ``b`` with the share ``p`` of all cells, and a cluster with ``n`` cells of which ``o`` are of the batch, ``p n`` are expected,
    and the factor is ``(p n / (o + p n))^theta``: between 0 and 1, whatever the counts.

    Parameters
    ----------
    counts
        Groups by clusters, of the cells that stay as they are.
    levels
        Batches of every group: groups by batch variables.
    theta, shares
        Strength, and share of all cells, of every batch.

    Returns
    -------
    Groups by clusters, float32; 0 for empty clusters.
    """
    observed = np.maximum(batch_counts(counts, levels=levels, batches=len(theta)), 0.0)
    expected = shares[:, None] * np.maximum(counts.sum(axis=0), 0.0)
    known = expected > 0.0
    ratio = np.divide(expected, observed + expected, out=np.ones_like(expected), where=known)
    penalties = theta[:, None] * np.log(ratio)
    summed: Matrix = penalties[levels].sum(axis=1).astype(np.float32)
    return summed


def uneven_mixing(counts: Matrix, *, levels: Matrix, theta: Vector, shares: Vector) -> float:
    """What the penalty amounts to: ``theta o log((o + e) / 2 e)``, summed over batches and clusters; 0 where all are mixed evenly.

    Parameters
    ----------
    counts
        Groups by clusters.
    levels
        Batches of every group.
    theta, shares
        Of every batch.
    """
    observed = np.maximum(batch_counts(counts, levels=levels, batches=len(theta)), 0.0)
    expected = shares[:, None] * counts.sum(axis=0)
    known = expected > 0.0
    ratio = np.divide(observed + expected, 2.0 * expected, out=np.ones_like(expected), where=known)
    return float((theta[:, None] * observed * np.log(ratio)).sum())


def batch_shifts(
    counts: Matrix, sums: Matrix, *, levels: Matrix, shares: Vector, ridge: float | None, ridge_share: float
) -> tuple[Matrix, Matrix]:
    """Where batches lie in each cluster: a ridge regression of the cells on their batches, weighted by the shares of the cluster.

    Parameters
    ----------
    counts
        Groups by clusters.
    sums
        Batches by clusters by components: cells weighted by their shares.
    levels
        Batches of every group: groups by batch variables.
    shares
        Share of all cells of every batch.
    ridge
        Penalty on the squared shift of every batch; None for a share of the cells that are expected of it.
    ridge_share
        That share.

    Returns
    -------
    Shifts, batches by clusters by components, and the centers that are left when these are taken away, clusters by components. Both 0 for
    empty clusters.
    """
    batches, clusters, components = sums.shape
    first = batches_of_first(levels)
    shifts = np.zeros(sums.shape)
    centers = np.zeros((clusters, components))
    design = np.zeros((len(levels), batches + 1))
    design[:, 0] = 1.0
    for column in levels.T:
        design[np.arange(len(levels)), column + 1] = 1.0
    total = sums[first].sum(axis=0)
    for cluster in range(clusters):
        weights = counts[:, cluster]
        cells = weights.sum()
        if cells < FEWEST_CELLS:
            continue
        penalty = np.full(batches, ridge) if ridge is not None else ridge_share * cells * shares
        normal = (design.T * weights) @ design
        normal[np.arange(1, batches + 1), np.arange(1, batches + 1)] += penalty
        found = np.linalg.solve(normal, np.vstack([total[cluster][None, :], sums[:, cluster]]))
        centers[cluster], shifts[:, cluster] = found[0], found[1:]
    return shifts, centers


def batches_of_first(levels: Matrix) -> Vector:
    """Batches of the first variable: every cell is in one of them."""
    return np.unique(levels[:, 0])
