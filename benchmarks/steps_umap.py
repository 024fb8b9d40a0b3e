"""Maps for pictures: ours from landmarks, and umap-learn with all cells; one trustworthiness for both, outside of the clock.

What is timed is the map, from neighbors that are there already; umap-learn gets the same ones. On a sample of 50,000 cells both are held
against each other, ours with as few landmarks as a map of millions of cells has for its size.
"""

from __future__ import annotations

from importlib import import_module

import dask
import numpy as np
import scipy.sparse as sp
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_embeddings import graph_at
from benchmarks.steps_neighbors import NEIGHBORS, THREADS, components
from benchmarks.steps_ours import SEED, keep_check
from chemores_dask.graph.layout_files import write_rows
from chemores_dask.graph.map_quality import trustworthiness_of
from chemores_dask.stream.array_files import array_folder

COMPARED = 50_000
FEW_LANDMARKS = 50
"""Cells for each landmark, as a map of a million cells has them."""

MIN_DIST = 0.5


def ours(place: Place, clock: Clock) -> None:
    """The map of all cells."""
    need_doors("umap")
    scores, graph = components(place), graph_at(place)
    with dask.config.set(num_workers=THREADS), clock("umap"):
        found = cd.umap(graph, embedding=scores, min_dist=MIN_DIST, seed=SEED)
    for end in ("", "_lower", "_upper"):
        clock.facts[f"trustworthiness{end}"] = float(found[f"umap_trustworthiness{end}"])
    keep_check(place, "umap_ours", trustworthiness=clock.facts["trustworthiness"])


def full(place: Place, clock: Clock) -> None:
    """The map of all cells by umap-learn, all of them laid out together."""
    need_doors("umap")
    _umap_learn(place, clock, "full", components(place).load(), graph_at(place).load())


def ours_of_some(place: Place, clock: Clock) -> None:
    """The map of 50,000 cells with the usual landmarks."""
    _ours_of_some(place, clock, "usual", landmarks=20_000)


def ours_of_some_few_landmarks(place: Place, clock: Clock) -> None:
    """The map of 50,000 cells, of which one in fifty is a landmark."""
    _ours_of_some(place, clock, "few", landmarks=max(some_cells(place).sizes["cell"] // FEW_LANDMARKS, 4))


def full_of_some(place: Place, clock: Clock) -> None:
    """The map of the same cells by umap-learn, all of them laid out together."""
    need_doors("umap")
    scores = some_cells(place)
    graph = cd.neighbors(scores, neighbors=NEIGHBORS, method="exact", seed=SEED)
    _umap_learn(place, clock, "full_of_some", scores, graph)


def some_cells(place: Place) -> xr.DataArray:
    """Every so manieth cell, so that there are 50,000 of them, in memory."""
    scores = components(place)
    number = scores.sizes["cell"]
    return scores.isel(cell=np.linspace(0, number - 1, min(COMPARED, number)).astype(np.int64)).load()


def _ours_of_some(place: Place, clock: Clock, name: str, *, landmarks: int) -> None:
    need_doors("umap")
    scores = some_cells(place)
    graph = cd.neighbors(scores, neighbors=NEIGHBORS, method="exact", seed=SEED)
    with dask.config.set(num_workers=THREADS), clock("umap"):
        found = cd.umap(graph, embedding=scores, min_dist=MIN_DIST, landmarks=landmarks, seed=SEED)
    clock.facts["landmarks"] = int(found["umap_landmark"].sum())
    _note_trust(place, clock, name, scores, found["umap_coordinates"].values)


def _umap_learn(place: Place, clock: Clock, name: str, scores: xr.DataArray, graph: xr.Dataset) -> None:
    """As scanpy calls it: on a graph that is there."""
    need_package("umap")
    layout = import_module("umap.umap_")
    points = scores.to_numpy().astype(np.float32)
    arrays = [graph[f"connectivity_{part}"].values for part in ("weight", "index", "offset")]
    matrix = sp.csr_matrix(tuple(arrays), shape=(len(points), len(points)))
    a, b = layout.find_ab_params(1.0, MIN_DIST)
    with clock("umap"):
        coordinates, _ = layout.simplicial_set_embedding(
            points,
            matrix,
            n_components=2,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=None,
            init="spectral",
            random_state=np.random.RandomState(SEED),
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
        )
    _note_trust(place, clock, name, scores, coordinates)


def _note_trust(place: Place, clock: Clock, name: str, scores: xr.DataArray, coordinates: np.ndarray) -> None:
    with array_folder("trust") as folder:
        trust = trustworthiness_of(folder, write_rows(folder, scores), coordinates, seed=SEED)
    clock.facts.update(
        trustworthiness=trust.value, trustworthiness_lower=trust.lower, trustworthiness_upper=trust.upper
    )
    keep_check(place, f"umap_{name}", trustworthiness=trust.value)
