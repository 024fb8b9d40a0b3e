"""Moments of genes per group of rows: exact sums of counts, and merged means and deviations of other values.

References
----------
Chan TF, Golub GH, LeVeque RJ (1983). Algorithms for computing the sample variance. The American Statistician 37:242-247.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import CountsError
from chemores_dask.kernels.group_sums import GroupSums, align_groups
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_counts import require_counts

ROUNDING = 1e-28
"""Squared deviations below this share of n * mean**2 are rounding: the values are all equal."""


@dataclass(frozen=True, eq=False)
class GroupMoments:
    """Moments of genes for some groups of rows.

    Attributes
    ----------
    codes
        Numbers of the groups met so far, rising.
    cells
        Rows per group.
    detected
        Per group and gene: values other than zero.
    mean
        Per group and gene, over all rows of the group, zeros included.
    squared_deviations
        Per group and gene: sum of (x - mean)**2.
    """

    codes: Vector
    cells: Vector
    detected: Matrix
    mean: Matrix
    squared_deviations: Matrix

    def variance(self) -> Matrix:
        """Sample variance (divisor n - 1) per group and gene; exactly 0 for constant genes, NaN for a single row."""
        n = self.cells[:, None].astype(np.float64)
        constant = self.squared_deviations <= ROUNDING * n * self.mean**2
        degrees = np.where(n > 1, n - 1, np.nan)
        return np.where(constant, 0.0, self.squared_deviations) / degrees

    def pooled(self) -> GroupMoments:
        """The moments of all rows, as one group with code 0."""
        n = self.cells[:, None].astype(np.float64)
        total = max(float(n.sum()), 1.0)
        mean = (self.mean * n).sum(axis=0, keepdims=True) / total
        between = ((self.mean - mean) ** 2 * n).sum(axis=0, keepdims=True)
        return GroupMoments(
            np.zeros(1, dtype=np.int64),
            self.cells.sum(keepdims=True),
            self.detected.sum(axis=0, keepdims=True),
            mean,
            self.squared_deviations.sum(axis=0, keepdims=True) + between,
        )


def block_moments(rows: Block, groups: Vector, values: Vector) -> GroupMoments:
    """Moments of one block: means first, then deviations from them, so that nothing cancels.

    Parameters
    ----------
    rows
        Block whose positions hold the values.
    groups
        Code of the group of each row.
    values
        float64, one per stored position of the block; what is not stored is zero.

    Returns
    -------
    The moments of the groups in the block.
    """
    codes, local, cells = np.unique(groups, return_inverse=True, return_counts=True)
    shape = (len(codes), rows.shape[1])
    detected = np.zeros(shape, dtype=np.int64)
    mean, squared_deviations = np.zeros(shape), np.zeros(shape)
    add_values(values, rows.indices, rows.indptr, local, detected, mean)
    mean /= cells[:, None]
    add_squared_deviations(values, rows.indices, rows.indptr, local, mean, squared_deviations)
    squared_deviations += (cells[:, None] - detected) * mean**2
    return GroupMoments(codes.astype(np.int64), cells.astype(np.int64), detected, mean, squared_deviations)


def merge_moments(first: GroupMoments, second: GroupMoments) -> GroupMoments:
    """Moments of the rows of both, group by group, by the formula of Chan, Golub and LeVeque.

    Parameters
    ----------
    first, second
        Moments over the same genes.

    Returns
    -------
    Moments of the groups met in either.
    """
    codes, of_first, of_second = align_groups(first.codes, second.codes)
    groups, genes = len(codes), first.mean.shape[1]
    n1, n2 = np.zeros((groups, 1)), np.zeros((groups, 1))
    n1[of_first, 0], n2[of_second, 0] = first.cells, second.cells
    detected = np.zeros((groups, genes), dtype=np.int64)
    detected[of_first] = first.detected
    detected[of_second] += second.detected
    mean, difference, squared_deviations = (np.zeros((groups, genes)) for _ in range(3))
    mean[of_first] = first.mean
    difference[of_second] = second.mean
    difference -= mean
    squared_deviations[of_first] = first.squared_deviations
    squared_deviations[of_second] += second.squared_deviations
    squared_deviations += difference**2 * (n1 * n2 / (n1 + n2))
    mean += difference * (n2 / (n1 + n2))
    return GroupMoments(codes, (n1 + n2)[:, 0].astype(np.int64), detected, mean, squared_deviations)


def count_power_sums(rows: Block, groups: Vector) -> GroupSums:
    """Exact sums of counts and of their squares for one block.

    Parameters
    ----------
    rows
        Block of counts.
    groups
        Code of the group of each row.

    Returns
    -------
    int64 sums: ``cells`` per group; ``count_sum`` and ``count_square_sum`` per group and gene.
    """
    rows = require_counts(rows)
    _check_squares(rows)
    codes, local, cells = np.unique(groups, return_inverse=True, return_counts=True)
    shape = (len(codes), rows.shape[1])
    count_sum, count_square_sum = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    add_count_powers(rows.data, rows.indices, rows.indptr, local, count_sum, count_square_sum)
    sums = {"cells": cells.astype(np.int64), "count_sum": count_sum, "count_square_sum": count_square_sum}
    return GroupSums(codes.astype(np.int64), sums)


def clipped_power_sums(rows: Block, groups: Vector, limits: Matrix) -> GroupSums:
    """Exact sums of the counts that do not pass a limit, and the number of those that do.

    With the limit c of a gene, the sums of min(count, c) and of its square are ``unclipped_sum + clipped c`` and
    ``unclipped_square_sum + clipped c**2``: integers as long as rows are walked over, so that no blocking changes a bit.

    Parameters
    ----------
    rows
        Block of counts.
    groups
        Code of the group of each row.
    limits
        Largest count that is not clipped, per group (all groups, by code) and gene.

    Returns
    -------
    int64 sums per group and gene: ``clipped``, ``unclipped_sum``, ``unclipped_square_sum``.
    """
    rows = require_counts(rows)
    _check_squares(rows)
    codes, local = np.unique(groups, return_inverse=True)
    shape = (len(codes), rows.shape[1])
    clipped, unclipped_sum, unclipped_square_sum = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    add_clipped_powers(
        rows.data, rows.indices, rows.indptr, local, limits[codes], clipped, unclipped_sum, unclipped_square_sum
    )
    sums = {"clipped": clipped, "unclipped_sum": unclipped_sum, "unclipped_square_sum": unclipped_square_sum}
    return GroupSums(codes.astype(np.int64), sums)


def variance_of_counts(cells: int, count_sum: Vector, count_square_sum: Vector) -> Vector:
    """Sample variance (divisor n - 1) from exact sums; the difference of the two large terms is taken in integers.

    Parameters
    ----------
    cells
        Number of rows, at least 2.
    count_sum, count_square_sum
        int64 sums per gene.

    Returns
    -------
    float64 per gene; exactly 0 for constant genes.
    """
    exact = int(cells) * count_square_sum.astype(object) - count_sum.astype(object) ** 2
    variance: Vector = exact.astype(np.float64) / (float(cells) * (float(cells) - 1))
    return variance


def _check_squares(rows: Block) -> None:
    largest = int(rows.data.max(initial=0))
    if largest**2 * max(rows.shape[0], 1) >= 2**63:
        message = (
            f"The squares of the counts of a block must add up to less than 2**63. Found a count of {largest} in a block of "
            f"{rows.shape[0]} rows; check the counts for wrong values, or use fewer rows per block."
        )
        raise CountsError(message)


@jit
def add_values(values: Vector, indices: Vector, indptr: Vector, local: Vector, detected: Matrix, total: Matrix) -> None:
    """Add the values of a block to their sums and numbers per group and gene."""
    for row in range(len(indptr) - 1):
        group = local[row]
        for position in range(indptr[row], indptr[row + 1]):
            value = values[position]
            if value != 0.0:
                gene = indices[position]
                detected[group, gene] += 1
                total[group, gene] += value


@jit
def add_squared_deviations(
    values: Vector, indices: Vector, indptr: Vector, local: Vector, mean: Matrix, squared_deviations: Matrix
) -> None:
    """Add the squared deviations of the values other than zero."""
    for row in range(len(indptr) - 1):
        group = local[row]
        for position in range(indptr[row], indptr[row + 1]):
            value = values[position]
            if value != 0.0:
                gene = indices[position]
                deviation = value - mean[group, gene]
                squared_deviations[group, gene] += deviation * deviation


@jit
def add_count_powers(
    values: Vector, indices: Vector, indptr: Vector, local: Vector, count_sum: Matrix, count_square_sum: Matrix
) -> None:
    """Add counts and their squares to sums per group and gene."""
    for row in range(len(indptr) - 1):
        group = local[row]
        for position in range(indptr[row], indptr[row + 1]):
            count = int(values[position])
            gene = indices[position]
            count_sum[group, gene] += count
            count_square_sum[group, gene] += count * count


@jit
def add_clipped_powers(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    local: Vector,
    limits: Matrix,
    clipped: Matrix,
    unclipped_sum: Matrix,
    unclipped_square_sum: Matrix,
) -> None:
    """Add counts up to the limit of their gene to sums, and count the others."""
    for row in range(len(indptr) - 1):
        group = local[row]
        for position in range(indptr[row], indptr[row + 1]):
            count = int(values[position])
            gene = indices[position]
            if count > limits[group, gene]:
                clipped[group, gene] += 1
            else:
                unclipped_sum[group, gene] += count
                unclipped_square_sum[group, gene] += count * count
