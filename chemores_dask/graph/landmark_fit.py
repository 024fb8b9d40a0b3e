"""The map of a small graph, by umap-learn."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Matrix, Seed
from chemores_dask.graph.connectivities import FUZZY, connectivities_of
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.nearest import Search
from chemores_dask.randomness import spawn

with warnings.catch_warnings():
    # Of a part of umap-learn that is not used here.
    warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
    from umap.umap_ import find_ab_params, simplicial_set_embedding

QUERIES_AT_ONCE = 2**12
EXTENT = 10.0
NOISE = 1e-3
"""Of the start, in units of the map: cells in one place must be able to part."""


def similarity_curve(*, spread: float, min_dist: float) -> tuple[float, float]:
    """The curve ``1 / (1 + a d^(2b))`` that comes closest to 1 up to a distance and to an exponential beyond.

    Parameters
    ----------
    spread
        Scale of the exponential.
    min_dist
        Distance up to which cells count as together.

    Returns
    -------
    ``a`` and ``b``, as umap-learn finds them at scale 1, for this scale.
    """
    # At other scales than 1 the fit of umap-learn warns, and may not end where it should.
    a, b = find_ab_params(1.0, min_dist / spread)
    return float(a / spread ** (2 * b)), float(b)


def fit_map(points: Matrix, matrix: sp.csr_matrix, *, curve: tuple[float, float], seed: Seed) -> Matrix:
    """Lay out a graph with umap-learn, on one thread.

    Parameters
    ----------
    points
        Cells by components, float32; their first two principal components are the start.
    matrix
        Symmetric weights between them.
    curve
        ``a`` and ``b``.
    seed
        Any integer.

    Returns
    -------
    Cells by two coordinates, float32.
    """
    state = np.random.RandomState(spawn(seed, 1)[0] % 2**32)
    coordinates, _ = simplicial_set_embedding(
        points,
        matrix.copy(),
        n_components=2,
        initial_alpha=1.0,
        a=curve[0],
        b=curve[1],
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=None,
        init=principal_start(points, state),
        random_state=state,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,
    )
    return np.ascontiguousarray(coordinates, dtype=np.float32)


def principal_start(points: Matrix, state: np.random.RandomState) -> Matrix:
    """First two principal components, the larger one from -10 to 10, with a little noise.

    Parameters
    ----------
    points
        Cells by components.
    state
        For the noise.

    Returns
    -------
    Cells by two coordinates. A direction in which the points do not differ holds noise alone.
    """
    centered = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    with single_blas_thread():
        _, directions = np.linalg.eigh(centered.T @ centered)
        start = np.zeros((len(points), 2))
        leading = directions[:, ::-1][:, :2]
        leading = leading * np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(leading.shape[1])])
        start[:, : leading.shape[1]] = centered @ leading
    largest = np.abs(start).max()
    if largest > 0:
        start *= EXTENT / largest
    return (start + state.normal(scale=NOISE, size=start.shape)).astype(np.float32)


def graph_of_points(points: Matrix, *, neighbors: int) -> sp.csr_matrix:
    """Fuzzy connectivities of the exact nearest neighbors of a few thousand points.

    Parameters
    ----------
    points
        Cells by components, float32.
    neighbors
        How many; fewer where there are fewer other points.

    Returns
    -------
    Symmetric matrix without diagonal.
    """
    number = len(points)
    neighbors = min(neighbors, number - 1)
    center = points.mean(axis=0, dtype=np.float64)
    cells = np.arange(number)
    index = np.empty((number, neighbors), dtype=np.int32)
    distance = np.empty((number, neighbors), dtype=np.float32)
    with single_blas_thread():
        for start in range(0, number, QUERIES_AT_ONCE):
            some = slice(start, min(start + QUERIES_AT_ONCE, number))
            search = Search(points[some], cells[some], center, neighbors)
            search.look_at(points, cells, np.arange(len(search.points)))
            index[some], distance[some] = search.neighbor, search.distance
    offset, other, weight = connectivities_of(index, distance, kind=FUZZY)
    return sp.csr_matrix((weight, other, offset), shape=(number, number))
