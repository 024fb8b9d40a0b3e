"""Sums of the ranks that the genes of a set have within each row, counted from the highest value and capped."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_ranks import RankSpace, find_levels, rank_levels, rank_space
from chemores_dask.kernels.set_ranks import SetColumns, longest_row, refuse_broken_row


def capped_rank_sums(rows: Block, sets: SetColumns, *, maximum_rank: int) -> Matrix:
    """Rank all genes within each row, the highest value first, and add up the ranks of the genes of each set.

    Parameters
    ----------
    rows
        Block of real numbers; what is not stored is zero.
    sets
        Columns of the sets.
    maximum_rank
        Larger ranks count as this. Equal values share the mean of their ranks before.

    Returns
    -------
    Rows by sets. Each row depends on itself only, to the bit.

    Raises
    ------
    InputError
        If a value is missing or infinite.
    """
    sums = np.zeros((rows.shape[0], len(sets.sizes)))
    broken = add_capped_ranks(
        rows.data,
        rows.indices,
        rows.indptr,
        rows.shape[1],
        (sets.starts, sets.members, sets.sizes),
        float(maximum_rank),
        rank_space(longest_row(rows)),
        sums,
    )
    refuse_broken_row(broken)
    return sums


@jit
def add_capped_ranks(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    width: int,
    sets: tuple[Vector, Vector, Vector],
    maximum_rank: float,
    space: RankSpace,
    sums: Matrix,
) -> int:
    """Add capped ranks to the sums of rows and sets; the first row with a value that cannot be ranked, or -1."""
    starts, members, sizes = sets
    rest = np.empty(len(sizes), dtype=np.int64)
    for row in range(len(indptr) - 1):
        first, last = indptr[row], indptr[row + 1]
        number = find_levels(values[first:last], space)
        if number < 0:
            return row
        zeros = width
        for level in range(number):
            zeros -= space.counts[level]
        zero_rank = min(width + 1 - rank_levels(space, number, zeros, False), maximum_rank)  # noqa: FBT003 - kernels take positions
        for level in range(number):
            space.level_ranks[level] = min(width + 1 - space.level_ranks[level], maximum_rank)
        rest[:] = sizes
        for place in range(first, last):
            gene = indices[place]
            start, stop = starts[gene], starts[gene + 1]
            level = space.level_of[place - first]
            if start == stop or level < 0:
                continue
            for entry in range(start, stop):
                member = members[entry]
                rest[member] -= 1
                sums[row, member] += space.level_ranks[level]
        for member in range(len(sizes)):
            sums[row, member] += rest[member] * zero_rank
    return -1
