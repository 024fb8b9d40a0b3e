"""The graph of a result where scanpy looks for one: matrices between cells, in ``obsp``."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_edges, rows_of_edges
from chemores_dask.errors import InputError

CELL = "cell"
DISTANCES = ("neighbor_index", "neighbor_distance")
CONNECTIVITIES = ("connectivity_offset", "connectivity_index", "connectivity_weight")
GRAPH_VARIABLES = (*DISTANCES, *CONNECTIVITIES)
"""Variables that name cells by their row in the result: they mean nothing beside other cells."""

NEIGHBORS = "neighbors"
SCANPY_METHODS = {"fuzzy": "umap", "gaussian": "gauss"}


def graph_cells(result: xr.Dataset) -> xr.DataArray | None:
    """The rows of the cells of a graph, with their names where the result has them; None where it has no graph."""
    present = [name for name in GRAPH_VARIABLES if name in result.data_vars]
    if not present:
        return None
    cells = result.sizes[CELL] if CELL in result.sizes else result.sizes.get("offset", 1) - 1
    labels = {CELL: result.coords[CELL].values} if CELL in result.coords else {}
    return xr.DataArray(np.arange(cells), dims=CELL, coords=labels, name=present[0])


def attach_graph(attached: anndata.AnnData, result: xr.Dataset, position: Vector) -> None:
    """Put the graph of a result into ``obsp``, and what scanpy wants to know of it into ``uns["neighbors"]``.

    Parameters
    ----------
    attached
        Cells; changed.
    result
        With a graph, computed.
    position
        Row of the result for each cell; -1 where it has none. Other cells leave the graph with their edges, as they do where an
        AnnData is cut.

    Raises
    ------
    InputError
        If edges lead to cells that the result does not have, or cells were put in another order, which edges do not follow.
    """
    _check_order(result)
    described: dict[str, object] = {}
    if all(name in result.data_vars for name in DISTANCES):
        index, distance = (result[name].values for name in DISTANCES)
        cells, neighbors = index.shape
        rows = np.arange(0, index.size + 1, max(neighbors, 1))[: cells + 1] if neighbors else np.zeros(cells + 1, int)
        attached.obsp["distances"] = _restricted(index.ravel(), distance.ravel(), rows, position)
        described["distances_key"] = "distances"
        described["params"] = _parameters(attached, result, neighbors)
    if all(name in result.data_vars for name in CONNECTIVITIES):
        offset, index, weight = (result[name].values for name in CONNECTIVITIES)
        attached.obsp["connectivities"] = _restricted(index, weight, offset, position)
        described["connectivities_key"] = "connectivities"
    attached.uns[NEIGHBORS] = {**attached.uns.get(NEIGHBORS, {}), **described}


def _check_order(result: xr.Dataset) -> None:
    if not all(name in result.data_vars for name in GRAPH_VARIABLES) or not result["connectivity_index"].size:
        return
    index, offset, edges = (
        result[name].values for name in ("neighbor_index", "connectivity_offset", "connectivity_index")
    )
    if index.size and len(offset) == len(index) + 1:
        check_edges(index[rows_of_edges(len(index)), 0], offset=offset, edges=edges, caller="attach")


def _restricted(index: Vector, values: Vector, offset: Vector, position: Vector) -> sp.csr_matrix:
    """The matrix between the cells at some positions; those at -1 have no entries."""
    cells = len(offset) - 1
    outside = len(index) and (index.min() < 0 or index.max() >= cells)
    if outside or cells < 0 or offset[0] != 0 or offset[-1] != len(index) or position.max(initial=-1) >= cells:
        message = (
            f"A graph must have all cells that its edges name. The result has {max(cells, 0):,} rows of edges, and "
            f"row numbers up to {int(index.max()) if len(index) else 0:,}; attach the whole result of neighbors: cells "
            "are chosen here by name."
        )
        raise InputError(message)
    kind = np.int32 if max(len(index), cells, len(position)) < 2**31 else np.int64
    whole = sp.csr_matrix(
        (values, index.astype(kind, copy=False), offset.astype(kind, copy=False)), shape=(cells, cells)
    )
    if len(position) == cells and np.array_equal(position, np.arange(cells)):
        return whole.copy()
    present = np.flatnonzero(position >= 0)
    target = np.full(cells, -1, dtype=kind)
    target[position[present]] = present
    rows = whole[position[present]]
    columns = target[rows.indices]
    kept = columns >= 0
    ends = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    counts = np.zeros(len(position) + 1, dtype=kind)
    counts[present + 1] = np.diff(ends)
    fresh = sp.csr_matrix((rows.data[kept], columns[kept], np.cumsum(counts, dtype=kind)), shape=(len(position),) * 2)
    if whole.has_sorted_indices:
        fresh.sort_indices()
    return fresh


def _parameters(attached: anndata.AnnData, result: xr.Dataset, neighbors: int) -> dict[str, object]:
    """Parameters in the words of scanpy, which counts a cell among its neighbors."""
    given = json.loads(str(result.attrs.get("parameters", "{}")))
    found: dict[str, object] = {
        "n_neighbors": neighbors + 1,
        "method": SCANPY_METHODS.get(str(given.get("connectivities")), "umap"),
        "metric": "euclidean",
        "random_state": int(given.get("seed", 0)),
    }
    embedding = given.get("embedding")
    if (
        isinstance(embedding, str)
        and embedding in attached.obsm
        and not isinstance(attached.obsm[embedding], pd.DataFrame)
    ):
        found["use_rep"] = embedding
    return found
