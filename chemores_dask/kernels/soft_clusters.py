"""Soft assignment of cells to clusters on the sphere, and the sums over cells that correcting them needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

TILE_ROWS = 2048
"""Cells whose dot products and shares stay in the cache of a core."""


@jit
def unit_rows(rows: Matrix, out: Matrix) -> None:
    """Scale every row to length 1; rows of zeros stay as they are."""
    for i in range(rows.shape[0]):
        square = 0.0
        for j in range(rows.shape[1]):
            value = np.float64(rows[i, j])
            square += value * value
        scale = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
        for j in range(rows.shape[1]):
            out[i, j] = rows[i, j] * scale


@jit
def shifted_logits(values: Matrix, codes: Vector, penalties: Matrix, scale: float) -> float:
    """Turn dot products into logarithms of shares, each row shifted so that its largest is 0; gives the sum of the shifts."""
    clusters = values.shape[1]
    factor = np.float32(scale)
    total = 0.0
    for i in range(values.shape[0]):
        code = codes[i]
        largest = values[i, 0] * factor + penalties[code, 0]
        for k in range(clusters):
            value = values[i, k] * factor + penalties[code, k]
            values[i, k] = value
            largest = max(value, largest)
        for k in range(clusters):
            values[i, k] -= largest
        total += largest
    return total


@jit
def normalized_shares(values: Matrix, codes: Vector, counts: Matrix) -> float:
    """Divide every row by its sum, and add it to the counts of its group; gives the sum of the logarithms of these sums."""
    clusters = values.shape[1]
    total = 0.0
    for i in range(values.shape[0]):
        code = codes[i]
        row_sum = np.float32(0.0)
        for k in range(clusters):
            row_sum += values[i, k]
        share = np.float32(1.0) / row_sum
        for k in range(clusters):
            values[i, k] *= share
            counts[code, k] += values[i, k]
        total += math.log(row_sum)
    return total


def soft_shares(
    rows: Matrix, codes: Vector, *, centroids: Matrix, penalties: Matrix, sigma: float, counts: Matrix
) -> tuple[Matrix, float]:
    """Shares of clusters in every cell: proportional to ``exp(2 z'y / sigma + penalty)``, where ``z`` is the cell scaled to length 1.

    Parameters
    ----------
    rows
        Cells by components, float32.
    codes
        Group of every cell.
    centroids
        Clusters by components, float32, of length 1.
    penalties
        Groups by clusters, float32: logarithms of factors.
    sigma
        Width of the clusters.
    counts
        Groups by clusters, float64: the shares are added to it.

    Returns
    -------
    Shares, cells by clusters, float32, and the sum over cells of the logarithms of what they were divided by.
    """
    units = np.empty(rows.shape, dtype=np.float32)
    unit_rows(rows, units)
    # What has traveled between processes may begin at any byte. Products would copy it into another order, with other last bits.
    shares = units @ np.require(centroids, requirements=["C", "A"]).T
    partition = shifted_logits(shares, codes, penalties, 2.0 / sigma)
    np.exp(shares, out=shares)
    return shares, partition + normalized_shares(shares, codes, counts)


def tiles(rows: int) -> Iterator[slice]:
    """Cut rows into pieces that stay in the cache."""
    for start in range(0, rows, TILE_ROWS):
        yield slice(start, min(start + TILE_ROWS, rows))


def runs(codes: Vector) -> Iterator[tuple[int, slice]]:
    """Neighboring rows of one group: its number, and where they are."""
    limits = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)] if len(codes) else [0]
    for start, stop in pairwise(limits):
        yield int(codes[start]), slice(start, stop)


def add_cluster_sums(rows: Matrix, shares: Matrix, codes: Vector, *, levels: Matrix, sums: Matrix) -> None:
    """Add cells, weighted by their shares, to the sums of every batch they belong to.

    Parameters
    ----------
    rows
        Cells by components.
    shares
        Cells by clusters.
    codes
        Group of every cell; cells of one group should lie side by side.
    levels
        Batches of every group: groups by batch variables.
    sums
        Batches by clusters by components, float64: changed.
    """
    for code, run in runs(codes):
        part = shares[run].T @ rows[run]
        for level in levels[code]:
            sums[level] += part


def corrected_rows(rows: Matrix, shares: Matrix, codes: Vector, *, levels: Matrix, shifts: Matrix) -> Matrix:
    """Take the shifts of their batches away from cells, weighted by their shares of clusters.

    Parameters
    ----------
    rows
        Cells by components.
    shares
        Cells by clusters.
    codes
        Group of every cell; cells of one group should lie side by side.
    levels
        Batches of every group: groups by batch variables.
    shifts
        Batches by clusters by components, float32.

    Returns
    -------
    Cells by components.
    """
    corrected = rows.copy()
    for code, run in runs(codes):
        corrected[run] -= shares[run] @ shifts[levels[code]].sum(axis=0)
    return corrected
