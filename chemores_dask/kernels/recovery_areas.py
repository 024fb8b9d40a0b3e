"""Areas under the curve that recovers the genes of a set along the ranking of each row; equal values are put in random order.

Draws belong to the row and the gene. The order of the genes that are zero is drawn place by place, because only the first few of them
matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_ranks import RankSpace, find_levels, rank_space
from chemores_dask.kernels.set_ranks import SetColumns, longest_row, refuse_broken_row

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
FIRST_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
SECOND_MULTIPLIER = np.uint64(0x94D049BB133111EB)
FIRST_SHIFT, SECOND_SHIFT, THIRD_SHIFT = np.uint64(30), np.uint64(27), np.uint64(31)
HALF = np.uint64(32)


class TieDraws(NamedTuple):
    """What decides the order of equal values.

    Attributes
    ----------
    streams
        Of each row, uint64.
    keys
        Of each gene, uint64, different from each other.
    order
        Genes in the order of their names: draws do not depend on the order of columns.
    """

    streams: Vector
    keys: Vector
    order: Vector


class OrderSpace(NamedTuple):
    """Arrays that ordering one row works in.

    Attributes
    ----------
    begins
        Of each level: values that are higher and not zero.
    fallen
        How many values fell into each bucket, then where the next one goes.
    draws, buckets
        Of each value of the row.
    ordered
        Draws, bucket by bucket.
    stamps
        Number of the last row in which a gene was not zero, or has its place among the zeros.
    """

    begins: Vector
    fallen: Vector
    draws: Vector
    buckets: Vector
    ordered: Vector
    stamps: Vector


def recovery_areas(rows: Block, sets: SetColumns, draws: TieDraws, *, last_rank: int) -> Matrix:
    """Sum of ``last_rank - rank`` over the genes of each set that rank before the last one; rank 1 is the highest value.

    Parameters
    ----------
    rows
        Block of real numbers; what is not stored is zero.
    sets
        Columns of the sets.
    draws
        Decide the order of equal values.
    last_rank
        Where the curve ends.

    Returns
    -------
    Rows by sets. Each row depends on itself only, to the bit.

    Raises
    ------
    InputError
        If a value is missing or infinite.
    """
    areas = np.zeros((rows.shape[0], len(sets.sizes)))
    longest = longest_row(rows)
    space = OrderSpace(
        begins=np.empty(max(longest, 1), dtype=np.int64),
        fallen=np.empty(longest + 1, dtype=np.int64),
        draws=np.empty(longest, dtype=np.uint64),
        buckets=np.empty(longest, dtype=np.int64),
        ordered=np.empty(longest, dtype=np.uint64),
        stamps=np.full(rows.shape[1], -1, dtype=np.int64),
    )
    broken = add_recovery_areas(
        rows.data,
        rows.indices,
        rows.indptr,
        (sets.starts, sets.members),
        draws,
        last_rank,
        rank_space(longest),
        space,
        areas,
    )
    refuse_broken_row(broken)
    return areas


@jit
def scrambled(value: np.uint64) -> np.uint64:
    """Scramble 64 bits, as ``randomness.mix`` does."""
    value = (value ^ (value >> FIRST_SHIFT)) * FIRST_MULTIPLIER
    value = (value ^ (value >> SECOND_SHIFT)) * SECOND_MULTIPLIER
    return value ^ (value >> THIRD_SHIFT)


@jit
def share_of(draw: np.uint64, parts: int) -> int:
    """Which of equal parts of the range of draws a draw lies in."""
    part: int = np.int64(((draw >> HALF) * np.uint64(parts)) >> HALF)  # type: ignore[assignment, unused-ignore]
    return part


@jit
def drawn_place(stream: np.uint64, turn: int, places: int) -> int:
    """The place that is drawn at a turn."""
    return share_of(np.uint64(scrambled(stream + np.uint64(turn) * GOLDEN_GAMMA)), places)


@jit
def add_recovery_areas(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    sets: tuple[Vector, Vector],
    draws: TieDraws,
    last_rank: int,
    levels_of_row: RankSpace,
    space: OrderSpace,
    areas: Matrix,
) -> int:
    """Add the areas of rows and sets; the first row with a value that cannot be ranked, or -1."""
    starts, members = sets
    width = len(starts) - 1
    for row in range(len(indptr) - 1):
        first, last = indptr[row], indptr[row + 1]
        number = find_levels(values[first:last], levels_of_row)
        if number < 0:
            return row
        genes = indices[first:last]
        positive, nonzero = begin_levels(levels_of_row, number, space.begins)
        zeros = width - nonzero
        order_values(genes, levels_of_row, draws.streams[row], draws.keys, last_rank - 1, zeros, positive, space)
        for place in range(len(genes)):
            bucket = space.buckets[place]
            start, stop = starts[genes[place]], starts[genes[place] + 1]
            if bucket < 0 or start == stop:
                continue
            begin = space.fallen[bucket - 1] if bucket > 0 else 0
            rank = begin + 1 if begin < positive else begin + 1 + zeros
            for other in range(begin, space.fallen[bucket]):
                rank += space.ordered[other] < space.draws[place]
            for entry in range(start, stop):
                areas[row, members[entry]] += max(last_rank - rank, 0)
        if positive + 1 < last_rank and zeros > 0:
            for place in range(len(genes)):
                if levels_of_row.level_of[place] >= 0:
                    space.stamps[genes[place]] = row
            last_zero = min(positive + zeros, last_rank - 1)
            add_zeros(row, positive, last_zero, last_rank, draws, starts, members, space.stamps, areas)
    return -1


@jit
def begin_levels(levels_of_row: RankSpace, number: int, begins: Vector) -> tuple[int, int]:
    """Say for each level how many values are higher and not zero; how many are positive, and how many are not zero."""
    _, _, levels, counts, _, _ = levels_of_row
    above = 0
    positive = 0
    order = np.argsort(levels[:number])
    for place in range(number - 1, -1, -1):
        level = order[place]
        begins[level] = above
        above += counts[level]
        if levels[level] > 0.0:
            positive = above
    return positive, above


@jit
def order_values(
    genes: Vector,
    levels_of_row: RankSpace,
    stream: np.uint64,
    keys: Vector,
    needed: int,
    zeros: int,
    positive: int,
    space: OrderSpace,
) -> None:
    """Sort the draws of a row into buckets: as many per level as it has values, so that few values share one.

    Levels that begin behind the ranks that are needed are left out: the bucket of their values is -1.
    """
    _, _, _, counts, _, level_of = levels_of_row
    begins, fallen, draws, buckets, ordered, _ = space
    fallen[: len(genes) + 1] = 0
    for place in range(len(genes)):
        buckets[place] = -1
        level = level_of[place]
        if level < 0:
            continue
        begin = begins[level]
        if begin + (zeros if begin >= positive else 0) >= needed:
            continue
        draw = np.uint64(scrambled(stream ^ keys[genes[place]]))
        bucket = begin + share_of(draw, counts[level])
        draws[place], buckets[place] = draw, bucket
        fallen[bucket + 1] += 1
    for bucket in range(len(genes)):
        fallen[bucket + 1] += fallen[bucket]
    # From here on fallen[bucket] is where the next value of the bucket goes, and in the end where the bucket ends.
    for place in range(len(genes)):
        bucket = buckets[place]
        if bucket >= 0:
            ordered[fallen[bucket]] = draws[place]
            fallen[bucket] += 1


@jit
def add_zeros(
    row: int,
    positive: int,
    last_zero: int,
    last_rank: int,
    draws: TieDraws,
    starts: Vector,
    members: Vector,
    stamps: Vector,
    areas: Matrix,
) -> None:
    """Draw genes until all ranks from ``positive + 1`` to ``last_zero`` are taken by genes that are zero, and add their areas."""
    stream = np.uint64(scrambled(draws.streams[row]))
    rank = positive
    turn = 0
    while rank < last_zero:
        turn += 1
        gene = draws.order[drawn_place(stream, turn, len(draws.order))]
        if stamps[gene] == row:
            continue
        stamps[gene] = row
        rank += 1
        for entry in range(starts[gene], starts[gene + 1]):
            areas[row, members[entry]] += last_rank - rank
