"""Rank correlation of every row with weights of its columns (Spearman), with ties at their mean rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Block, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_ranks import RankSpace, find_levels, rank_levels, rank_space
from chemores_dask.kernels.set_ranks import longest_row, refuse_broken_row


@dataclass(frozen=True, eq=False)
class RankedWeights:
    """Weights of some columns as centered ranks.

    Attributes
    ----------
    positions
        For each column of the rows its number among those with a weight, or -1. int32.
    centered
        Rank of each weight less the mean rank.
    squares
        Sum of the squares of ``centered``.
    """

    positions: Vector
    centered: Vector
    squares: float

    @classmethod
    def from_weights(cls, columns: Vector, weights: Vector, *, width: int) -> RankedWeights:
        """Rank the weights of some columns.

        Parameters
        ----------
        columns
            Different columns.
        weights
            One for each of them.
        width
            Columns that rows have.
        """
        positions = np.full(width, -1, dtype=np.int32)
        positions[columns] = np.arange(len(columns))
        _, inverse, counts = np.unique(weights, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
        centered = ranks - (len(columns) + 1) / 2
        return cls(positions, centered, float((centered**2).sum()))


def row_rank_correlations(rows: Block, weights: RankedWeights) -> Vector:
    """Spearman correlation of every row with the weights, over the columns that have one.

    Parameters
    ----------
    rows
        Block of real numbers; what is not stored is zero.
    weights
        The ranked weights.

    Returns
    -------
    One number per row; NaN where all values of the row, or all weights, are equal. Each depends on its row only, to the bit.

    Raises
    ------
    InputError
        If a value is missing or infinite.
    """
    correlations = np.empty(rows.shape[0])
    space = rank_space(longest_row(rows))
    broken = correlate_rows(
        rows.data,
        rows.indices,
        rows.indptr,
        (weights.positions, weights.centered),
        weights.squares,
        space,
        correlations,
    )
    refuse_broken_row(broken)
    return correlations


@jit
def correlate_rows(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    weights: tuple[Vector, Vector],
    weight_squares: float,
    space: RankSpace,
    correlations: Vector,
) -> int:
    """Write the rank correlation of every row; the first row with a value that cannot be ranked, or -1."""
    positions, centered = weights
    width = np.float64(len(centered))
    row_values, row_weights = np.empty(len(space.levels)), np.empty(len(space.levels))
    for row in range(len(indptr) - 1):
        stored = 0
        for place in range(indptr[row], indptr[row + 1]):
            position = positions[indices[place]]
            if position >= 0:
                row_values[stored] = values[place]
                row_weights[stored] = centered[position]
                stored += 1
        number = find_levels(row_values[:stored], space)
        if number < 0:
            return row
        zeros, ties = width, 0.0
        for level in range(number):
            equal = np.float64(space.counts[level])
            zeros -= equal
            ties += equal * equal * equal - equal
        ties += zeros * zeros * zeros - zeros
        zero_rank = rank_levels(space, number, int(zeros), lowest=False)
        product = 0.0
        for place in range(stored):
            level = space.level_of[place]
            if level >= 0:
                product += (space.level_ranks[level] - zero_rank) * row_weights[place]
        squares = (width * width * width - width - ties) / 12.0
        spread = squares * weight_squares
        correlations[row] = product / np.sqrt(spread) if spread > 0.0 else np.nan
    return -1
