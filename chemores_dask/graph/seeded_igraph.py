"""The Leiden algorithm of igraph, with random numbers of our own."""

from __future__ import annotations

import random
from threading import Lock

import igraph
import numpy as np

from chemores_dask.aliases import Matrix, Seed, Vector

_ONE_AT_A_TIME = Lock()
"""igraph has one source of random numbers for the whole process."""


def igraph_clusters(
    pairs: Matrix, pair_weight: Vector, *, node_weight: Vector, resolution: float, iterations: int, seed: Seed
) -> Vector:
    """Leiden clusters of a weighted graph.

    Parameters
    ----------
    pairs
        Edges, each once: two nodes a row, int64.
    pair_weight
        Their weights, float64, above 0.
    node_weight
        Weights of the nodes, float64.
    resolution
        What a pair of nodes costs within a cluster, for each unit of the product of their weights.
    iterations
        Rounds of the algorithm.
    seed
        Of its random numbers.

    Returns
    -------
    Cluster of each node, int32, in an order of igraph's own.

    Notes
    -----
    The call holds the lock of the interpreter until it is done. Afterwards igraph draws from Python's module ``random`` again, as it does
    by default; a generator that the caller has set (igraph does not tell which) would have to be set again.
    """
    graph = igraph.Graph(n=len(node_weight), edges=np.ascontiguousarray(pairs, dtype=np.int64))
    with _ONE_AT_A_TIME:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            # With weights of nodes the objective "CPM" is the general one, of which modularity is a case.
            found = graph.community_leiden(
                objective_function="CPM",
                weights=pair_weight,
                node_weights=node_weight,
                resolution=resolution,
                n_iterations=iterations,
            )
        finally:
            igraph.set_random_number_generator(random)
    return np.asarray(found.membership, dtype=np.int32)
