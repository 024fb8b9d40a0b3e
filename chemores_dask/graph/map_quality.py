"""How far the neighbors of a cell on a map can be trusted to be its neighbors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from dask import delayed
from scipy.spatial import cKDTree

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.graph.certificate import NORMAL_QUANTILE
from chemores_dask.graph.layout_files import rows_of
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.distance_ranks import points_nearer, squared_limits
from chemores_dask.randomness import cell_uniforms, mix
from chemores_dask.stream.array_files import read_array
from chemores_dask.stream.compute import compute

QUERIES = 1_000
NEIGHBORS = 15


class Trust(NamedTuple):
    """Trustworthiness with its 95 % interval, the number of cells it was measured on, and that of their neighbors."""

    value: float
    lower: float
    upper: float
    queries: int
    neighbors: int


def trustworthiness_of(folder: str, bounds: Vector, coordinates: Matrix, *, seed: Seed) -> Trust:
    """Trustworthiness of a map [1]_, measured on a fixed sample of cells among all cells.

    ``1 - 2 / (n k (2 n - 3 k - 1))`` times the sum, over all cells and their ``k`` nearest neighbors on the map, of how far their rank in
    the embedding lies beyond ``k``. Here the mean over the sample stands for that over all cells; with all cells in the sample it is
    ``sklearn.manifold.trustworthiness``.

    Parameters
    ----------
    folder, bounds
        With the embedding, as from :func:`~chemores_dask.graph.layout_files.write_rows`.
    coordinates
        Of all cells.
    seed
        For the sample, which does not depend on anything else but the number of cells.

    Returns
    -------
    The trustworthiness: 15 neighbors, fewer than half of the cells in any case.

    References
    ----------
    .. [1] Venna J, Kaski S (2001). Neighborhood preservation in nonlinear projection methods: an experimental study. ICANN, 485-491.
    """
    cells = len(coordinates)
    neighbors = min(NEIGHBORS, (cells - 1) // 2)
    # Mixed, so that the same seed does not draw the landmarks again.
    numbers = mix(np.arange(cells, dtype=np.uint64))
    chosen = np.sort(np.argsort(cell_uniforms(seed, numbers)[:, 0], kind="stable")[:QUERIES])
    near = _neighbors_on_map(coordinates, chosen, neighbors)
    queries = rows_of(folder, bounds, chosen).astype(np.float64)
    others = rows_of(folder, bounds, near.ravel()).astype(np.float64).reshape(*near.shape, -1)
    center = queries.mean(axis=0)
    limits = squared_limits(queries - center, others - center)
    task = delayed(_nearer_in_block, pure=False)
    shared = delayed((queries - center, center, limits), pure=False)
    ranks = sum(compute(*(task(folder, number, shared) for number in range(len(bounds) - 1))))
    # A query counts itself as nearer, so its nearest other cell has rank 1.
    excess = np.maximum(ranks - neighbors, 0).sum(axis=1)
    lost = 2.0 * excess / (neighbors * (2 * cells - 3 * neighbors - 1))
    left = (cells - len(lost)) / max(cells - 1, 1)
    half = NORMAL_QUANTILE * float(np.sqrt(lost.var(ddof=1) / len(lost) * left))
    value = 1.0 - float(lost.mean())
    return Trust(value, max(value - half, 0.0), min(value + half, 1.0), len(lost), neighbors)


def _neighbors_on_map(coordinates: Matrix, chosen: Vector, neighbors: int) -> Matrix:
    _, near = cKDTree(coordinates).query(coordinates[chosen], k=neighbors + 1)
    # The cell itself comes to the end, and is cut off; among many in one place it may not be there, and the last one goes.
    order = np.argsort(near == chosen[:, None], axis=1, kind="stable")
    found: Matrix = np.take_along_axis(near, order, axis=1)[:, :neighbors]
    return found


def _nearer_in_block(folder: str, number: int, shared: tuple[Matrix, Vector, Matrix]) -> Matrix:
    queries, center, limits = shared
    with single_blas_thread():
        return points_nearer(queries, limits, read_array(folder, f"block-{number}") - center)
