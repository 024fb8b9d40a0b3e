"""The Gram matrix of sparse rows: compiled and plain, head and tail, whole and in pieces."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.kernels import gram
from chemores_dask.kernels.gram import (
    add_tail,
    fill_piece,
    gram_triangle,
    head_size,
    packed_triangle,
    scatter_tail,
    whole_matrix,
)

COLUMNS = 150


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    frequencies = np.linspace(0.9, 0.02, COLUMNS)
    return sp.csr_matrix(
        (generator.random((60, COLUMNS)) < frequencies) * generator.normal(2, 1, (60, COLUMNS)),
    )


def cut(kernel, rows, rank, *, head, start, size):
    """The head and the tail of a piece."""
    dense = np.full((size, head), 7.0)
    starts = np.empty(COLUMNS - head + 1, dtype=np.int64)
    tail_rows, tail_values = np.empty(rows.nnz, dtype=np.int32), np.empty(rows.nnz)
    kernel(rows.indptr, rows.indices, rows.data, rank, start, dense, starts, tail_rows, tail_values)
    return dense, starts, tail_rows, tail_values


def unpacked(rows, *, head=None):
    """The Gram matrix out of its triangle."""
    return whole_matrix(gram_triangle(rows, head=head), rows.shape[1])


@pytest.mark.parametrize("kernel", [fill_piece, fill_piece.python])
@pytest.mark.parametrize("head", [0, 1, 40, COLUMNS])
def test_fill_piece__cuts_rows_into_head_and_sorted_tail(rows, kernel, head):
    rank = np.random.default_rng(0).permutation(COLUMNS).astype(np.int32)
    dense, starts, tail_rows, tail_values = cut(kernel, rows, rank, head=head, start=30, size=7)
    ordered = np.zeros((7, COLUMNS))
    ordered[:, rank] = rows[30:37].toarray()
    np.testing.assert_array_equal(dense, ordered[:, :head])
    for column in range(COLUMNS - head):
        window = slice(starts[column], starts[column + 1])
        assert np.all(np.diff(tail_rows[window]) > 0)
        found = np.zeros(7)
        found[tail_rows[window]] = tail_values[window]
        np.testing.assert_array_equal(found, ordered[:, head + column])


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("head", [1, 40, COLUMNS])
def test_add_tail__multiplies_tail_and_head(rows, plain, head):
    fill, add = (fill_piece.python, add_tail.python) if plain else (fill_piece, add_tail)
    rank = np.arange(COLUMNS, dtype=np.int32)
    dense, starts, tail_rows, tail_values = cut(fill, rows, rank, head=head, start=0, size=60)
    cross = np.zeros((COLUMNS - head, head))
    add(starts, tail_rows, tail_values, dense, cross)
    np.testing.assert_allclose(cross, rows[:, head:].T @ rows[:, :head].toarray(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [scatter_tail, scatter_tail.python])
@pytest.mark.parametrize("head", [0, 100, COLUMNS])
def test_scatter_tail__multiplies_pairs_of_the_tail(rows, kernel, head):
    pairs = np.zeros((COLUMNS - head, COLUMNS - head))
    kernel(rows.indptr, rows.indices, rows.data, np.arange(COLUMNS, dtype=np.int32), head, pairs)
    tail = rows[:, head:].toarray()
    np.testing.assert_allclose(pairs, np.triu(tail.T @ tail), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [packed_triangle, packed_triangle.python])
def test_packed_triangle__reorders_the_parts(kernel):
    rank = np.array([2, 0, 3, 1])
    whole = np.random.default_rng(1).normal(size=(4, 4))
    whole = whole + whole.T
    ordered = whole[np.ix_(np.argsort(rank), np.argsort(rank))]
    packed = kernel(np.triu(ordered[:2, :2]), ordered[2:, :2], np.triu(ordered[2:, 2:]), rank)
    np.testing.assert_array_equal(packed, whole[np.triu_indices(4)])


@pytest.mark.parametrize("kernel", [whole_matrix, whole_matrix.python])
def test_whole_matrix__is_symmetric(kernel):
    packed = np.arange(6.0)
    np.testing.assert_array_equal(kernel(packed, 3), [[0, 1, 2], [1, 3, 4], [2, 4, 5]])


@pytest.mark.parametrize("head", [None, 0, 1, 64, COLUMNS])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_gram_triangle__is_exact_and_symmetric(rows, head, kind):
    rows = rows.astype(kind)
    found = unpacked(rows, head=head)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(found, (exact.T @ exact).toarray(), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found, found.T)


def test_gram_triangle__takes_rows_in_pieces(rows, monkeypatch):
    exact = (rows.T @ rows).toarray()
    for least in (1, 7, 59):
        monkeypatch.setattr(gram, "PIECE_BYTES", 8)
        monkeypatch.setattr(gram, "LEAST_PIECE", least)
        np.testing.assert_allclose(unpacked(rows, head=70), exact, rtol=1e-12, atol=1e-12)


def test_gram_triangle__of_counts_is_exact():
    counts = sp.csr_matrix(np.array([[1, 0, 2**20], [0, 3, 5]], dtype=np.int32))
    np.testing.assert_array_equal(unpacked(counts), [[1, 0, 2**20], [0, 9, 15], [2**20, 15, 2**40 + 25]])


@pytest.mark.parametrize("shape", [(0, 4), (3, 4), (3, 1), (0, 0)])
def test_gram_triangle__of_nothing_is_zero(shape):
    np.testing.assert_array_equal(unpacked(sp.csr_matrix(shape)), np.zeros((shape[1], shape[1])))


def test_gram_triangle__keeps_its_input(rows):
    before = rows.copy()
    gram_triangle(rows)
    assert (rows != before).nnz == 0
    np.testing.assert_array_equal(rows.indices, before.indices)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_gram_triangle__lets_huge_values_show(rows, value):
    rows.data[17] = value
    assert not np.isfinite(gram_triangle(rows)).all()


def test_head_size__is_all_for_dense_and_none_for_rare_columns():
    assert head_size(np.ones(300)) == 300
    assert head_size(np.full(300, 1e-6)) == 0
    mixed = np.concatenate((np.ones(64), np.full(2000, 1e-6)))
    assert head_size(mixed) == 64
    assert head_size(np.empty(0)) == 0
