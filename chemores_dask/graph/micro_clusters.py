"""Small graphs for large ones: micro-clusters as nodes, and single cells moved at the end."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.graph.seeded_igraph import igraph_clusters
from chemores_dask.kernels.local_moving import connected_parts, join_clusters, move_nodes
from chemores_dask.randomness import random_order

FINER = 10.0
"""Micro-clusters are made at so many times the resolution asked for: parts of its clusters, nearly always."""


def micro_clusters(graph: sp.csr_matrix, *, node_weight: Vector, resolution: float, order: Vector) -> Vector:
    """Contract a graph: cells that stay together at a much finer resolution.

    Parameters
    ----------
    graph
        Symmetric, without diagonal, weights above 0.
    node_weight
        Of each cell, float64.
    resolution
        Of the clusters that will be made of them.
    order
        Of the cells' turns, int32.

    Returns
    -------
    Micro-cluster of each cell, int32, numbered by their first cells.
    """
    micro = np.arange(graph.shape[0], dtype=np.int32)
    move_nodes(graph.indptr, graph.indices, graph.data, node_weight, order, FINER * resolution, micro)
    return connected_parts(graph.indptr, graph.indices, micro)


def edges_between(graph: sp.csr_matrix, cluster: Vector) -> tuple[Matrix, Vector]:
    """The edges between clusters, with the summed weights of the edges between their cells.

    Parameters
    ----------
    graph
        Symmetric, without diagonal, weights above 0.
    cluster
        Of each cell; numbers from 0 without gaps.

    Returns
    -------
    Pairs of clusters (the smaller first, int64), and their weights (float64).
    """
    start = np.concatenate([[0], np.cumsum(np.bincount(cluster, minlength=1))])
    member = np.argsort(cluster, kind="stable").astype(np.int32)
    edges = (graph.indptr, graph.indices, graph.data, cluster, start, member)
    count = join_clusters(*edges, np.empty((0, 2), dtype=np.int64), np.empty(0))
    pairs, weights = np.empty((count, 2), dtype=np.int64), np.empty(count)
    join_clusters(*edges, pairs, weights)
    return pairs, weights


def clusters_of_micro_clusters(
    graph: sp.csr_matrix, *, node_weight: Vector, resolution: float, iterations: int, seed: Seed
) -> tuple[Vector, int]:
    """Leiden clusters of micro-clusters, with every cell moved once more to where it belongs.

    Parameters
    ----------
    graph
        Symmetric, without diagonal, weights above 0.
    node_weight
        Of each cell, float64.
    resolution
        What a pair of cells costs within a cluster, for each unit of the product of their weights.
    iterations
        Rounds of the Leiden algorithm over the micro-clusters.
    seed
        Of the order of the cells and of Leiden's random numbers.

    Returns
    -------
    Cluster of each cell, int32, connected each; and the number of micro-clusters.
    """
    order = turns(graph.shape[0], seed=seed)
    micro = micro_clusters(graph, node_weight=node_weight, resolution=resolution, order=order)
    pairs, weights = edges_between(graph, micro)
    merged = igraph_clusters(
        pairs,
        weights,
        node_weight=np.bincount(micro, node_weight),
        resolution=resolution,
        iterations=iterations,
        seed=seed,
    )
    cluster = merged[micro]
    move_nodes(graph.indptr, graph.indices, graph.data, node_weight, order, resolution, cluster)
    return connected_parts(graph.indptr, graph.indices, cluster), len(np.unique(micro))


def turns(cells: int, *, seed: Seed) -> Vector:
    """A random order of the cells.

    Parameters
    ----------
    cells
        How many.
    seed
        Of the order.

    Returns
    -------
    Row numbers, int32.
    """
    return random_order(cells, seed=seed).astype(np.int32)
