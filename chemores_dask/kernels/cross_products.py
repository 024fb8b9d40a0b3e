"""Sums of products over rows: ``X'X`` and ``Q'X`` on chosen columns, and rows times sparse weights.

The Gram matrix ``X'X`` of sparse rows is cheapest in two parts. Columns that are filled often (the head) go through dense
multiplication; every pair with a rare column is scattered one by one. Where to cut follows from how often columns are filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.kernels.jit import jit

HEAD_STEP = 64
"""Columns by which the head grows while its best size is looked for."""

PAIR_COST = 100.0
"""Time to scatter one pair, in multiply-adds of a dense product: a cost ratio measured on one core, which moves no result."""

HEAD_BYTES = 32 * 2**20
"""Dense scratch of the head: its rows are taken in pieces of this size."""

BASIS = "basis"
"""Name of the column with one row of ``Q`` per cell."""


@jit
def select_columns(indptr: Vector, indices: Vector, values: Vector, positions: Vector) -> tuple[Vector, Vector, Vector]:
    """Keep some columns of CSR rows.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    positions
        New number of each column; -1 where it is dropped.

    Returns
    -------
    The rows with new column numbers, in the order of the old ones; values as float64.
    """
    rows = len(indptr) - 1
    new_indptr = np.zeros(rows + 1, dtype=np.int64)
    for row in range(rows):
        kept = 0
        for place in range(indptr[row], indptr[row + 1]):
            if positions[indices[place]] >= 0:
                kept += 1
        new_indptr[row + 1] = new_indptr[row] + kept
    new_indices = np.empty(new_indptr[rows], dtype=np.int32)
    new_values = np.empty(new_indptr[rows], dtype=np.float64)
    target = 0
    for row in range(rows):
        for place in range(indptr[row], indptr[row + 1]):
            column = positions[indices[place]]
            if column >= 0:
                new_indices[target] = column
                new_values[target] = values[place]
                target += 1
    return new_indptr, new_indices, new_values


@jit
def scatter_pairs(indptr: Vector, indices: Vector, values: Vector, head: int, gram: Matrix) -> None:
    """Add the products of all pairs within each row to the upper triangle of ``gram``, save those within the head.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    head
        Columns below this number are dealt with elsewhere when paired with each other.
    gram
        Columns by columns; added to.
    """
    for row in range(len(indptr) - 1):
        start = indptr[row]
        stop = indptr[row + 1]
        for first in range(start, stop):
            a = indices[first]
            x = values[first]
            if a < head:
                for second in range(first + 1, stop):
                    b = indices[second]
                    if b >= head:
                        gram[a, b] += x * values[second]
            else:
                for second in range(first, stop):
                    b = indices[second]
                    gram[min(a, b), max(a, b)] += x * values[second]


@jit
def fill_head(indptr: Vector, indices: Vector, values: Vector, start: int, dense: Matrix) -> None:
    """Write the first columns of some rows into a dense matrix.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    start
        First row to take.
    dense
        Zeros, rows by head; written to.
    """
    rows, head = dense.shape
    for row in range(rows):
        for place in range(indptr[start + row], indptr[start + row + 1]):
            if indices[place] < head:
                dense[row, indices[place]] = values[place]


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
def mirrored(upper: Matrix, rank: Vector) -> Matrix:
    """The symmetric matrix whose upper triangle is given, with rows and columns in another order.

    Parameters
    ----------
    upper
        Square; what lies below the diagonal is not read.
    rank
        Place in ``upper`` of each row of the result.

    Returns
    -------
    Square matrix, symmetric to the bit.
    """
    size = len(rank)
    full = np.empty((size, size))
    for row in range(size):
        for column in range(size):
            full[row, column] = upper[min(rank[row], rank[column]), max(rank[row], rank[column])]
    return full


def head_size(frequencies: Vector) -> int:
    """Columns that are worth a dense product.

    Parameters
    ----------
    frequencies
        Share of rows in which each column is filled, in descending order.

    Returns
    -------
    The size that costs least when columns are filled independently of each other.
    """
    columns = len(frequencies)
    sizes = np.unique(np.append(np.arange(0, columns, HEAD_STEP), columns))
    filled = np.concatenate(([0.0], np.cumsum(frequencies)))
    scattered = (filled[-1] ** 2 - filled[sizes] ** 2) / 2
    return int(sizes[np.argmin(sizes.astype(np.float64) ** 2 + PAIR_COST * scattered)])


def gram_matrix(rows: Block, *, head: int | None = None) -> Matrix:
    """``X'X`` of sparse rows.

    Parameters
    ----------
    rows
        CSR matrix without duplicate entries.
    head
        Most frequent columns to multiply densely; the cheapest number unless given.

    Returns
    -------
    Columns by columns, float64, symmetric to the bit.
    """
    columns = rows.shape[1]
    counts = np.bincount(rows.indices, minlength=columns)
    order = np.argsort(-counts, kind="stable")
    if head is None:
        head = head_size(counts[order] / max(rows.shape[0], 1))
    # Frequent columns come first, so that most additions meet a small corner of the matrix, which stays in the cache.
    rank = np.empty(columns, dtype=np.int32)
    rank[order] = np.arange(columns, dtype=np.int32)
    indices = rank[rows.indices]
    values = rows.data.astype(np.float64, copy=False)
    gram = np.zeros((columns, columns))
    scatter_pairs(rows.indptr, indices, values, head, gram)
    if head:
        gram[:head, :head] += _head_gram(rows.indptr, indices, values, head)
    return mirrored(gram, rank)


def _head_gram(indptr: Vector, indices: Vector, values: Vector, head: int) -> Matrix:
    rows = len(indptr) - 1
    piece = max(1, HEAD_BYTES // (8 * head))
    gram = np.zeros((head, head))
    for start in range(0, rows, piece):
        dense = np.zeros((min(piece, rows - start), head))
        fill_head(indptr, indices, values, start, dense)
        # Infinite products show in the result, where the analysis refuses them in words.
        with np.errstate(over="ignore", invalid="ignore"):
            gram += dense.T @ dense
    return gram


def chosen_columns(rows: Block, positions: Vector) -> Block:
    """CSR rows with some of their columns, as float64.

    Parameters
    ----------
    rows
        CSR matrix.
    positions
        New number of each column; -1 where it is dropped.

    Returns
    -------
    CSR matrix with as many columns as were kept.
    """
    indptr, indices, values = select_columns(rows.indptr, rows.indices, rows.data, positions)
    kept = int(np.max(positions, initial=-1)) + 1
    return sp.csr_matrix((values, indices, indptr), shape=(rows.shape[0], kept))


def as_matrix(values: Vector | Matrix) -> Matrix:
    """Columns of a block as a matrix, also where there is only one."""
    return values[:, None] if values.ndim == 1 else values


@dataclass(frozen=True)
class CrossProductSums:
    """The sums over rows that principal components rest on.

    Attributes
    ----------
    gram
        ``X'X``, columns by columns.
    basis_products
        ``Q'X``, basis by columns.
    column_sums
        Sum of each column.
    rows
        Number of rows.
    """

    gram: Matrix
    basis_products: Matrix
    column_sums: Vector
    rows: int


@dataclass(frozen=True)
class CrossProductBlock:
    """Makes the :class:`CrossProductSums` of one block.

    Attributes
    ----------
    positions
        Place of each column of the rows among those chosen; -1 where it is left out.
    """

    positions: Vector

    def __call__(self, rows: Block, columns: Columns) -> CrossProductSums:
        """Sums of one block."""
        chosen = chosen_columns(rows, self.positions)
        return CrossProductSums(
            gram=gram_matrix(chosen),
            basis_products=(chosen.T @ as_matrix(columns[BASIS])).T,
            column_sums=np.asarray(chosen.sum(axis=0)).ravel(),
            rows=chosen.shape[0],
        )


def merge_cross_products(first: CrossProductSums, second: CrossProductSums) -> CrossProductSums:
    """Add up the sums of two sets of rows."""
    return CrossProductSums(
        gram=first.gram + second.gram,
        basis_products=first.basis_products + second.basis_products,
        column_sums=first.column_sums + second.column_sums,
        rows=first.rows + second.rows,
    )


@dataclass(frozen=True)
class ProjectionBlock:
    """Projects rows: ``X W - Q B``.

    Attributes
    ----------
    positions
        Place of each column of the rows among those chosen; -1 where it is left out.
    weights
        ``W``, chosen columns by components.
    basis_weights
        ``B``, basis by components.
    """

    positions: Vector
    weights: Matrix
    basis_weights: Matrix

    def __call__(self, rows: Block, columns: Columns) -> Matrix:
        """Rows of one block by components."""
        projected: Matrix = chosen_columns(rows, self.positions) @ self.weights
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
        sums = np.bincount(rows.indices, weights=rows.data, minlength=rows.shape[1])
        return np.append(sums, rows.shape[0])
