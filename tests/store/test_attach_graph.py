"""Graphs in AnnData: as scanpy holds them, for these cells in this order."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import InputError
from chemores_dask.store.attach import attach
from chemores_dask.store.attach_graph import graph_cells
from tests.graph.graphs import clouds, exact_neighbors, graph_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import scanpy as sc

CELLS, NEIGHBORS = 90, 10


@pytest.fixture
def points():
    return clouds(50, 40, dimensions=8, apart=2.0).astype(np.float32)


@pytest.fixture
def cells(points):
    obs = pd.DataFrame(index=[f"s1:{cell}" for cell in range(CELLS)])
    return anndata.AnnData(points, obs=obs)


@pytest.fixture
def reference(cells):
    """What scanpy makes of the same points."""
    expected = cells.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sc.pp.neighbors(expected, n_neighbors=NEIGHBORS + 1, use_rep="X")
    return expected


@pytest.fixture
def graph(points, reference):
    return graph_of(sorted_copy(reference.obsp["connectivities"]), *exact_neighbors(points, NEIGHBORS))


def sorted_copy(matrix):
    matrix = sp.csr_matrix(matrix)
    matrix.sort_indices()
    return matrix


def test_attach__gives_scanpy_its_graph(cells, graph, reference):
    found = attach(cells, graph)
    assert not cells.obsp
    assert not cells.uns
    assert set(found.obsp) == {"connectivities", "distances"}
    assert (found.obsp["connectivities"] != sorted_copy(reference.obsp["connectivities"])).nnz == 0
    assert abs(found.obsp["distances"] - reference.obsp["distances"]).max() < 1e-4
    assert not set(found.obsm) & set(graph.data_vars)
    described, expected = found.uns["neighbors"], reference.uns["neighbors"]
    for key in ("connectivities_key", "distances_key"):
        assert described[key] == expected[key]
    for key in ("n_neighbors", "method", "metric"):
        assert described["params"][key] == expected["params"][key]


def test_attach__lets_scanpy_work_on_the_graph(cells, graph, reference):
    found = attach(cells, graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for adata in (found, reference):
            sc.tl.leiden(adata, flavor="igraph", n_iterations=2, directed=False, random_state=0)
            sc.tl.diffmap(adata, n_comps=5)
            sc.tl.umap(adata, maxiter=10)
    assert found.obs["leiden"].tolist() == reference.obs["leiden"].tolist()
    np.testing.assert_allclose(found.uns["diffmap_evals"], reference.uns["diffmap_evals"], atol=1e-5)
    np.testing.assert_allclose(found.obsm["X_umap"], reference.obsm["X_umap"], atol=1e-2)


def test_attach__scalars_of_the_graph_stand_beside_what_scanpy_wants(cells, graph, tmp_path):
    found = attach(cells, graph.assign(neighbor_recall=((), 0.97)))
    assert found.uns["neighbors"]["neighbor_recall"] == 0.97
    assert found.uns["neighbors"]["params"]["n_neighbors"] == NEIGHBORS + 1
    found.write_h5ad(tmp_path / "cells.h5ad")
    again = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert (again.obsp["connectivities"] != found.obsp["connectivities"]).nnz == 0
    assert again.uns["neighbors"]["connectivities_key"] == "connectivities"


@pytest.mark.parametrize("chosen", [np.arange(CELLS)[::-1], np.arange(10, 60, 3), np.array([5, 80, 6])])
def test_attach__cuts_and_orders_the_graph_as_anndata_does(cells, graph, chosen):
    expected = attach(cells, graph)[chosen].copy()
    found = attach(cells[chosen], graph)
    for name in ("connectivities", "distances"):
        matrix = found.obsp[name]
        matrix.check_format(full_check=True)
        assert (matrix != expected.obsp[name]).nnz == 0
        assert matrix.nnz == expected.obsp[name].nnz


def test_attach__cells_that_the_graph_does_not_have_stand_alone(cells, graph):
    more = anndata.AnnData(
        np.zeros((CELLS + 2, 8), np.float32), obs=pd.DataFrame(index=["new:0", *cells.obs_names[::-1], "new:1"])
    )
    found = attach(more, graph).obsp["connectivities"]
    assert found.shape == (CELLS + 2, CELLS + 2)
    assert np.diff(found.indptr)[[0, -1]].tolist() == [0, 0]
    assert found[[0, -1]].nnz == 0
    inner = found[1:-1][:, 1:-1][::-1][:, ::-1]
    assert (inner != attach(cells, graph).obsp["connectivities"]).nnz == 0


def test_attach__keeps_neighbors_at_distance_zero(points):
    points[:20] = points[0]
    cells = anndata.AnnData(points, obs=pd.DataFrame(index=[f"s1:{cell}" for cell in range(CELLS)]))
    index, distance = exact_neighbors(points, 5)
    found = attach(cells, graph_of(sp.csr_matrix((CELLS, CELLS)), index, distance)).obsp["distances"]
    assert np.diff(found.indptr).tolist() == [5] * CELLS
    assert np.array_equal(found.indices.reshape(CELLS, 5), index)


def test_attach__a_graph_without_labels_needs_as_many_cells(cells, graph):
    unlabeled = graph.drop_vars("cell")
    assert attach(cells, unlabeled).obsp["connectivities"].nnz == graph.sizes["edge"]
    only = unlabeled[["connectivity_offset", "connectivity_index", "connectivity_weight"]]
    found = attach(cells, only)
    assert found.obsp["connectivities"].nnz == graph.sizes["edge"]
    assert "distances" not in found.obsp
    for wrong in (unlabeled, only):
        with pytest.raises(InputError, match=r"has 90 for 89"):
            attach(cells[1:], wrong)


def test_attach__refuses_a_part_of_a_graph(cells, graph):
    for wrong in (
        graph.isel(cell=slice(40)),
        graph[["connectivity_offset", "connectivity_index", "connectivity_weight", "cell"]].isel(offset=slice(1, None)),
    ):
        with pytest.raises(InputError, match="whole result of neighbors"):
            attach(cells[:30], wrong)


def test_attach__refuses_a_graph_whose_cells_were_put_in_another_order(cells, graph):
    with pytest.raises(InputError, match="put in another order"):
        attach(cells, graph.isel(cell=slice(None, None, -1)))


def test_attach__names_the_embedding_where_it_is_there(cells, graph, points):
    graph.attrs["parameters"] = '{"connectivities":"gaussian","embedding":"pca_scores","seed":3}'
    assert "use_rep" not in attach(cells, graph).uns["neighbors"]["params"]
    scores = xr.Dataset({"pca_scores": (("cell", "component"), points)}, coords={"cell": cells.obs_names.to_numpy()})
    params = attach(attach(cells, scores), graph).uns["neighbors"]["params"]
    assert params["use_rep"] == "pca_scores"
    assert params["method"] == "gauss"
    assert params["random_state"] == 3


def test_attach__no_cells_and_no_neighbors():
    for cells in (0, 1):
        empty = graph_of(sp.csr_matrix((cells, cells)), np.empty((cells, 0)), np.empty((cells, 0)))
        names = pd.DataFrame(index=[f"s1:{cell}" for cell in range(cells)])
        found = attach(anndata.AnnData(np.ones((cells, 2), np.float32), obs=names), empty)
        assert found.obsp["connectivities"].shape == found.obsp["distances"].shape == (cells, cells)


def test_graph_cells__is_nothing_without_a_graph(graph):
    assert graph_cells(xr.Dataset({"cell_total": ("cell", [1])})) is None
    assert graph_cells(graph).sizes == {"cell": CELLS}
    assert graph_cells(graph[["connectivity_offset"]].drop_vars("cell", errors="ignore")).sizes == {"cell": CELLS}
