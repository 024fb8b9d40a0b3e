"""Rows of scaled counts times weights of which many are equal: genes are counted first, and multiplied afterwards.

Where a sum gives thousands of genes the same weight, as a mean over control genes does, it is the number of these genes that have a
count of 1, 2 and so on that matters. The numbers of 64 sums are whole numbers side by side (lanes), to which a gene adds a row of zeros
and ones; logarithms and weights are multiplied once per count, not once per gene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.kernels.count_walk import SMALL_COUNTS, row_summary
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_counts import plain_counts, require_counts

LANES = 64
"""Lanes come in groups of this size: one line of the cache."""

LEAST_SHARE = 1 / 32
"""Share of the genes that must have the same weight for a lane to be worth its while."""

LEAST_WEIGHTS = 4
"""Weights in lanes per gene and group of lanes, from which on adding all lanes is faster than multiplying some weights."""

MANY_GENES = 2**16
"""From this number on, the genes of a row that have the same count are counted in 32 bits."""


@dataclass(frozen=True, eq=False)
class LaneWeights:
    """A sparse matrix of weights, cut into lanes and a rest.

    Attributes
    ----------
    table
        Ones where a gene is in a lane: groups by genes by the lanes of a group, flat.
    factors
        The weight of each lane; 0 for lanes that fill up a group.
    columns
        The sum that each lane belongs to.
    rest
        CSR arrays (row starts, columns, values) of all other weights.
    """

    table: Vector
    factors: Vector
    columns: Vector
    rest: tuple[Vector, Vector, Vector]


def lane_weights(weights: tuple[Vector, Vector, Vector]) -> LaneWeights | None:
    """Put weights that many genes share into lanes.

    Parameters
    ----------
    weights
        CSR arrays (row starts, columns, values) of a matrix of genes by sums.

    Returns
    -------
    Lanes and rest; None where lanes would not pay.
    """
    starts, columns, values = weights
    genes = len(starts) - 1
    different, value_of = np.unique(values, return_inverse=True)
    pairs = columns.astype(np.int64) * len(different) + value_of
    found, lane_of, sizes = np.unique(pairs, return_inverse=True, return_counts=True)
    shared = sizes >= max(LEAST_SHARE * genes, 1)
    lanes = -(-int(shared.sum()) // LANES) * LANES
    if sizes[shared].sum() * LANES < LEAST_WEIGHTS * genes * lanes or not lanes:
        return None
    numbers = np.cumsum(shared) - 1
    in_lane = shared[lane_of]
    gene_of = np.repeat(np.arange(genes), np.diff(starts))
    table = np.zeros((genes, lanes), dtype=np.uint8)
    table[gene_of[in_lane], numbers[lane_of[in_lane]]] = 1
    factors, sums = np.zeros(lanes), np.zeros(lanes, dtype=np.int64)
    factors[: int(shared.sum())] = different[found[shared] % len(different)]
    sums[: int(shared.sum())] = found[shared] // len(different)
    rest_starts = np.concatenate([[0], np.cumsum(~in_lane)])[starts]
    grouped = table.reshape(genes, -1, LANES).swapaxes(0, 1)
    return LaneWeights(grouped.ravel(), factors, sums, (rest_starts, columns[~in_lane], values[~in_lane]))


@dataclass(frozen=True, eq=False)
class LogScaledLaneSums:
    """Multiplies the logarithms of scaled counts, which are never kept, with weights in lanes.

    Attributes
    ----------
    target_sum
        Sum to which every row is scaled.
    weights
        Of genes by sums.
    width
        Number of sums.
    """

    target_sum: float
    weights: LaneWeights
    width: int

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        """Rows of one block by sums; each row depends on itself only, to the bit."""
        del columns
        counts, indices, indptr = plain_counts(rows)
        product = np.zeros((rows.shape[0], self.width))
        lanes = self.weights
        kind = np.uint16 if rows.shape[1] < MANY_GENES else np.uint32
        counted = np.zeros(SMALL_COUNTS * LANES, dtype=kind)
        parts = (lanes.table, lanes.factors, lanes.columns)
        if multiply_in_lanes(counts, indices, indptr, self.target_sum, parts, lanes.rest, counted, product):
            require_counts(rows)
        return product


@jit
def multiply_in_lanes(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    target_sum: float,
    lanes: tuple[Vector, Vector, Vector],
    rest: tuple[Vector, Vector, Vector],
    counted: Vector,
    product: Matrix,
) -> bool:
    """Add log1p(count * target_sum / total of the row), in float32, times weights to a product; whether a value was below zero."""
    table, factors, sums = lanes
    starts, columns, weights = rest
    in_lanes = np.empty(LANES)
    logarithms = np.empty(SMALL_COUNTS)
    for row in range(len(indptr) - 1):
        first, last = indptr[row], indptr[row + 1]
        total, bits, _, _ = row_summary(values[first:last])
        if bits < 0:
            return True
        factor = target_sum / total if total > 0 else 0.0
        for count in range(SMALL_COUNTS):
            logarithms[count] = np.float64(np.float32(math.log1p(count * factor)))
        for place in range(first, last):
            gene = np.uint32(indices[place])
            start, stop = starts[gene], starts[gene + np.uint32(1)]
            if start == stop:
                continue
            shown = np.uint32(values[place])
            x = logarithms[shown] if shown < SMALL_COUNTS else np.float64(np.float32(math.log1p(shown * factor)))
            for entry in range(start, stop):
                product[row, columns[entry]] += x * weights[entry]
        for group in range(len(factors) // LANES):
            in_lanes[:] = 0.0
            begin = group * (len(starts) - 1) * LANES
            add_lanes(values, indices, first, last, table[begin:], logarithms, factor, counted, in_lanes)
            for lane in range(LANES):
                product[row, sums[group * LANES + lane]] += in_lanes[lane] * factors[group * LANES + lane]
    return False


@jit
def add_lanes(
    values: Vector,
    indices: Vector,
    first: int,
    last: int,
    table: Vector,
    logarithms: Vector,
    factor: float,
    counted: Vector,
    in_lanes: Vector,
) -> None:
    """Add the logarithms of one row to the lanes of one group.

    Lanes are numbered by constants, and positions are unsigned: the loops over them become a few instructions.
    """
    lanes = np.uint64(LANES)
    largest = np.uint64(0)
    for place in range(first, last):
        count = np.uint64(np.uint32(values[place]))
        here = np.uint64(np.uint32(indices[place])) * lanes
        if count < np.uint64(SMALL_COUNTS):
            largest = max(largest, count)
            there = count * lanes
            for lane in range(lanes):
                counted[there + lane] += table[here + lane]
        else:
            x = np.float64(np.float32(math.log1p(count * factor)))
            for lane in range(lanes):
                in_lanes[lane] += x * table[here + lane]
    for level in range(np.uint64(1), largest + np.uint64(1)):
        x = logarithms[level]
        there = level * lanes
        for lane in range(lanes):
            in_lanes[lane] += x * counted[there + lane]
            counted[there + lane] = 0
