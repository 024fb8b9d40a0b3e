"""From nearest neighbors to a weighted graph: UMAP's fuzzy union, or Gaussian kernels."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_one_of
from chemores_dask.errors import InputError
from chemores_dask.kernels.graph_union import (
    ITSELF,
    LARGER,
    OUTSIDE,
    PROBABILISTIC,
    TWICE,
    UNKNOWN,
    UNSORTED,
    fill_union,
    first_wrong_cell,
    sort_rows,
    union_sizes,
)
from chemores_dask.kernels.neighbor_weights import fuzzy_weights, gaussian_weights

FUZZY, GAUSSIAN = "fuzzy", "gaussian"
KINDS = (FUZZY, GAUSSIAN)

WRONG = {
    OUTSIDE: "has a neighbor that is not the row number of a cell",
    ITSELF: "is its own neighbor",
    TWICE: "has a neighbor twice",
    UNKNOWN: "has a distance that is negative, infinite or not a number",
    UNSORTED: "has neighbors that are not in order of distance",
}


def connectivities_of(neighbor_index: Matrix, neighbor_distance: Matrix, *, kind: str) -> tuple[Vector, Vector, Vector]:
    """Weigh the edges between cells and their nearest neighbors, and make the graph symmetric.

    ``"fuzzy"`` [1]_: a neighbor at distance ``d`` belongs to the surroundings of a cell with ``exp(-(d - rho) / sigma)``, where ``rho`` is
    the smallest distance above 0 and ``sigma`` makes the memberships sum to ``log2(neighbors + 1)``; two cells are joined with
    ``a + b - ab``. ``"gaussian"`` [2]_ [3]_: the overlap of two Gaussians, ``sqrt(2 s t / (s^2 + t^2)) exp(-d^2 / (s^2 + t^2))``, where
    ``s^2`` is the median of the squared distances of a cell to its neighbors; cells are joined where either is a neighbor of the other.

    Parameters
    ----------
    neighbor_index
        Row numbers of the neighbors, cells by neighbors, without the cell itself.
    neighbor_distance
        Of the same shape: distances, ascending in every row; used as float32.
    kind
        ``"fuzzy"`` or ``"gaussian"``.

    Returns
    -------
    A symmetric matrix of float32 weights in compressed rows, without diagonal, columns ascending: where the rows start (int64, cells + 1),
    columns (int32), weights. Edges of weight 0 are left out.

    Raises
    ------
    InputError
        If a cell has neighbors that cannot be; its row is named.
    ParameterError
        If there is no such kind.

    Notes
    -----
    Passes over the counts: 0. umap-learn and scanpy count a cell among its own neighbors: our ``k`` neighbors are their
    ``n_neighbors = k + 1``, and then the weights are theirs (umap's ``fuzzy_simplicial_set``; scanpy's ``method="umap"`` and ``"gauss"``).

    Cells in one place: where all neighbors of a cell are at distance 0, each has fuzzy weight 1. Where more than half are, the width of its
    Gaussian is 0: it is joined with weight 1 to those of them that have width 0 too, and to no others (scanpy has NaN there).
    No cells, or one cell without neighbors, give a graph without edges.

    Memory beside arguments and result: 68 bytes per cell at 15 neighbors.

    References
    ----------
    .. [1] McInnes L, Healy J, Melville J (2018). UMAP: uniform manifold approximation and projection for dimension reduction.
       arXiv:1802.03426.
    .. [2] Coifman RR, Lafon S (2006). Diffusion maps. Applied and Computational Harmonic Analysis 21:5-30.
    .. [3] Haghverdi L, Büttner M, Wolf FA, Buettner F, Theis FJ (2016). Diffusion pseudotime robustly reconstructs lineage branching.
       Nature Methods 13:845-848.

    Examples
    --------
    >>> offset, index, weight = connectivities_of(np.array([[1], [0], [1]]), np.array([[1.0], [1.0], [2.0]]), kind="fuzzy")
    >>> offset, index, weight
    (array([0, 1, 3, 4]), array([1, 0, 2, 1], dtype=int32), array([1., 1., 1., 1.], dtype=float32))
    """
    check_one_of(kind, KINDS, parameter="connectivities", caller="neighbors")
    index, distance = _checked(neighbor_index, neighbor_distance)
    cells = len(index)
    weight = np.empty(distance.shape, dtype=np.float32)
    if kind == FUZZY:
        mean = distance.sum(dtype=np.float64) / max(cells * (distance.shape[1] + 1), 1)
        fuzzy_weights(distance, mean, weight)
    else:
        gaussian_weights(index, distance, _squared_widths(distance), weight)
    reached = np.zeros(cells, dtype=np.int64)
    union_sizes(index, weight, reached)
    offset = np.zeros(cells + 1, dtype=np.int64)
    np.cumsum(reached, out=offset[1:])
    reached[:] = offset[:-1]
    edge_index = np.empty(offset[-1], dtype=np.int32)
    edge_weight = np.empty(offset[-1], dtype=np.float32)
    union = PROBABILISTIC if kind == FUZZY else LARGER
    fill_union(index, weight, union, offset, reached, edge_index, edge_weight)
    sort_rows(offset, reached, index.shape[1], edge_index, edge_weight)
    return offset, edge_index, edge_weight


def _checked(neighbor_index: Matrix, neighbor_distance: Matrix) -> tuple[Matrix, Matrix]:
    index, distance = np.asarray(neighbor_index), np.asarray(neighbor_distance)
    if (
        index.ndim != 2
        or index.shape != distance.shape
        or index.dtype.kind not in "iu"
        or distance.dtype.kind not in "fiu"
    ):
        message = (
            "Neighbors must be whole row numbers, and distances numbers, both cells by neighbors. "
            f"Got {index.dtype} of shape {index.shape} and {distance.dtype} of shape {distance.shape}; pass both variables of one result."
        )
        raise InputError(message)
    if index.dtype not in (np.int32, np.int64):
        index = index.astype(np.int64)
    index, distance = np.ascontiguousarray(index), np.ascontiguousarray(distance, dtype=np.float32)
    cell, wrong = first_wrong_cell(index, distance)
    if cell >= 0:
        message = (
            f"The neighbors of a cell must be other cells, each once, by ascending distance. The cell in row {cell:,} of {len(index):,} "
            f"{WRONG[wrong]}; compute the neighbors again."
        )
        raise InputError(message)
    return index, distance


def _squared_widths(distance: Matrix) -> Vector:
    """The median of the squared distances of every cell, float64; distances ascend, and so do their squares."""
    cells, neighbors = distance.shape
    if not neighbors:
        return np.zeros(cells)
    lower = distance[:, (neighbors - 1) // 2].astype(np.float64)
    upper = distance[:, neighbors // 2].astype(np.float64)
    return (lower**2 + upper**2) / 2
