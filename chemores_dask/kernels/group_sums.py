"""Sums per group of rows and gene, held only for the groups that were met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Block, Vector
from chemores_dask.errors import CountsError
from chemores_dask.kernels.count_walk import Walked, Wanted, walk_counts


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
        If an integer sum passes what its type holds.
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
                f"Sums of counts must stay below 2**{8 * total.dtype.itemsize - 1}. The {name!r} passed it; "
                "check the counts for wrong values."
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
    Per group: ``cells``; per group and gene: ``count_sum`` (int64) and ``detected`` (int32), and the sums of x and of its square
    (``log_sum``, ``log_square_sum``; float64) for x = log(1 + count / total of the row * target_sum).
    """
    return walked_sums(walk_counts(rows, Wanted(groups=groups, target_sum=float(target_sum))))


def walked_sums(walked: Walked) -> GroupSums:
    """The sums of the cohort cube out of a walk that wanted them.

    Parameters
    ----------
    walked
        What the walk learned.

    Returns
    -------
    As of :func:`cube_sums`.
    """
    sums = {
        "cells": walked.cells,
        "count_sum": walked.count_sum,
        "detected": walked.detected,
        "log_sum": walked.log_sum,
        "log_square_sum": walked.log_square_sum,
    }
    return GroupSums(walked.codes, {name: array for name, array in sums.items() if array is not None})
