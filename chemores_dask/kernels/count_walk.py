"""One walk over a block of counts that learns all that is asked about it: totals, sums per group, histograms.

Walking is bound by memory, so what is touched together lies together: the sums of a gene stand side by side in a scratch that stays
in the cache, rows are taken group by group, and the logarithms of small counts come from a table that is filled once per row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.reduction import State
from chemores_dask.kernels.row_counts import plain_counts, require_counts

SMALL_COUNTS = 64
"""Counts below this are looked up in tables; the others are 3 in 1,000 in droplets."""

DETECTED_BITS = 20
"""A gene's sum and its number of rows share 64 bits while some rows are walked over: rows in the lower bits."""

MOST_ROWS = 2**DETECTED_BITS - 1
LARGEST_SUM = 2**43
FIRST_LARGE = 1024


_JOINED = ("gene_groups", "groups", "target_sum", "batches")
_DIFFERENT = "different"


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a walk shall learn, besides the totals of the rows.

    Attributes
    ----------
    gene_groups
        Groups by genes, at most eight: sums per row and group.
    gene_totals
        Whether sums per gene over all rows are wanted: they come with those of groups or with histograms, or of their own.
    groups
        Code of the group of each row: sums per group and gene.
    target_sum
        With it and groups, also sums of x and of its square, for x = log(1 + count / total of the row * target_sum).
    batches
        Code of the batch of each row: a histogram of counts per batch and gene.
    """

    gene_groups: Matrix | None = None
    gene_totals: bool = False
    groups: Vector | None = None
    target_sum: float | None = None
    batches: Vector | None = None

    def joined(self, other: Wanted) -> Wanted | None:
        """What both want, in one walk; None where they want sums of different groups or batches."""
        parts = {name: _either(getattr(self, name), getattr(other, name)) for name in _JOINED}
        if _DIFFERENT in [text for text in parts.values() if isinstance(text, str)]:
            return None
        return Wanted(gene_totals=self.gene_totals or other.gene_totals, **parts)

    @property
    def sums(self) -> bool:
        """Whether sums of genes are taken one by one, rather than from histograms."""
        return self.groups is not None or (self.gene_totals and self.batches is None)


@dataclass(frozen=True, eq=False)
class Walked:
    """What a walk learned; None where it was not wanted.

    Attributes
    ----------
    row_total, row_detected
        Per row: sum of the counts, and number of genes with a count; int64.
    row_group_total
        Per row and group of genes, int64.
    codes, cells
        Groups met, rising, and their rows.
    count_sum, detected
        Per group and gene, int64 and int32.
    log_sum, log_square_sum
        Per group and gene, float64.
    batch_codes, batch_cells
        Batches met, rising, and their rows.
    small
        Per batch, gene and count below ``SMALL_COUNTS``: number of rows, int32. Zeros that are not stored are not in it.
    large
        One key per larger count, in no order: (place of the batch * genes + gene) * 2**31 + count.
    """

    row_total: Vector
    row_detected: Vector
    row_group_total: Matrix | None
    codes: Vector
    cells: Vector
    count_sum: Matrix | None
    detected: Matrix | None
    log_sum: Matrix | None
    log_square_sum: Matrix | None
    batch_codes: Vector
    batch_cells: Vector
    small: np.ndarray | None
    large: Vector | None


@runtime_checkable
class CountsBlock(Protocol):
    """The part of a reduction that learns from a walk over counts; several of them share one."""

    def wanted(self, columns: Columns) -> Wanted:
        """What the walk shall learn."""

    def state(self, walked: Walked) -> State:
        """The state out of a walk that learned at least what was wanted."""


def walk_counts(rows: Block, wanted: Wanted) -> Walked:
    """Walk once over a block of counts.

    Parameters
    ----------
    rows
        Block of counts.
    wanted
        What to learn. What is learned of one thing has the same bits whatever else is wanted.

    Returns
    -------
    What was learned.

    Raises
    ------
    CountsError
        If a value is not a count.
    """
    cells, genes = rows.shape
    values, indices, indptr = plain_counts(rows)
    codes, order, starts = _in_groups(wanted.groups, cells)
    flags, row_group_total = _flags(wanted.gene_groups, genes, cells)
    row_total, row_detected = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    shape = (len(codes), genes)
    count_sum = np.zeros(shape, dtype=np.int64) if wanted.sums else None
    detected = np.zeros(shape, dtype=np.int32) if wanted.sums else None
    log_sum = np.zeros(shape) if wanted.target_sum is not None else None
    log_square_sum = np.zeros(shape) if wanted.target_sum is not None else None
    batch_codes, batch_of, batch_cells = _batches(wanted.batches)
    small = None if batch_of is None else np.zeros((len(batch_codes), genes, SMALL_COUNTS), dtype=np.int32)
    broken, large = walk(
        values,
        indices,
        indptr,
        order,
        starts,
        row_total,
        row_detected,
        flags,
        row_group_total,
        count_sum,
        detected,
        wanted.target_sum,
        log_sum,
        log_square_sum,
        batch_of,
        small,
    )
    if broken:
        require_counts(rows)
    return Walked(
        row_total,
        row_detected,
        row_group_total,
        codes,
        np.diff(starts),
        count_sum,
        detected,
        log_sum,
        log_square_sum,
        batch_codes,
        batch_cells,
        small,
        None if small is None else large,
    )


def _either(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return first if first is second or np.array_equal(first, second) else _DIFFERENT


def _in_groups(groups: Vector | None, cells: int) -> tuple[Vector, Vector, Vector]:
    """Codes that occur, the rows in the order of their groups, and where each group starts in it."""
    if groups is None:
        return np.zeros(1, dtype=np.int64), np.arange(cells), np.array([0, cells])
    order = np.argsort(groups, kind="stable")
    codes, first = np.unique(np.asarray(groups)[order], return_index=True)
    return codes.astype(np.int64), order.astype(np.int64), np.append(first, cells).astype(np.int64)


def _batches(batches: Vector | None) -> tuple[Vector, Vector | None, Vector]:
    if batches is None:
        return np.zeros(0, dtype=np.int64), None, np.zeros(0, dtype=np.int64)
    codes, place, cells = np.unique(batches, return_inverse=True, return_counts=True)
    return codes.astype(np.int64), place.astype(np.int64), cells.astype(np.int64)


def _flags(gene_groups: Matrix | None, genes: int, cells: int) -> tuple[Vector | None, Matrix | None]:
    if gene_groups is None:
        return None, None
    flags = np.zeros(genes, dtype=np.uint8)
    for group, members in enumerate(gene_groups):
        flags[members] |= np.uint8(1 << group)
    return flags, np.zeros((cells, len(gene_groups)), dtype=np.int64)


@jit
def flush_sums(packed: Vector, count_sum: Vector, detected: Vector) -> None:
    """Add the sums and numbers that share 64 bits to their own arrays, and clear them."""
    for gene in range(len(packed)):
        both = packed[gene]
        count_sum[gene] += both >> DETECTED_BITS
        detected[gene] += np.int32(both & MOST_ROWS)
        packed[gene] = 0


@jit
def flush_logs(logs: Matrix, log_sum: Vector, log_square_sum: Vector) -> None:
    """Move the sums of logarithms and of their squares to their own arrays, and clear them."""
    for gene in range(len(logs)):
        log_sum[gene] = logs[gene, 0]
        log_square_sum[gene] = logs[gene, 1]
        logs[gene, 0] = 0.0
        logs[gene, 1] = 0.0


@jit
def row_summary(row: Vector) -> Any:
    """Sum of a row, its values above zero, its large ones, and all of its bits: their sign is that of the lowest value."""
    total = np.int64(0)
    bits, above, large = np.int32(0), np.int32(0), np.int32(0)
    for place in range(row.size):
        value = row[place]
        total += np.int64(value)
        bits |= value
        above += np.int32(value > 0)
        large += np.int32(value >= SMALL_COUNTS)
    return total, bits, above, large


@jit
def longer_keys(keys: Vector, used: int, large: int) -> Vector:
    """The keys, with room for some more."""
    if used + large <= keys.size:
        return keys
    longer = np.empty(2 * (used + large), dtype=np.int64)
    longer[:used] = keys[:used]
    return longer


@jit
def walk_row(
    counts: Vector,
    genes: Vector,
    packed: Any,
    flags: Any,
    group_total: Any,
    logs: Any,
    table: Any,
    factor: float,
    levels: Any,
    keys: Vector,
    used: int,
    first_key: int,
) -> Any:
    """Add one row to what is not None, and say how many keys of large counts are used."""
    for place in range(counts.size):
        count = np.uint32(counts[place])
        gene = np.uint32(genes[place])
        if packed is not None:
            packed[gene] += (np.int64(count) << DETECTED_BITS) | np.int64(count != 0)
        if logs is not None:
            if count < SMALL_COUNTS:
                x = table[count]
                if x < 0.0:
                    x = math.log1p(count * factor)
                    table[count] = x
            else:
                x = math.log1p(count * factor)
            logs[gene, 0] += x
            logs[gene, 1] += x * x
        if flags is not None:
            flag = flags[gene]
            if flag != 0:
                for member in range(group_total.size):
                    if (flag >> member) & 1:
                        group_total[member] += count
        if levels is not None:
            if count < SMALL_COUNTS:
                levels[gene, count] += 1
            else:
                keys[used] = ((first_key + np.int64(gene)) << 31) | np.int64(count)
                used += 1
    return used


@jit
def walk(
    values: Vector,
    indices: Vector,
    indptr: Vector,
    order: Vector,
    starts: Vector,
    row_total: Vector,
    row_detected: Vector,
    flags: Any,
    row_group_total: Any,
    count_sum: Any,
    detected: Any,
    target_sum: Any,
    log_sum: Any,
    log_square_sum: Any,
    batch_of: Any,
    small: Any,
) -> tuple[bool, Vector]:
    """Walk over rows in the order of their groups; whether a value was below zero, and the keys of the large counts.

    What is None is not compiled: every combination of things that are wanted becomes a kernel of its own.
    """
    packed = None if count_sum is None else np.zeros(count_sum.shape[1], dtype=np.int64)
    logs = None if log_sum is None else np.zeros((log_sum.shape[1], 2))
    table = np.empty(SMALL_COUNTS)
    keys = np.empty(FIRST_LARGE, dtype=np.int64)
    used = 0
    for group in range(len(starts) - 1):
        bound, walked = np.int64(0), 0
        for turn in range(starts[group], starts[group + 1]):
            row = order[turn]
            counts = values[indptr[row] : indptr[row + 1]]
            genes = indices[indptr[row] : indptr[row + 1]]
            total, bits, above, large = row_summary(counts)
            if bits < 0:
                return True, keys
            row_total[row] = total
            row_detected[row] = above
            # Bits of all counts bound the largest one: neither half of the packed numbers can run over.
            bound += np.int64(bits)
            walked += 1
            if packed is not None and (bound >= LARGEST_SUM or walked > MOST_ROWS):
                flush_sums(packed, count_sum[group], detected[group])
                bound, walked = np.int64(bits), 1
            factor = 0.0 if target_sum is None or total == 0 else target_sum / total
            table[:] = -1.0
            group_total = None if row_group_total is None else row_group_total[row]
            levels = None if small is None else small[batch_of[row]]
            first_key = 0 if small is None else batch_of[row] * small.shape[1]
            keys = longer_keys(keys, used, large if small is not None else 0)
            used = walk_row(
                counts, genes, packed, flags, group_total, logs, table, factor, levels, keys, used, first_key
            )
        if packed is not None:
            flush_sums(packed, count_sum[group], detected[group])
        if logs is not None:
            flush_logs(logs, log_sum[group], log_square_sum[group])
    return False, keys[:used]
