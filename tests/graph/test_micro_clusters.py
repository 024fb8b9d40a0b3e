"""Micro-clusters: what contraction keeps, and what moving cells at the end mends."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from chemores_dask.graph.leiden import LeidenSettings, quality_of
from chemores_dask.graph.micro_clusters import clusters_of_micro_clusters, edges_between, micro_clusters, turns
from tests.graph.cluster_graphs import cliques, groups, neighbor_graph
from tests.graph.graphs import clouds


def settings_of(matrix, resolution=1.0):
    node_weight, scaled = LeidenSettings(resolution).scale(matrix)
    return {"node_weight": node_weight, "resolution": scaled}


def test_micro_clusters__are_parts_of_planted_groups_and_connected():
    matrix, label = neighbor_graph(clouds(80, 60, 40)), np.repeat([0, 1, 2], [80, 60, 40])
    micro = micro_clusters(matrix, **settings_of(matrix), order=turns(180, seed=1))
    assert 3 < micro.max() + 1 < 180
    for number in range(micro.max() + 1):
        members = np.flatnonzero(micro == number)
        assert len(set(label[members])) == 1
        assert sp.csgraph.connected_components(matrix[members][:, members], directed=False)[0] == 1


def test_micro_clusters__are_numbered_by_their_first_cells():
    matrix = neighbor_graph(clouds(100, 100))
    micro = micro_clusters(matrix, **settings_of(matrix), order=turns(200, seed=1))
    _, first = np.unique(micro, return_index=True)
    assert (np.diff(first) > 0).all()


def test_edges_between__contraction_keeps_the_quality():
    matrix, _ = groups([30, 20, 10], across=0.2)
    micro = micro_clusters(matrix, **settings_of(matrix), order=turns(60, seed=1))
    pairs, weights = edges_between(matrix, micro)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    cut = matrix.tocoo()
    between = micro[cut.row] != micro[cut.col]
    assert weights.sum() == pytest.approx(cut.data[between].sum(dtype=np.float64) / 2)
    found = sp.coo_matrix((weights, pairs.T), shape=(micro.max() + 1,) * 2).toarray()
    member_of = np.eye(micro.max() + 1)[micro]
    np.testing.assert_allclose(found, np.triu(member_of.T @ matrix.toarray() @ member_of, 1), rtol=1e-6)


def test_edges_between__gives_each_edge_once_where_cells_are_their_own_clusters():
    matrix = cliques([3, 2])
    matrix.eliminate_zeros()
    pairs, weights = edges_between(matrix, np.arange(5, dtype=np.int32))
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    assert weights.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_micro_clusters__are_the_planted_ones(seed):
    matrix, label = groups([80, 60, 40, 20], seed=seed)
    cluster, micro = clusters_of_micro_clusters(matrix, **settings_of(matrix), iterations=2, seed=seed)
    assert adjusted_rand_score(label, cluster) == 1
    assert 4 <= micro < 200


def test_clusters_of_micro_clusters__moving_single_cells_gains(monkeypatch):
    matrix = neighbor_graph(np.random.default_rng(0).normal(size=(1500, 6)), 8)
    arguments = settings_of(matrix) | {"iterations": 2, "seed": 1}
    moved, _ = clusters_of_micro_clusters(matrix, **arguments)
    calls = []

    def first_only(*call):
        calls.append(call)
        return original(*call) if len(calls) == 1 else 0

    original = clusters_of_micro_clusters.__globals__["move_nodes"]
    monkeypatch.setitem(clusters_of_micro_clusters.__globals__, "move_nodes", first_only)
    coarse, _ = clusters_of_micro_clusters(matrix, **arguments)
    assert len(calls) == 2
    assert quality_of(matrix, moved, LeidenSettings()) > quality_of(matrix, coarse, LeidenSettings())


def test_turns__are_an_order_that_belongs_to_the_seed():
    order = turns(100, seed=3)
    assert sorted(order.tolist()) == list(range(100))
    assert order.dtype == np.int32
    assert np.array_equal(order, turns(100, seed=3))
    assert not np.array_equal(order, turns(100, seed=4))
    assert turns(0, seed=1).tolist() == []
