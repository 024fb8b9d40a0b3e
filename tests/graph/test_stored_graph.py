"""Graphs as analyses read them: what they get, and what they refuse."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.graph.connectivities import connectivities_of
from chemores_dask.graph.stored_graph import check_same_cells, connectivity_matrix
from tests.graph.graphs import clouds, exact_neighbors, graph_of

CELLS = 80


@pytest.fixture
def graph():
    index, distance = exact_neighbors(clouds(CELLS), 6)
    offset, column, weight = connectivities_of(index, distance, kind="fuzzy")
    return graph_of(sp.csr_matrix((weight, column, offset), shape=(CELLS, CELLS)), index, distance)


def test_connectivity_matrix__is_that_of_the_result(graph):
    matrix = connectivity_matrix(graph, caller="leiden")
    assert matrix.dtype == np.float32
    assert matrix.shape == (CELLS, CELLS)
    assert matrix.has_canonical_format
    assert np.array_equal(matrix.indptr, graph["connectivity_offset"])
    assert np.array_equal(matrix.indices, graph["connectivity_index"])
    assert np.array_equal(matrix.data, graph["connectivity_weight"])


def test_connectivity_matrix__reads_lazy_variables_and_needs_only_its_own(graph):
    expected = connectivity_matrix(graph, caller="leiden")
    few = graph[["connectivity_offset", "connectivity_index", "connectivity_weight"]]
    lazy = few.chunk({"edge": 50, "offset": 10})
    assert isinstance(lazy["connectivity_index"].data, da.Array)
    for other in (lazy, few.drop_vars("cell", errors="ignore")):
        assert (connectivity_matrix(other, caller="leiden") != expected).nnz == 0


def test_connectivity_matrix__of_no_cells_or_cells_without_edges():
    for cells in (0, 1, 3):
        empty = graph_of(sp.csr_matrix((cells, cells)), np.empty((cells, 0)), np.empty((cells, 0)))
        assert connectivity_matrix(empty, caller="leiden").shape == (cells, cells)


def test_connectivity_matrix__names_what_is_missing(graph):
    with pytest.raises(MissingVariableError, match=r"leiden needs the variable 'connectivity_weight'.*neighbors"):
        connectivity_matrix(graph.drop_vars("connectivity_weight"), caller="leiden")
    with pytest.raises(InputError, match="ndarray"):
        connectivity_matrix(np.ones(3), caller="leiden")


def test_connectivity_matrix__refuses_a_part_of_the_cells(graph):
    with pytest.raises(InputError, match=r"81 offsets, up to .* for 40 cells"):
        connectivity_matrix(graph.isel(cell=slice(40)), caller="leiden")
    with pytest.raises(InputError, match="whole graph"):
        connectivity_matrix(graph.isel(edge=slice(100)), caller="leiden")


@pytest.mark.parametrize(
    ("name", "change", "what"),
    [
        ("connectivity_index", lambda values: np.where(values == 5, CELLS, values), "row numbers from 0 to 80"),
        ("connectivity_weight", lambda values: np.where(np.arange(len(values)) == 3, np.nan, values), "weights"),
        ("connectivity_weight", lambda values: np.where(np.arange(len(values)) == 3, 0, values), "weights from 0"),
        ("connectivity_weight", lambda values: np.where(np.arange(len(values)) == 3, values / 2, values), "differ"),
        ("connectivity_index", lambda values: values[::-1].copy(), "symmetric"),
        ("connectivity_offset", lambda values: values[::-1].copy(), "whole graph"),
        ("connectivity_weight", lambda values: values.astype(int), "weights as real ones"),
    ],
)
def test_connectivity_matrix__refuses_what_is_no_graph(graph, name, change, what):
    wrong = graph.assign({name: (graph[name].dims, change(graph[name].values))})
    with pytest.raises(InputError, match=what):
        connectivity_matrix(wrong, caller="leiden")


def test_connectivity_matrix__refuses_loops_and_disorder():
    loop = sp.csr_matrix(np.array([[1.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(InputError, match="row 0 is joined to itself"):
        connectivity_matrix(graph_of(loop, np.array([[1], [0]]), np.ones((2, 1))), caller="leiden")
    dataset = xr.Dataset(
        {
            "connectivity_offset": ("offset", [0, 2, 3, 4]),
            "connectivity_index": ("edge", [2, 1, 0, 0]),
            "connectivity_weight": ("edge", [1.0, 1.0, 1.0, 1.0]),
        }
    )
    with pytest.raises(InputError, match="not in order"):
        connectivity_matrix(dataset, caller="leiden")


@pytest.mark.parametrize("lazy", [False, True])
def test_connectivity_matrix__refuses_cells_in_another_order(graph, lazy):
    graph = graph.chunk() if lazy else graph
    for order in (slice(None, None, -1), np.random.default_rng(0).permutation(CELLS)):
        with pytest.raises(InputError, match="put in another order"):
            connectivity_matrix(graph.isel(cell=order), caller="leiden")


def test_check_same_cells__refuses_another_number_and_another_order():
    graph = xr.Dataset(coords={"cell": ["a", "b", "c"]})
    told = {"cells": 3, "what": "The labels", "mend": "label these cells"}
    values = xr.DataArray([1, 2, 3], dims="cell", coords={"cell": ["a", "b", "c"]})
    check_same_cells(values, graph, **told)
    check_same_cells(values.drop_vars("cell")[::-1], graph, **told)
    with pytest.raises(InputError, match=r"must have the 3 cells of the graph\. Got 2; label these cells"):
        check_same_cells(values[:2], graph, **told)
    with pytest.raises(InputError, match="in the same order"):
        check_same_cells(values[::-1], graph, **told)
