"""Weights of a graph: against umap-learn, scanpy, and cases worked by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.graph.connectivities import connectivities_of
from tests.graph.graphs import clouds, exact_neighbors, with_itself

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scanpy.neighbors import _connectivity as scanpy_connectivities
    from umap.umap_ import fuzzy_simplicial_set

TOLERANCE = 3e-7
"""A few units in the last place of float32 weights up to 1."""


def matrix_of(index, distance, kind):
    offset, column, weight = connectivities_of(index, distance, kind=kind)
    matrix = sp.csr_matrix((weight, column, offset), shape=(len(index), len(index)))
    matrix.check_format(full_check=True)
    return matrix


def umap_matrix(index, distance):
    own, lengths = with_itself(index, distance)
    cells, neighbors = own.shape
    found, *_ = fuzzy_simplicial_set(
        sp.coo_matrix((cells, 1)), neighbors, None, None, knn_indices=own, knn_dists=lengths
    )
    return found.tocsr()


@pytest.mark.parametrize("neighbors", [1, 2, 15, 40])
def test_connectivities_of__fuzzy_equals_umap_with_one_neighbor_more(neighbors):
    index, distance = exact_neighbors(clouds(150, 100, 50), neighbors)
    found, expected = matrix_of(index, distance, "fuzzy"), umap_matrix(index, distance)
    expected.sort_indices()
    assert np.array_equal(found.indptr, expected.indptr)
    assert np.array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=TOLERANCE)


def test_connectivities_of__fuzzy_equals_scanpy():
    index, distance = exact_neighbors(clouds(300), 15)
    own, lengths = with_itself(index, distance)
    expected = scanpy_connectivities.umap(own, lengths, n_obs=300, n_neighbors=16)
    assert abs(matrix_of(index, distance, "fuzzy") - expected).max() <= TOLERANCE


@pytest.mark.parametrize("neighbors", [1, 4, 15])
def test_connectivities_of__gaussian_equals_scanpy_with_one_neighbor_more(neighbors):
    index, distance = exact_neighbors(clouds(150, 50), neighbors)
    rows = np.arange(0, index.size + 1, neighbors)
    distances = sp.csr_matrix((distance.astype(np.float64).ravel(), index.ravel(), rows), shape=(200, 200))
    expected = scanpy_connectivities.gauss(distances, neighbors + 1, knn=True).tocsr()
    found = matrix_of(index, distance, "gaussian")
    assert found.nnz == expected.nnz
    assert abs(found - expected).max() <= TOLERANCE


def test_connectivities_of__pipeline_of_scanpy_gives_the_same_graph():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import anndata
        import scanpy as sc

        points = clouds(120, 80).astype(np.float32)
        for kind, method in (("fuzzy", "umap"), ("gaussian", "gauss")):
            cells = anndata.AnnData(points.copy())
            sc.pp.neighbors(cells, n_neighbors=16, use_rep="X", method=method)
            found = matrix_of(*exact_neighbors(points, 15), kind)
            # Distances come from two libraries: here they, not the weights, are rounded differently.
            assert abs(found - cells.obsp["connectivities"]).max() < 1e-4


def test_connectivities_of__fuzzy_equals_umap_for_cells_in_one_place():
    points = clouds(200)
    points[:40] = points[0]  # more than have room among the neighbors
    points[50:58] = points[50]  # some, but not all neighbors
    index, distance = exact_neighbors(points, 15)
    found, expected = matrix_of(index, distance, "fuzzy"), umap_matrix(index, distance)
    assert found.nnz == expected.nnz
    assert abs(found - expected).max() <= TOLERANCE
    assert np.all(found[0, index[0]].toarray() == 1)


def test_connectivities_of__gaussian_joins_cells_in_one_place_only():
    points = clouds(60)
    points[:20] = points[0]
    found = matrix_of(*exact_neighbors(points, 5), "gaussian")
    assert np.all(found.data > 0)
    assert np.all(found.data <= 1)
    assert np.all(found[:20].data == 1)
    assert found[:20, 20:].nnz == 0


@pytest.mark.parametrize("kind", ["fuzzy", "gaussian"])
def test_connectivities_of__is_symmetric_to_the_bit_without_diagonal(kind):
    index, distance = exact_neighbors(clouds(100, 100, 30), 15)
    found = matrix_of(index, distance, kind)
    assert (found != found.T).nnz == 0
    assert not found.diagonal().any()
    for row in range(found.shape[0]):
        assert np.all(np.diff(found.indices[found.indptr[row] : found.indptr[row + 1]]) > 0)


def test_connectivities_of__serves_hubs():
    # Every cell has the first one as a neighbor: its row is as long as there are cells.
    points = np.vstack(
        [np.zeros((1, 3)), np.eye(3).repeat(40, axis=0) * 5 + np.random.default_rng(1).normal(size=(120, 3)) * 0.01]
    )
    index, distance = exact_neighbors(points, 3)
    index[1:, 2], distance[1:, 2] = 0, 9.0
    found, expected = matrix_of(index, distance, "fuzzy"), umap_matrix(index, distance)
    assert np.diff(found.indptr)[0] == 120
    assert abs(found - expected).max() <= TOLERANCE


def test_connectivities_of__hand_worked():
    # Two neighbors: sigma solves 1 + exp(-1 / sigma) = log2(3).
    index = np.array([[1, 2], [0, 2], [1, 0]])
    distance = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 2.0]])
    share = np.log2(3) - 1
    dense = matrix_of(index, distance, "fuzzy").toarray()
    assert dense[0, 1] == 1
    assert dense[0, 2] == pytest.approx(share + share - share**2, abs=2e-5)
    # Squared widths: medians of (1, 4), (1, 1), (1, 4).
    dense = matrix_of(index, distance, "gaussian").toarray()
    assert dense[0, 1] == pytest.approx(np.sqrt(2 * np.sqrt(2.5) / 3.5) * np.exp(-1 / 3.5), rel=1e-6)
    assert dense[0, 2] == pytest.approx(np.exp(-4 / 5), rel=1e-6)


@pytest.mark.parametrize("kind", ["fuzzy", "gaussian"])
@pytest.mark.parametrize("cells", [0, 1])
def test_connectivities_of__no_cells_or_one_have_no_edges(kind, cells):
    offset, index, weight = connectivities_of(
        np.empty((cells, 0), dtype=np.int32), np.empty((cells, 0), dtype=np.float32), kind=kind
    )
    assert offset.tolist() == [0] * (cells + 1)
    assert len(index) == len(weight) == 0
    assert (offset.dtype, index.dtype, weight.dtype) == (np.int64, np.int32, np.float32)


def test_connectivities_of__changes_nothing_and_takes_any_whole_numbers():
    index, distance = exact_neighbors(clouds(50), 5)
    expected = connectivities_of(index.copy(), distance.copy(), kind="fuzzy")
    index.flags.writeable = distance.flags.writeable = False
    for kind in (np.int32, np.uint16, np.int64):
        found = connectivities_of(index.astype(kind), np.asfortranarray(distance).astype(np.float64), kind="fuzzy")
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("row", "column", "neighbor", "length", "what"),
    [
        (7, 0, -1, 0.0, "not the row number"),
        (7, 0, 50, 0.0, "not the row number"),
        (7, 0, 7, 0.0, "its own neighbor"),
        (7, 0, None, -1.0, "negative"),
        (7, 4, None, np.nan, "not a number"),
        (7, 4, None, np.inf, "infinite"),
        (7, 0, None, 1e6, "order of distance"),
    ],
)
def test_connectivities_of__refuses_neighbors_that_cannot_be(row, column, neighbor, length, what):
    index, distance = exact_neighbors(clouds(50), 5)
    if neighbor is not None:
        index[row, column] = neighbor
    else:
        distance[row, column] = length
    with pytest.raises(InputError, match=f"row {row} of 50 .*{what}"):
        connectivities_of(index, distance, kind="fuzzy")


def test_connectivities_of__refuses_a_neighbor_twice():
    index, distance = exact_neighbors(clouds(50), 5)
    index[3, 4] = index[3, 1]
    with pytest.raises(InputError, match=r"row 3 .*twice"):
        connectivities_of(index, distance, kind="gaussian")


def test_connectivities_of__refuses_other_arrays_and_kinds():
    index, distance = exact_neighbors(clouds(50), 5)
    with pytest.raises(InputError, match=r"shape \(50, 5\) and float32 of shape \(50, 4\)"):
        connectivities_of(index, distance[:, :4], kind="fuzzy")
    with pytest.raises(InputError, match="float64"):
        connectivities_of(index.astype(float), distance, kind="fuzzy")
    with pytest.raises(ParameterError, match="fuzzy, gaussian"):
        connectivities_of(index, distance, kind="umap")
