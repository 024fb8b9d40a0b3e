"""Graphs of cells with fuzzy weights."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import xarray as xr

from chemores_dask.graph.connectivities import connectivities_of
from tests.graph.graphs import exact_neighbors, graph_of


def fuzzy_graph(points, neighbors=15):
    """What ``neighbors`` returns for some points."""
    index, distance = exact_neighbors(np.asarray(points, dtype=np.float32), neighbors)
    offset, other, weight = connectivities_of(index.astype(np.int32), distance, kind="fuzzy")
    return graph_of(sp.csr_matrix((weight, other, offset), shape=(len(points), len(points))), index, distance)


def embedding_like(graph, points):
    """The points as the embedding of the cells of a graph."""
    return xr.DataArray(
        np.asarray(points, dtype=np.float32), dims=("cell", "component"), coords={"cell": graph["cell"].values}
    )
