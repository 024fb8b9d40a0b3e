"""Diffusion components: against scanpy, dense algebra, and graphs with known spectra."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import (
    BlockTooLargeError,
    DisconnectedGraphWarning,
    InputError,
    MissingVariableError,
    ParameterError,
)
from chemores_dask.graph import diffusion_map as module
from chemores_dask.graph.connectivities import connectivities_of
from chemores_dask.graph.diffusion_map import diffusion_map
from chemores_dask.memory import memory_budget
from tests.graph.graphs import clouds, exact_neighbors, graph_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import scanpy as sc


def graph_from(points, neighbors=10, kind="fuzzy"):
    index, distance = exact_neighbors(points, neighbors)
    offset, column, weight = connectivities_of(index, distance, kind=kind)
    return graph_of(sp.csr_matrix((weight, column, offset), shape=(len(points),) * 2), index, distance)


def plain_graph(matrix):
    matrix = sp.csr_matrix(matrix, dtype=np.float32)
    return graph_of(matrix, np.empty((matrix.shape[0], 0)), np.empty((matrix.shape[0], 0)))


def curve(cells, seed=0):
    """Cells along a curve with noise: one slow direction."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.random(cells))
    points = np.stack([np.cos(3 * time), np.sin(3 * time), time], axis=1) + rng.normal(scale=0.02, size=(cells, 3))
    return time, points


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("density_normalize", [True, False])
@pytest.mark.parametrize("kind", ["fuzzy", "gaussian"])
def test_diffusion_map__equals_scanpy(monkeypatch, kind, density_normalize, dense):
    graph = graph_from(curve(400)[1], kind=kind)
    monkeypatch.setattr(module, "DENSE_CELLS", 1000 if dense else 0)
    found = diffusion_map(graph, components=8, density_normalize=density_normalize, seed=1)
    adata = anndata.AnnData(np.zeros((400, 1), np.float32))
    parts = (graph[f"connectivity_{name}"].values for name in ("weight", "index", "offset"))
    adata.obsp["connectivities"] = sp.csr_matrix(tuple(parts), shape=(400, 400))
    adata.uns["neighbors"] = {"connectivities_key": "connectivities", "params": {"n_neighbors": 11, "method": "umap"}}
    neighbors = sc.Neighbors(adata)
    neighbors.compute_transitions(density_normalize=density_normalize)
    neighbors.compute_eigen(n_comps=8)
    np.testing.assert_allclose(found["diffusion_eigenvalue"], neighbors.eigen_values, atol=1e-4)
    overlap = np.abs(np.sum(found["diffusion_components"].values * neighbors.eigen_basis, axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-4)


def test_diffusion_map__iterations_find_what_dense_algebra_does(monkeypatch):
    graph = graph_from(curve(450, seed=3)[1])
    dense = diffusion_map(graph, components=15, seed=1)
    monkeypatch.setattr(module, "DENSE_CELLS", 0)
    found = diffusion_map(graph, components=15, seed=1)
    np.testing.assert_allclose(found["diffusion_eigenvalue"], dense["diffusion_eigenvalue"], atol=1e-5)
    np.testing.assert_allclose(found["diffusion_components"], dense["diffusion_components"], atol=1e-3)
    vectors = found["diffusion_components"].values
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(15), atol=1e-6)


def test_diffusion_map__orders_cells_along_a_curve():
    time, points = curve(600)
    found = diffusion_map(graph_from(points), components=2, seed=1)["diffusion_components"].values
    slow = found[:, 1] / found[:, 0]
    assert abs(np.corrcoef(np.argsort(np.argsort(slow)), time)[0, 1]) > 0.99


def test_diffusion_map__of_a_ring_has_cosines():
    cells = 60
    ring = np.roll(np.eye(cells), 1, axis=0)
    found = diffusion_map(plain_graph(ring + ring.T), components=7, seed=2)
    expected = np.cos(2 * np.pi * np.array([0, 1, 1, 2, 2, 3, 3]) / cells)
    np.testing.assert_allclose(found["diffusion_eigenvalue"], expected, atol=1e-5)
    np.testing.assert_allclose(found["diffusion_components"][:, 0], 1 / np.sqrt(cells), atol=1e-9)


def test_diffusion_map__finds_every_component_of_a_complete_graph():
    found = diffusion_map(plain_graph(np.ones((5, 5)) - np.eye(5)), components=5, seed=2)
    np.testing.assert_allclose(found["diffusion_eigenvalue"], [1, -0.25, -0.25, -0.25, -0.25], atol=1e-7)


@pytest.mark.parametrize("dense", [False, True])
def test_diffusion_map__parts_come_first_the_largest_before_the_others(monkeypatch, dense):
    monkeypatch.setattr(module, "DENSE_CELLS", 1000 if dense else 0)
    graph = graph_from(clouds(40, 80, 40, apart=100.0), neighbors=8)
    with pytest.warns(DisconnectedGraphWarning, match=r"160 cells has 3 parts .* first 3 of 6"):
        found = diffusion_map(graph, components=6, seed=1)
    assert found["diffusion_parts"] == 3
    values = found["diffusion_components"].values
    assert found["diffusion_eigenvalue"].values[:3].tolist() == [1, 1, 1]
    assert np.all(found["diffusion_eigenvalue"][3:] < 0.999)
    for component, rows in enumerate((slice(40, 120), slice(40), slice(120, 160))):
        inside = np.zeros(160, bool)
        inside[rows] = True
        assert np.all(values[inside, component] > 0)
        assert not values[~inside, component].any()
    np.testing.assert_allclose(values.T @ values, np.eye(6), atol=1e-6)


def test_diffusion_map__cells_without_edges_are_parts():
    lonely = np.zeros((6, 6))
    lonely[:4, :4] = 1 - np.eye(4)
    with pytest.warns(DisconnectedGraphWarning, match="3 parts"):
        found = diffusion_map(plain_graph(lonely), components=2, seed=1)
    assert found["diffusion_components"].values.tolist() == [[0.5, 0]] * 4 + [[0, 1], [0, 0]]
    one = diffusion_map(plain_graph(np.zeros((1, 1))), components=1, seed=1)
    assert one["diffusion_components"].values.tolist() == [[1.0]]


@pytest.mark.parametrize("dense", [False, True])
def test_diffusion_map__signs_and_bits_are_fixed(monkeypatch, dense):
    monkeypatch.setattr(module, "DENSE_CELLS", 1000 if dense else 0)
    graph = graph_from(curve(300)[1])
    one, other = (diffusion_map(graph, components=6, seed=5) for _ in range(2))
    assert one.identical(other)
    values = one["diffusion_components"].values
    assert np.all(values[np.abs(values).argmax(axis=0), np.arange(6)] > 0)
    again = diffusion_map(graph, components=6, seed=6)
    np.testing.assert_allclose(again["diffusion_components"], values, atol=2e-3)
    assert list(one["cell"].values) == list(graph["cell"].values)


def test_diffusion_map__refuses_what_it_cannot_use():
    graph = graph_from(clouds(30), neighbors=5)
    with pytest.raises(ParameterError, match="Got 31 for 30 cells"):
        diffusion_map(graph, components=31, seed=1)
    with pytest.raises(ParameterError, match="components"):
        diffusion_map(graph, components=0, seed=1)
    with pytest.raises(MissingVariableError, match="diffusion_map needs the variable 'connectivity_offset'"):
        diffusion_map(graph.drop_vars("connectivity_offset"), seed=1)
    with pytest.raises(InputError, match="whole graph"):
        diffusion_map(graph.isel(cell=slice(20)), seed=1)
    with pytest.raises(ParameterError, match="Got 1 for 0 cells"):
        diffusion_map(plain_graph(np.zeros((0, 0))), components=1, seed=1)


def test_diffusion_map__is_held_to_the_memory_budget():
    graph = graph_from(curve(300)[1])
    with memory_budget("1MB"), pytest.raises(BlockTooLargeError, match="diffusion_map must fit into the budget"):
        diffusion_map(graph, seed=1)
    with memory_budget("100GB") as budget:
        diffusion_map(graph, seed=1)
    assert budget.promised_bytes > 0
