"""Chosen columns of lazy rows: below the mapping where it offers that, dropped elsewhere, the same numbers."""

from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import ParameterError
from chemores_dask.kernels.chosen_columns import ChosenColumns, ChosenLogScale
from chemores_dask.kernels.row_totals import LogScaledSums, LogScaledWeightedSums
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.stream import as_rows, map_rows
from chemores_dask.stream.rows import call_with_columns
from chemores_dask.stream.selection import Selectable, Summable, select_columns, sum_columns, weigh_columns

POSITIONS = np.where(np.arange(30) % 4 == 1, np.arange(30) // 4, -1).astype(np.int32)
CHOSEN = np.flatnonzero(POSITIONS >= 0)


@pytest.fixture
def counts():
    return sp.csr_matrix(np.random.default_rng(0).poisson(1.0, (40, 30)).astype(np.int32))


def kernel_of(rows):
    """The function of the last mapping."""
    return rows.dask.layers[rows.name].task.kwargs["function"]


def doubled(rows, columns):
    return rows * 2


def shifted(rows, columns):
    return sp.csr_matrix(rows.multiply(columns["by"][:, None]))


def test_select_columns__drops_the_others(counts):
    rows = as_rows(counts, rows_per_block=7)
    found = select_columns(rows, POSITIONS)
    assert found.chunks == ((7, 7, 7, 7, 7, 5), (len(CHOSEN),))
    assert found.dtype == np.int32
    assert isinstance(kernel_of(found), ChosenColumns)
    np.testing.assert_array_equal(found.compute().toarray(), counts[:, CHOSEN].toarray())


@pytest.mark.parametrize("copied", [False, True])
def test_select_columns__goes_below_the_normalization(counts, copied):
    cells = log_normalize(anndata.AnnData(as_rows(counts, rows_per_block=7)))
    cells = cells.copy() if copied else cells
    found = select_columns(cells.X, POSITIONS)
    assert isinstance(kernel_of(found), ChosenLogScale)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.compute().toarray(), cells.X.compute()[:, CHOSEN].toarray())


def test_select_columns__goes_below_the_normalization_of_some_cells(counts):
    cells = anndata.AnnData(as_rows(counts, rows_per_block=7))
    kept = log_normalize(cells[np.arange(40) % 3 != 0])
    found = select_columns(kept.X, POSITIONS)
    assert isinstance(kernel_of(found), ChosenLogScale)
    np.testing.assert_array_equal(found.compute().toarray(), kept.X.compute()[:, CHOSEN].toarray())


def test_select_columns__stays_above_what_lies_on_the_normalization(counts):
    cells = log_normalize(anndata.AnnData(as_rows(counts, rows_per_block=7)))
    for rows in (
        cells[::2].X,
        map_rows(cells.X, doubled, dtype=np.float32),
        map_rows(cells.X, shifted, columns={"by": np.arange(40.0)}, dtype=np.float64),
        cells.X.persist(scheduler="synchronous"),
        da.concatenate([cells.X, cells.X]),
    ):
        found = select_columns(rows, POSITIONS)
        assert isinstance(kernel_of(found), ChosenColumns)
        np.testing.assert_array_equal(
            found.compute(scheduler="synchronous").toarray(),
            rows.compute(scheduler="synchronous")[:, CHOSEN].toarray(),
        )


def test_select_columns__has_a_name_that_follows_from_the_choice(counts):
    rows = as_rows(counts)
    assert select_columns(rows, POSITIONS).name == select_columns(rows, POSITIONS.copy()).name
    assert select_columns(rows, POSITIONS).name != select_columns(rows, np.arange(30, dtype=np.int32)).name


def test_select_columns__takes_all_none_and_no_rows(counts):
    rows = as_rows(counts)
    np.testing.assert_array_equal(
        select_columns(rows, np.arange(30, dtype=np.int32)).compute().toarray(), counts.toarray()
    )
    assert select_columns(rows, np.full(30, -1, dtype=np.int32)).compute().shape == (40, 0)
    assert select_columns(as_rows(counts[:0]), POSITIONS).compute().shape == (0, len(CHOSEN))


def test_select_columns__refuses_positions_of_other_columns(counts):
    with pytest.raises(ParameterError, match="one entry for each of the 30 columns"):
        select_columns(as_rows(counts), POSITIONS[:-1])


def test_call_with_columns__is_what_mappings_call(counts):
    normalized = log_normalize(anndata.AnnData(as_rows(counts))).X
    task = normalized.dask.layers[normalized.name].task
    assert task.func is call_with_columns
    assert isinstance(task.kwargs["function"], Selectable)


def test_sum_columns__goes_below_the_normalization_and_has_its_bits(counts):
    cells = log_normalize(anndata.AnnData(as_rows(counts, rows_per_block=7)))
    assert isinstance(kernel_of(cells.X), Summable)
    found = sum_columns(cells.X)
    assert isinstance(found.states.reduction.block, LogScaledSums)
    kept = as_rows(cells.X.compute(), rows_per_block=7)
    np.testing.assert_array_equal(found.compute(), sum_columns(kept).compute())
    assert found.compute()[-1] == 40


def test_sum_columns__adds_up_whatever_the_rows_are(counts):
    rows = map_rows(as_rows(counts, rows_per_block=7), doubled, dtype=np.int32)
    np.testing.assert_array_equal(sum_columns(rows).compute()[:-1], 2 * counts.toarray().sum(axis=0))


def test_weigh_columns__goes_below_the_normalization_and_has_its_bits(counts):
    weights = sp.csr_matrix(np.random.default_rng(3).normal(size=(30, 2)) * (np.arange(30) % 3 == 0)[:, None])
    cells = log_normalize(anndata.AnnData(as_rows(counts, rows_per_block=7)))
    found = weigh_columns(cells.X, weights)
    assert isinstance(kernel_of(found), LogScaledWeightedSums)
    assert found.chunks == ((7, 7, 7, 7, 7, 5), (2,))
    kept = as_rows(cells.X.compute(), rows_per_block=7)
    np.testing.assert_array_equal(found.compute(), weigh_columns(kept, weights).compute())
    np.testing.assert_allclose(found.compute(), cells.X.compute() @ weights.toarray(), rtol=1e-6)


def test_weigh_columns__multiplies_whatever_the_rows_are(counts):
    rows = map_rows(as_rows(counts, rows_per_block=7), doubled, dtype=np.int32)
    np.testing.assert_array_equal(weigh_columns(rows, sp.csr_matrix(np.eye(30))).compute(), 2 * counts.toarray())
