"""Sums of the ranks that the genes of a set have within each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import InputError
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_ranks import RankSpace, find_levels, rank_levels, rank_space


@dataclass(frozen=True, eq=False)
class SetColumns:
    """Which columns belong to which sets.

    Attributes
    ----------
    starts, members
        For each column the sets that it belongs to: ``members[starts[column]:starts[column + 1]]``.
    sizes
        Columns of each set.
    """

    starts: Vector
    members: Vector
    sizes: Vector

    @classmethod
    def from_lists(cls, sets: list[Vector], *, width: int) -> SetColumns:
        """Turn lists of columns, one per set, around.

        Parameters
        ----------
        sets
            Different columns of each set.
        width
            Columns that rows have.
        """
        columns = np.concatenate([np.asarray(columns, dtype=np.int64) for columns in sets] or [np.empty(0, np.int64)])
        numbers = np.repeat(np.arange(len(sets)), [len(columns) for columns in sets])
        order = np.argsort(columns, kind="stable")
        starts = np.searchsorted(columns[order], np.arange(width + 1))
        sizes = np.array([len(columns) for columns in sets], dtype=np.int64)
        return cls(starts.astype(np.int64), numbers[order].astype(np.int64), sizes)


class SetRankSums(NamedTuple):
    """Sums over the genes of each set, per row and set; ``r`` is the rank of a gene within the row, from 1 for the lowest value.

    Attributes
    ----------
    ranks
        Sum of r.
    powers
        Sum of r ** exponent.
    weighted
        Sum of r * r ** exponent.
    """

    ranks: Matrix
    powers: Matrix
    weighted: Matrix


def set_rank_sums(rows: Block, sets: SetColumns, *, exponent: float, lowest: bool) -> SetRankSums:
    """Rank all genes within each row and add up the ranks of the genes of each set.

    Parameters
    ----------
    rows
        Block of real numbers; what is not stored is zero.
    sets
        Columns of the sets.
    exponent
        Of the ranks as weights.
    lowest
        True where equal values share the lowest of their ranks, False where they share the mean.

    Returns
    -------
    The sums. Each row depends on itself only, to the bit.

    Raises
    ------
    InputError
        If a value is missing or infinite.
    """
    shape = (rows.shape[0], len(sets.sizes))
    sums = SetRankSums(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    space = rank_space(longest_row(rows))
    broken = add_set_ranks(
        rows.data,
        rows.indices,
        rows.indptr,
        rows.shape[1],
        (sets.starts, sets.members, sets.sizes),
        float(exponent),
        lowest,
        space,
        sums,
    )
    refuse_broken_row(broken)
    return sums


def longest_row(rows: Block) -> int:
    """Stored values of the longest row of a block."""
    return int(np.diff(rows.indptr).max(initial=0))


def refuse_broken_row(row: int) -> None:
    """Refuse a row that cannot be ranked; -1 where there is none.

    Raises
    ------
    InputError
        If there is one.
    """
    if row >= 0:
        message = (
            f"Values must be known and finite to be ranked within a row. Row {row} of a block holds a missing or infinite one; "
            "impute it, or leave that row or gene out."
        )
        raise InputError(message)


@jit
def add_set_ranks(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    width: int,
    sets: tuple[Vector, Vector, Vector],
    exponent: float,
    lowest: bool,
    space: RankSpace,
    sums: SetRankSums,
) -> int:
    """Add ranks and their powers to the sums of rows and sets; the first row with a value that cannot be ranked, or -1."""
    starts, members, sizes = sets
    ranks, powers, weighted = sums
    level_powers = np.empty(len(space.levels))
    seen = np.empty(len(sizes), dtype=np.int64)
    for row in range(len(indptr) - 1):
        first, last = indptr[row], indptr[row + 1]
        number = find_levels(values[first:last], space)
        if number < 0:
            return row
        nonzero = 0
        for level in range(number):
            nonzero += space.counts[level]
        zero_rank = rank_levels(space, number, width - nonzero, lowest)
        level_powers[:number] = -1.0
        seen[:] = 0
        for place in range(first, last):
            gene = indices[place]
            level = space.level_of[place - first]
            start, stop = starts[gene], starts[gene + 1]
            if level < 0 or start == stop:
                continue
            rank = space.level_ranks[level]
            if level_powers[level] < 0.0:
                level_powers[level] = rank**exponent
            power = level_powers[level]
            for entry in range(start, stop):
                member = members[entry]
                seen[member] += 1
                ranks[row, member] += rank
                powers[row, member] += power
                weighted[row, member] += rank * power
        zero_power = zero_rank**exponent
        for member in range(len(sizes)):
            rest = sizes[member] - seen[member]
            ranks[row, member] += rest * zero_rank
            powers[row, member] += rest * zero_power
            weighted[row, member] += rest * zero_rank * zero_power
    return -1
