"""Ranks of the values of a gene in all cells, summed per group of cells; zeros are one tie and are never written out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.errors import CountsError, InputError
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.row_counts import plain_counts, require_counts

NO_CODE = -1
"""Code of cells that are left out."""

ABOVE_TOTAL = 1 + 1e-9
"""A count may pass the total of its cell by rounding only."""

FEW = 48
"""So many values are sorted by insertion; more by their digits."""

SMALL_DIGIT, LARGE_DIGIT, MANY = 8, 11, 4096
"""Bits that one round of sorting looks at, for few and for many values."""


@dataclass(frozen=True, eq=False)
class GroupedCells:
    """Which cells are compared.

    Attributes
    ----------
    codes
        Of each cell: number of its group times the number of parts, plus number of its part (its patient); -1 for cells left out.
        int32.
    groups, parts
        How many there are.
    group_cells
        Cells of each group, int64.
    """

    codes: Vector
    groups: int
    parts: int
    group_cells: Vector

    @property
    def cells(self) -> int:
        """Cells that are compared."""
        return int(self.group_cells.sum())


@dataclass(frozen=True, eq=False)
class RankSums:
    """What is known of some genes.

    Attributes
    ----------
    doubled
        Per group and gene: twice the sum of the ranks among all cells compared, ties at the mean of their ranks; int64, exact.
    ties
        Per gene: sum of t**3 - t over the ties of t cells.
    detected
        Per group and gene: cells with a value above zero, int64.
    sums
        Per code and gene: sum of the values, float64.
    """

    doubled: Matrix
    ties: Vector
    detected: Matrix
    sums: Matrix


def rank_sums(genes: Block, cells: GroupedCells, *, totals: Vector | None = None, target_sum: float = 0.0) -> RankSums:
    """Rank the values of every gene of a block.

    Parameters
    ----------
    genes
        Genes by cells: a row holds the values of one gene.
    cells
        Which cells are compared.
    totals
        Sum of the counts of each cell, float64: then float32 values of log(1 + count / total * target_sum) are ranked. Without it
        values are ranked as they are.
    target_sum
        Sum to which every cell is scaled.

    Returns
    -------
    Sums of ranks and of values.

    Raises
    ------
    CountsError
        If a value that is to be normalized is not a count.
    InputError
        If a value is below zero or not finite, or a count is above the total of its cell.
    """
    values, keys = _values_and_keys(genes, counts=totals is not None)
    factors = None if totals is None else np.divide(target_sum, totals, out=np.zeros(len(totals)), where=totals > 0)
    shape = (cells.groups, genes.shape[0])
    doubled, detected = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    ties, sums = np.zeros(genes.shape[0]), np.zeros((cells.groups * cells.parts, genes.shape[0]))
    wrong = rank_genes(
        values,
        keys,
        genes.indices,
        genes.indptr,
        cells.codes,
        cells.parts,
        cells.group_cells,
        factors,
        target_sum * ABOVE_TOTAL,
        doubled,
        ties,
        detected,
        sums,
    )
    if wrong >= 0:
        _refuse(genes, int(wrong), totals)
    return RankSums(doubled, ties, detected, sums)


def merge_rank_sums(first: RankSums, second: RankSums) -> RankSums:
    """What is known of the genes of two blocks, one behind the other."""
    return RankSums(
        np.concatenate([first.doubled, second.doubled], axis=1),
        np.concatenate([first.ties, second.ties]),
        np.concatenate([first.detected, second.detected], axis=1),
        np.concatenate([first.sums, second.sums], axis=1),
    )


def cell_sums(genes: Block) -> Vector:
    """Sum of the counts of each cell over the genes of a block.

    Parameters
    ----------
    genes
        Genes by cells, counts.

    Returns
    -------
    int64.

    Raises
    ------
    CountsError
        If a value is not a count.
    """
    values = plain_counts(genes)[0]
    sums = np.zeros(genes.shape[1], dtype=np.int64)
    if add_counts(values, genes.indices, sums):
        require_counts(genes)
    return sums


def _values_and_keys(genes: Block, *, counts: bool) -> tuple[Vector, Vector | None]:
    """Values, and whole numbers below 2**32 in the same order; None where both are found value by value."""
    if counts:
        return plain_counts(genes)[0], None
    values = genes.data
    if values.dtype in (np.int32, np.float32):
        # Positive floats are ordered like their bits.
        return values, values.view(np.uint32)
    _, order = np.unique(values, return_inverse=True)
    return values.astype(np.float64), order.astype(np.uint32)


def _refuse(genes: Block, wrong: int, totals: Vector | None) -> None:
    value = genes.data[wrong]
    if totals is not None:
        if value < 0:
            require_counts(genes)
        total = totals[genes.indices[wrong]]
        message = (
            f"No count may be above the total of its cell. Found a count of {value} in a cell with a total of {total:g}; "
            "pass totals over all genes of the same cells."
        )
        raise CountsError(message)
    message = f"Values must be finite and not below zero. Found {value}; pass raw counts or log-normalized cells, not scaled ones."
    raise InputError(message)


@jit
def add_counts(values: Vector, indices: Vector, sums: Vector) -> bool:
    """Add each count to the sum of its cell; whether one was below zero."""
    bits = np.int32(0)
    for place in range(len(values)):
        bits |= values[place]
        sums[indices[place]] += values[place]
    return bool(bits < 0)


@jit
def sort_by_insertion(words: Vector, used: int) -> None:
    """Sort the first words in place."""
    for place in range(1, used):
        word = words[place]
        before = place - 1
        while before >= 0 and words[before] > word:
            words[before + 1] = words[before]
            before -= 1
        words[before + 1] = word


@jit
def sort_by_digits(words: Vector, spare: Vector, used: int, lowest: Any, highest: Any) -> bool:
    """Sort the first words by their upper 32 bits, which run from ``lowest`` to ``highest``; whether they lie in ``spare`` then."""
    span = highest - lowest
    digit = LARGE_DIGIT if used >= MANY else SMALL_DIGIT
    size = 1 << digit
    starts = np.empty(size, dtype=np.int64)
    shift, moved = 0, False
    while span >> shift > 0:
        source = spare if moved else words
        target = words if moved else spare
        starts[:] = 0
        for place in range(used):
            starts[(np.int64(source[place] >> np.uint64(32)) - lowest >> shift) & (size - 1)] += 1
        before = 0
        for number in range(size):
            here = starts[number]
            starts[number] = before
            before += here
        for place in range(used):
            word = source[place]
            number = (np.int64(word >> np.uint64(32)) - lowest >> shift) & (size - 1)
            target[starts[number]] = word
            starts[number] += 1
        shift += digit
        moved = not moved
    return moved


@jit
def rank_words(words: Vector, used: int, zeros: int, ranks: Vector) -> float:
    """Add twice the rank of every word to the entry of its group; the ties of what is above zero."""
    ties = 0.0
    begin = 0
    while begin < used:
        key = words[begin] >> np.uint64(32)
        end = begin + 1
        while end < used and words[end] >> np.uint64(32) == key:
            end += 1
        number = end - begin
        twice = 2 * (zeros + begin) + number + 1
        for place in range(begin, end):
            ranks[np.int64(words[place] & np.uint64(0xFFFFFFFF))] += twice
        ties += float(number) * float(number) * float(number) - float(number)
        begin = end
    return ties


@jit
def rank_genes(
    values: Vector,
    keys: Any,
    indices: Vector,
    indptr: Vector,
    codes: Vector,
    parts: int,
    group_cells: Vector,
    factors: Any,
    largest: float,
    doubled: Matrix,
    ties: Vector,
    detected: Matrix,
    sums: Matrix,
) -> int:
    """Rank gene by gene; the place of the first value that cannot be, or -1."""
    genes = len(indptr) - 1
    longest = 0
    for gene in range(genes):
        longest = max(longest, indptr[gene + 1] - indptr[gene])
    words, spare = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=np.uint64)
    group_of = np.arange(len(group_cells) * parts) // parts
    ranks, above = np.empty(len(group_cells), dtype=np.int64), np.empty(len(group_cells), dtype=np.int64)
    gene_sums = np.empty(len(group_of))
    # A float32 and its bits.
    value_of = np.empty(1, dtype=np.float32)
    bits_of = value_of.view(np.uint32)
    for gene in range(genes):
        ranks[:], above[:], gene_sums[:] = 0, 0, 0.0
        used, lowest, highest = 0, np.int64(2**32), np.int64(0)
        for place in range(indptr[gene], indptr[gene + 1]):
            value = values[place]
            cell = indices[place]
            if not 0 <= value < np.inf:
                return place
            code = codes[cell]
            if code < 0 or value == 0:
                continue
            key = np.int64(0)
            if factors is not None:
                scaled = value * factors[cell]
                if scaled == 0 or scaled > largest:
                    return place
                value_of[0] = math.log1p(scaled)
                key = np.int64(bits_of[0])
                gene_sums[code] += value_of[0]
            if keys is not None:
                key = np.int64(keys[place])
                gene_sums[code] += value
            group = group_of[code]
            above[group] += 1
            lowest, highest = min(lowest, key), max(highest, key)
            words[used] = (np.uint64(key) << np.uint64(32)) | np.uint64(group)
            used += 1
        if used <= FEW:
            sort_by_insertion(words, used)
            moved = False
        else:
            moved = sort_by_digits(words, spare, used, lowest, highest)
        zeros = group_cells.sum() - used
        ties[gene] = rank_words(spare if moved else words, used, zeros, ranks)
        ties[gene] += float(zeros) * float(zeros) * float(zeros) - float(zeros)
        for group in range(len(group_cells)):
            doubled[group, gene] = ranks[group] + (group_cells[group] - above[group]) * (zeros + 1)
            detected[group, gene] = above[group]
        sums[:, gene] = gene_sums
    return -1
