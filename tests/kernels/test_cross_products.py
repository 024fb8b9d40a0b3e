"""Cross-products and products with weights: compiled and plain, whole and in pieces."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import scipy.sparse as sp
from dask.base import tokenize

from chemores_dask.kernels.cross_products import (
    BASIS,
    ColumnSumsBlock,
    CrossProductBlock,
    ProjectionBlock,
    WeightedSumsBlock,
    add_columns,
    as_matrix,
    column_sums,
    merge_cross_products,
    multiply_rows,
)
from chemores_dask.kernels.gram import whole_matrix


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    frequencies = np.linspace(0.9, 0.02, 150)
    return sp.csr_matrix((generator.random((60, 150)) < frequencies) * generator.normal(2, 1, (60, 150)))


@pytest.mark.parametrize("kernel", [multiply_rows, multiply_rows.python])
def test_multiply_rows__equals_scipy(rows, kernel):
    weights = sp.random(150, 4, density=0.3, format="csr", random_state=np.random.default_rng(1))
    product = np.zeros((60, 4))
    kernel(rows.indptr, rows.indices, rows.data, (weights.indptr, weights.indices, weights.data), product)
    np.testing.assert_allclose(product, (rows @ weights).toarray(), rtol=1e-12)


@pytest.mark.parametrize("width", [1, 3])
def test_cross_product_block__sums_split_anywhere(rows, width):
    basis = np.random.default_rng(2).normal(size=(60, width))
    block = CrossProductBlock()
    rows = rows[:, ::3]
    chosen = rows.toarray()
    for cut in (0, 1, 29, 60):
        parts = [
            block(rows[part], {BASIS: basis[part][:, 0] if width == 1 else basis[part]})
            for part in (slice(0, cut), slice(cut, 60))
        ]
        sums = merge_cross_products(*parts)
        assert sums.rows == 60
        np.testing.assert_allclose(whole_matrix(sums.triangle, 50), chosen.T @ chosen, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(sums.basis_products, basis.T @ chosen, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(sums.column_sums, chosen.sum(axis=0), rtol=1e-12)


def test_projection_block__subtracts_the_basis(rows):
    generator = np.random.default_rng(3)
    basis, weights, shift = (
        generator.normal(size=(60, 2)),
        generator.normal(size=(50, 4)),
        generator.normal(size=(2, 4)),
    )
    found = ProjectionBlock(weights, shift)(rows[:, ::3], {BASIS: basis})
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
            (CrossProductBlock(), CrossProductBlock()),
            (
                ProjectionBlock(np.ones((50, 2)), np.ones((1, 2))),
                ProjectionBlock(np.ones((50, 2)), np.ones((1, 2))),
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.bool_])
def test_column_sums__have_the_bits_of_adding_row_by_row(rows, dtype):
    typed = rows.astype(dtype)
    expected = np.bincount(typed.indices, weights=typed.data, minlength=150)
    np.testing.assert_array_equal(column_sums(typed), expected)
    plain = np.zeros(150)
    add_columns.python(typed.indices, typed.data.astype(np.float64), plain)
    np.testing.assert_array_equal(plain, expected)
