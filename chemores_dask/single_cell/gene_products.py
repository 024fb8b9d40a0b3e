"""Products of genes by fold of patients, from which components without any of the folds follow at no further pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Vector
from chemores_dask.checks import check_columns, check_whole
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.gram import gram_triangle, whole_matrix
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.randomness import deal_folds
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, labels_can_be_compared, planned_rows
from chemores_dask.single_cell.pca import chosen_genes, state_bytes
from chemores_dask.stream import compute, reduce_rows
from chemores_dask.stream.selection import select_columns

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("products_cells", ("fold",), "i", unit="cells"),
    Variable("products_sum", ("fold", "gene"), "f", unit="log expression"),
    Variable(
        "products_gram", ("fold", "gene", "other_gene"), "f", unit="squared log expression", doc="sums of products"
    ),
)

CODES = "codes"


def patient_folds(patients: pd.Series, *, folds: int = 10, seed: int) -> pd.Series:
    """Share patients out among folds, all cells of a patient to the same one.

    Patients are ordered by a number drawn from their name and the seed, and dealt out in turn; so sizes differ by one patient at most,
    and the order of the cells does not matter.

    Parameters
    ----------
    patients
        The patient of each cell.
    folds
        Number of folds, at most the number of patients.
    seed
        Of the order.

    Returns
    -------
    The fold of each cell, 1, 2, …, with the index of ``patients``.

    Raises
    ------
    InputError
        If the patient of a cell is not known.
    ParameterError
        If there are fewer patients than folds.

    Examples
    --------
    >>> patients = pd.Series(["P1", "P1", "P2", "P3"])
    >>> found = patient_folds(patients, folds=3, seed=1)
    >>> bool(found[0] == found[1]), sorted(set(found.tolist()))
    (True, [1, 2, 3])
    """
    codes, names = pd.factorize(patients.astype(str).where(patients.notna()), sort=True)
    if (codes < 0).any():
        message = f"Every cell must have a patient. Found {int((codes < 0).sum())} without; leave those cells out."
        raise InputError(message)
    check_whole(folds, parameter="folds", caller="patient_folds", minimum=1, maximum=max(len(names), 1))
    fold = deal_folds(names, folds=folds, seed=seed)
    return pd.Series(fold[codes], index=patients.index, name="fold")


def gene_products(cells: AnnData, *, genes: Sequence[str] | Vector | None = None, fold: str) -> xr.Dataset:
    """Sums and sums of products of genes, apart for each fold of the cells.

    Such sums add up: those of any set of folds are the sums of a fit to their cells (:func:`pca_of_products`), so components without
    one patient, or without each fold in turn, take one pass together.

    Parameters
    ----------
    cells
        Log-normalized cells.
    genes
        Genes to use: names in any order, or a boolean for each gene; all genes unless given.
    fold
        Column of ``obs`` with the fold of each cell: patients, samples, or groups of patients (:func:`patient_folds`).

    Returns
    -------
    Dataset over ``fold`` (sorted), ``gene`` and ``other_gene``: ``products_cells``, ``products_sum``, ``products_gram`` (``X'X``).

    Raises
    ------
    MissingVariableError
        If ``obs`` lacks the column.
    GeneMismatchError
        If a gene is not among those of the cells.
    InputError
        If the fold of a cell is not known, there are no cells, or expression is missing or infinite.
    BlockTooLargeError
        If the products of all folds do not fit into memory.

    Notes
    -----
    Passes over the counts: 1. A block makes the products of the folds it meets, which are few where cells stand sorted by sample; sums
    are float64, so that folds put together agree with a fit to their cells to 1e-10.

    References
    ----------
    Chan TF, Golub GH, LeVeque RJ (1983). Algorithms for computing the sample variance. The American Statistician 37:242-247.
    """
    check_cells(cells, caller="gene_products")
    positions, names = chosen_genes(cells, genes, caller="gene_products")
    codes, labels = _fold_codes(cells.obs, fold)
    # The states of later merges hold all folds.
    rows, _ = planned_rows(cells, caller="gene_products", state_bytes=len(labels) * state_bytes(len(names)))
    reduction = Reduction(block=ProductsBlock(), merge=merge_products)
    (found,) = compute(reduce_rows(select_columns(rows, positions), reduction, columns={CODES: codes}))
    triangles = [found[code].triangle for code in range(len(labels))]
    if not all(np.isfinite(triangle).all() for triangle in triangles):
        message = (
            "Expression must be finite, and so must its squares. Found missing, infinite or huge values; "
            "pass log-normalized cells."
        )
        raise InputError(message)
    grams = np.empty((len(labels), len(names), len(names)))
    for code, triangle in enumerate(triangles):
        grams[code] = whole_matrix(triangle, len(names))
    return make_result(
        RESULT,
        {
            "products_cells": np.array([found[code].rows for code in range(len(labels))], dtype=np.int64),
            "products_sum": np.stack([found[code].column_sums for code in range(len(labels))]),
            "products_gram": grams,
        },
        analysis="gene_products",
        parameters={"genes": len(names), "fold": fold},
        coordinates={"fold": labels, "gene": names, "other_gene": names},
    )


@dataclass(frozen=True)
class ProductSums:
    """Sums over the rows of one fold.

    Attributes
    ----------
    triangle
        Upper triangle of ``X'X``, row by row.
    column_sums
        Sum of each column.
    rows
        Number of rows.
    """

    triangle: Vector
    column_sums: Vector
    rows: int


@dataclass(frozen=True)
class ProductsBlock:
    """Makes the :class:`ProductSums` of every fold that a block meets."""

    def __call__(self, rows: Block, columns: Columns) -> dict[int, ProductSums]:
        """Sums by code of the fold."""
        codes = columns[CODES]
        return {int(code): _sums(rows[codes == code]) for code in np.unique(codes)}


def merge_products(first: Mapping[int, ProductSums], second: Mapping[int, ProductSums]) -> dict[int, ProductSums]:
    """Add up the sums of each fold of two sets of rows."""
    merged = {**first, **second}
    for code in first.keys() & second.keys():
        one, other = first[code], second[code]
        merged[code] = ProductSums(
            one.triangle + other.triangle, one.column_sums + other.column_sums, one.rows + other.rows
        )
    return merged


def _sums(rows: Block) -> ProductSums:
    sums = np.bincount(rows.indices, weights=rows.data, minlength=rows.shape[1])
    return ProductSums(gram_triangle(rows), sums, rows.shape[0])


def _fold_codes(obs: pd.DataFrame, fold: str) -> tuple[Vector, Vector]:
    check_columns(obs, [fold], what="obs", caller="gene_products")
    column = obs[fold]
    if not len(obs):
        message = "gene_products needs at least one cell. Got none."
        raise InputError(message)
    if not labels_can_be_compared(column):
        message = f"Folds must be names or numbers. {fold!r} holds others, such as {column.iloc[0]!r}; name each fold."
        raise ParameterError(message)
    numbers = pd.api.types.is_integer_dtype(column)
    codes, labels = pd.factorize(column if numbers else column.astype(str).where(column.notna()), sort=True)
    if (codes < 0).any():
        message = f"Every cell must have a fold. {fold!r} is missing in {int((codes < 0).sum())} of {len(obs)} cells; leave those out."
        raise InputError(message)
    return codes.astype(np.int64), np.asarray(labels, dtype=np.int64 if numbers else object)
