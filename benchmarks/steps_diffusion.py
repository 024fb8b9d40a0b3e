"""Diffusion components of the graph: ours and scanpy's."""

from __future__ import annotations

import anndata
import numpy as np

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_embeddings import graph_at
from benchmarks.steps_ours import SEED, keep_check

COMPONENTS = 15


def ours(place: Place, clock: Clock) -> None:
    """Fifteen components."""
    need_doors("diffusion_map")
    graph = graph_at(place)
    with clock("diffusion map"):
        found = cd.diffusion_map(graph, components=COMPONENTS, seed=SEED)
    clock.facts["parts"] = int(found["diffusion_parts"])
    keep_check(place, "diffusion_ours", eigenvalue=found["diffusion_eigenvalue"].values.tolist())


def scanpy(place: Place, clock: Clock) -> None:
    """The same on the graph as we attach it."""
    sc = need_package("scanpy")
    graph = graph_at(place)
    cells = cd.attach(
        anndata.AnnData(np.zeros((place.cells, 1), dtype=np.float32)), graph.drop_vars("cell", errors="ignore")
    )
    with clock("diffusion map"):
        sc.tl.diffmap(cells, n_comps=COMPONENTS, random_state=SEED)
    keep_check(place, "diffusion_scanpy", eigenvalue=cells.uns["diffmap_evals"].astype(float).tolist())
