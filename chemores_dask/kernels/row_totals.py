"""What a row of counts adds up to, and the logarithm of its scaled counts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
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
