"""Cross-products: compiled and plain, dense and scattered, whole and in pieces."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import scipy.sparse as sp
from dask.base import tokenize

from chemores_dask.kernels import cross_products
from chemores_dask.kernels.cross_products import (
    BASIS,
    ColumnSumsBlock,
    CrossProductBlock,
    ProjectionBlock,
    WeightedSumsBlock,
    as_matrix,
    chosen_columns,
    fill_head,
    gram_matrix,
    head_size,
    merge_cross_products,
    mirrored,
    multiply_rows,
    scatter_pairs,
    select_columns,
)


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    frequencies = np.linspace(0.9, 0.02, 150)
    return sp.csr_matrix((generator.random((60, 150)) < frequencies) * generator.normal(2, 1, (60, 150)))


POSITIONS = np.where(np.arange(150) % 3 == 0, np.arange(150) // 3, -1).astype(np.int32)


@pytest.mark.parametrize("kernel", [select_columns, select_columns.python])
def test_select_columns__equals_indexing(rows, kernel):
    indptr, indices, values = kernel(rows.indptr, rows.indices, rows.data, POSITIONS)
    found = sp.csr_matrix((values, indices, indptr), shape=(60, 50)).toarray()
    np.testing.assert_array_equal(found, rows[:, ::3].toarray())


def test_select_columns__renumbers_in_any_order(rows):
    positions = np.random.default_rng(0).permutation(150).astype(np.int32)
    found = chosen_columns(rows, positions).toarray()
    np.testing.assert_array_equal(found[:, positions], rows.toarray())


@pytest.mark.parametrize("head", [0, 1, 40, 150])
@pytest.mark.parametrize("plain", [False, True])
def test_scatter_pairs__with_head_gives_the_gram_matrix(rows, head, plain):
    scatter, fill = (scatter_pairs.python, fill_head.python) if plain else (scatter_pairs, fill_head)
    gram = np.zeros((150, 150))
    scatter(rows.indptr, rows.indices, rows.data, head, gram)
    assert not np.triu(gram)[:head, :head].any()
    dense = np.zeros((60, head))
    fill(rows.indptr, rows.indices, rows.data, 0, dense)
    gram[:head, :head] += dense.T @ dense
    np.testing.assert_allclose(np.triu(gram), np.triu((rows.T @ rows).toarray()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [fill_head, fill_head.python])
def test_fill_head__starts_anywhere(rows, kernel):
    dense = np.zeros((7, 20))
    kernel(rows.indptr, rows.indices, rows.data, 30, dense)
    np.testing.assert_array_equal(dense, rows[30:37, :20].toarray())


@pytest.mark.parametrize("kernel", [mirrored, mirrored.python])
def test_mirrored__reorders_the_upper_triangle(kernel):
    upper = np.array([[1.0, 2.0, 3.0], [-9.0, 4.0, 5.0], [-9.0, -9.0, 6.0]])
    expected = np.array([[6.0, 3.0, 5.0], [3.0, 1.0, 2.0], [5.0, 2.0, 4.0]])
    np.testing.assert_array_equal(kernel(upper, np.array([2, 0, 1])), expected)


@pytest.mark.parametrize("kernel", [multiply_rows, multiply_rows.python])
def test_multiply_rows__equals_scipy(rows, kernel):
    weights = sp.random(150, 4, density=0.3, format="csr", random_state=np.random.default_rng(1))
    product = np.zeros((60, 4))
    kernel(rows.indptr, rows.indices, rows.data, (weights.indptr, weights.indices, weights.data), product)
    np.testing.assert_allclose(product, (rows @ weights).toarray(), rtol=1e-12)


@pytest.mark.parametrize("head", [None, 0, 64, 150])
def test_gram_matrix__is_exact_and_symmetric(rows, head):
    gram = gram_matrix(rows, head=head)
    np.testing.assert_allclose(gram, (rows.T @ rows).toarray(), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(gram, gram.T)


def test_gram_matrix__takes_the_head_in_pieces(rows, monkeypatch):
    monkeypatch.setattr(cross_products, "HEAD_BYTES", 8 * 150 * 7)
    np.testing.assert_allclose(gram_matrix(rows, head=150), (rows.T @ rows).toarray(), rtol=1e-12, atol=1e-12)


def test_gram_matrix__of_counts_is_exact():
    counts = sp.csr_matrix(np.array([[1, 0, 2**20], [0, 3, 5]], dtype=np.int32))
    np.testing.assert_array_equal(gram_matrix(counts), [[1, 0, 2**20], [0, 9, 15], [2**20, 15, 2**40 + 25]])


@pytest.mark.parametrize("shape", [(0, 4), (3, 4)])
def test_gram_matrix__of_nothing_is_zero(shape):
    np.testing.assert_array_equal(gram_matrix(sp.csr_matrix(shape)), np.zeros((4, 4)))


def test_gram_matrix__keeps_its_input(rows):
    before = rows.copy()
    gram_matrix(rows)
    assert (rows != before).nnz == 0
    np.testing.assert_array_equal(rows.indices, before.indices)


def test_head_size__is_all_for_dense_and_none_for_rare_columns():
    assert head_size(np.ones(300)) == 300
    assert head_size(np.full(300, 1e-6)) == 0
    mixed = np.concatenate((np.ones(64), np.full(2000, 1e-6)))
    assert head_size(mixed) == 64


@pytest.mark.parametrize("width", [1, 3])
def test_cross_product_block__sums_split_anywhere(rows, width):
    basis = np.random.default_rng(2).normal(size=(60, width))
    block = CrossProductBlock(POSITIONS)
    chosen = rows[:, ::3].toarray()
    for cut in (0, 1, 29, 60):
        parts = [
            block(rows[part], {BASIS: basis[part][:, 0] if width == 1 else basis[part]})
            for part in (slice(0, cut), slice(cut, 60))
        ]
        sums = merge_cross_products(*parts)
        assert sums.rows == 60
        np.testing.assert_allclose(sums.gram, chosen.T @ chosen, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sums.basis_products, basis.T @ chosen, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(sums.column_sums, chosen.sum(axis=0), rtol=1e-12)


def test_projection_block__subtracts_the_basis(rows):
    generator = np.random.default_rng(3)
    basis, weights, shift = (
        generator.normal(size=(60, 2)),
        generator.normal(size=(50, 4)),
        generator.normal(size=(2, 4)),
    )
    found = ProjectionBlock(POSITIONS, weights, shift)(rows, {BASIS: basis})
    np.testing.assert_allclose(found, rows[:, ::3].toarray() @ weights - basis @ shift, rtol=1e-11, atol=1e-11)


def test_weighted_sums_block__takes_integer_rows():
    rows = sp.csr_matrix(np.array([[1, 2], [0, 3], [0, 0]], dtype=np.int32))
    weights = sp.csr_matrix(np.array([[0.5, 0.0], [0.25, -1.0]]))
    block = WeightedSumsBlock.from_matrix(weights)
    np.testing.assert_array_equal(block(rows, {}), [[1.0, -2.0], [0.75, -3.0], [0.0, 0.0]])
    assert block(rows[:0], {}).shape == (0, 2)


def test_blocks__have_names_that_follow_from_their_content():
    weights = sp.csr_matrix(np.array([[0.5, 0.0], [0.25, -1.0]]))
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        for first, second in (
            (WeightedSumsBlock.from_matrix(weights), WeightedSumsBlock.from_matrix(weights.copy())),
            (CrossProductBlock(POSITIONS), CrossProductBlock(POSITIONS.copy())),
            (
                ProjectionBlock(POSITIONS, np.ones((50, 2)), np.ones((1, 2))),
                ProjectionBlock(POSITIONS, np.ones((50, 2)), np.ones((1, 2))),
            ),
            (ColumnSumsBlock(), ColumnSumsBlock()),
        ):
            assert tokenize(first) == tokenize(second)
    assert tokenize(WeightedSumsBlock.from_matrix(weights)) != tokenize(WeightedSumsBlock.from_matrix(2 * weights))


def test_column_sums_block__puts_the_rows_last(rows):
    sums = ColumnSumsBlock()(rows, {})
    np.testing.assert_allclose(sums[:-1], rows.toarray().sum(axis=0), rtol=1e-12, atol=1e-12)
    assert sums[-1] == 60
    np.testing.assert_array_equal(ColumnSumsBlock()(rows[:0], {}), np.zeros(151))


def test_as_matrix__keeps_matrices_and_lifts_vectors():
    assert as_matrix(np.zeros(3)).shape == (3, 1)
    assert as_matrix(np.zeros(0)).shape == (0, 1)
    assert as_matrix(np.zeros((3, 2))).shape == (3, 2)
