"""Leiden clusters of the graph at resolution 1, by modularity, two iterations: ours both ways, igraph and leidenalg.

Peers are given the graph as we make it; making their own objects of it is timed, too. The modularity of all is computed alike, outside of
the clock.
"""

from __future__ import annotations

import random

import numpy as np
import scipy.sparse as sp

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_embeddings import graph_at
from benchmarks.steps_ours import SEED, keep_check
from chemores_dask.graph.leiden import LeidenSettings, by_size, quality_of
from chemores_dask.graph.stored_graph import connectivity_matrix

ITERATIONS = 2


def ours(place: Place, clock: Clock) -> None:
    """As it comes: the whole graph up to a million edges, micro-clusters beyond."""
    _ours(place, clock, "auto", name="ours")


def whole(place: Place, clock: Clock) -> None:
    """The whole graph at any size."""
    _ours(place, clock, "whole graph", name="whole")


def micro(place: Place, clock: Clock) -> None:
    """Micro-clusters at any size."""
    _ours(place, clock, "micro-clusters", name="micro")


def igraph(place: Place, clock: Clock) -> None:
    """What users of igraph call."""
    package = need_package("igraph")
    matrix = connectivity_matrix(graph_at(place), caller="the bench")
    random.seed(SEED)
    with clock("leiden"):
        edges, weights = _edges(matrix)
        graph = package.Graph(n=matrix.shape[0], edges=edges)
        found = graph.community_leiden(objective_function="modularity", weights=weights, n_iterations=ITERATIONS)
    _note(place, clock, "igraph", matrix, np.asarray(found.membership))


def leidenalg(place: Place, clock: Clock) -> None:
    """The library of the authors of the algorithm."""
    package, graphs = need_package("leidenalg"), need_package("igraph")
    matrix = connectivity_matrix(graph_at(place), caller="the bench")
    with clock("leiden"):
        edges, weights = _edges(matrix)
        graph = graphs.Graph(n=matrix.shape[0], edges=edges)
        kind = package.RBConfigurationVertexPartition
        found = package.find_partition(graph, kind, weights=weights.tolist(), n_iterations=ITERATIONS, seed=SEED)
    _note(place, clock, "leidenalg", matrix, np.asarray(found.membership))


def _ours(place: Place, clock: Clock, route: str, *, name: str) -> None:
    need_doors("leiden")
    graph = graph_at(place)
    with clock("leiden"):
        found = cd.leiden(graph, iterations=ITERATIONS, route=route, seed=SEED)
    clock.facts["micro_clusters"] = int(found["leiden_micro_clusters"])
    matrix = connectivity_matrix(graph, caller="the bench")
    _note(place, clock, name, matrix, found["cell_cluster"].values)


def _edges(matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    upper = sp.triu(matrix, 1).tocoo()
    return np.column_stack([upper.row, upper.col]), upper.data.astype(np.float64)


def _note(place: Place, clock: Clock, name: str, matrix: sp.csr_matrix, cluster: np.ndarray) -> None:
    modularity = quality_of(matrix, by_size(cluster), LeidenSettings())
    clock.facts.update(modularity=modularity, clusters=int(cluster.max()) + 1, edges=matrix.nnz // 2)
    keep_check(place, f"leiden_{name}", modularity=modularity)
