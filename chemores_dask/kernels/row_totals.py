"""What a row of counts adds up to, and the logarithm of its scaled counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.kernels.count_histograms import histogram_totals
from chemores_dask.kernels.count_walk import SMALL_COUNTS, Walked, row_summary
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_counts import plain_counts, require_counts


class Totals(NamedTuple):
    """Sums over a block of counts, all int64.

    Attributes
    ----------
    row_total, row_detected
        Per row: sum of the counts, and number of genes with a count.
    row_group_total
        Per row and group of genes: sum of the counts.
    gene_total, gene_detected
        Per gene: sum of the counts, and number of rows with a count.
    """

    row_total: Vector
    row_detected: Vector
    row_group_total: Matrix
    gene_total: Vector
    gene_detected: Vector


def walked_totals(walked: Walked) -> Totals:
    """Totals of the rows and of the genes out of a walk that wanted both.

    Parameters
    ----------
    walked
        What the walk learned.

    Returns
    -------
    The totals; whole numbers, so it does not matter how the walk came to them.
    """
    assert walked.row_group_total is not None
    if walked.count_sum is not None and walked.detected is not None:
        gene_total = walked.count_sum.sum(axis=0)
        gene_detected = walked.detected.sum(axis=0, dtype=np.int64)
    else:
        gene_total, gene_detected = histogram_totals(walked)
    return Totals(walked.row_total, walked.row_detected, walked.row_group_total, gene_total, gene_detected)


def log_scaled_rows(rows: Block, target_sum: float) -> Block:
    """The natural logarithm of 1 + count / total of the row * target_sum, for one block.

    Parameters
    ----------
    rows
        Block of counts.
    target_sum
        Sum to which every row is scaled.

    Returns
    -------
    Block of float32 with the same positions; rows without counts stay zero.
    """
    counts, _, indptr = plain_counts(rows)
    values = np.empty(len(counts), dtype=np.float32)
    if log_scale(counts, indptr, float(target_sum), values):
        require_counts(rows)
    return type(rows)((values, rows.indices.copy(), rows.indptr.copy()), shape=rows.shape)


@jit
def log_scale(values: Vector, indptr: Vector, target_sum: float, scaled: Vector) -> bool:
    """Write log1p(count * target_sum / total of the row) into ``scaled``; whether a value was below zero."""
    table = np.empty(SMALL_COUNTS)
    for row in range(len(indptr) - 1):
        counts = values[indptr[row] : indptr[row + 1]]
        logarithms = scaled[indptr[row] : indptr[row + 1]]
        total, bits, _, _ = row_summary(counts)
        if bits < 0:
            return True
        factor = target_sum / total if total > 0 else 0.0
        table[:] = -1.0
        for place in range(counts.size):
            count = np.uint32(counts[place])
            if count < SMALL_COUNTS:
                x = table[count]
                if x < 0.0:
                    x = math.log1p(count * factor)
                    table[count] = x
            else:
                x = math.log1p(count * factor)
            logarithms[place] = x
    return False


@dataclass(frozen=True)
class LogScaledSums:
    """Sums the columns of the logarithms of scaled counts, which are never kept.

    Attributes
    ----------
    target_sum
        Sum to which every row is scaled.
    """

    target_sum: float

    def __call__(self, rows: Block, columns: Columns) -> Vector:
        """Sums of one block, and its number of rows: the bits of scaling first and summing afterwards."""
        del columns
        counts, indices, indptr = plain_counts(rows)
        sums = np.zeros(rows.shape[1])
        if add_log_scaled(counts, indices, indptr, self.target_sum, sums):
            require_counts(rows)
        return np.append(sums, rows.shape[0])


@jit
def add_log_scaled(values: Vector, indices: Vector, indptr: Vector, target_sum: float, sums: Vector) -> bool:
    """Add log1p(count * target_sum / total of the row), in float32, to the sums of columns; whether a value was below zero."""
    table = np.empty(SMALL_COUNTS)
    for row in range(len(indptr) - 1):
        counts = values[indptr[row] : indptr[row + 1]]
        genes = indices[indptr[row] : indptr[row + 1]]
        total, bits, _, _ = row_summary(counts)
        if bits < 0:
            return True
        factor = target_sum / total if total > 0 else 0.0
        table[:] = -1.0
        for place in range(counts.size):
            count = np.uint32(counts[place])
            if count < SMALL_COUNTS:
                x = table[count]
                if x < 0.0:
                    x = np.float64(np.float32(math.log1p(count * factor)))
                    table[count] = x
            else:
                x = np.float64(np.float32(math.log1p(count * factor)))
            sums[np.uint32(genes[place])] += x
    return False


@dataclass(frozen=True)
class LogScaledWeightedSums:
    """Multiplies the logarithms of scaled counts, which are never kept, with a sparse matrix of weights.

    Attributes
    ----------
    target_sum
        Sum to which every row is scaled.
    weights
        CSR arrays (row starts, columns, values) of a matrix of genes by sums.
    width
        Number of sums.
    """

    target_sum: float
    weights: tuple[Vector, Vector, Vector]
    width: int

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        """Rows of one block by sums: the bits of scaling first and multiplying afterwards."""
        del columns
        counts, indices, indptr = plain_counts(rows)
        product = np.zeros((rows.shape[0], self.width))
        if multiply_log_scaled(counts, indices, indptr, self.target_sum, self.weights, product):
            require_counts(rows)
        return product


@jit
def multiply_log_scaled(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    target_sum: float,
    weights: tuple[Vector, Vector, Vector],
    product: Matrix,
) -> bool:
    """Add log1p(count * target_sum / total of the row), in float32, times weights to a product; whether a value was below zero."""
    starts, columns, factors = weights
    table = np.empty(SMALL_COUNTS)
    for row in range(len(indptr) - 1):
        counts = values[indptr[row] : indptr[row + 1]]
        genes = indices[indptr[row] : indptr[row + 1]]
        total, bits, _, _ = row_summary(counts)
        if bits < 0:
            return True
        factor = target_sum / total if total > 0 else 0.0
        table[:] = -1.0
        for place in range(counts.size):
            gene = np.uint32(genes[place])
            start, stop = starts[gene], starts[gene + np.uint32(1)]
            if start == stop:
                continue
            count = np.uint32(counts[place])
            x = table[count] if count < SMALL_COUNTS else -1.0
            if x < 0.0:
                x = np.float64(np.float32(math.log1p(count * factor)))
                if count < SMALL_COUNTS:
                    table[count] = x
            for entry in range(start, stop):
                product[row, columns[entry]] += x * factors[entry]
    return False
