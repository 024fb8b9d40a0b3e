"""What a block of counts may hold."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError
from chemores_dask.kernels import row_counts
from chemores_dask.kernels.row_counts import plain_counts, require_counts


@pytest.mark.parametrize("wrong", [-1.0, 0.5, np.nan, np.inf, 2.0**31, -0.25])
def test_require_counts__refuses_what_is_not_a_count(wrong):
    block = sp.csr_matrix(np.array([[1.0, wrong]]))
    with pytest.raises(CountsError, match="Counts must be whole numbers"):
        require_counts(block)
    assert row_counts.first_wrong_count.python(block.data) == row_counts.first_wrong_count(block.data) == 1


def test_require_counts__takes_a_block_of_no_rows():
    assert require_counts(sp.csr_matrix((0, 4))).shape == (0, 4)
    assert row_counts.first_wrong_count.python(np.zeros(0)) == -1


def test_plain_counts__are_views_where_the_types_are_right():
    block = sp.csr_matrix(np.eye(3, dtype=np.int32))
    values, indices, indptr = plain_counts(block)
    assert np.shares_memory(values, block.data)
    assert np.shares_memory(indices, block.indices)
    assert indptr.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.float64, np.bool_])
def test_plain_counts__turn_whole_numbers_into_int32(dtype):
    values, _, _ = plain_counts(sp.csr_matrix(np.eye(3, dtype=dtype)))
    assert values.dtype == np.int32
    assert values.tolist() == [1, 1, 1]


def test_plain_counts__refuse_fractions():
    with pytest.raises(CountsError, match=r"Found 0\.5"):
        plain_counts(sp.csr_matrix(np.array([[1, 0.5]])))
