from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError
from chemores_dask.store.raw_counts import canonical_counts


@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "u2", "i4", "bool"])
@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, np.asarray])
def test_canonical_counts__keeps_every_value(kind, form):
    dense = np.random.default_rng(1).poisson(0.5, (7, 5)).astype(kind)
    found = canonical_counts(form(dense))
    assert found.dtype == np.int32
    assert found.indices.dtype == np.int32
    assert isinstance(found, sp.csr_matrix)
    assert np.array_equal(found.toarray(), dense)


def test_canonical_counts__sorts_adds_and_drops_zeros_without_touching_the_input():
    matrix = sp.csr_matrix((np.array([1.0, 2.0, 3.0, 0.0]), np.array([2, 0, 2, 1]), np.array([0, 3, 4])), shape=(2, 3))
    before = matrix.data.copy(), matrix.indices.copy()
    found = canonical_counts(matrix)
    assert found.toarray().tolist() == [[2, 0, 4], [0, 0, 0]]
    assert found.nnz == 2
    fresh = sp.csr_matrix((found.data, found.indices, found.indptr), shape=found.shape)
    assert fresh.has_canonical_format
    assert np.array_equal(matrix.data, before[0])
    assert np.array_equal(matrix.indices, before[1])


@pytest.mark.parametrize("values", [[0.5], [np.nan], [np.inf], [1.0, 2.7]])
def test_canonical_counts__refuses_numbers_that_are_not_whole(values):
    with pytest.raises(CountsError, match="whole numbers"):
        canonical_counts(sp.csr_matrix(np.array([values])))


@pytest.mark.parametrize("kind", ["f4", "i2"])
def test_canonical_counts__refuses_negative_numbers(kind):
    with pytest.raises(CountsError, match="not be negative"):
        canonical_counts(sp.csr_matrix(np.array([[1, -1]], dtype=kind)))


def test_canonical_counts__refuses_what_an_int32_cannot_hold():
    with pytest.raises(CountsError, match="must not exceed"):
        canonical_counts(sp.csr_matrix(np.array([[2**31]], dtype="f8")))
    assert canonical_counts(sp.csr_matrix(np.array([[2**31 - 1]]))).data.tolist() == [2**31 - 1]


def test_canonical_counts__refuses_complex_numbers():
    with pytest.raises(CountsError, match="type complex"):
        canonical_counts(sp.csr_matrix(np.array([[1j]])))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_canonical_counts__takes_empty_blocks(shape):
    assert canonical_counts(sp.csr_matrix(shape, dtype="f4")).shape == shape
