"""Sums per group of rows and gene, held only for the groups that were met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import CountsError
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_totals import SMALL_COUNTS, require_counts


@dataclass(frozen=True, eq=False)
class GroupSums:
    """Sums for some groups of rows.

    Attributes
    ----------
    codes
        Numbers of the groups met so far, rising. A block of cells sorted by sample meets few of a cohort's groups.
    sums
        Arrays by name, with one entry or one row per group in ``codes``.
    """

    codes: Vector
    sums: Mapping[str, np.ndarray]

    def dense(self, groups: int) -> dict[str, np.ndarray]:
        """The sums of all groups, zero for those that were not met.

        Parameters
        ----------
        groups
            Number of groups; codes run from 0 to one less.
        """
        spread = {}
        for name, array in self.sums.items():
            spread[name] = np.zeros((groups, *array.shape[1:]), dtype=array.dtype)
            spread[name][self.codes] = array
        return spread


def merge_group_sums(first: GroupSums, second: GroupSums) -> GroupSums:
    """Add sums, group by group.

    Parameters
    ----------
    first, second
        Sums with the same names.

    Returns
    -------
    Sums of the groups met in either.

    Raises
    ------
    CountsError
        If an integer sum passes 2**63.
    """
    codes, of_first, of_second = align_groups(first.codes, second.codes)
    merged = {}
    for name, array in first.sums.items():
        other = second.sums[name]
        total = np.zeros((len(codes), *array.shape[1:]), dtype=array.dtype)
        total[of_first] = array
        total[of_second] += other
        if total.dtype.kind == "i" and np.any(total[of_second] < other):
            message = (
                f"Sums of counts must stay below 2**63. The {name!r} passed it; check the counts for wrong values."
            )
            raise CountsError(message)
        merged[name] = total
    return GroupSums(codes, merged)


def align_groups(first: Vector, second: Vector) -> tuple[Vector, Vector, Vector]:
    """The union of two rising lists of codes, and where each list stands in it."""
    codes = np.union1d(first, second)
    return codes, np.searchsorted(codes, first), np.searchsorted(codes, second)


def cube_sums(rows: Block, groups: Vector, target_sum: float) -> GroupSums:
    """What the cohort cube keeps of one block.

    Parameters
    ----------
    rows
        Block of counts.
    groups
        Code of the group of each row.
    target_sum
        Sum to which every row is scaled before the logarithm.

    Returns
    -------
    Per group: ``cells``; per group and gene: ``count_sum`` and ``detected`` (int64), and the sums of x and of its square
    (``log_sum``, ``log_square_sum``; float64) for x = log(1 + count / total of the row * target_sum).
    """
    rows = require_counts(rows)
    codes, local, cells = np.unique(groups, return_inverse=True, return_counts=True)
    shape = (len(codes), rows.shape[1])
    count_sum, detected = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    log_sum, log_square_sum = np.zeros(shape), np.zeros(shape)
    add_cube_sums(
        rows.data, rows.indices, rows.indptr, local, float(target_sum), count_sum, detected, log_sum, log_square_sum
    )
    return GroupSums(
        codes.astype(np.int64),
        {
            "cells": cells.astype(np.int64),
            "count_sum": count_sum,
            "detected": detected,
            "log_sum": log_sum,
            "log_square_sum": log_square_sum,
        },
    )


@jit
def add_cube_sums(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    local: Vector,
    target_sum: float,
    count_sum: Matrix,
    detected: Matrix,
    log_sum: Matrix,
    log_square_sum: Matrix,
) -> None:
    """Add a block of counts to sums per group and gene; ``local`` is the group of each row."""
    table = np.empty(SMALL_COUNTS, dtype=np.float64)
    for row in range(len(indptr) - 1):
        start, stop = indptr[row], indptr[row + 1]
        total = 0
        for position in range(start, stop):
            total += int(values[position])
        if total == 0:
            continue
        factor = target_sum / total
        group = local[row]
        table[:] = -1.0
        for position in range(start, stop):
            count = int(values[position])
            if count == 0:
                continue
            if count >= SMALL_COUNTS:
                x = math.log1p(count * factor)
            else:
                if table[count] < 0.0:
                    table[count] = math.log1p(count * factor)
                x = table[count]
            gene = indices[position]
            count_sum[group, gene] += count
            detected[group, gene] += 1
            log_sum[group, gene] += x
            log_square_sum[group, gene] += x * x
