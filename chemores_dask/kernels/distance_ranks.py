"""How many points are nearer than given ones."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

ROUNDING = 1e-11
"""Relative to the squared lengths that go in; far above what a product in float64 loses, far below what counts."""

CANDIDATES_AT_ONCE = 2**11


@jit
def count_below(values: Matrix, limits: Matrix, counted: Matrix) -> None:
    """Sort values into the gaps between limits.

    Parameters
    ----------
    values
        Queries by candidates.
    limits
        Queries by limits, ascending.
    counted
        Changed in place, of the shape of ``limits``: values below a limit and not below the one before it are added.
    """
    last = limits.shape[1] - 1
    for query in range(values.shape[0]):
        for candidate in range(values.shape[1]):
            value = values[query, candidate]
            if value < limits[query, last]:
                place = last
                while place > 0 and value < limits[query, place - 1]:
                    place -= 1
                counted[query, place] += 1


def squared_limits(queries: Matrix, neighbors: Matrix) -> Matrix:
    """Squared distances below which a point is surely nearer to a query than its neighbors are.

    Parameters
    ----------
    queries
        Float64, queries by components.
    neighbors
        Queries by neighbors by components.

    Returns
    -------
    Queries by neighbors, ascending: squared distances, less what rounding may add.
    """
    differences = neighbors - queries[:, None, :]
    squares = np.einsum("qnc,qnc->qn", differences, differences)
    lengths = np.einsum("qc,qc->q", queries, queries)[:, None] + np.einsum("qnc,qnc->qn", neighbors, neighbors)
    return np.sort(squares - ROUNDING * lengths, axis=1)


def points_nearer(queries: Matrix, limits: Matrix, candidates: Matrix) -> Matrix:
    """How many candidates are nearer to a query than its limits say.

    Parameters
    ----------
    queries
        Float64, queries by components.
    limits
        Made by :func:`squared_limits`.
    candidates
        Points by components; a query among them counts as any other.

    Returns
    -------
    Queries by limits.
    """
    lengths: Vector = np.einsum("qc,qc->q", queries, queries)
    below = limits - lengths[:, None]
    counted = np.zeros(limits.shape, dtype=np.int64)
    for start in range(0, len(candidates), CANDIDATES_AT_ONCE):
        some = candidates[start : start + CANDIDATES_AT_ONCE].astype(np.float64)
        count_below(np.einsum("pc,pc->p", some, some) - 2.0 * (queries @ some.T), below, counted)
    return np.cumsum(counted, axis=1)
