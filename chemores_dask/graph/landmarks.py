"""Landmarks: some cells that stand for all, more of them where cells are rare."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import xarray as xr

from chemores_dask.aliases import Seed, Vector
from chemores_dask.kernels.layout_steps import part_of_each_cell
from chemores_dask.randomness import cell_keys, cell_uniforms
from chemores_dask.stream.compute import compute

LEAST_WEIGHT, MOST_WEIGHT = 0.25, 4.0
"""Limits of the weight of a cell, relative to the median: dense regions keep landmarks, and lone cells do not take them all."""


def choose_landmarks(graph: xr.Dataset, matrix: sp.csr_matrix, *, number: int, seed: Seed) -> Vector:
    """Draw landmarks with probabilities that grow with the distance to the last neighbor.

    Weighted sampling without replacement [1]_: a cell with weight ``w`` draws ``-log(u) / w``, and the smallest win. The draw belongs to
    the name of the cell. A part of the graph in which none wins gets its own smallest.

    Parameters
    ----------
    graph
        With ``neighbor_distance``; equal weights where it is absent.
    matrix
        Connectivities.
    number
        Landmarks to draw.
    seed
        Any integer.

    Returns
    -------
    Row numbers, ascending; a few more than asked for where the graph falls into parts.

    References
    ----------
    .. [1] Efraimidis PS, Spirakis PG (2006). Weighted random sampling with a reservoir. Information Processing Letters 97:181-185.
    """
    cells = matrix.shape[0]
    order = -np.log1p(-cell_uniforms(seed, keys_of(graph, cells))[:, 0]) / _weights(graph, cells)
    # Ties, which 53 bits hardly make, fall to the lower row number.
    ranked = np.argsort(order, kind="stable")
    chosen = np.zeros(cells, dtype=bool)
    chosen[ranked[:number]] = True
    part = part_of_each_cell(matrix.indptr.astype(np.int64), matrix.indices)
    empty = np.ones(cells, dtype=bool)
    empty[part[chosen]] = False
    first_of_part = np.full(cells, -1, dtype=np.int64)
    left = ranked[empty[part[ranked]]][::-1]  # the smallest is written last
    first_of_part[part[left]] = left
    chosen[first_of_part[first_of_part >= 0]] = True
    landmarks: Vector = np.flatnonzero(chosen).astype(np.int32)
    return landmarks


def keys_of(graph: xr.Dataset, cells: int) -> Vector:
    """Keys for draws: of the names of cells, or of their row numbers where they have none.

    Parameters
    ----------
    graph
        Over ``cell``.
    cells
        How many.
    """
    if "cell" in graph.coords:
        return cell_keys(graph["cell"].to_numpy().astype(str).tolist())
    return np.arange(cells, dtype=np.uint64)


def _weights(graph: xr.Dataset, cells: int) -> Vector:
    if "neighbor_distance" not in graph or not graph.sizes["neighbor"]:
        return np.ones(cells)
    last = graph["neighbor_distance"].isel(neighbor=-1).data
    distance = np.asarray(compute(last)[0], dtype=np.float64)
    middle = float(np.median(distance))
    if not middle > 0:
        return np.ones(cells)
    return np.clip(distance / middle, LEAST_WEIGHT, MOST_WEIGHT)
