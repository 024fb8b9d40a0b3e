"""Gene sets as lists of columns, for scores made of the ranks of all genes within a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import GeneMismatchError, InputError
from chemores_dask.gene_sets import GeneSet
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.kernels.set_ranks import SetColumns
from chemores_dask.scores.expression_rows import ExpressionRows
from chemores_dask.scores.score_table import columns_of
from chemores_dask.stream import check_fits, compute, map_rows, reduce_rows

SIDES = 2
"""Every set has two lists: genes going up, genes going down; either may be empty."""

SUMS = 3
"""Sums of ranks that a kernel keeps per row and list."""


def side_columns(sets: Sequence[GeneSet], found: ExpressionRows, *, caller: str) -> SetColumns:
    """Columns of the genes going up and down, two lists for each set.

    Parameters
    ----------
    sets
        Restricted to measured genes.
    found
        The rows.
    caller
        The score, for messages.

    Returns
    -------
    Up and down of the first set, up and down of the second, and so on.

    Raises
    ------
    GeneMismatchError
        If a list holds all genes: there is nothing to compare it with.
    """
    for gene_set in sets:
        if max(len(gene_set.up), len(gene_set.down)) == len(found.genes):
            message = (
                f"{caller} compares the genes of a set with all others. {gene_set.name!r} holds all {len(found.genes)} "
                "genes in one direction; pass expression of more genes."
            )
            raise GeneMismatchError(message)
    lists = [columns_of(side, found) for gene_set in sets for side in (gene_set.up, gene_set.down)]
    return SetColumns.from_lists(lists, width=len(found.genes))


def up_less_down(values: Matrix) -> Matrix:
    """From rows by lists (up and down of each set) to rows by sets."""
    return values[:, 0::SIDES] - values[:, 1::SIDES]


def check_ranked_rows(found: ExpressionRows, *, sums: int, caller: str) -> None:
    """Refuse rows that would not fit into memory while they are ranked, and patients whose expression is not known.

    Cells are looked at when they are scored, since that reads them anyway.

    Parameters
    ----------
    found
        The rows.
    sums
        Numbers that are kept per row.
    caller
        The score, for messages.

    Raises
    ------
    InputError
        If expression of a patient is missing or infinite, with names of patients and genes.
    BlockTooLargeError
        If the sums would not fit.
    """
    state_bytes = 8 * max(found.rows.chunks[0]) * sums
    check_fits(replace(found.plan, task_bytes=found.plan.task_bytes + state_bytes))
    if found.of_cells:
        return
    per_row = map_rows(found.rows, _UnknownValues(), width=1, dtype=np.int64)
    per_gene = reduce_rows(found.rows, Reduction(block=_unknown_genes, merge=np.logical_or))
    in_rows, in_genes = compute(per_row, per_gene)
    if in_rows.any():
        message = (
            f"{caller} ranks all genes of a patient, so all must be known and finite. Found missing or infinite expression in "
            f"{int((in_rows > 0).sum())} of {len(in_rows)} patients ({listed(found.names[in_rows[:, 0] > 0])}) and "
            f"{int(in_genes.sum())} of {len(in_genes)} genes ({listed(found.genes[in_genes])}); impute it, or leave these genes "
            "(patients.dropna('gene')) or patients (patients.dropna('patient')) out."
        )
        raise InputError(message)


@dataclass(frozen=True)
class _UnknownValues:
    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        del columns
        before = np.concatenate([[0], np.cumsum(~np.isfinite(rows.data))])
        return np.diff(before[rows.indptr])[:, None].astype(np.int64)


def _unknown_genes(rows: Block, columns: Columns) -> Vector:
    del columns
    unknown = np.zeros(rows.shape[1], dtype=bool)
    unknown[rows.indices[~np.isfinite(rows.data)]] = True
    return unknown
