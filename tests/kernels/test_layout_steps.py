"""Rounds of a map: parts of a graph, means of neighbors, pulls and pushes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from chemores_dask.kernels.layout_steps import cut, move_cells, part_of_each_cell, spread_coordinates

BOTH = ("compiled", "python")
CURVE = (0.58, 1.33)


def either(kernel, which):
    return kernel if which == "compiled" else kernel.python


def random_graph(cells, edges, seed=0):
    draws = np.random.default_rng(seed)
    upper = sp.coo_matrix(
        (draws.uniform(0.1, 1.0, edges), (draws.integers(0, cells, edges), draws.integers(0, cells, edges))),
        shape=(cells, cells),
    )
    matrix = sp.csr_matrix(sp.triu(upper, 1))
    matrix = (matrix + matrix.T).tocsr().astype(np.float32)
    matrix.sort_indices()
    return matrix


def parts(matrix):
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


@pytest.mark.parametrize("which", BOTH)
@pytest.mark.parametrize("edges", [0, 20, 60, 200])
def test_part_of_each_cell__is_that_of_scipy(which, edges):
    matrix = random_graph(80, edges)
    ours = either(part_of_each_cell, which)(*parts(matrix)[:2])
    number, theirs = connected_components(matrix, directed=False)
    assert len(np.unique(ours)) == number
    for part in range(number):
        members = np.flatnonzero(theirs == part)
        assert (ours[members] == members.min()).all()


@pytest.mark.parametrize("which", BOTH)
def test_spread_coordinates__takes_the_mean_of_placed_neighbors(which):
    matrix = random_graph(40, 90)
    offset, index, weight = parts(matrix)
    draws = np.random.default_rng(1)
    coordinates = draws.normal(size=(40, 2)).astype(np.float32)
    coordinates[::3] = np.nan
    fixed = np.zeros(40, dtype=bool)
    fixed[1::3] = True
    placed = np.empty((40, 2), dtype=np.float32)
    either(spread_coordinates, which)(offset, index, weight, coordinates, fixed, 0, placed)
    known = ~np.isnan(coordinates[:, 0])
    dense = matrix.toarray()[:, known]
    total = dense.sum(axis=1)
    expected = np.where(
        (total > 0)[:, None], dense @ coordinates[known] / np.maximum(total, 1e-9)[:, None], coordinates
    )
    expected[fixed] = coordinates[fixed]
    np.testing.assert_allclose(placed, expected, rtol=1e-5, atol=1e-6)


def moved_by(kernel, coordinates, matrix, *, start=0, stop=None, pushes=5, step=0.1, landmarks=None, key=9):
    offset, index, weight = parts(matrix[start:stop])
    landmarks = np.arange(0, len(coordinates), 2, dtype=np.int32) if landmarks is None else landmarks
    moved = np.empty((len(offset) - 1, 2), dtype=np.float32)
    heaviest = float(matrix.data.max()) if matrix.nnz else 1.0
    kernel(offset, index, weight, coordinates, landmarks, start, heaviest, np.uint64(key), CURVE, step, pushes, moved)
    return moved


def test_move_cells__does_the_same_plain_and_compiled():
    matrix = random_graph(60, 200)
    coordinates = np.random.default_rng(2).normal(scale=3, size=(60, 2)).astype(np.float32)
    np.testing.assert_allclose(
        moved_by(move_cells, coordinates, matrix),
        moved_by(move_cells.python, coordinates, matrix),
        rtol=1e-5,
        atol=1e-6,
    )


def test_move_cells__does_not_depend_on_blocks():
    matrix = random_graph(60, 200)
    coordinates = np.random.default_rng(2).normal(scale=3, size=(60, 2)).astype(np.float32)
    whole = moved_by(move_cells, coordinates, matrix)
    pieces = [moved_by(move_cells, coordinates, matrix, start=a, stop=b) for a, b in ((0, 7), (7, 30), (30, 60))]
    assert np.array_equal(whole, np.concatenate(pieces))


@pytest.mark.parametrize("which", BOTH)
def test_move_cells__pulls_along_the_gradient_of_the_similarity(which):
    matrix = sp.csr_matrix(np.array([[0.0, 1.0], [1.0, 0.0]]))
    coordinates = np.array([[0.0, 0.0], [1.2, 0.7]], dtype=np.float32)
    moved = moved_by(either(move_cells, which), coordinates, matrix, pushes=0, step=1e-3)
    a, b = CURVE

    def log_similarity(place):
        return -np.log1p(a * ((place - coordinates[1].astype(float)) ** 2).sum() ** b)

    ascent = [(log_similarity(1e-6 * axis) - log_similarity(-1e-6 * axis)) / 2e-6 for axis in np.eye(2)]
    np.testing.assert_allclose((moved[0] - coordinates[0]) / 1e-3, ascent, rtol=1e-4)


@pytest.mark.parametrize("which", BOTH)
def test_move_cells__pushes_along_the_gradient_of_the_difference(which):
    # The pull is nought: the neighbor lies in the same place.
    matrix = sp.csr_matrix(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    coordinates = np.array([[0.0, 0.0], [0.0, 0.0], [1.2, 0.7]], dtype=np.float32)
    landmark = np.array([2], dtype=np.int32)
    moved = moved_by(either(move_cells, which), coordinates, matrix, pushes=1, step=1e-3, landmarks=landmark)
    a, b = CURVE

    def log_difference(place):
        square = ((place - coordinates[2].astype(float)) ** 2).sum()
        return np.log(1 - 1 / (1 + a * square**b))

    ascent = [(log_difference(1e-6 * axis) - log_difference(-1e-6 * axis)) / 2e-6 for axis in np.eye(2)]
    np.testing.assert_allclose((moved[0] - coordinates[0]) / 1e-3, ascent, rtol=1e-3)  # 0.001 keeps pushes finite
    assert np.array_equal(moved[2], coordinates[2])


@pytest.mark.parametrize("which", BOTH)
def test_move_cells__leaves_cells_in_one_place_finite(which):
    matrix = random_graph(20, 60)
    moved = moved_by(either(move_cells, which), np.zeros((20, 2), dtype=np.float32), matrix)
    assert np.array_equal(moved, np.zeros((20, 2)))


def test_move_cells__light_edges_pull_less_often():
    matrix = sp.csr_matrix(np.array([[0, 1.0, 0.25], [1.0, 0, 0], [0.25, 0, 0]]))
    coordinates = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    pulls = np.array([moved_by(move_cells, coordinates, matrix, pushes=0, key=key)[0] for key in range(400)])
    assert (pulls[:, 0] > 0).all()
    assert 0.18 < (pulls[:, 1] > 0).mean() < 0.32


@pytest.mark.parametrize("which", BOTH)
def test_cut__holds_steps_to_four(which):
    assert [either(cut, which)(value) for value in (-9.0, 0.5, 7.0)] == [-4.0, 0.5, 4.0]
