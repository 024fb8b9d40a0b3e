"""A tiny embedding and the graph of its cells, for examples of analyses of graphs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.graph.neighbors import neighbors

CELLS = 120


def tiny_embedding() -> xr.DataArray:
    """Three clouds of cells in five components.

    Returns
    -------
    Over ``cell`` and ``component``, with names.
    """
    draws = np.random.default_rng(21)
    cloud = np.repeat([0, 1, 2], [60, 45, 15])
    points = draws.normal(size=(CELLS, 5)) + 5.0 * np.eye(5)[cloud]
    names = np.array([f"P{cell % 4}-diagnosis:CELL{cell:03d}" for cell in range(CELLS)], dtype=object)
    return xr.DataArray(
        points,
        dims=("cell", "component"),
        coords={"cell": names, "component": np.arange(1, 6)},
        name="pca_scores",
    )


def tiny_graph(*, nearest: int = 8) -> xr.Dataset:
    """The result of ``neighbors`` for the tiny embedding, computed once per call.

    Parameters
    ----------
    nearest
        Neighbors of a cell: with 8 the clouds are apart, with 50 the graph has one part.
    """
    return neighbors(tiny_embedding(), neighbors=nearest, seed=1)


def tiny_batches() -> xr.Dataset:
    """The tiny embedding with shifted batches, a second batch variable, and stages that both variables cross.

    Returns
    -------
    Dataset with ``pca_scores``, and ``batch``, ``chemistry`` and ``stage`` over ``cell``.
    """
    number = np.arange(CELLS)
    batch = np.where(number % 2 == 0, "A", "B")
    shifted = tiny_embedding() + 3.0 * (batch == "B")[:, None] * np.ones(5)
    columns = {
        "batch": ("cell", batch.astype(object)),
        "chemistry": ("cell", np.where(number % 5 < 2, "v2", "v3").astype(object)),
        "stage": ("cell", np.where(number % 3 == 0, "relapse", "diagnosis").astype(object)),
    }
    return xr.Dataset({"pca_scores": shifted}).assign(columns)
