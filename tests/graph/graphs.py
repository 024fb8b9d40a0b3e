"""Small graphs of cells for tests, made without the package: nearest neighbors by scikit-learn, weights by umap-learn."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import xarray as xr
from sklearn.neighbors import NearestNeighbors


def exact_neighbors(points, neighbors):
    """Row numbers and distances, ties by row number, without the cell itself."""
    finder = NearestNeighbors(n_neighbors=len(points), algorithm="brute").fit(points)
    distance, index = finder.kneighbors(points)
    distance = distance.astype(np.float32)
    order = np.lexsort((index, distance), axis=1)
    index, distance = np.take_along_axis(index, order, 1), np.take_along_axis(distance, order, 1)
    others = index != np.arange(len(points))[:, None]
    shape = (len(points), len(points) - 1)
    return index[others].reshape(shape)[:, :neighbors], distance[others].reshape(shape)[:, :neighbors]


def with_itself(index, distance):
    """The same as umap-learn and scanpy hold them: the cell is its own first neighbor."""
    cells = np.arange(len(index))[:, None]
    return np.hstack([cells, index]), np.hstack([np.zeros((len(index), 1), np.float32), distance])


def clouds(*sizes, dimensions=5, apart=4.0, seed=0):
    """Clouds of points, in a row."""
    rng = np.random.default_rng(seed)
    return np.vstack([rng.normal(number * apart, 1.0, (size, dimensions)) for number, size in enumerate(sizes)])


def graph_of(matrix, index, distance):
    """The Dataset that ``neighbors`` would return."""
    matrix = sp.csr_matrix(matrix)
    return xr.Dataset(
        {
            "neighbor_index": (("cell", "neighbor"), np.asarray(index, dtype=np.int32)),
            "neighbor_distance": (("cell", "neighbor"), np.asarray(distance, dtype=np.float32)),
            "connectivity_offset": ("offset", matrix.indptr.astype(np.int64)),
            "connectivity_index": ("edge", matrix.indices.astype(np.int32)),
            "connectivity_weight": ("edge", matrix.data.astype(np.float32)),
        },
        coords={"cell": np.array([f"s1:{cell}" for cell in range(len(index))], dtype=object)},
        attrs={
            "analysis": "neighbors",
            "parameters": '{"connectivities":"fuzzy","neighbors":' + str(index.shape[1]) + "}",
        },
    )
