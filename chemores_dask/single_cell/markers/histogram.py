"""Ranks of every gene from histograms of a stream of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import dask.array as da
import numpy as np
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.errors import InputError
from chemores_dask.kernels.rank_histograms import (
    LEVELS,
    Bins,
    GroupedBins,
    Scale,
    behind,
    choose_bins,
    grouped_bins,
    level_counts,
    merge_grouped_bins,
    ranks_of_bins,
)
from chemores_dask.kernels.rank_sums import GroupedCells, RankSums, merge_rank_sums
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.kernels.row_counts import require_counts
from chemores_dask.single_cell.cell_rows import planned_rows
from chemores_dask.single_cell.markers.labeled_cells import CALLER, LabeledCells, RankedValues
from chemores_dask.stream.compute import compute
from chemores_dask.stream.plan import STATES_PER_TASK, Plan, check_fits
from chemores_dask.stream.reduce import reduce_rows

COUNT_BYTES = 4
LEVEL_BYTES = 2
SUM_BYTES = 8
MOST_RANGES = 64


def histogram_ranks(
    cells: AnnData, labeled: LabeledCells, *, values: RankedValues, totals: Vector | None, bins: int
) -> tuple[RankSums, Matrix]:
    """Rank every gene up to the order of values within a bin.

    Parameters
    ----------
    cells
        The cells, in blocks of whole rows or in memory.
    labeled
        Which cells are compared.
    values
        What is ranked.
    totals
        Of the cells, where counts are scaled; sums of the rows unless given.
    bins
        A bin holds at most one cell in so many, unless their values are in one level.

    Returns
    -------
    Ranks of all genes, and the largest error of each U statistic. The same for any blocks, but for the rounding of sums.

    Raises
    ------
    InputError
        If blocks hold some genes of all cells.
    BlockTooLargeError
        If the tables of a few genes do not fit into memory.
    """
    if isinstance(cells.X, da.Array) and cells.X.numblocks[1] > 1:
        message = (
            f"The histogram method of {CALLER} streams cells with all their genes. The matrix lies in {cells.X.numblocks[1]} blocks of "
            'genes; open the cells with open_cells, or use method="exact".'
        )
        raise InputError(message)
    rows, plan = planned_rows(cells, caller=CALLER)
    columns = {"code": labeled.grouped.codes} | ({} if totals is None else {"total": totals})
    chosen = []
    for first, last in _ranges(plan, np.full(cells.n_vars, COUNT_BYTES * LEVELS)):
        reduction = Reduction(_LevelBlock(_scale(values, first, last), values.whole), np.add)
        (levels,) = compute(reduce_rows(rows, reduction, columns=columns))
        chosen.append(choose_bins(levels, labeled.grouped.cells / bins))
    made = behind(chosen)
    grouped = labeled.grouped
    found: tuple[RankSums, Matrix] | None = None
    needed = COUNT_BYTES * grouped.groups * np.diff(made.starts) + SUM_BYTES * grouped.groups * grouped.parts
    for first, last in _ranges(plan, needed):
        part = made.part(first, last)
        block = _GroupBlock(_scale(values, first, last), part, grouped.groups, grouped.parts)
        (counted,) = compute(reduce_rows(rows, Reduction(block, merge_grouped_bins), columns=columns))
        exact = part.single if values.whole else np.zeros(len(part.single), dtype=bool)
        ranks = ranks_of_bins(counted, part, grouped, exact=exact)
        found = ranks if found is None else _behind(found, ranks)
    assert found is not None
    return found


def _scale(values: RankedValues, first: int, last: int) -> Scale:
    return Scale(LEVELS / values.ceiling, values.target_sum, first, last)


@dataclass(frozen=True)
class _LevelBlock:
    scale: Scale
    whole: bool

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        rows = require_counts(rows) if self.whole else rows
        return level_counts(rows, columns["code"], self.scale, totals=columns.get("total"))


@dataclass(frozen=True, eq=False)
class _GroupBlock:
    scale: Scale
    bins: Bins
    groups: int
    parts: int

    def __call__(self, rows: Block, columns: Columns) -> GroupedBins:
        codes = columns["code"]
        cells = GroupedCells(codes, self.groups, self.parts, np.zeros(0, dtype=np.int64))
        return grouped_bins(rows, codes, self.scale, self.bins, cells=cells, totals=columns.get("total"))


def _behind(first: tuple[RankSums, Matrix], second: tuple[RankSums, Matrix]) -> tuple[RankSums, Matrix]:
    return merge_rank_sums(first[0], second[0]), np.concatenate([first[1], second[1]], axis=1)


def _ranges(plan: Plan, gene_bytes: Vector) -> list[tuple[int, int]]:
    """Genes of each pass: all at once where their tables fit, otherwise as many as do. The numbers do not depend on it."""
    ends = np.cumsum(gene_bytes)
    number = 1
    while True:
        cuts = np.searchsorted(ends, ends[-1] * np.arange(1, number) / number) + 1
        borders = np.unique(np.concatenate([[0], cuts, [len(ends)]]))
        largest = int(max(np.add.reduceat(gene_bytes, borders[:-1])))
        # While bins are counted, each task knows the bin of every level.
        scratch = STATES_PER_TASK * largest + LEVEL_BYTES * LEVELS * int(np.diff(borders).max())
        with_tables = replace(plan, task_bytes=plan.task_bytes + scratch, state_bytes=largest)
        if number >= MOST_RANGES or with_tables.fits:
            check_fits(with_tables)
            return [(int(first), int(last)) for first, last in pairwise(borders)]
        number *= 2
