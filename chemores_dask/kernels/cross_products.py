"""Sums of products over rows: ``X'X`` and ``Q'X``, and rows times weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.kernels.gram import gram_triangle
from chemores_dask.kernels.jit import jit

BASIS = "basis"
"""Name of the column with one row of ``Q`` per cell."""


@jit
def multiply_rows(
    indptr: Vector, indices: Vector, values: Vector, weights: tuple[Vector, Vector, Vector], product: Matrix
) -> None:
    """Add CSR rows times a sparse weight matrix to a dense product.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    weights
        CSR arrays (row starts, columns, values) of a matrix with one row for each column of the rows.
    product
        Rows by columns of the weights; added to.
    """
    starts, columns, factors = weights
    for row in range(len(indptr) - 1):
        for place in range(indptr[row], indptr[row + 1]):
            column = indices[place]
            x = np.float64(values[place])
            for entry in range(starts[column], starts[column + 1]):
                product[row, columns[entry]] += x * factors[entry]


@jit
def add_columns(indices: Vector, values: Vector, sums: Vector) -> None:
    """Add values to the sums of their columns, one after the other.

    Parameters
    ----------
    indices, values
        Columns and values.
    sums
        One number per column; added to.
    """
    for place in range(len(values)):
        # Unsigned numbers spare the question whether an index counts from the end.
        sums[np.uint32(indices[place])] += np.float64(values[place])


def column_sums(rows: Block) -> Vector:
    """Sums of the columns in float64, added row by row."""
    values = rows.data if rows.data.dtype.name in ("float32", "float64") else rows.data.astype(np.float64)
    sums = np.zeros(rows.shape[1])
    add_columns(rows.indices, values, sums)
    return sums


def as_matrix(values: Vector | Matrix) -> Matrix:
    """Columns of a block as a matrix, also where there is only one."""
    return values[:, None] if values.ndim == 1 else values


@dataclass(frozen=True)
class CrossProductSums:
    """The sums over rows that principal components rest on.

    Attributes
    ----------
    triangle
        ``X'X``: its upper triangle, row by row.
    basis_products
        ``Q'X``, basis by columns.
    column_sums
        Sum of each column.
    rows
        Number of rows.
    """

    triangle: Vector
    basis_products: Matrix
    column_sums: Vector
    rows: int


@dataclass(frozen=True)
class CrossProductBlock:
    """Makes the :class:`CrossProductSums` of one block, over all of its columns."""

    def __call__(self, rows: Block, columns: Columns) -> CrossProductSums:
        """Sums of one block."""
        return CrossProductSums(
            triangle=gram_triangle(rows),
            basis_products=(rows.T @ as_matrix(columns[BASIS])).T,
            column_sums=column_sums(rows),
            rows=rows.shape[0],
        )


def merge_cross_products(first: CrossProductSums, second: CrossProductSums) -> CrossProductSums:
    """Add up the sums of two sets of rows."""
    return CrossProductSums(
        triangle=first.triangle + second.triangle,
        basis_products=first.basis_products + second.basis_products,
        column_sums=first.column_sums + second.column_sums,
        rows=first.rows + second.rows,
    )


@dataclass(frozen=True)
class ProjectionBlock:
    """Projects rows: ``X W - Q B``.

    Attributes
    ----------
    weights
        ``W``, columns by components.
    basis_weights
        ``B``, basis by components.
    """

    weights: Matrix
    basis_weights: Matrix

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        """Rows of one block by components."""
        projected: Matrix = rows @ self.weights
        projected -= as_matrix(columns[BASIS]) @ self.basis_weights
        return projected


@dataclass(frozen=True)
class WeightedSumsBlock:
    """Multiplies rows with a sparse matrix of weights.

    Attributes
    ----------
    weights
        CSR arrays (row starts, columns, values) of a matrix of columns of the rows by sums. Arrays rather than a matrix, because
        Dask names tasks after them, and gives equal matrices different names.
    width
        Number of sums.
    """

    weights: tuple[Vector, Vector, Vector]
    width: int

    @classmethod
    def from_matrix(cls, weights: sp.csr_matrix) -> WeightedSumsBlock:
        """Take the weights from a CSR matrix: columns of the rows by sums."""
        return cls((weights.indptr, weights.indices, weights.data), weights.shape[1])

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        """Rows of one block by sums."""
        del columns
        product = np.zeros((rows.shape[0], self.width))
        multiply_rows(rows.indptr, rows.indices, rows.data, self.weights, product)
        return product


@dataclass(frozen=True)
class ColumnSumsBlock:
    """Sums the columns of one block in float64; a state that merges by ``+``, with the number of rows last."""

    def __call__(self, rows: Block, columns: Columns) -> Vector:
        """Sums of one block, and its number of rows."""
        del columns
        return np.append(column_sums(rows), rows.shape[0])
