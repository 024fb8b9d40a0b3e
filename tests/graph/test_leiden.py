"""Leiden clusters: quality against leidenalg, planted states, the same bits everywhere, and odd graphs."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import dask
import igraph
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from chemores_dask.errors import BlockTooLargeError, InputError, ParameterError
from chemores_dask.graph import leiden as module
from chemores_dask.graph.leiden import (
    MICRO,
    ROUTES,
    WHOLE,
    LeidenSettings,
    by_size,
    check_cells_there,
    chosen_route,
    clusters_of,
    leiden,
    quality_of,
)
from chemores_dask.memory import memory_budget, resident_bytes
from tests.graph.cluster_graphs import cliques, dataset_of, groups, neighbor_graph, symmetric
from tests.graph.graphs import clouds

BOTH = pytest.mark.parametrize("route", [WHOLE, MICRO])
OBJECTIVES = pytest.mark.parametrize(("objective", "resolution"), [("modularity", 1.0), ("cpm", 0.05)])


def igraph_of(matrix):
    upper = sp.triu(matrix, 1).tocoo()
    graph = igraph.Graph(n=matrix.shape[0], edges=np.column_stack([upper.row, upper.col]).astype(np.int64))
    return graph, upper.data.astype(np.float64)


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_leiden__finds_planted_groups(route, seed):
    matrix, label = groups([60, 50, 40, 30, 20], seed=seed)
    result = leiden(dataset_of(matrix), route=route, seed=seed)
    assert adjusted_rand_score(label, result["cell_cluster"]) == 1
    assert result["cell_cluster"].values.tolist() == label.tolist()
    assert result["cluster_cells"].values.tolist() == [60, 50, 40, 30, 20]
    assert result["leiden_route"].attrs["flag_meanings"] == "whole graph micro-clusters"
    assert int(result["leiden_route"]) == [WHOLE, MICRO].index(route)
    assert (int(result["leiden_micro_clusters"]) > 0) == (route == MICRO)


@BOTH
@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
def test_leiden__reports_the_modularity_that_igraph_finds(route, resolution):
    matrix, _ = groups([40, 30, 30], across=0.05)
    result = leiden(dataset_of(matrix), route=route, resolution=resolution, seed=4)
    graph, weight = igraph_of(matrix)
    membership = result["cell_cluster"].values.tolist()
    assert float(result["leiden_modularity"]) == pytest.approx(graph.modularity(membership, weights=weight), rel=1e-6)
    expected = graph.modularity(membership, weights=weight, resolution=resolution)
    assert float(result["leiden_quality"]) == pytest.approx(expected, rel=1e-6)


def test_leiden__reports_the_quality_of_the_constant_potts_model():
    matrix, label = groups([10, 5], inside=1.0, across=0.1)
    result = leiden(dataset_of(matrix), objective="cpm", resolution=0.2, seed=4)
    same = label[:, None] == label[None, :]
    assert result["cell_cluster"].values.tolist() == label.tolist()
    expected = ((matrix.toarray() - 0.2) * same).sum() / matrix.sum()
    assert float(result["leiden_quality"]) == pytest.approx(expected, rel=1e-6)


@BOTH
@OBJECTIVES
def test_leiden__is_as_good_as_leidenalg(route, objective, resolution):
    leidenalg = pytest.importorskip("leidenalg")
    matrix = neighbor_graph(clouds(300, 200, 200, 100, 100, apart=1.2, seed=3))
    graph, weight = igraph_of(matrix)
    kind = {"modularity": leidenalg.RBConfigurationVertexPartition, "cpm": leidenalg.CPMVertexPartition}[objective]
    peer = leidenalg.find_partition(graph, kind, weights=weight.tolist(), resolution_parameter=resolution, seed=1)
    settings = LeidenSettings(resolution, objective)
    expected = quality_of(matrix, np.asarray(peer.membership, dtype=np.int32), settings)
    found = [
        float(
            leiden(dataset_of(matrix), route=route, resolution=resolution, objective=objective, seed=seed)[
                "leiden_quality"
            ]
        )
        for seed in range(3)
    ]
    assert min(found) >= 0.99 * expected


@BOTH
def test_leiden__has_the_same_bits_for_a_seed_on_any_number_of_threads(route):
    graph = dataset_of(neighbor_graph(clouds(300, 200, 100, apart=0.7)))
    expected = [leiden(graph, route=route, seed=seed)["cell_cluster"].values for seed in range(4)]
    assert any(not np.array_equal(expected[0], other) for other in expected[1:])
    for workers in (2, 4):
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(lambda seed: leiden(graph, route=route, seed=seed)["cell_cluster"].values, range(4)))
        assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))
    with dask.config.set(scheduler="threads", num_workers=4):
        again = leiden(graph, route=route, seed=2)
    assert np.array_equal(again["cell_cluster"].values, expected[2])


@BOTH
def test_leiden__numbers_clusters_by_size_and_then_by_first_cell(route):
    order = np.random.default_rng(2).permutation(17)
    matrix = cliques([4, 5, 4, 3, 1])[order][:, order]
    found = leiden(dataset_of(matrix), route=route, seed=1)["cell_cluster"].values
    sizes = np.bincount(found)
    assert sizes.tolist() == [5, 4, 4, 3, 1]
    assert np.flatnonzero(found == 1)[0] < np.flatnonzero(found == 2)[0]


@BOTH
def test_leiden__finds_a_state_of_half_a_percent(route):
    rng = np.random.default_rng(5)
    rare = 20
    label = np.repeat(range(5), [1700, 1300, 600, 380, rare])
    centers = rng.normal(0.0, 4.0, (5, 10))
    order = rng.permutation(len(label))
    label, points = label[order], (centers[label] + rng.normal(size=(len(label), 10)))[order]
    found = leiden(dataset_of(neighbor_graph(points)), route=route, seed=1)["cell_cluster"].values
    cluster = np.bincount(found[label == 4]).argmax()
    inside = found == cluster
    assert (inside & (label == 4)).sum() >= 0.9 * rare
    assert (inside & (label == 4)).sum() >= 0.9 * inside.sum()


@BOTH
def test_leiden__clusters_are_connected(route):
    matrix = neighbor_graph(np.random.default_rng(1).normal(size=(600, 8)), 6)
    for seed in range(3):
        found = leiden(dataset_of(matrix), route=route, seed=seed, resolution=2.0)["cell_cluster"].values
        edges = matrix.tocoo()
        same = found[edges.row] == found[edges.col]
        kept = sp.coo_matrix((edges.data[same], (edges.row[same], edges.col[same])), shape=matrix.shape)
        assert sp.csgraph.connected_components(kept, directed=False)[0] == found.max() + 1


@BOTH
def test_leiden__at_resolution_zero_gives_the_connected_parts(route):
    matrix = cliques([5, 3, 2, 1])
    for objective in ("modularity", "cpm"):
        result = leiden(dataset_of(matrix), route=route, resolution=0.0, objective=objective, seed=1)
        assert result["cluster_cells"].values.tolist() == [5, 3, 2, 1]


@BOTH
def test_leiden__at_a_huge_resolution_leaves_every_cell_alone(route):
    matrix, _ = groups([20, 10])
    for resolution, objective in ((1e12, "modularity"), (1e12, "cpm")):
        result = leiden(dataset_of(matrix), route=route, resolution=resolution, objective=objective, seed=1)
        assert result["cell_cluster"].values.tolist() == list(range(30))


@BOTH
def test_leiden__leaves_cells_without_edges_alone(route):
    matrix = sp.block_diag([sp.csr_matrix((2, 2)), cliques([4]), sp.csr_matrix((1, 1))], format="csr")
    result = leiden(dataset_of(matrix), route=route, seed=1)
    assert result["cell_cluster"].values.tolist() == [1, 2, 0, 0, 0, 0, 3]


@BOTH
@pytest.mark.parametrize("cells", [1, 5])
def test_leiden__takes_a_graph_without_edges(route, cells):
    result = leiden(dataset_of(sp.csr_matrix((cells, cells))), route=route, seed=1)
    assert result["cell_cluster"].values.tolist() == list(range(cells))
    assert math.isnan(float(result["leiden_modularity"]))
    assert math.isnan(float(result["leiden_quality"]))


@BOTH
def test_leiden__joins_two_cells(route):
    result = leiden(dataset_of(symmetric([0], [1], [0.5], 2)), route=route, seed=1)
    assert result["cell_cluster"].values.tolist() == [0, 0]
    assert float(result["leiden_modularity"]) == 0


def test_leiden__refuses_a_graph_without_cells():
    with pytest.raises(InputError, match="at least one cell"):
        leiden(dataset_of(sp.csr_matrix((0, 0))), seed=1)
    with pytest.raises(InputError, match="least one cell"):
        check_cells_there(sp.csr_matrix((0, 0)), caller="leiden")


@pytest.mark.parametrize("weight", [-1.0, 0.0, np.nan, np.inf])
def test_leiden__refuses_weights_that_are_none(weight):
    graph = dataset_of(cliques([3, 2]))
    graph["connectivity_weight"][:] = weight
    with pytest.raises(InputError, match="leiden needs edges"):
        leiden(graph, seed=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resolution", -1.0),
        ("resolution", math.nan),
        ("resolution", math.inf),
        ("resolution", "high"),
        ("objective", "louvain"),
        ("iterations", 0),
        ("iterations", 1.5),
        ("route", "fast"),
        ("seed", 1.5),
    ],
)
def test_leiden__refuses_parameters_outside_their_range(name, value):
    with pytest.raises(ParameterError, match=f"'{name}' parameter of leiden"):
        leiden(dataset_of(cliques([3])), **{"seed": 1, name: value})


def test_leiden__takes_large_and_negative_seeds():
    graph = dataset_of(neighbor_graph(clouds(50, 50)))
    for seed in (-1, 2**70, np.int64(3)):
        assert leiden(graph, seed=seed, route=MICRO)["cluster_cells"].values.sum() == 100


def test_leiden__keeps_the_names_of_the_cells_and_its_parameters():
    result = leiden(dataset_of(cliques([2, 1]), names=["a", "b", "c"]), seed=7)
    assert result["cell"].values.tolist() == ["a", "b", "c"]
    assert result["cluster"].values.tolist() == [0, 1]
    assert result.attrs["parameters"] == (
        '{"iterations":2,"objective":"modularity","resolution":1.0,"route":"auto","seed":7}'
    )


def test_leiden__reads_lazy_graphs():
    matrix, label = groups([40, 30])
    lazy = dataset_of(matrix).chunk({"edge": 100, "offset": 20})
    assert leiden(lazy, seed=1)["cell_cluster"].values.tolist() == label.tolist()


def test_leiden__does_not_change_the_graph():
    graph = dataset_of(groups([40, 30])[0])
    before = graph.copy(deep=True)
    for route in ROUTES:
        leiden(graph, route=route, seed=1)
    xr.testing.assert_identical(graph, before)


def test_chosen_route__follows_size_and_budget(monkeypatch):
    matrix = cliques([30])
    settings = LeidenSettings()
    assert chosen_route(matrix, settings, caller="leiden") == WHOLE
    monkeypatch.setattr(module, "WHOLE_EDGE_BYTES", 10**6)
    with memory_budget(resident_bytes() + 300_000_000) as budget:
        assert chosen_route(matrix, settings, caller="leiden") == MICRO
        assert 0 < budget.promised_bytes <= budget.limit
        with pytest.raises(BlockTooLargeError, match="leiden must fit"):
            chosen_route(matrix, LeidenSettings(route=WHOLE), caller="leiden")
    monkeypatch.setattr(module, "free_memory", lambda: 10**6)
    assert chosen_route(matrix, settings, caller="leiden") == MICRO
    monkeypatch.setattr(module, "free_memory", lambda: 10**12)
    assert chosen_route(matrix, settings, caller="leiden") == WHOLE
    monkeypatch.setattr(module, "WHOLE_EDGES", 100)
    assert chosen_route(matrix, settings, caller="leiden") == MICRO


def test_clusters_of__settings_come_through():
    matrix, _ = groups([40, 30, 20], across=0.1)
    few = clusters_of(matrix, LeidenSettings(resolution=0.1), route=MICRO, seed=1).cluster
    many = clusters_of(matrix, LeidenSettings(resolution=5.0), route=MICRO, seed=1).cluster
    assert few.max() < many.max()


def test_by_size__counts_and_breaks_ties():
    found = by_size(np.array([7, 3, 3, 9, 7, 5, 5, 5]))
    assert found.tolist() == [1, 2, 2, 3, 1, 0, 0, 0]
    assert found.dtype == np.int32


def test_quality_of__all_cells_together_is_zero():
    matrix, _ = groups([10, 10])
    assert quality_of(matrix, np.zeros(20, dtype=np.int32), LeidenSettings()) == pytest.approx(0, abs=1e-12)
