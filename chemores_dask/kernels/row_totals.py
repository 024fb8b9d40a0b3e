"""What a row of counts adds up to, and the logarithm of its scaled counts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import CountsError
from chemores_dask.kernels.jit import jit

LARGEST_COUNT = 2**31 - 1
"""Counts are stored as int32."""

SMALL_COUNTS = 32
"""Counts below this are looked up in a table that is filled once per cell: most counts are 1, 2 or 3."""


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


def require_counts(rows: Block) -> Block:
    """Refuse a block that does not hold raw counts.

    Parameters
    ----------
    rows
        Block of cells by genes, of integers or of floats with whole values.

    Returns
    -------
    The block; its values in one of the types for which kernels are compiled (32- and 64-bit integers and floats).

    Raises
    ------
    CountsError
        If a value is negative, fractional, not a number, or above ``LARGEST_COUNT``.
    """
    values = rows.data
    if values.dtype.name not in ("int32", "int64", "float32", "float64"):
        values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
        rows = type(rows)((values, rows.indices, rows.indptr), shape=rows.shape)
    wrong = first_wrong_count(values)
    if wrong >= 0:
        message = (
            f"Counts must be whole numbers from 0 to {LARGEST_COUNT}. Found {values[wrong]}; pass raw counts in X "
            "(not normalized, scaled or corrected ones), or round corrected counts first."
        )
        raise CountsError(message)
    return rows


def block_totals(rows: Block, gene_groups: Matrix) -> Totals:
    """Totals of the rows and of the genes of one block, in one walk over it.

    Parameters
    ----------
    rows
        Block of counts.
    gene_groups
        Groups by genes: True where the gene belongs to the group; at most eight groups, which may overlap.

    Returns
    -------
    The totals.
    """
    rows = require_counts(rows)
    cells, genes = rows.shape
    groups = len(gene_groups)
    flags = np.zeros(genes, dtype=np.uint8)
    for group, members in enumerate(gene_groups):
        flags[members] |= np.uint8(1 << group)
    totals = Totals(
        row_total=np.zeros(cells, dtype=np.int64),
        row_detected=np.zeros(cells, dtype=np.int64),
        row_group_total=np.zeros((cells, groups), dtype=np.int64),
        gene_total=np.zeros(genes, dtype=np.int64),
        gene_detected=np.zeros(genes, dtype=np.int64),
    )
    add_totals(rows.data, rows.indices, rows.indptr, flags, *totals)
    return totals


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
    rows = require_counts(rows)
    values = np.empty(len(rows.data), dtype=np.float32)
    log_scale(rows.data, rows.indptr, float(target_sum), values)
    return type(rows)((values, rows.indices.copy(), rows.indptr.copy()), shape=rows.shape)


@jit
def first_wrong_count(values: Vector) -> int:
    """Position of the first value that is not a count, or -1."""
    for position in range(len(values)):
        value = values[position]
        # The comparison is also false for a value that is not a number.
        if not (0 <= value <= LARGEST_COUNT) or int(value) != value:
            return position
    return -1


@jit
def add_totals(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    flags: Vector,
    row_total: Vector,
    row_detected: Vector,
    row_group_total: Matrix,
    gene_total: Vector,
    gene_detected: Vector,
) -> None:
    """Add a block of counts to totals of its rows and genes; bit g of ``flags`` says that a gene is in group g."""
    groups = row_group_total.shape[1]
    for row in range(len(indptr) - 1):
        total = 0
        detected = 0
        for position in range(indptr[row], indptr[row + 1]):
            count = int(values[position])
            if count == 0:
                continue
            gene = indices[position]
            total += count
            detected += 1
            gene_total[gene] += count
            gene_detected[gene] += 1
            flag = flags[gene]
            if flag != 0:
                for group in range(groups):
                    if (flag >> group) & 1:
                        row_group_total[row, group] += count
        row_total[row] = total
        row_detected[row] = detected


@jit
def log_scale(values: Vector, indptr: Vector, target_sum: float, scaled: Vector) -> None:
    """Write log1p(count * target_sum / total of the row) into ``scaled``."""
    table = np.empty(SMALL_COUNTS, dtype=np.float64)
    for row in range(len(indptr) - 1):
        start, stop = indptr[row], indptr[row + 1]
        total = 0
        for position in range(start, stop):
            total += int(values[position])
        factor = target_sum / total if total > 0 else 0.0
        table[:] = -1.0
        for position in range(start, stop):
            count = int(values[position])
            if count >= SMALL_COUNTS:
                scaled[position] = math.log1p(count * factor)
                continue
            if table[count] < 0.0:
                table[count] = math.log1p(count * factor)
            scaled[position] = table[count]
