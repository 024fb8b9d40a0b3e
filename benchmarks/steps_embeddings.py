"""Embeddings of sizes for which there is no store, and the graph that other steps start from.

They are made from the principal components that the chain has written, so they look like those of cells.
"""

from __future__ import annotations

import shutil

import numpy as np
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import give_up, need_doors
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import FINGERPRINT, SEED
from chemores_dask.store.results import is_complete

NEIGHBORS = 15
STEP = "bench_pca"
GRAPH = "bench_neighbors"
JITTER = 0.05
"""Noise on every copy of a cell, in standard deviations of a component: copies are close, but not in one place."""


def part(place: Place, clock: Clock) -> None:
    """Components of some of the cells of a larger store, drawn."""
    source, cells = _source(place, larger=True)
    with clock("draw"):
        rows = np.sort(np.random.default_rng(SEED).choice(cells, place.cells, replace=False))
        _write(place, source["pca_scores"].values[rows])


def tile(place: Place, clock: Clock) -> None:
    """Components of several times the cells of a smaller store, each copy with noise of its own."""
    source, cells = _source(place, larger=False)
    draws = np.random.default_rng(SEED)
    with clock("tile"):
        scores = source["pca_scores"].values.astype(np.float32)
        spread = (JITTER * scores.std(axis=0)).astype(np.float32)
        tiled = np.empty((place.cells, scores.shape[1]), dtype=np.float32)
        for first in range(0, place.cells, cells):
            rows = tiled[first : first + cells]
            rows[:] = scores[: len(rows)] + spread * draws.standard_normal(rows.shape, dtype=np.float32)
        _write(place, tiled)


def graph_at(place: Place) -> xr.Dataset:
    """The graph of a size, made outside of the clock where it is not there yet."""
    need_doors("neighbors")
    if not is_complete(place.store, step=GRAPH, fingerprint=FINGERPRINT):
        if not is_complete(place.store, step=STEP, fingerprint=FINGERPRINT):
            give_up(f"there are no components of {place.cells:,} cells: measure ours.chain first")
        scores = cd.open_result(place.store, step=STEP, fingerprint=FINGERPRINT)
        graph = cd.neighbors(scores, embedding="pca_scores", neighbors=NEIGHBORS, seed=SEED)
        cd.write_result(graph, place.store, step=GRAPH, fingerprint=FINGERPRINT)
    return cd.open_result(place.store, step=GRAPH, fingerprint=FINGERPRINT)


def graph(place: Place, clock: Clock) -> None:
    """Make the graph that other steps start from."""
    with clock("neighbors"):
        graph_at(place)


def _source(place: Place, *, larger: bool) -> tuple[xr.Dataset, int]:
    """Components of the nearest size that has some."""
    sizes = sorted(
        int(folder.name) for folder in place.folder.parent.iterdir() if folder.name.isdigit() and folder != place.folder
    )
    fitting = [cells for cells in sizes if (cells >= place.cells if larger else cells < place.cells)]
    for cells in fitting if larger else fitting[::-1]:
        store = place.folder.parent / str(cells) / "cohort.zarr"
        if (store / "cells").is_dir() and is_complete(store, step=STEP, fingerprint=FINGERPRINT):
            return cd.open_result(store, step=STEP, fingerprint=FINGERPRINT), cells
    return give_up(f"there are no components of a {'larger' if larger else 'smaller'} size: measure ours.chain first")


def _write(place: Place, scores: np.ndarray) -> None:
    shutil.rmtree(place.store, ignore_errors=True)
    result = xr.Dataset({"pca_scores": (("cell", "component"), scores)}, attrs={"analysis": "pca"})
    cd.write_result(result, place.store, step=STEP, fingerprint=FINGERPRINT)
