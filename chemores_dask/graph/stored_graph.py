"""Graphs of cells, as the analyses of this room read them from the result of ``neighbors``."""

from __future__ import annotations

from collections.abc import Sequence

import dask
import numpy as np
import scipy.sparse as sp
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_edges, check_variables, rows_of_edges
from chemores_dask.errors import InputError
from chemores_dask.stream import compute

EDGES = ("connectivity_offset", "connectivity_index", "connectivity_weight")
EDGE_DIMS = {"connectivity_offset": ("offset",), "connectivity_index": ("edge",), "connectivity_weight": ("edge",)}

GOLDEN_SECTION = 0.6180339887498949
SYMMETRY_TOLERANCE = 1e-4
"""Of sums of float32 over a row."""


def connectivity_matrix(graph: xr.Dataset, *, caller: str) -> sp.csr_matrix:
    """The weighted graph of a result as a matrix.

    Parameters
    ----------
    graph
        Result of ``neighbors``: ``connectivity_offset``, ``connectivity_index`` and ``connectivity_weight``.
    caller
        The analysis, for messages.

    Returns
    -------
    Symmetric matrix over cells with float32 weights, without diagonal, columns ascending. Its arrays may be those of the graph: do not
    change them.

    Raises
    ------
    InputError
        If the variables do not make such a matrix.
    MissingVariableError
        If a variable is absent.
    """
    offset, index, weight = _arrays(graph, EDGES, EDGE_DIMS, caller=caller)
    # The variables neighbor_... tell the number of cells in a graph whose offsets are wrong.
    cells = int(graph.sizes.get("cell", len(offset) - 1))
    _check_rows(offset, len(index), cells, caller=caller)
    _check_edges(index, weight, cells, caller=caller)
    kind = np.int32 if max(len(index), cells) < 2**31 else np.int64
    matrix = sp.csr_matrix(
        (
            weight.astype(np.float32, copy=False),
            index.astype(kind, copy=False),
            offset.astype(kind, copy=False),
        ),
        shape=(cells, cells),
    )
    _check_matrix(matrix, caller=caller)
    matrix.has_canonical_format = True
    _check_order(graph, matrix, caller=caller)
    return matrix


def check_same_cells(values: xr.DataArray, graph: xr.Dataset, *, cells: int, what: str, mend: str) -> None:
    """Refuse values over other cells than those of a graph, or over the same in another order.

    Parameters
    ----------
    values
        Over ``cell``; without names only their number is held against the graph.
    graph
        Result of ``neighbors``.
    cells
        Number of cells of the graph.
    what
        What the values are and who asks for them, for messages.
    mend
        What to do, for messages.

    Raises
    ------
    InputError
        If their number or their names differ.
    """
    if values.sizes["cell"] != cells:
        message = f"{what} must have the {cells:,} cells of the graph. Got {values.sizes['cell']:,}; {mend}."
        raise InputError(message)
    named = "cell" in graph.coords and "cell" in values.coords
    if named and not np.array_equal(graph["cell"].to_numpy().astype(str), values["cell"].to_numpy().astype(str)):
        message = f"{what} must have the cells of the graph in the same order. Their names differ; {mend}."
        raise InputError(message)


def _arrays(
    graph: xr.Dataset, names: Sequence[str], dims: dict[str, tuple[str, ...]], *, caller: str
) -> tuple[Vector, ...]:
    if not isinstance(graph, xr.Dataset):
        message = f"{caller} needs a graph of cells: the Dataset that neighbors returns. Got {type(graph).__name__}; pass that result."
        raise InputError(message)
    for name in names:
        check_variables(graph, [name], dims=dims[name], what="the graph (a result of neighbors)", caller=caller)
    kinds = "".join(graph[name].dtype.kind for name in names)
    wanted = "iif" if len(names) == len(EDGES) else "if"
    if kinds.replace("u", "i") != wanted:
        message = (
            f"{caller} needs row numbers as whole numbers and weights as real ones. Got "
            f"{', '.join(f'{name} of {graph[name].dtype}' for name in names)}; pass the result of neighbors as it is."
        )
        raise InputError(message)
    values = [graph[name].data for name in names]
    if any(dask.is_dask_collection(value) for value in values):
        values = list(compute(*values))
    return tuple(np.asarray(value) for value in values)


def _check_rows(offset: Vector, edges: int, cells: int, *, caller: str) -> None:
    whole = len(offset) == cells + 1 and offset[0] == 0 and offset[-1] == edges and not (offset[1:] < offset[:-1]).any()
    if not whole:
        found = f"{len(offset):,} offsets, up to {offset[-1] if len(offset) else 0:,}, for {cells:,} cells and {edges:,} edges"
        message = (
            f"{caller} needs a whole graph: one row of edges per cell. Found {found}; pass the result of neighbors as it is. Cells of "
            "a graph cannot be picked with isel, since edges name cells by row number: compute neighbors again for these cells."
        )
        raise InputError(message)


def _check_edges(index: Vector, weight: Vector, cells: int, *, caller: str) -> None:
    if not len(index):
        return
    found = None
    if index.min() < 0 or index.max() >= cells:
        found = f"row numbers from {index.min():,} to {index.max():,} for {cells:,} cells"
    elif not (weight.min() > 0 and weight.max() < np.inf):  # also refuses what is not a number
        found = f"weights from {weight.min()} to {weight.max()}"
    if found:
        message = (
            f"{caller} needs edges between cells of the graph, with weights above 0. Found {found}; pass the result of neighbors as it is, "
            "or compute neighbors again."
        )
        raise InputError(message)


def _check_matrix(matrix: sp.csr_matrix, *, caller: str) -> None:
    # Both products sum positive numbers, each edge with a number of its own: unequal weights there and back show.
    probe = (1.0 + (np.arange(matrix.shape[0]) * GOLDEN_SECTION) % 1.0).astype(np.float32)
    there, back = matrix @ probe, matrix.T @ probe
    found = None
    if not np.allclose(there, back, rtol=SYMMETRY_TOLERANCE, atol=0):
        cell = int(np.argmax(np.abs(there - back)))
        found = f"Weights to and from the cell in row {cell:,} differ"
    elif matrix.diagonal().any():
        found = f"The cell in row {int(np.flatnonzero(matrix.diagonal())[0]):,} is joined to itself"
    elif not _ascending(matrix):
        found = "The edges of a cell are not in order, or stand twice"
    if found:
        message = (
            f"{caller} needs a symmetric graph without loops, edges by ascending row number. {found}; compute neighbors again, "
            "or make the arrays from a symmetric scipy matrix."
        )
        raise InputError(message)


def _check_order(graph: xr.Dataset, matrix: sp.csr_matrix, *, caller: str) -> None:
    if "neighbor_index" not in graph or not graph["neighbor_index"].size or not matrix.nnz:
        return
    nearest = graph["neighbor_index"].isel(cell=rows_of_edges(matrix.shape[0]), neighbor=0).data
    if dask.is_dask_collection(nearest):
        (nearest,) = compute(nearest)
    check_edges(np.asarray(nearest), offset=matrix.indptr, edges=matrix.indices, caller=caller)


def _ascending(matrix: sp.csr_matrix) -> bool:
    step = matrix.indices[1:] > matrix.indices[:-1]
    starts = matrix.indptr[1:-1]
    step[starts[(starts > 0) & (starts < len(matrix.indices))] - 1] = True
    return bool(step.all())
