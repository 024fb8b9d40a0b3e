"""Expression of the genes of sets: all that a score needs which does not rank whole rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import dask.array as da
import numpy as np
import scipy.sparse as sp
import xarray as xr

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import InputError
from chemores_dask.gene_sets import GeneSet
from chemores_dask.kernels.moments import GroupMoments, block_moments, merge_moments
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.scores.expression_rows import GENE, PATIENT, ExpressionRows
from chemores_dask.stream import check_fits, compute, reduce_rows
from chemores_dask.stream.selection import select_columns, weigh_columns

LARGEST_VALUE = 1e100
"""Expression beyond this is refused, and genes below its inverse count as constant: squares would overflow, or vanish."""

CONSTANT_TOLERANCE = 1e-12


@dataclass(frozen=True)
class GeneSpread:
    """Where the expression of some genes lies.

    Attributes
    ----------
    mean, deviation
        Of each gene over all rows; the standard deviation has the divisor n - 1.
    varies
        Whether a gene differs between rows by more than rounding.
    """

    mean: Vector
    deviation: Vector
    varies: Vector


def genes_of(gene_sets: Iterable[GeneSet], found: ExpressionRows) -> tuple[str, ...]:
    """All genes of some sets, each once, in the order of the columns; all were measured."""
    genes = {gene for gene_set in gene_sets for gene in gene_set.genes}
    return tuple(sorted(genes, key=found.places.__getitem__))


def patients_expression(
    patients: xr.Dataset, found: ExpressionRows, columns: Vector, *, expression: str, caller: str
) -> Matrix:
    """Read the expression of some genes in all patients; nothing else is read.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)`` in either order.
    found
        The same patients as rows, checked.
    columns
        Columns of the genes.
    expression
        The variable.
    caller
        The score, for messages.

    Returns
    -------
    Patients by genes, float64.

    Raises
    ------
    InputError
        If a value is missing, infinite or beyond reason, with the names of the genes and the patients.
    """
    values = patients[expression].transpose(PATIENT, GENE)[:, columns]
    (computed,) = compute(values.data)
    matrix = np.array(computed, dtype=float, order="C")
    unknown = ~(np.abs(matrix) <= LARGEST_VALUE)
    if unknown.any():
        message = (
            f"Expression must be known and finite in {caller}. Not so for: {listed(found.genes[columns[unknown.any(axis=0)]])}, in "
            f"{int(unknown.any(axis=1).sum())} of {len(matrix)} patients ({listed(found.names[unknown.any(axis=1)])}; beyond "
            f"{LARGEST_VALUE:g} counts as infinite); impute it, or leave these genes or patients out."
        )
        raise InputError(message)
    return matrix


def spread_of_patients(matrix: Matrix) -> GeneSpread:
    """Mean and deviation of each gene over patients, with the bits of the whole matrix, however it was cut."""
    mean = matrix.mean(axis=0)
    deviation = (matrix - mean).std(axis=0, ddof=1)
    largest = np.abs(matrix).max(axis=0)
    return GeneSpread(mean, deviation, (deviation > CONSTANT_TOLERANCE * largest) & (largest >= 1 / LARGEST_VALUE))


def spread_of_cells(found: ExpressionRows, columns: Vector, *, caller: str) -> GeneSpread:
    """Mean and deviation of some genes over cells, in one pass.

    Parameters
    ----------
    found
        The cells.
    columns
        Columns of the genes.
    caller
        The score, for messages.

    Returns
    -------
    Where each gene lies.

    Raises
    ------
    InputError
        If expression of one of the genes is missing or infinite, with its name.
    """
    positions = np.full(len(found.genes), -1, dtype=np.int32)
    positions[columns] = np.arange(len(columns))
    chosen = select_columns(found.rows, positions)
    (moments,) = compute(reduce_rows(chosen, Reduction(block=_moments_of_block, merge=_merged)))
    unknown = ~(np.isfinite(moments.squared_deviations[0]) & (np.abs(moments.mean[0]) <= LARGEST_VALUE))
    if unknown.any():
        message = (
            f"Expression must be known and finite in {caller}. Not so for: {listed(found.genes[columns[unknown]])} (beyond "
            f"{LARGEST_VALUE:g} counts as infinite); impute it, or leave these genes or cells out."
        )
        raise InputError(message)
    deviation = np.sqrt(moments.variance()[0])
    return GeneSpread(
        moments.mean[0], deviation, deviation > CONSTANT_TOLERANCE * np.abs(moments.mean[0]).clip(1 / LARGEST_VALUE)
    )


def weighted_sums_of_patients(matrix: Matrix, weights: Matrix) -> Matrix:
    """Sums of weighted expression: patients by genes, times genes by sets.

    The scores of a set have the same bits whichever other sets were asked for: only its own genes are added up, in a fixed order.
    """
    sums = [(np.ascontiguousarray(matrix[:, chosen != 0]) * chosen[chosen != 0]).sum(axis=1) for chosen in weights.T]
    return np.column_stack(sums)


def weighted_sums_of_cells(
    found: ExpressionRows, columns: Vector, weights: Matrix, offsets: Vector, *, sets: tuple[str, ...], caller: str
) -> da.Array:
    """Sums of weighted expression in every cell, lazily.

    Parameters
    ----------
    found
        The cells.
    columns
        Columns of the genes.
    weights
        Genes by sets.
    offsets
        Added to the sums, one for each set.
    sets
        Names of the sets, for messages.
    caller
        The score, for messages.

    Returns
    -------
    Cells by sets. When computed, InputError is raised where a sum is not finite.
    """
    place, number = np.nonzero(weights)
    shape = (len(found.genes), weights.shape[1])
    wide = sp.csr_matrix((weights[place, number], (columns[place], number)), shape=shape)
    state_bytes = 2 * 8 * max(found.rows.chunks[0]) * weights.shape[1]
    check_fits(replace(found.plan, task_bytes=found.plan.task_bytes + state_bytes))
    sums = weigh_columns(found.rows, wide)
    check = partial(_finite_sums, offsets=offsets, sets=sets, caller=caller)
    return da.map_blocks(check, sums, dtype=np.float64, meta=np.empty((0, 0)))


def _moments_of_block(rows: Block, columns: Columns) -> GroupMoments:
    del columns
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named at the end
        return block_moments(rows, np.zeros(rows.shape[0], dtype=np.int64), rows.data.astype(np.float64))


def _merged(first: GroupMoments, second: GroupMoments) -> GroupMoments:
    with np.errstate(over="ignore", invalid="ignore"):
        return merge_moments(first, second)


def _finite_sums(sums: Matrix, *, offsets: Vector, sets: tuple[str, ...], caller: str) -> Matrix:
    unknown = ~np.isfinite(sums)
    if unknown.any():
        message = (
            f"Expression must be known and finite in {caller}. Not so for genes of: {listed(np.array(sets)[unknown.any(axis=0)])}, in "
            f"{int(unknown.any(axis=1).sum())} of {len(sums)} cells of a block; impute it, or leave these genes or cells out."
        )
        raise InputError(message)
    return sums + offsets
