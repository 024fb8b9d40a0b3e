"""Chosen columns: compiled and plain, the same as choosing afterwards."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import scipy.sparse as sp
from dask.base import tokenize

from chemores_dask.errors import CountsError
from chemores_dask.kernels.chosen_columns import (
    SMALL_COUNTS,
    ChosenColumns,
    ChosenLogScale,
    chosen_width,
    compress_row,
    grown,
    log_scale_chosen,
    select_columns_of_rows,
)
from chemores_dask.kernels.row_totals import log_scaled_rows

COLUMNS = 90
EVERY_THIRD = np.where(np.arange(COLUMNS) % 3 == 0, np.arange(COLUMNS) // 3, -1).astype(np.int32)
ALL = np.arange(COLUMNS, dtype=np.int32)
NONE = np.full(COLUMNS, -1, dtype=np.int32)
LAST = np.where(np.arange(COLUMNS) == COLUMNS - 1, 0, -1).astype(np.int32)
CHOICES = pytest.mark.parametrize("positions", [EVERY_THIRD, ALL, NONE, LAST], ids=["third", "all", "none", "last"])


@pytest.fixture
def counts():
    generator = np.random.default_rng(3)
    dense = generator.poisson(0.8, (50, COLUMNS))
    dense[4] = 0
    dense[7, 5], dense[8, 3] = 3 * SMALL_COUNTS, 2**31 - 1
    return sp.csr_matrix(dense.astype(np.int32))


def kept(positions):
    return np.flatnonzero(positions >= 0)


@CHOICES
@pytest.mark.parametrize("kernel", [select_columns_of_rows, select_columns_of_rows.python])
def test_select_columns_of_rows__equals_indexing(counts, positions, kernel):
    indptr, indices, values = kernel(counts.indptr, counts.indices, counts.data, positions)
    found = sp.csr_matrix((values, indices, indptr), shape=(50, len(kept(positions))))
    np.testing.assert_array_equal(found.toarray(), counts[:, kept(positions)].toarray())


@CHOICES
@pytest.mark.parametrize("kernel", [log_scale_chosen, log_scale_chosen.python])
def test_log_scale_chosen__has_the_bits_of_choosing_afterwards(counts, positions, kernel):
    expected = log_scaled_rows(counts, 1e4)[:, kept(positions)]
    indptr, indices, values, lowest = kernel(counts.indptr, counts.indices, counts.data, positions, 1e4)
    found = sp.csr_matrix((values, indices, indptr), shape=(50, len(kept(positions))))
    np.testing.assert_array_equal(found.toarray(), expected.toarray())
    assert lowest >= 0


@pytest.mark.parametrize("kernel", [compress_row, compress_row.python])
def test_compress_row__goes_on_where_it_is_told(kernel):
    indices, values = np.array([0, 3, 4, 6], dtype=np.int32), np.array([1.0, 2.0, 3.0, 4.0])
    found_indices, found_values = np.full(6, 9, dtype=np.int32), np.full(6, 9.0)
    assert kernel(indices, values, 1, 4, EVERY_THIRD, found_indices, found_values, 2) == 4
    assert found_indices[2:4].tolist() == [1, 2]
    assert found_values[:4].tolist() == [9.0, 9.0, 2.0, 4.0]


@pytest.mark.parametrize("kernel", [grown, grown.python])
def test_grown__keeps_what_is_used(kernel):
    found = kernel(np.array([1.0, 2.0, 3.0]), 2, 50)
    assert len(found) == 50
    assert found[:2].tolist() == [1.0, 2.0]


@CHOICES
@pytest.mark.parametrize("kind", ["int16", "int32", "int64", "float32", "float64", "uint8", "bool"])
def test_chosen_columns__keeps_the_type(counts, positions, kind):
    rows = sp.csr_matrix(counts.minimum(1).astype(kind))
    found = ChosenColumns(positions)(rows, {})
    assert found.dtype == np.dtype(kind)
    assert found.shape == (50, chosen_width(positions))
    np.testing.assert_array_equal(found.toarray(), rows.toarray()[:, kept(positions)])
    assert found.has_canonical_format


@pytest.mark.parametrize("kind", ["int16", "int32", "int64", "float32", "float64"])
def test_chosen_log_scale__takes_counts_of_any_type(counts, kind):
    rows = counts.minimum(200).astype(kind)
    expected = log_scaled_rows(rows, 1e3)[:, ::3]
    found = ChosenLogScale(1e3, EVERY_THIRD)(rows, {})
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.toarray(), expected.toarray())


@pytest.mark.parametrize(("kind", "value"), [("int32", -3), ("int64", -3), ("float64", 0.5), ("float32", np.nan)])
@pytest.mark.parametrize("column", [0, 1])
def test_chosen_log_scale__refuses_what_is_not_a_count_in_any_column(counts, kind, value, column):
    rows = counts.minimum(200).astype(kind).tolil()
    rows[9, column] = value
    with pytest.raises(CountsError, match="whole numbers from 0"):
        ChosenLogScale(1e4, EVERY_THIRD)(rows.tocsr(), {})


def test_kernels__take_no_rows():
    rows = sp.csr_matrix((0, COLUMNS), dtype=np.int32)
    assert ChosenColumns(EVERY_THIRD)(rows, {}).shape == (0, 30)
    assert ChosenLogScale(1e4, EVERY_THIRD)(rows, {}).shape == (0, 30)


def test_kernels__have_names_that_follow_from_their_content():
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        assert tokenize(ChosenColumns(ALL)) == tokenize(ChosenColumns(ALL.copy()))
        assert tokenize(ChosenLogScale(1.0, ALL)) == tokenize(ChosenLogScale(1.0, ALL.copy()))
        assert tokenize(ChosenLogScale(1.0, ALL)) != tokenize(ChosenLogScale(1.0, NONE))
