"""Local moving: against the definition of the quality, and graphs worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.kernels import local_moving
from chemores_dask.kernels.local_moving import (
    ALONE,
    move_nodes,
)

TWINS = (
    "move_nodes",
    "weigh_clusters",
    "best_cluster",
    "connected_parts",
    "join_clusters",
    "strengths",
    "inner_weights",
)


@pytest.fixture(params=["compiled", "plain"])
def twin(request, monkeypatch):
    """Every kernel of the module, compiled or plain throughout."""
    kernels = {name: getattr(local_moving, name) for name in TWINS}
    if request.param == "plain":
        kernels = {name: kernel.python for name, kernel in kernels.items()}
        for name, kernel in kernels.items():
            monkeypatch.setattr(local_moving, name, kernel)
    return kernels


def random_graph(nodes=40, edges=120, seed=0):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(nodes, size=(2, edges))
    weight = rng.uniform(0.1, 1.0, edges).astype(np.float32)
    upper = sp.coo_matrix(
        (weight, (np.minimum(first, second), np.maximum(first, second))), shape=(nodes, nodes)
    ).tocsr()
    upper.setdiag(0)
    upper.eliminate_zeros()
    return sp.csr_matrix(upper + upper.T)


def arrays(graph):
    return graph.indptr, graph.indices, graph.data


def quality(graph, node_weight, resolution, cluster):
    same = cluster[:, None] == cluster[None, :]
    pairs = np.outer(node_weight, node_weight)
    np.fill_diagonal(pairs, 0.0)
    return float(((graph.toarray() - resolution * pairs) * same).sum())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("resolution", [0.0, 0.02, 0.3, 50.0])
def test_move_nodes__ends_where_no_single_move_gains(twin, seed, resolution):
    graph = random_graph(seed=seed)
    node_weight = np.random.default_rng(seed).uniform(0.5, 2.0, 40)
    cluster = np.arange(40, dtype=np.int32)
    order = np.random.default_rng(seed).permutation(40).astype(np.int32)
    before, reached = 0.0, quality(graph, node_weight, resolution, cluster)
    while twin["move_nodes"](*arrays(graph), node_weight, order, resolution, cluster):
        before, reached = reached, quality(graph, node_weight, resolution, cluster)
        assert reached > before
    assert len(np.unique(cluster)) == 40 or resolution < 50.0
    empty = next(number for number in range(41) if number not in cluster)
    for node in range(40):
        for other in {*cluster[graph[node].indices].tolist(), empty}:
            moved = cluster.copy()
            moved[node] = other
            assert quality(graph, node_weight, resolution, moved) <= reached + 1e-6


def test_move_nodes__compiled_and_plain_agree():
    for seed in range(5):
        graph = random_graph(seed=seed)
        order = np.random.default_rng(seed).permutation(40).astype(np.int32)
        found = []
        for kernel in (move_nodes, move_nodes.python):
            cluster = np.arange(40, dtype=np.int32)
            found.append((kernel(*arrays(graph), np.ones(40), order, 0.1, cluster), cluster.tolist()))
        assert found[0] == found[1]


def test_move_nodes__gives_a_node_that_is_better_off_alone_an_empty_cluster(twin):
    graph = sp.csr_matrix(np.array([[0, 1, 0.1], [1, 0, 0.1], [0.1, 0.1, 0]], dtype=np.float32))
    cluster = np.zeros(3, dtype=np.int32)
    twin["move_nodes"](*arrays(graph), np.ones(3), np.arange(3, dtype=np.int32), 0.5, cluster)
    assert cluster[0] == cluster[1] != cluster[2]


def test_move_nodes__stops_where_it_would_go_on_for_ever(twin, monkeypatch):
    if twin["move_nodes"] is not move_nodes.python:
        pytest.skip("constants are frozen in compiled kernels")
    monkeypatch.setattr(local_moving, "VISITS", 0)
    cluster = np.arange(40, dtype=np.int32)
    graph = random_graph()
    assert twin["move_nodes"](*arrays(graph), np.ones(40), np.arange(40, dtype=np.int32), 0.0, cluster) == 0


def test_move_nodes__takes_no_nodes_and_nodes_without_edges(twin):
    none = sp.csr_matrix((0, 0), dtype=np.float32)
    empty = np.empty(0, dtype=np.int32)
    assert twin["move_nodes"](*arrays(none), np.empty(0), empty, 1.0, empty.copy()) == 0
    apart = sp.csr_matrix((3, 3), dtype=np.float32)
    cluster = np.arange(3, dtype=np.int32)
    assert twin["move_nodes"](*arrays(apart), np.ones(3), np.arange(3, dtype=np.int32), 1.0, cluster) == 0
    assert cluster.tolist() == [0, 1, 2]


def test_weigh_clusters__sums_by_cluster_in_the_order_of_edges(twin):
    graph = sp.csr_matrix(np.array([[0, 1, 2, 4], [1, 0, 0, 0], [2, 0, 0, 0], [4, 0, 0, 0]], dtype=np.float32))
    toward, touched = np.zeros(4), np.empty(4, dtype=np.int32)
    seen = twin["weigh_clusters"](*arrays(graph), np.array([0, 3, 2, 3], dtype=np.int32), 0, toward, touched)
    assert touched[:seen].tolist() == [3, 2]
    assert toward.tolist() == [0, 0, 2, 5]


@pytest.mark.parametrize(
    ("held", "expected"),
    [([1.0, 9.0, 3.0], 2), ([1.0, 3.0, 3.0], 1), ([9.0, 9.0, 9.0], ALONE), ([1.0, 9.0, 9.0], 0)],
)
def test_best_cluster__weighs_edges_against_sizes(twin, held, expected):
    members = np.array([1 if held[0] == 1.0 else 9, 5, 5], dtype=np.int32)
    toward, touched = np.array([0.0, 2.0, 2.0]), np.array([1, 2, 0], dtype=np.int32)
    best = twin["best_cluster"](toward, touched, 2, 0, np.array(held), members, 1.0, 0.5)
    assert best == expected
    assert not toward.any()


def test_connected_parts__cuts_clusters_where_they_do_not_hang_together(twin):
    path = sp.diags([np.ones(5)], [1], shape=(6, 6), dtype=np.float32)
    graph = sp.csr_matrix(path + path.T)
    cluster = np.array([0, 0, 1, 0, 1, 1], dtype=np.int32)
    assert twin["connected_parts"](graph.indptr, graph.indices, cluster).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("seed", range(3))
def test_connected_parts__equals_scipy(twin, seed):
    graph = random_graph(edges=40, seed=seed)
    _, expected = sp.csgraph.connected_components(graph, directed=False)
    found = twin["connected_parts"](graph.indptr, graph.indices, np.zeros(40, dtype=np.int32))
    assert len(set(zip(found.tolist(), expected.tolist(), strict=True))) == expected.max() + 1 == found.max() + 1


@pytest.mark.parametrize("seed", range(3))
def test_join_clusters__equals_a_product_of_matrices(twin, seed):
    graph = random_graph(seed=seed)
    cluster = np.random.default_rng(seed).integers(6, size=40).astype(np.int32)
    start = np.concatenate([[0], np.cumsum(np.bincount(cluster, minlength=6))])
    member = np.argsort(cluster, kind="stable").astype(np.int32)
    edges = (*arrays(graph), cluster, start, member)
    count = twin["join_clusters"](*edges, np.empty((0, 2), dtype=np.int64), np.empty(0))
    pair, weight = np.empty((count, 2), dtype=np.int64), np.empty(count)
    assert twin["join_clusters"](*edges, pair, weight) == count
    member_of = np.eye(6)[cluster]
    expected = np.triu(member_of.T @ graph.toarray() @ member_of, 1)
    found = np.zeros((6, 6))
    found[pair[:, 0], pair[:, 1]] = weight
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.count_nonzero(expected) == count


def test_strengths__are_sums_of_rows(twin):
    graph = random_graph(edges=30)
    expected = graph.toarray().astype(np.float64).sum(axis=1)
    assert (expected == 0).any()
    np.testing.assert_allclose(twin["strengths"](graph.indptr, graph.data), expected, rtol=1e-12)


def test_inner_weights__equals_a_product_of_matrices(twin):
    graph = random_graph()
    cluster = np.random.default_rng(1).integers(6, size=40).astype(np.int32)
    member_of = np.eye(6)[cluster]
    expected = np.diag(member_of.T @ graph.toarray() @ member_of)
    np.testing.assert_allclose(twin["inner_weights"](*arrays(graph), cluster, 6), expected, rtol=1e-6)
