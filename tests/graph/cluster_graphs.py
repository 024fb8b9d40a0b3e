"""Weighted graphs for tests of clusters."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import xarray as xr
from sklearn.neighbors import NearestNeighbors


def dataset_of(matrix, names=None):
    """The variables of ``neighbors`` that hold the graph."""
    matrix = sp.csr_matrix(matrix, dtype=np.float32)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    coordinates = {} if names is None else {"cell": np.asarray(names, dtype=object)}
    return xr.Dataset(
        {
            "connectivity_offset": ("offset", matrix.indptr.astype(np.int64)),
            "connectivity_index": ("edge", matrix.indices.astype(np.int32)),
            "connectivity_weight": ("edge", matrix.data),
        },
        coords=coordinates,
    )


def symmetric(first, second, weight, cells):
    """A graph of edges, each given once."""
    upper = sp.coo_matrix((weight, (first, second)), shape=(cells, cells))
    return sp.csr_matrix(upper + upper.T, dtype=np.float32)


def groups(sizes, *, inside=0.3, across=0.01, seed=0):
    """A random graph with planted groups, and the group of each cell."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(sizes)), sizes)
    cells = len(label)
    first, second = np.triu_indices(cells, 1)
    kept = rng.random(len(first)) < np.where(label[first] == label[second], inside, across)
    weight = rng.uniform(0.5, 1.0, int(kept.sum()))
    return symmetric(first[kept], second[kept], weight, cells), label


def cliques(sizes):
    """Cells that are all joined within their clique, and to no others."""
    parts = [sp.csr_matrix(np.ones((size, size)) - np.eye(size)) for size in sizes]
    return sp.block_diag(parts, format="csr", dtype=np.float32)


def neighbor_graph(points, neighbors=15):
    """Cells joined with weight 1 where either is among the nearest of the other."""
    directed = NearestNeighbors(n_neighbors=neighbors).fit(points).kneighbors_graph()
    matrix = sp.csr_matrix(directed.maximum(directed.T), dtype=np.float32)
    matrix.sort_indices()
    return matrix
