"""Rows as Dask sees them: blocks of whole rows, and functions of one block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import scipy.sparse as sp
from dask.base import tokenize
from dask.sizeof import sizeof

from chemores_dask.aliases import Block, Columns, Rows
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.blas_threads import single_blas_thread


@sizeof.register(sp.sparray)  # type: ignore[untyped-decorator, unused-ignore]
def _sizeof_sparse_array(array: sp.sparray) -> int:
    # Dask knows scipy's matrices only, and takes a sparse array of gigabytes for 56 bytes.
    parts = (getattr(array, name, None) for name in ("data", "indices", "indptr", "row", "col", "offsets"))
    return 128 + sum(part.nbytes for part in parts if isinstance(part, np.ndarray))


def as_rows(matrix: Rows | sp.spmatrix | sp.sparray | np.ndarray, *, rows_per_block: int | None = None) -> Rows:
    """Look at a matrix as blocks of whole rows.

    Parameters
    ----------
    matrix
        Cells by genes: a Dask array whose blocks hold whole rows, or a matrix in memory (sparse or dense).
    rows_per_block
        For a matrix in memory: rows in each block; all rows in one block unless given.

    Returns
    -------
    Dask array of CSR blocks. Nothing is computed.

    Raises
    ------
    InputError
        If rows are cut into several column blocks, block sizes are unknown, or values are not real numbers.
    """
    if not (hasattr(matrix, "ndim") and hasattr(matrix, "dtype")):
        message = (
            f"Rows come from a Dask array or a matrix in memory. Got a {type(matrix).__name__}; for cells opened in backed mode call "
            "to_memory(), or write them into a store."
        )
        raise InputError(message)
    _check_real(matrix.dtype)
    if isinstance(matrix, da.Array):
        return _whole_rows(matrix)
    if matrix.ndim != 2:
        message = f"Rows come from a matrix of cells by genes. Got {matrix.ndim} dimensions."
        raise InputError(message)
    if rows_per_block is not None and rows_per_block < 1:
        message = f"The 'rows_per_block' parameter of as_rows must be at least 1. Got {rows_per_block}."
        raise ParameterError(message)
    block = sp.csr_matrix(_plain(matrix))
    cells, genes = block.shape
    size = rows_per_block or max(cells, 1)
    chunks = _row_chunks(cells, size)
    meta = sp.csr_matrix((0, genes), dtype=block.dtype)
    return da.map_blocks(
        _cut,
        dtype=block.dtype,
        chunks=(chunks, (genes,)),
        meta=meta,
        name=f"rows-{tokenize(block.data, block.indices, block.indptr, block.shape, size)}",
        matrix=block,
        rows_per_block=size,
    )


def row_columns(rows: Rows, columns: Columns | None) -> dict[str, da.Array]:
    """Cut arrays with one entry per row into the blocks of the rows.

    Raises
    ------
    InputError
        If an array has another length than there are rows.
    """
    cut = {}
    for name, values in (columns or {}).items():
        array = np.asarray(values)
        if len(array) != rows.shape[0]:
            message = (
                f"A column must have one entry per row. {name!r} has {len(array)} entries for {rows.shape[0]} rows."
            )
            raise InputError(message)
        width = int(np.prod(array.shape[1:]))
        if width == 1 and len(array) > 1 and array.strides[0] == 0:
            # One number for all rows, as np.broadcast_to makes it, is made in the tasks; nothing as long as the cells travels.
            cut[name] = da.full(
                (len(array), 1), array[(0,) * array.ndim], chunks=(rows.chunks[0], (1,)), dtype=array.dtype
            )
            continue
        array = array.reshape(len(array), width)
        cut[name] = da.from_array(
            array,
            chunks=(rows.chunks[0], (array.shape[1],)),
            name=f"column-{tokenize(array)}-{tokenize(rows.chunks[0])}",
        )
    return cut


def shared_columns(rows: Rows, shared: Columns | None) -> dict[str, da.Array]:
    """Arrays with one entry per column of the rows, whole for every block: one task holds each.

    Raises
    ------
    InputError
        If an array has another length than the rows are wide.
    """
    whole = {}
    for name, values in (shared or {}).items():
        array = np.asarray(values)
        if array.shape != (rows.shape[1],):
            message = f"A shared array must have one entry per column. {name!r} has the shape {array.shape} for {rows.shape[1]} columns."
            raise InputError(message)
        whole[name] = da.from_array(array[None, :], chunks=(1, -1), name=f"shared-{tokenize(array)}")
    return whole


def call_with_columns(block: Block, *values: np.ndarray, function: Callable[..., Any], names: tuple[str, ...]) -> Any:
    """Call ``function(block, columns)`` in a task: columns by name, one-dimensional where they hold one number per row."""
    columns = {name: value[:, 0] if value.shape[1] == 1 else value for name, value in zip(names, values, strict=True)}
    with single_blas_thread():
        return function(as_csr(block), columns)


def map_rows(
    rows: Rows,
    kernel: Callable[[Block, Columns], Any],
    *,
    columns: Columns | None = None,
    width: int | None = None,
    dtype: np.dtype | type | str,
) -> da.Array:
    """Apply a kernel to every block of rows, lazily.

    Parameters
    ----------
    rows
        Cells by genes, as made by :func:`as_rows`.
    kernel
        ``kernel(block, columns) -> matrix`` with as many rows as the block: dense ``(rows, width)``, or CSR with as many columns
        as the block when ``width`` is None. It must depend on nothing but its arguments, so that blocks may be cut anywhere.
    columns
        Arrays with one entry (or one row) per cell, cut along with the rows.
    width
        Columns of the dense result; None for a CSR result as wide as the rows.
    dtype
        Of the result.

    Returns
    -------
    Lazy array of shape ``(cells, width)``, or rows as wide as those given.
    """
    cut = row_columns(rows, columns)
    sparse = width is None
    genes = rows.shape[1] if width is None else width
    meta = sp.csr_matrix((0, genes), dtype=dtype) if sparse else np.empty((0, genes), dtype=dtype)
    return da.map_blocks(
        call_with_columns,
        rows,
        *cut.values(),
        dtype=dtype,
        meta=meta,
        chunks=(rows.chunks[0], (genes,)),
        function=kernel,
        names=tuple(cut),
    )


def as_csr(block: Any) -> Block:
    """A block as the kernels want it: ``csr_matrix`` with 32-bit indices, sorted within rows, no duplicates."""
    matrix = _plain(block)
    matrix = matrix if isinstance(matrix, sp.csr_matrix) else sp.csr_matrix(matrix)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def _check_real(dtype: np.dtype) -> None:
    if dtype.kind not in "fiub":
        message = (
            f"A matrix of cells by genes must hold real numbers. Got the type {dtype}; convert it first, for example with "
            "astype('float32')."
        )
        raise InputError(message)


def block_dtype(dtype: np.dtype) -> np.dtype:
    """The type of the values of a block: one that sparse matrices and kernels know, neither half nor extended precision."""
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return dtype


def _plain(matrix: Any) -> Any:
    dtype = block_dtype(matrix.dtype)
    return matrix if matrix.dtype == dtype else matrix.astype(dtype)


def _whole_rows(matrix: da.Array) -> Rows:
    if matrix.ndim != 2:
        message = f"Rows come from a matrix of cells by genes. Got {matrix.ndim} dimensions."
        raise InputError(message)
    if matrix.numblocks[1] != 1:
        message = f"Rows must be whole in every block. Got {matrix.numblocks[1]} column blocks; rechunk with x.rechunk({{1: -1}})."
        raise InputError(message)
    if any(np.isnan(size) for size in matrix.chunks[0]):
        message = (
            "Blocks of rows must have known sizes. Got unknown ones; call compute_chunk_sizes() on the array first."
        )
        raise InputError(message)
    return matrix


def _row_chunks(cells: int, size: int) -> tuple[int, ...]:
    whole, rest = divmod(cells, size)
    chunks = (size,) * whole + ((rest,) if rest else ())
    return chunks or (0,)


def _cut(*, matrix: Block, rows_per_block: int, block_id: tuple[int, ...] = (0, 0)) -> Block:
    start = block_id[0] * rows_per_block
    return matrix[start : start + rows_per_block]
