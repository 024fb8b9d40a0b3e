"""igraph with random numbers of our own: repeatable, and nobody else notices."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import igraph
import numpy as np
import pytest

from chemores_dask.graph.micro_clusters import edges_between
from chemores_dask.graph.seeded_igraph import igraph_clusters
from tests.graph.cluster_graphs import groups


@pytest.fixture(scope="module")
def edges():
    matrix, _ = groups([40, 40, 40], inside=0.12, across=0.06)
    return edges_between(matrix, np.arange(120, dtype=np.int32))


def clusters(edges, *, seed, iterations=2, resolution=0.1):
    return igraph_clusters(*edges, node_weight=np.ones(120), resolution=resolution, iterations=iterations, seed=seed)


def test_igraph_clusters__belong_to_the_seed(edges):
    found = [clusters(edges, seed=seed).tolist() for seed in range(5)]
    assert found == [clusters(edges, seed=seed).tolist() for seed in range(5)]
    assert len({tuple(one) for one in found}) > 1


def test_igraph_clusters__do_not_mix_random_numbers_of_threads(edges):
    expected = [clusters(edges, seed=seed).tolist() for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda seed: clusters(edges, seed=seed).tolist(), range(8))) == expected


def test_igraph_clusters__leave_the_random_numbers_of_others_alone(edges):
    random.seed(5)
    expected = random.random()
    random.seed(5)
    clusters(edges, seed=1)
    assert random.random() == expected
    random.seed(5)
    drawn = igraph.Graph.Erdos_Renyi(n=30, p=0.2).get_edgelist()
    clusters(edges, seed=1)
    random.seed(5)
    assert igraph.Graph.Erdos_Renyi(n=30, p=0.2).get_edgelist() == drawn


def test_igraph_clusters__give_the_generator_back_after_an_error(edges):
    with pytest.raises(igraph.InternalError):
        igraph_clusters(edges[0], edges[1][:-1], node_weight=np.ones(120), resolution=0.1, iterations=2, seed=1)
    random.seed(5)
    drawn = igraph.Graph.Erdos_Renyi(n=30, p=0.2).get_edgelist()
    random.seed(5)
    assert igraph.Graph.Erdos_Renyi(n=30, p=0.2).get_edgelist() == drawn
    assert len(clusters(edges, seed=1)) == 120


def test_igraph_clusters__weigh_nodes():
    pairs, weights = np.array([[0, 1], [1, 2]]), np.array([1.0, 1.0])
    found = igraph_clusters(pairs, weights, node_weight=np.array([1.0, 1.0, 9.0]), resolution=0.3, iterations=2, seed=1)
    assert found[0] == found[1] != found[2]
