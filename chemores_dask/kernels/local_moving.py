"""Clusters of a weighted graph, node by node: the local moving of Louvain and Leiden, and what makes small graphs of large ones.

The quality of clusters is the weight of the edges within them, less ``resolution`` times the products of the node weights of all pairs in
them. With the strengths of the nodes as their weights and ``resolution / sum of strengths`` this is modularity; with weights 1 it is the
constant Potts model. Everything here runs through nodes and edges in a given order, so the same arguments give the same bits.

References
----------
Traag VA, Waltman L, van Eck NJ (2019). From Louvain to Leiden: guaranteeing well-connected communities. Scientific Reports 9:5233.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

VISITS = 100
"""A node is looked at so many times, on average, before moving is cut short; about five are usual."""

WORTH = 1e-12
"""A move counts when it gains more than this share of what is compared: rounding alone moves nothing."""

ALONE = -1
"""In place of a cluster: an empty one."""


@jit
def move_nodes(
    offset: Vector,
    index: Vector,
    weight: Vector,
    node_weight: Vector,
    order: Vector,
    resolution: float,
    cluster: Vector,
) -> int:
    """Move nodes to the neighboring cluster that gains most, until the queue is empty.

    Nodes wait in a queue; behind one that moves, its neighbors in other clusters queue up again. A node that is better off alone gets
    an empty cluster. Of equal gains the first in the order of edges wins, and staying wins over moving. Every move gains. Called again
    and again until nothing moves, it ends where no node gains by moving; one call comes close to that.

    Parameters
    ----------
    offset, index, weight
        The graph as a symmetric matrix in compressed rows, without diagonal; weights above 0.
    node_weight
        Weight of each node, float64.
    order
        The nodes, in the order of their first turn, int32.
    resolution
        What a pair of nodes costs within a cluster, for each unit of the product of their weights.
    cluster
        Numbers below the number of nodes, int32; changed in place.

    Returns
    -------
    Number of moves.
    """
    nodes = len(node_weight)
    held = np.zeros(nodes)
    members = np.zeros(nodes, dtype=np.int32)
    for node in range(nodes):
        held[cluster[node]] += node_weight[node]
        members[cluster[node]] += 1
    empty = np.empty(nodes, dtype=np.int32)
    empties = 0
    for number in range(nodes - 1, -1, -1):
        if members[number] == 0:
            empty[empties] = number
            empties += 1
    queue = order.copy()
    waiting = np.ones(nodes, dtype=np.bool_)
    toward = np.zeros(nodes)
    touched = np.empty(nodes, dtype=np.int32)
    head = 0
    queued = nodes
    moves = 0
    visits = 0
    while queued > 0 and visits < VISITS * nodes:
        node = queue[head]
        head = head + 1 if head + 1 < nodes else 0
        queued -= 1
        visits += 1
        waiting[node] = False
        own = cluster[node]
        seen = weigh_clusters(offset, index, weight, cluster, node, toward, touched)
        best = best_cluster(toward, touched, seen, own, held, members, node_weight[node], resolution)
        if best == own:
            continue
        if best == ALONE:
            empties -= 1
            best = empty[empties]
        held[own] -= node_weight[node]
        members[own] -= 1
        if members[own] == 0:
            held[own] = 0.0
            empty[empties] = own
            empties += 1
        held[best] += node_weight[node]
        members[best] += 1
        cluster[node] = best
        moves += 1
        for edge in range(offset[node], offset[node + 1]):
            other = index[edge]
            if not waiting[other] and cluster[other] != best:
                waiting[other] = True
                place = head + queued
                queue[place if place < nodes else place - nodes] = other
                queued += 1
    return moves


@jit
def weigh_clusters(
    offset: Vector, index: Vector, weight: Vector, cluster: Vector, node: int, toward: Vector, touched: Vector
) -> int:
    """Sum the weights of the edges from a node to each cluster.

    Parameters
    ----------
    offset, index, weight, cluster
        As in :func:`move_nodes`.
    node
        Whose edges.
    toward
        Sums by cluster; 0 before.
    touched
        Takes the clusters met, in the order of edges.

    Returns
    -------
    Number of clusters met.
    """
    seen = 0
    for edge in range(offset[node], offset[node + 1]):
        other = cluster[index[edge]]
        if toward[other] == 0.0:
            touched[seen] = other
            seen += 1
        toward[other] += weight[edge]
    return seen


@jit
def best_cluster(
    toward: Vector,
    touched: Vector,
    seen: int,
    own: int,
    held: Vector,
    members: Vector,
    mass: float,
    resolution: float,
) -> int:
    """Where a node gains most.

    Parameters
    ----------
    toward, touched, seen
        From :func:`weigh_clusters`; the sums are set back to 0.
    own
        Its cluster now.
    held, members
        Weight and number of the nodes of each cluster, the node among them.
    mass
        Weight of the node.
    resolution
        As in :func:`move_nodes`.

    Returns
    -------
    A cluster, or ``ALONE``.
    """
    best = own
    most = toward[own] - resolution * mass * (held[own] - mass)
    for place in range(seen):
        other = touched[place]
        if other != own:
            gain = toward[other] - resolution * mass * held[other]
            if gain > most + WORTH * toward[other]:
                most = gain
                best = other
        toward[other] = 0.0
    lonely = members[own] > 1 and most < -WORTH * resolution * mass * held[best]
    return ALONE if lonely else best


@jit
def connected_parts(offset: Vector, index: Vector, cluster: Vector) -> Vector:
    """Cut every cluster into the parts that hang together.

    Parameters
    ----------
    offset, index
        The graph, as in :func:`move_nodes`.
    cluster
        Of each node.

    Returns
    -------
    Number of the part of each node, int32, by the first node of the part.
    """
    nodes = len(cluster)
    part = np.full(nodes, -1, dtype=np.int32)
    waiting = np.empty(nodes, dtype=np.int32)
    parts = 0
    for first in range(nodes):
        if part[first] >= 0:
            continue
        part[first] = parts
        waiting[0] = first
        queued = 1
        while queued > 0:
            queued -= 1
            node = waiting[queued]
            for edge in range(offset[node], offset[node + 1]):
                other = index[edge]
                if part[other] < 0 and cluster[other] == cluster[first]:
                    part[other] = parts
                    waiting[queued] = other
                    queued += 1
        parts += 1
    return part


@jit
def join_clusters(
    offset: Vector,
    index: Vector,
    weight: Vector,
    cluster: Vector,
    start: Vector,
    member: Vector,
    pair: Matrix,
    pair_weight: Vector,
) -> int:
    """Sum the weights of the edges between each two clusters.

    Parameters
    ----------
    offset, index, weight
        The graph, as in :func:`move_nodes`.
    cluster
        Of each node.
    start, member
        Nodes by cluster: those of cluster ``c`` are ``member[start[c]:start[c + 1]]``.
    pair, pair_weight
        To be filled: two numbers of clusters, the smaller one first, and the weight between them. Where ``pair_weight`` is empty, pairs are
        only counted.

    Returns
    -------
    Number of pairs.
    """
    clusters = len(start) - 1
    toward = np.zeros(clusters)
    touched = np.empty(clusters, dtype=np.int32)
    pairs = 0
    for own in range(clusters):
        seen = 0
        for place in range(start[own], start[own + 1]):
            node = member[place]
            for edge in range(offset[node], offset[node + 1]):
                other = cluster[index[edge]]
                if other > own:
                    if toward[other] == 0.0:
                        touched[seen] = other
                        seen += 1
                    toward[other] += weight[edge]
        for place in range(seen):
            other = touched[place]
            if len(pair_weight):
                pair[pairs, 0] = own
                pair[pairs, 1] = other
                pair_weight[pairs] = toward[other]
            toward[other] = 0.0
            pairs += 1
    return pairs


@jit
def strengths(offset: Vector, weight: Vector) -> Vector:
    """Weight of all edges of each node.

    Parameters
    ----------
    offset, weight
        The graph, as in :func:`move_nodes`.

    Returns
    -------
    Sums in float64, one per node.
    """
    total = np.zeros(len(offset) - 1)
    for node in range(len(total)):
        for edge in range(offset[node], offset[node + 1]):
            total[node] += weight[edge]
    return total


@jit
def inner_weights(offset: Vector, index: Vector, weight: Vector, cluster: Vector, clusters: int) -> Vector:
    """Weight of the edges within each cluster, both directions counted.

    Parameters
    ----------
    offset, index, weight
        The graph, as in :func:`move_nodes`.
    cluster
        Of each node, numbers below ``clusters``.
    clusters
        Number of clusters.

    Returns
    -------
    Sums in float64, one per cluster.
    """
    total = np.zeros(clusters)
    for node in range(len(cluster)):
        own = cluster[node]
        within = 0.0
        for edge in range(offset[node], offset[node + 1]):
            if cluster[index[edge]] == own:
                within += weight[edge]
        total[own] += within
    return total
