"""Rank correlations of every row with sets of weights of its columns (Spearman), with ties at their mean rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_ranks import RankSpace, find_levels, rank_space
from chemores_dask.kernels.set_ranks import longest_row, refuse_broken_row


@dataclass(frozen=True, eq=False)
class RankedWeights:
    """Sets of weights as centered ranks, gene by gene.

    Attributes
    ----------
    starts, members, centered
        For each column the sets that it has weights in, and the rank of each weight within its set less the mean rank:
        ``members[starts[column]:starts[column + 1]]``.
    sizes
        Weights of each set.
    squares
        Of each set: sum of the squares of its centered ranks.
    """

    starts: Vector
    members: Vector
    centered: Vector
    sizes: Vector
    squares: Vector

    @classmethod
    def from_weights(cls, sets: Sequence[tuple[Vector, Vector]], *, width: int) -> RankedWeights:
        """Rank the weights of each set.

        Parameters
        ----------
        sets
            Different columns and a weight for each of them.
        width
            Columns that rows have.
        """
        columns = np.concatenate([np.asarray(columns, dtype=np.int64) for columns, _ in sets])
        centered = np.concatenate([_centered_ranks(np.asarray(weights, dtype=float)) for _, weights in sets])
        sizes = np.array([len(columns) for columns, _ in sets], dtype=np.int64)
        numbers = np.repeat(np.arange(len(sets)), sizes)
        order = np.argsort(columns, kind="stable")
        return cls(
            starts=np.searchsorted(columns[order], np.arange(width + 1)).astype(np.int64),
            members=numbers[order],
            centered=centered[order],
            sizes=sizes,
            squares=np.bincount(numbers, weights=centered**2, minlength=len(sets)),
        )


class LevelSpace(NamedTuple):
    """Arrays in which the values of the sets of one row are sorted out.

    Attributes
    ----------
    values
        Those of the row that belong to a set.
    rising
        Number of each level in rising order.
    first, filled
        Of each set: its place in the next two, and how much of it is filled.
    levels, weights
        Of each value of each set: number of its level, and its centered weight.
    counts, sums
        Of each level, for the set at hand: values, and sum of their weights.
    """

    values: Vector
    rising: Vector
    first: Vector
    filled: Vector
    levels: Vector
    weights: Vector
    counts: Vector
    sums: Vector


def row_rank_correlations(rows: Block, weights: RankedWeights) -> Matrix:
    """Spearman correlation of every row with each set of weights, over the columns that have a weight in it.

    Parameters
    ----------
    rows
        Block of real numbers; what is not stored is zero.
    weights
        The ranked weights.

    Returns
    -------
    Rows by sets; NaN where all values of a set, or all its weights, are equal. Each depends on its row only, to the bit.

    Raises
    ------
    InputError
        If a value is missing or infinite.
    """
    correlations = np.empty((rows.shape[0], len(weights.sizes)))
    longest = longest_row(rows)
    broken = correlate_rows(
        rows.data,
        rows.indices,
        rows.indptr,
        (weights.starts, weights.members, weights.centered, weights.sizes, weights.squares),
        rank_space(longest),
        _level_space(weights, longest),
        correlations,
    )
    refuse_broken_row(broken)
    return correlations


@jit
def correlate_rows(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    sets: tuple[Vector, Vector, Vector, Vector, Vector],
    space: RankSpace,
    own: LevelSpace,
    correlations: Matrix,
) -> int:
    """Write the rank correlations of every row; the first row with a value that cannot be ranked, or -1."""
    starts, members, centered, sizes, squares = sets
    for row in range(len(indptr) - 1):
        chosen = 0
        for place in range(indptr[row], indptr[row + 1]):
            gene = indices[place]
            if starts[gene] < starts[gene + 1]:
                own.values[chosen] = values[place]
                chosen += 1
        number = find_levels(own.values[:chosen], space)
        if number < 0:
            return row
        below_zero = 0
        for rank, level in enumerate(np.argsort(space.levels[:number])):
            own.rising[level] = rank
            below_zero += space.levels[level] < 0.0
        own.filled[:] = 0
        chosen = 0
        for place in range(indptr[row], indptr[row + 1]):
            gene = indices[place]
            start, stop = starts[gene], starts[gene + 1]
            if start == stop:
                continue
            level = space.level_of[chosen]
            chosen += 1
            if level < 0:
                continue
            for entry in range(start, stop):
                member = members[entry]
                target = own.first[member] + own.filled[member]
                own.levels[target] = own.rising[level]
                own.weights[target] = centered[entry]
                own.filled[member] += 1
        for member in range(len(sizes)):
            correlations[row, member] = correlate_set(own, member, sizes[member], squares[member], below_zero)
    return -1


@jit
def correlate_set(own: LevelSpace, member: int, size: int, squares: float, below_zero: int) -> float:
    """Rank correlation of the values of one set, which stand in the space, and of zeros for all others of its columns."""
    first, filled = own.first[member], own.filled[member]
    levels = own.levels[first : first + filled]
    different = 0
    for place in range(filled):
        level = levels[place]
        if own.counts[level] == 0:
            levels[different] = level  # at or before the place that was read
            different += 1
        own.counts[level] += 1
        own.sums[level] += own.weights[first + place]
    zeros = np.float64(size - filled)
    ties = zeros * zeros * zeros - zeros
    below, zero_rank = 0.0, 0.0
    product, weights = 0.0, 0.0
    for level in np.sort(levels[:different]):
        equal = np.float64(own.counts[level])
        if zero_rank == 0.0 and level >= below_zero:
            zero_rank = below + (zeros + 1.0) / 2.0
            below += zeros
        product += (below + (equal + 1.0) / 2.0) * own.sums[level]
        weights += own.sums[level]
        ties += equal * equal * equal - equal
        below += equal
        own.counts[level], own.sums[level] = 0, 0.0
    if zero_rank == 0.0:
        zero_rank = below + (zeros + 1.0) / 2.0
    # Centered weights add up to zero, so those of the zeros are the rest.
    product -= zero_rank * weights
    width = np.float64(size)
    spread = (width * width * width - width - ties) / 12.0 * squares
    return min(max(product / np.sqrt(spread), -1.0), 1.0) if spread > 0.0 else np.nan


def _centered_ranks(weights: Vector) -> Vector:
    _, inverse, counts = np.unique(weights, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    centered: Vector = ranks - (len(weights) + 1) / 2
    return centered


def _level_space(weights: RankedWeights, longest: int) -> LevelSpace:
    total, sets, longest = int(weights.sizes.sum()), len(weights.sizes), max(longest, 1)
    return LevelSpace(
        values=np.empty(longest),
        rising=np.empty(longest, dtype=np.int32),
        first=np.concatenate([[0], np.cumsum(weights.sizes)[:-1]]).astype(np.int64),
        filled=np.zeros(sets, dtype=np.int64),
        levels=np.empty(total, dtype=np.int32),
        weights=np.empty(total),
        counts=np.zeros(longest, dtype=np.int64),
        sums=np.zeros(longest),
    )
