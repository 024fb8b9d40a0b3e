"""Ranks of the values within a row, without sorting the row: equal values are one level, and only levels are sorted.

A row of counts, or of their logarithms, has few different values, and what is not stored is one tie of zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit

NO_LEVEL = -1
"""Level of what equals zero."""


class RankSpace(NamedTuple):
    """Arrays that ranking one row works in, made once per block.

    Attributes
    ----------
    slots
        Open table of levels, -1 where empty; longer than twice the longest row, a power of two long.
    used
        Slot of each level.
    levels, counts, level_ranks
        Of each level: its value, how often it occurs, its rank.
    level_of
        Level of each value of the row.
    """

    slots: Vector
    used: Vector
    levels: Vector
    counts: Vector
    level_ranks: Vector
    level_of: Vector


def rank_space(longest: int) -> RankSpace:
    """Room for ranking rows with a number of values.

    Parameters
    ----------
    longest
        Stored values of the longest row.

    Returns
    -------
    The arrays.
    """
    size = max(longest, 1)
    slots = 1 << (2 * size).bit_length()
    return RankSpace(
        slots=np.full(slots, NO_LEVEL, dtype=np.int32),
        used=np.empty(size, dtype=np.int32),
        levels=np.empty(size),
        counts=np.empty(size, dtype=np.int64),
        level_ranks=np.empty(size),
        level_of=np.empty(size, dtype=np.int32),
    )


@jit
def find_levels(values: Vector, space: RankSpace) -> int:
    """Number the different values of a row other than zero; how many there are, or -1 where a value is missing or infinite."""
    slots, used, levels, counts, _, level_of = space
    mask = len(slots) - 1
    number = 0
    value_of = np.empty(1)
    bits_of = value_of.view(np.int64)
    broken = False
    for place in range(len(values)):
        value = np.float64(values[place])
        if not -np.inf < value < np.inf:
            broken = True
            break
        if value == 0.0:
            level_of[place] = NO_LEVEL
            continue
        value_of[0] = value
        bits = bits_of[0]
        folded = bits ^ (bits >> 32)
        folded ^= (folded >> 20) ^ (folded >> 12)
        slot = (folded ^ (folded >> 7) ^ (folded >> 4)) & mask
        while slots[slot] >= 0 and levels[slots[slot]] != value:
            slot = (slot + 1) & mask
        level = slots[slot]
        if level < 0:
            level = number
            slots[slot] = level
            used[level], levels[level], counts[level] = slot, value, 0
            number += 1
        counts[level] += 1
        level_of[place] = level
    for level in range(number):
        slots[used[level]] = NO_LEVEL
    return -1 if broken else number


@jit
def rank_levels(space: RankSpace, number: int, zeros: int, lowest: bool) -> float:
    """Rank the levels of a row among themselves and its zeros, from 1; the rank of the zeros.

    Values that are equal share the mean of their ranks, or the lowest of them.
    """
    _, _, levels, counts, level_ranks, _ = space
    below = 0
    zero_rank = 0.0
    for level in np.argsort(levels[:number]):
        if zero_rank == 0.0 and levels[level] > 0.0:
            zero_rank = below + (1.0 if lowest else (zeros + 1) / 2)
            below += zeros
        level_ranks[level] = below + (1.0 if lowest else (counts[level] + 1) / 2)
        below += counts[level]
    if zero_rank == 0.0:
        zero_rank = below + (1.0 if lowest else (zeros + 1) / 2)
    return zero_rank
