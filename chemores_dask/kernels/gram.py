"""The Gram matrix ``X'X`` of sparse rows, as its packed upper triangle.

It is cheapest in three parts. Columns that are filled often (the head) are written into dense pieces, which BLAS multiplies with
themselves. An entry of a rare column (the tail) adds its multiple of the dense row, sorted by column within a piece so that both stay
in the cache. What is left, pairs of two rare columns, is scattered one by one. Where to cut follows from how often columns are filled.

All sums are float64: rounding then stays at 1e-15 of each sum, and rows that are added up in another order, or fold by fold, agree.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsyrk

from chemores_dask.aliases import Block, Matrix, Vector
from chemores_dask.kernels.jit import jit

HEAD_STEP = 64
"""Columns by which the head grows while its best size is looked for."""

TAIL_COST = 12.0
PAIR_COST = 800.0
"""Time to add one number of a dense row for a rare entry, and to scatter one pair, in multiply-adds of BLAS: ratios measured on one
core, which move no result beyond rounding."""

PIECE_BYTES = 2**21
"""Dense scratch of the head: rows are taken in pieces of about this size, which stay in the cache."""

TILE = 32
"""Rows and columns that are mirrored together."""

LEAST_PIECE = 256
"""Rows of a piece where the head is wide: BLAS needs some."""


@jit
def fill_piece(
    indptr: Vector,
    indices: Vector,
    values: Vector,
    rank: Vector,
    start: int,
    dense: Matrix,
    starts: Vector,
    tail_rows: Vector,
    tail_values: Vector,
) -> None:
    """Cut a piece of rows into a dense head and a tail that is sorted by column.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    rank
        New number of each column; those below the width of ``dense`` are the head.
    start
        First row of the piece.
    dense
        Rows by head; overwritten.
    starts
        One more than columns in the tail; overwritten with where each of them begins in the tail.
    tail_rows, tail_values
        Row within the piece and value of each entry of the tail; written to.
    """
    rows, head = dense.shape
    dense[:, :] = 0.0
    starts[:] = 0
    for row in range(rows):
        for place in range(indptr[start + row], indptr[start + row + 1]):
            column = rank[indices[place]]
            if column < head:
                dense[row, column] = values[place]
            else:
                starts[column - head] += 1
    total = 0
    for column in range(len(starts)):
        total += starts[column]
        starts[column] = total
    # From the last row to the first, so that every column ends with its own start and its rows in order.
    for row in range(rows - 1, -1, -1):
        for place in range(indptr[start + row], indptr[start + row + 1]):
            column = rank[indices[place]]
            if column >= head:
                target = starts[column - head] - 1
                starts[column - head] = target
                tail_rows[target] = row
                tail_values[target] = values[place]


@jit
def add_tail(starts: Vector, tail_rows: Vector, tail_values: Vector, dense: Matrix, cross: Matrix) -> None:
    """Add the products of the tail of a piece with its head.

    Parameters
    ----------
    starts, tail_rows, tail_values
        The tail, as made by :func:`fill_piece`.
    dense
        The head: rows by columns.
    cross
        Columns of the tail by columns of the head; added to.
    """
    head = dense.shape[1]
    for column in range(len(starts) - 1):
        sums = cross[column]
        for place in range(starts[column], starts[column + 1]):
            row = dense[tail_rows[place]]
            factor = tail_values[place]
            for other in range(head):
                sums[other] += factor * row[other]


@jit
def scatter_tail(indptr: Vector, indices: Vector, values: Vector, rank: Vector, head: int, pairs: Matrix) -> None:
    """Add the products of all pairs of rare columns within each row.

    Parameters
    ----------
    indptr, indices, values
        The rows.
    rank
        New number of each column; those from ``head`` on are the tail.
    head
        Number of columns dealt with elsewhere.
    pairs
        Tail by tail; its upper triangle is added to.
    """
    columns = np.empty(len(rank), dtype=np.int64)
    factors = np.empty(len(rank), dtype=np.float64)
    for row in range(len(indptr) - 1):
        found = 0
        for place in range(indptr[row], indptr[row + 1]):
            column = rank[indices[place]]
            if column >= head:
                columns[found] = column - head
                factors[found] = values[place]
                found += 1
        for first in range(found):
            a = columns[first]
            x = factors[first]
            for second in range(first, found):
                b = columns[second]
                pairs[min(a, b), max(a, b)] += x * factors[second]


@jit
def packed_triangle(dense: Matrix, cross: Matrix, pairs: Matrix, rank: Vector) -> Vector:
    """Put the three parts together in the order of the columns.

    Parameters
    ----------
    dense
        Head by head; its upper triangle is read.
    cross
        Tail by head.
    pairs
        Tail by tail; its upper triangle is read.
    rank
        Place of each column in the parts.

    Returns
    -------
    The upper triangle, row by row.
    """
    size = len(rank)
    head = dense.shape[0]
    # Whole rows first, so that the numbers of one row are gathered from one row.
    whole = np.empty((size, size), dtype=np.float64)
    for row in range(head):
        for column in range(row, head):
            whole[row, column] = dense[row, column]
    for row in range(head, size):
        whole[row, :head] = cross[row - head]
        whole[row, row:] = pairs[row - head, row - head :]
    mirror(whole, head)
    packed = np.empty(size * (size + 1) // 2, dtype=np.float64)
    place = np.uint64(0)
    for row in range(size):
        source = whole[rank[row]]
        for column in range(row, size):
            packed[place] = source[np.uint32(rank[column])]
            place += np.uint64(1)
    return packed


@jit
def mirror(whole: Matrix, head: int) -> None:
    """Fill what is missing of a symmetric matrix, tile by tile, since columns are slow to walk along.

    Parameters
    ----------
    whole
        Square. Between the head and the tail the lower part is given, elsewhere the upper triangle.
    head
        Columns of the head.
    """
    size = len(whole)
    for top in range(0, size, TILE):
        for left in range(0, top + 1, TILE):
            for row in range(top, min(top + TILE, size)):
                for column in range(left, min(left + TILE, row)):
                    if column < head <= row:
                        whole[column, row] = whole[row, column]
                    else:
                        whole[row, column] = whole[column, row]


@jit
def whole_matrix(packed: Vector, size: int) -> Matrix:
    """The symmetric matrix of a packed triangle.

    Parameters
    ----------
    packed
        Its upper triangle, row by row.
    size
        Its rows and columns.

    Returns
    -------
    Square matrix, symmetric to the bit.
    """
    whole = np.empty((size, size), dtype=np.float64)
    place = 0
    for row in range(size):
        for column in range(row, size):
            whole[row, column] = packed[place]
            whole[column, row] = packed[place]
            place += 1
    return whole


def matrix_triangle(whole: Matrix) -> Vector:
    """The upper triangle of a square matrix, row by row."""
    triangle: Vector = whole[np.triu_indices(len(whole))]
    return triangle


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
    tail = filled[-1] - filled[sizes]
    dense = sizes.astype(np.float64)
    return int(sizes[np.argmin(dense**2 + TAIL_COST * dense * tail + PAIR_COST * tail**2 / 2)])


def gram_triangle(rows: Block, *, head: int | None = None) -> Vector:
    """The upper triangle of ``X'X`` of sparse rows, row by row.

    Parameters
    ----------
    rows
        CSR matrix without duplicate entries.
    head
        Most frequent columns to multiply densely; the cheapest number unless given.

    Returns
    -------
    ``columns * (columns + 1) / 2`` sums, float64.
    """
    cells, columns = rows.shape
    filled = np.bincount(rows.indices, minlength=columns)
    order = np.argsort(-filled, kind="stable")
    if head is None:
        head = head_size(filled[order] / max(cells, 1))
    rank = np.empty(columns, dtype=np.int32)
    rank[order] = np.arange(columns, dtype=np.int32)
    values = rows.data if rows.data.dtype.name in ("float32", "float64") else rows.data.astype(np.float64)
    piece = min(max(LEAST_PIECE, PIECE_BYTES // (8 * max(head, 1))), max(cells, 1))
    scratch = np.empty((piece, head))
    most = int(filled[order[head:]].sum()) if head < columns else 0
    tail_rows, tail_values = np.empty(most, dtype=np.int32), np.empty(most)
    starts = np.empty(columns - head + 1, dtype=np.int64)
    dense = np.zeros((head, head), order="F")
    cross = np.zeros((columns - head, head))
    pairs = np.zeros((columns - head, columns - head))
    for start in range(0, cells, piece):
        part = scratch[: min(piece, cells - start)]
        fill_piece(rows.indptr, rows.indices, values, rank, start, part, starts, tail_rows, tail_values)
        if head:
            dense = dsyrk(1.0, part.T, beta=1.0, c=dense, overwrite_c=True)
            add_tail(starts, tail_rows, tail_values, part, cross)
    scatter_tail(rows.indptr, rows.indices, values, rank, head, pairs)
    return packed_triangle(dense, cross, pairs, rank)


def triangle_size(columns: int) -> int:
    """Entries of a packed triangle."""
    return columns * (columns + 1) // 2
