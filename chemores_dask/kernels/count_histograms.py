"""Histograms of counts per batch and gene: all that integer statistics of counts need, in one pass and to the last bit.

Small counts have a table; the few larger ones are kept as different counts with the number of times they occur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import CountsError
from chemores_dask.kernels.count_walk import SMALL_COUNTS, Walked, Wanted, walk_counts
from chemores_dask.kernels.group_sums import GroupSums, align_groups

BYTES_PER_GENE = 4 * SMALL_COUNTS
"""Of the table, per batch."""

MOST_LARGE = 2**22
"""Different large counts of genes that are kept: 64 MB; beyond it they are dropped, and clipped sums need another pass."""

MOST_TABLES = 2**32
"""Batches times genes must stay below this: key and count of a large count share 64 bits."""

COUNT_BITS = 31
LARGEST_SQUARES = 2.0**62


@dataclass(frozen=True, eq=False)
class CountHistograms:
    """How often a gene has which count in which batch, zeros left out.

    Attributes
    ----------
    codes
        Numbers of the batches met so far, rising.
    cells
        Rows per batch.
    small
        Per batch, gene and count below ``SMALL_COUNTS``: number of rows, int32.
    keys
        Rising: (code of the batch * genes + gene) * 2**31 + count, for larger counts; None when there were too many.
    times
        How often each of them occurs.
    large_sums
        Per batch and gene, of the larger counts: their sum, and the sum of their squares.
    """

    codes: Vector
    cells: Vector
    small: np.ndarray
    keys: Vector | None
    times: Vector
    large_sums: np.ndarray

    @property
    def complete(self) -> bool:
        """Whether all large counts are known one by one."""
        return self.keys is not None


def count_histograms(rows: Block, batches: Vector) -> CountHistograms:
    """Histograms of one block.

    Parameters
    ----------
    rows
        Block of counts.
    batches
        Code of the batch of each row.

    Returns
    -------
    The histograms of the batches in the block.
    """
    return walked_histograms(walk_counts(rows, Wanted(batches=batches)))


def walked_histograms(walked: Walked) -> CountHistograms:
    """Histograms out of a walk that wanted batches.

    Parameters
    ----------
    walked
        What the walk learned.

    Returns
    -------
    The histograms.

    Raises
    ------
    CountsError
        If the squares of a gene's counts add up to more than 2**62.
    """
    assert walked.small is not None
    assert walked.large is not None
    genes = walked.small.shape[1]
    keys, times = np.unique(walked.large, return_counts=True)
    place, count = keys >> COUNT_BITS, keys & (2**COUNT_BITS - 1)
    _check_squares(place, count, times, tables=len(walked.batch_codes) * genes)
    sums = np.zeros((len(walked.batch_codes) * genes, 2), dtype=np.int64)
    np.add.at(sums, place, np.column_stack([count, count * count]) * times[:, None])
    batch, gene = np.divmod(place, max(genes, 1))
    keys = ((walked.batch_codes[batch] * genes + gene) << COUNT_BITS) | count
    known, times = (keys, times) if len(keys) <= MOST_LARGE else (None, times[:0])
    return CountHistograms(
        walked.batch_codes,
        walked.batch_cells,
        walked.small,
        known,
        times,
        sums.reshape(len(walked.batch_codes), genes, 2),
    )


def histogram_totals(walked: Walked) -> tuple[Vector, Vector]:
    """Per gene the sum of the counts and the number of rows with a count, out of a walk that wanted batches.

    Parameters
    ----------
    walked
        What the walk learned.

    Returns
    -------
    int64 each.
    """
    assert walked.small is not None
    assert walked.large is not None
    small = walked.small.sum(axis=0, dtype=np.int64)
    genes = len(small)
    place = (walked.large >> COUNT_BITS) % max(genes, 1)
    total, detected = small @ np.arange(SMALL_COUNTS, dtype=np.int64), small[:, 1:].sum(axis=1)
    np.add.at(total, place, walked.large & (2**COUNT_BITS - 1))
    return total, detected + np.bincount(place, minlength=genes)


def merge_histograms(first: CountHistograms, second: CountHistograms) -> CountHistograms:
    """Add histograms, batch by batch.

    Parameters
    ----------
    first, second
        Histograms over the same genes.

    Returns
    -------
    Histograms of the batches met in either.

    Raises
    ------
    CountsError
        If the squares of a gene's counts add up to more than 2**62.
    """
    codes, of_first, of_second = align_groups(first.codes, second.codes)
    cells = np.zeros(len(codes), dtype=np.int64)
    small = np.zeros((len(codes), *first.small.shape[1:]), dtype=np.int32)
    sums = np.zeros((len(codes), *first.large_sums.shape[1:]), dtype=np.int64)
    for state, places in ((first, of_first), (second, of_second)):
        cells[places] += state.cells
        small[places] += state.small
        sums[places] += state.large_sums
    if sums[..., 1].max(initial=0) >= LARGEST_SQUARES or sums[..., 1].min(initial=0) < 0:
        raise CountsError(_SQUARES)
    keys, times = None, first.times[:0]
    if first.keys is not None and second.keys is not None:
        both = np.concatenate([first.keys, second.keys])
        # A stable sort of two rising lists is a merge.
        order = np.argsort(both, kind="stable")
        keys, times = _counted(both[order], np.concatenate([first.times, second.times])[order])
        if len(keys) > MOST_LARGE:
            keys, times = None, times[:0]
    return CountHistograms(codes, cells, small, keys, times, sums)


def power_sums(histograms: CountHistograms) -> GroupSums:
    """Exact sums of counts and of their squares.

    Parameters
    ----------
    histograms
        Of all rows.

    Returns
    -------
    As :func:`~chemores_dask.kernels.moments.count_power_sums` of all rows.
    """
    levels = np.arange(SMALL_COUNTS, dtype=np.int64)
    sums = {
        "cells": histograms.cells,
        "count_sum": _weighted(histograms.small, levels) + histograms.large_sums[..., 0],
        "count_square_sum": _weighted(histograms.small, levels**2) + histograms.large_sums[..., 1],
    }
    return GroupSums(histograms.codes, sums)


def clipped_sums(histograms: CountHistograms, limits: Matrix) -> GroupSums:
    """Exact sums of the counts that do not pass a limit, and the number of those that do.

    Parameters
    ----------
    histograms
        Of all rows, complete.
    limits
        Largest count that is not clipped, per batch met and gene.

    Returns
    -------
    As :func:`~chemores_dask.kernels.moments.clipped_power_sums` of all rows.
    """
    assert histograms.keys is not None
    genes = histograms.small.shape[1]
    levels = np.arange(SMALL_COUNTS, dtype=np.int64)
    shape = (len(histograms.codes), genes)
    clipped, unclipped, squares = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for number, small in enumerate(histograms.small):
        below = levels <= limits[number][:, None]
        kept = np.where(below, small, 0)
        clipped[number] = np.where(below, 0, small).sum(axis=1, dtype=np.int64)
        unclipped[number] = _weighted(kept, levels)
        squares[number] = _weighted(kept, levels**2)
    place, count = histograms.keys >> COUNT_BITS, histograms.keys & (2**COUNT_BITS - 1)
    code, gene = np.divmod(place, max(genes, 1))
    batch = np.searchsorted(histograms.codes, code)
    above = count > limits[batch, gene]
    times = histograms.times
    np.add.at(clipped, (batch[above], gene[above]), times[above])
    rest = ~above
    np.add.at(unclipped, (batch[rest], gene[rest]), (times * count)[rest])
    np.add.at(squares, (batch[rest], gene[rest]), (times * count * count)[rest])
    sums = {"clipped": clipped, "unclipped_sum": unclipped, "unclipped_square_sum": squares}
    return GroupSums(histograms.codes, sums)


_SQUARES = "The squares of the counts of a gene must add up to less than 2**62. Found counts above that; check the counts for wrong values."


def _check_squares(place: Vector, count: Vector, times: Vector, *, tables: int) -> None:
    squares = np.bincount(place, weights=times * count.astype(np.float64) ** 2, minlength=tables)
    if squares.max(initial=0.0) >= LARGEST_SQUARES:
        raise CountsError(_SQUARES)


def _counted(keys: Vector, times: Vector) -> tuple[Vector, Vector]:
    """Different keys of a rising list, and the sums of their times."""
    if not len(keys):
        return keys, times
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.add.reduceat(times, first)


def _weighted(small: np.ndarray, weights: Vector) -> np.ndarray:
    weighted: np.ndarray = np.einsum("...l,l->...", small, weights, dtype=np.int64, casting="safe")
    return weighted
