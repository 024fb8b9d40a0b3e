"""Histograms of the values of genes in groups of cells, from which ranks follow up to the order of values within a bin.

Values fall into fine levels, the same for all genes. A first pass counts the levels of each gene; its bins are runs of levels that hold
few cells each, many for genes that are seen in many cells, few for the others. A second pass counts the bins in each group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import CountsError, InputError
from chemores_dask.kernels.count_walk import SMALL_COUNTS, row_summary
from chemores_dask.kernels.group_sums import align_groups
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.rank_sums import ABOVE_TOTAL, NO_CODE, GroupedCells, RankSums
from chemores_dask.kernels.row_counts import plain_counts, require_counts

LEVELS = 1024
"""Levels of a value above zero; the largest values share the last one."""


@dataclass(frozen=True)
class Scale:
    """Which level a value falls into, and what the value is.

    Attributes
    ----------
    per_unit
        Levels in a difference of 1: value x falls into level floor(x * per_unit).
    target_sum
        Sum to which rows of counts are scaled before the logarithm; None to take values as they are.
    first, last
        Genes that are looked at, the last one excluded.
    """

    per_unit: float
    target_sum: float | None
    first: int
    last: int

    @property
    def genes(self) -> int:
        """Number of genes that are looked at."""
        return self.last - self.first


@dataclass(frozen=True, eq=False)
class Bins:
    """Runs of levels, in one row for all genes.

    Attributes
    ----------
    starts
        First bin of each gene, and behind them the number of all; int64.
    first_levels
        First level of each bin, uint16.
    single
        Of each bin: whether all cells in it are in one level.
    """

    starts: Vector
    first_levels: Vector
    single: Vector

    def part(self, first: int, last: int) -> Bins:
        """The bins of some genes."""
        window = slice(int(self.starts[first]), int(self.starts[last]))
        starts = self.starts[first : last + 1] - self.starts[first]
        return Bins(starts, self.first_levels[window], self.single[window])


@dataclass(frozen=True, eq=False)
class GroupedBins:
    """Histograms of groups, and sums of the codes that were met.

    Attributes
    ----------
    counts
        Groups by all bins of all genes: cells, int32.
    codes
        Codes met so far, rising.
    sums
        Per code met and gene: sum of the values, float64.
    """

    counts: Matrix
    codes: Vector
    sums: Matrix


def level_counts(rows: Block, codes: Vector, scale: Scale, *, totals: Vector | None = None) -> Matrix:
    """Count the levels of each gene in the cells that are compared.

    The genes of one level stand together, and rows are taken in the order of their totals: equal counts of one row and of the next are
    then neighbors in memory.

    Parameters
    ----------
    rows
        Block of cells by genes.
    codes
        Of each row; below zero for those left out.
    scale
        What the values are.
    totals
        Of the rows, where counts are scaled; sums of the rows themselves unless given.

    Returns
    -------
    Levels by genes, int32.
    """
    values, factors = _values_and_factors(rows, scale, totals)
    counts = np.zeros((LEVELS, scale.genes), dtype=np.int32)
    order = _in_order(np.where(codes >= 0, 0, NO_CODE), factors)
    nothing = np.zeros(len(order), dtype=np.int64)
    wrong = walk_bins(
        values, rows.indices, rows.indptr, order, nothing, nothing, factors, scale.first, scale.last, scale.per_unit,
        _largest(scale), None, None, counts, None,
    )  # fmt: skip
    _check(rows, int(wrong), scale)
    return counts


def choose_bins(levels: Matrix, most: float) -> Bins:
    """Make bins of runs of levels.

    Parameters
    ----------
    levels
        Cells in each level of each gene: levels by genes.
    most
        Cells that a bin may hold; a single level may hold more.

    Returns
    -------
    The bins.
    """
    starts = np.zeros(levels.shape[1] + 1, dtype=np.int64)
    first_levels, single = np.empty(levels.size, dtype=np.uint16), np.empty(levels.size, dtype=np.bool_)
    used = fill_bins(levels, float(most), starts, first_levels, single)
    return Bins(starts, first_levels[:used].copy(), single[:used].copy())


def behind(parts: Sequence[Bins]) -> Bins:
    """The bins of several ranges of genes, one behind the other."""
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    return Bins(
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([part.first_levels for part in parts]),
        np.concatenate([part.single for part in parts]),
    )


def grouped_bins(
    rows: Block, codes: Vector, scale: Scale, bins: Bins, *, cells: GroupedCells, totals: Vector | None = None
) -> GroupedBins:
    """Count the bins of each gene in each group, and sum the values of each code.

    Parameters
    ----------
    rows
        Block of cells by genes.
    codes
        Of each row; below zero for those left out.
    scale
        What the values are.
    bins
        Of the genes that are looked at.
    cells
        Which cells are compared.
    totals
        As for :func:`level_counts`.

    Returns
    -------
    The histograms.
    """
    values, factors = _values_and_factors(rows, scale, totals)
    counts = np.zeros((cells.groups, int(bins.starts[-1])), dtype=np.int32)
    # Cells of one group follow each other, so that its counters stay in the cache.
    order = _in_order(codes // cells.parts, factors)
    met, place = np.unique(codes[order], return_inverse=True)
    sums = np.zeros((len(met), scale.genes))
    groups = (codes[order] // cells.parts).astype(np.int64)
    of_level = np.empty((LEVELS, scale.genes), dtype=np.uint16)
    spread_bins(bins.starts, bins.first_levels, of_level)
    wrong = walk_bins(
        values, rows.indices, rows.indptr, order, groups, place.astype(np.int64), factors, scale.first, scale.last, scale.per_unit,
        _largest(scale), of_level, bins.starts, counts, sums,
    )  # fmt: skip
    _check(rows, int(wrong), scale)
    return GroupedBins(counts, met.astype(np.int64), sums)


def merge_grouped_bins(first: GroupedBins, second: GroupedBins) -> GroupedBins:
    """Add the histograms and sums of two blocks of cells."""
    codes, of_first, of_second = align_groups(first.codes, second.codes)
    sums = np.zeros((len(codes), first.sums.shape[1]))
    sums[of_first] = first.sums
    sums[of_second] += second.sums
    return GroupedBins(first.counts + second.counts, codes, sums)


def ranks_of_bins(found: GroupedBins, bins: Bins, cells: GroupedCells, *, exact: Vector) -> tuple[RankSums, Matrix]:
    """Ranks as if the values in a bin were one tie, and how wrong they can be.

    Parameters
    ----------
    found
        Histograms of all cells.
    bins
        The bins.
    cells
        Which cells are compared.
    exact
        Of each bin: whether all values in it are the same.

    Returns
    -------
    The ranks, and per group and gene the largest number of pairs (a cell of the group and one of the rest) in one bin whose order is
    not known, halved: the largest error of the U statistic.
    """
    genes = len(bins.starts) - 1
    doubled = np.zeros((cells.groups, genes), dtype=np.int64)
    detected, error = np.zeros_like(doubled), np.zeros(doubled.shape)
    ties, sums = np.zeros(genes), np.zeros((cells.groups * cells.parts, genes))
    rank_bins(found.counts, bins.starts, exact, cells.group_cells, doubled, ties, detected, error)
    sums[found.codes] = found.sums
    return RankSums(doubled, ties, detected, sums), error


def _values_and_factors(rows: Block, scale: Scale, totals: Vector | None) -> tuple[Vector, Vector | None]:
    if scale.target_sum is None:
        return rows.data, None
    values = plain_counts(rows)[0]
    if totals is None:
        totals = np.zeros(rows.shape[0])
        if sum_rows(values, rows.indptr, totals):
            require_counts(rows)
    return values, np.divide(scale.target_sum, totals, out=np.zeros(len(totals)), where=totals > 0)


def _in_order(groups: Vector, factors: Vector | None) -> Vector:
    """Rows of the groups from 0 on, group by group, and within a group by their totals where these scale the counts."""
    order = np.argsort(groups, kind="stable") if factors is None else np.lexsort((factors, groups))
    return order[np.searchsorted(groups[order], 0) :]


def _largest(scale: Scale) -> float:
    return np.inf if scale.target_sum is None else scale.target_sum * ABOVE_TOTAL


def _check(rows: Block, wrong: int, scale: Scale) -> None:
    if wrong < 0:
        return
    value = rows.data[wrong]
    if scale.target_sum is not None:
        if value < 0:
            require_counts(rows)
        message = f"No count may be above the total of its cell. Found a count of {value}; pass totals over all genes of the same cells."
        raise CountsError(message)
    message = f"Values must be finite and not below zero. Found {value}; pass raw counts or log-normalized cells, not scaled ones."
    raise InputError(message)


@jit
def sum_rows(values: Vector, indptr: Vector, totals: Vector) -> bool:
    """Sum of each row; whether a value was below zero."""
    for row in range(len(totals)):
        total, bits, _, _ = row_summary(values[indptr[row] : indptr[row + 1]])
        if bits < 0:
            return True
        totals[row] = total
    return False


@jit
def fill_bins(levels: Matrix, most: float, starts: Vector, first_levels: Vector, single: Vector) -> int:
    """Make the bins of each gene, and say how many there are; a new one begins where a level would bring the last one above ``most``."""
    used = 0
    for gene in range(levels.shape[1]):
        held, filled = 0, 0
        first_levels[used] = 0
        for level in range(len(levels)):
            here = levels[level, gene]
            if here == 0:
                continue
            if held > 0 and held + here > most:
                single[used] = filled == 1
                used += 1
                first_levels[used] = level
                held, filled = 0, 0
            held += here
            filled += 1
        # The last level holds all values that are larger, too.
        single[used] = filled <= 1 and levels[-1, gene] == 0
        used += 1
        starts[gene + 1] = used
    return used


@jit
def spread_bins(starts: Vector, first_levels: Vector, of_level: Matrix) -> None:
    """Write down the bin of every level of every gene."""
    genes = len(starts) - 1
    following = starts[:-1] + 1
    for level in range(len(of_level)):
        for gene in range(genes):
            if following[gene] < starts[gene + 1] and first_levels[following[gene]] == level:
                following[gene] += 1
            of_level[level, gene] = following[gene] - starts[gene] - 1


@jit
def walk_bins(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    order: Vector,
    groups: Vector,
    places: Vector,
    factors: Any,
    first: int,
    last: int,
    per_unit: float,
    largest: float,
    of_level: Any,
    starts: Any,
    counts: Matrix,
    sums: Any,
) -> int:
    """Count values in bins (in levels, where there are no bins), row by row in some order; the place of a wrong value, or -1."""
    table, table_level = np.empty(SMALL_COUNTS), np.empty(SMALL_COUNTS, dtype=np.int64)
    for turn in range(len(order)):
        row = order[turn]
        group = groups[turn]
        table[:] = -1.0
        for place in range(indptr[row], indptr[row + 1]):
            gene = indices[place]
            value = values[place]
            if not 0 <= value < np.inf:
                return place
            if gene < first or gene >= last or value == 0:
                continue
            x, level = float(value), np.int64(0)
            if factors is not None:
                small = value < SMALL_COUNTS
                x = table[np.int64(value)] if small else -1.0
                level = table_level[np.int64(value)] if small else np.int64(0)
                if x < 0:
                    scaled = value * factors[row]
                    if scaled == 0 or scaled > largest:
                        return place
                    x = float(np.float32(math.log1p(scaled)))
                    level = np.int64(min(x * per_unit, LEVELS - 1.0))
                    if small:
                        table[np.int64(value)] = x
                        table_level[np.int64(value)] = level
            else:
                level = np.int64(min(x * per_unit, LEVELS - 1.0))
            gene -= first
            if of_level is None:
                counts[level, gene] += 1
            if of_level is not None:
                counts[group, starts[gene] + of_level[level, gene]] += 1
            if sums is not None:
                sums[places[turn], gene] += x
    return -1


@jit
def rank_bins(
    counts: Matrix,
    starts: Vector,
    exact: Vector,
    group_cells: Vector,
    doubled: Matrix,
    ties: Vector,
    detected: Matrix,
    error: Matrix,
) -> None:
    """Twice the sums of ranks, ties, detected cells, and pairs of unknown order, halved."""
    groups = len(group_cells)
    cells = group_cells.sum()
    for gene in range(len(starts) - 1):
        above = np.int64(0)
        for number in range(starts[gene], starts[gene + 1]):
            for group in range(groups):
                above += counts[group, number]
                detected[group, gene] += counts[group, number]
        zeros = cells - above
        before = zeros
        ties[gene] = float(zeros) * float(zeros) * float(zeros) - float(zeros)
        for group in range(groups):
            doubled[group, gene] = (group_cells[group] - detected[group, gene]) * (zeros + 1)
        for number in range(starts[gene], starts[gene + 1]):
            here = np.int64(0)
            for group in range(groups):
                here += counts[group, number]
            ties[gene] += float(here) * float(here) * float(here) - float(here)
            for group in range(groups):
                own = np.int64(counts[group, number])
                doubled[group, gene] += own * (2 * before + here + 1)
                if not exact[number]:
                    error[group, gene] += 0.5 * float(own) * float(here - own)
            before += here
