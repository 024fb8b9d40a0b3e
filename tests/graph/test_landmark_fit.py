"""Maps of small graphs by umap-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from umap import UMAP
from umap.umap_ import fuzzy_simplicial_set

from chemores_dask.graph.landmark_fit import fit_map, graph_of_points, principal_start, similarity_curve
from tests.graph.graphs import clouds, exact_neighbors, with_itself

CURVE = (0.58, 1.33)


def test_similarity_curve__is_that_of_umap():
    assert similarity_curve(spread=1.0, min_dist=0.1) == pytest.approx((1.577, 0.895), abs=1e-3)


def test_graph_of_points__is_that_of_umap():
    points = clouds(120, 60).astype(np.float32)
    ours = graph_of_points(points, neighbors=10)
    index, distance = with_itself(*exact_neighbors(points, 10))
    theirs = fuzzy_simplicial_set(
        points, 11, np.random.RandomState(0), "euclidean", knn_indices=index, knn_dists=distance
    )[0]
    assert abs(ours - theirs).max() < 1e-4


def test_graph_of_points__takes_fewer_neighbors_of_few_points():
    assert graph_of_points(clouds(4).astype(np.float32), neighbors=15).nnz == 12


def test_principal_start__spans_the_first_two_components():
    points = clouds(90, 40, 20, apart=3.0).astype(np.float32)
    start = principal_start(points, np.random.RandomState(0))
    theirs = PCA(2).fit_transform(points)
    for axis in range(2):
        assert abs(np.corrcoef(start[:, axis], theirs[:, axis])[0, 1]) > 0.9999
    assert np.abs(start).max() == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("points", [np.ones((12, 3)), np.arange(12.0)[:, None]], ids=["one place", "one component"])
def test_principal_start__holds_noise_where_nothing_differs(points):
    start = principal_start(points.astype(np.float32), np.random.RandomState(0))
    assert len(np.unique(start[:, 1])) == 12
    assert np.abs(start[:, 1]).max() < 0.01


def test_fit_map__keeps_groups_apart_as_umap_does():
    points = clouds(80, 80, apart=8.0).astype(np.float32)
    ours = fit_map(points, graph_of_points(points, neighbors=15), curve=CURVE, seed=1)
    middle = ours[:80].mean(axis=0), ours[80:].mean(axis=0)
    width = ours[:80].std()
    theirs = UMAP(n_neighbors=15, min_dist=0.5, random_state=1, n_jobs=1).fit_transform(points)
    assert np.linalg.norm(middle[0] - middle[1]) > 3 * width
    assert 0.3 < np.ptp(ours[:80], axis=0).mean() / np.ptp(theirs[:80], axis=0).mean() < 3


def test_fit_map__follows_from_the_seed_alone():
    points = clouds(50).astype(np.float32)
    matrix = graph_of_points(points, neighbors=8)
    before = matrix.copy()
    first = fit_map(points, matrix, curve=CURVE, seed=1)
    np.random.default_rng(0)
    assert np.array_equal(first, fit_map(points, matrix, curve=CURVE, seed=1))
    assert not np.array_equal(first, fit_map(points, matrix, curve=CURVE, seed=2))
    assert abs(matrix - before).nnz == 0
    assert first.dtype == np.float32


@pytest.mark.parametrize("spread", [0.1, 10.0, 1e4])
def test_similarity_curve__finds_other_scales_without_a_warning(spread):
    a, b = similarity_curve(spread=spread, min_dist=0.05)
    half = a ** (-1 / (2 * b))
    assert 0.5 < half / (spread * np.log(2) + 0.05) < 2
