"""From neighbors to a symmetric graph: compiled and plain, against sparse matrices added up."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.kernels.graph_union import (
    ITSELF,
    LARGER,
    OUTSIDE,
    PROBABILISTIC,
    SOUND,
    TWICE,
    UNKNOWN,
    UNSORTED,
    fill_union,
    first_wrong_cell,
    sort_rows,
    union_sizes,
    weight_towards,
)

CELLS, NEIGHBORS = 40, 6


@pytest.fixture
def directed():
    rng = np.random.default_rng(2)
    index = np.array([rng.choice(np.delete(np.arange(CELLS), cell), NEIGHBORS, replace=False) for cell in range(CELLS)])
    weight = rng.random((CELLS, NEIGHBORS)).astype(np.float32)
    weight[rng.random(weight.shape) < 0.2] = 0
    return index, weight


def union_of(index, weight, union, *, plain):
    sizes, fill, sort = (each.python if plain else each for each in (union_sizes, fill_union, sort_rows))
    reached = np.zeros(len(index), dtype=np.int64)
    sizes(index, weight, reached)
    offset = np.concatenate([[0], np.cumsum(reached)])
    reached[:] = offset[:-1]
    column, value = np.full(offset[-1], -1, dtype=np.int32), np.full(offset[-1], np.nan, dtype=np.float32)
    fill(index, weight, union, offset, reached, column, value)
    assert np.array_equal(offset[1:] - reached, (weight > 0).sum(axis=1))
    sort(offset, reached, index.shape[1], column, value)
    return offset, column, value


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("union", [PROBABILISTIC, LARGER])
def test_fill_union__equals_sparse_matrices(directed, union, plain):
    index, weight = directed
    one = sp.csr_matrix(
        (weight.flatten(), index.flatten(), np.arange(0, index.size + 1, NEIGHBORS)), shape=(CELLS, CELLS)
    )
    one.eliminate_zeros()
    expected = one.maximum(one.T) if union == LARGER else one + one.T - one.multiply(one.T)
    expected = sp.csr_matrix(expected)
    expected.sort_indices()
    offset, column, value = union_of(index, weight, union, plain=plain)
    assert np.array_equal(offset, expected.indptr)
    assert np.array_equal(column, expected.indices)
    np.testing.assert_allclose(value, expected.data, rtol=3e-7)


def test_sort_rows__orders_a_row_that_all_others_have():
    index = np.zeros((9, 2), dtype=np.int64)
    index[0] = [8, 3]
    index[1:, 1] = [2, 1, 1, 1, 1, 1, 1, 1]
    offset, column, _ = union_of(index, np.ones((9, 2), dtype=np.float32), LARGER, plain=False)
    assert column[: offset[1]].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert column[offset[1] : offset[2]].tolist() == [0, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("kernel", [weight_towards, weight_towards.python])
def test_weight_towards__is_zero_for_strangers(kernel):
    index, weight = np.array([[1, 2], [2, 0]]), np.array([[0.5, 0.25], [0.75, 1.0]], dtype=np.float32)
    assert kernel(index, weight, 0, 2) == 0.25
    assert kernel(index, weight, 1, 2) == 0.75
    assert kernel(index, weight, 1, 1) == 0


@pytest.mark.parametrize("kernel", [first_wrong_cell, first_wrong_cell.python])
@pytest.mark.parametrize(
    ("neighbor", "length", "what"),
    [
        (-1, 2.0, OUTSIDE),
        (CELLS, 2.0, OUTSIDE),
        (4, 2.0, ITSELF),
        (None, -2.0, UNKNOWN),
        (None, np.nan, UNKNOWN),
        (None, np.inf, UNKNOWN),
        (None, 0.5, UNSORTED),
    ],
)
def test_first_wrong_cell__says_which_and_what(kernel, directed, neighbor, length, what):
    index, _ = directed
    distance = np.ones(index.shape, dtype=np.float32)
    assert kernel(index, distance) == (-1, SOUND)
    if neighbor is not None:
        index[4, 3] = neighbor
    distance[4, 3] = length
    assert kernel(index, distance) == (4, what)


@pytest.mark.parametrize("kernel", [first_wrong_cell, first_wrong_cell.python])
def test_first_wrong_cell__finds_repeats(kernel, directed):
    index, _ = directed
    index[4, 3] = index[4, 0]
    assert kernel(index, np.zeros(index.shape, dtype=np.float32)) == (4, TWICE)
