"""Rows as blocks, and functions of one block."""

from __future__ import annotations

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from dask.sizeof import sizeof

from chemores_dask.errors import InputError, ParameterError
from chemores_dask.stream.rows import as_csr, as_rows, map_rows, row_columns


@dataclass(frozen=True)
class Scaled:
    factor: float

    def __call__(self, rows, columns):
        return rows.multiply(columns["weight"][:, None] * self.factor).tocsr()


def row_sums(rows, columns):
    return np.asarray(rows.sum(axis=1))


def dense_rows(cells=23, genes=6):
    return np.random.default_rng(0).poisson(0.7, (cells, genes))


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.csc_array, np.asarray])
@pytest.mark.parametrize("rows_per_block", [None, 1, 7, 23, 100])
def test_as_rows__holds_the_same_matrix(kind, rows_per_block):
    rows = as_rows(kind(dense_rows()), rows_per_block=rows_per_block)
    assert rows.numblocks[1] == 1
    assert max(rows.chunks[0]) <= (rows_per_block or 23)
    np.testing.assert_array_equal(rows.compute().toarray(), dense_rows())


def test_as_rows__of_no_rows_is_one_empty_block():
    assert as_rows(sp.csr_matrix((0, 6))).chunks == ((0,), (6,))


def test_as_rows__leaves_a_lazy_matrix_as_it_is():
    lazy = da.from_array(dense_rows(), chunks=(5, 6))
    assert as_rows(lazy) is lazy


def test_as_rows__has_a_lasting_name():
    assert as_rows(dense_rows()).name == as_rows(dense_rows()).name
    assert as_rows(dense_rows()).name != as_rows(dense_rows() + 1).name


def test_as_rows__refuses_what_is_not_made_of_whole_rows():
    with pytest.raises(InputError, match="Got 3 column blocks; rechunk"):
        as_rows(da.zeros((10, 6), chunks=(5, 2)))
    unknown = da.zeros((10, 6), chunks=(5, 6))
    with pytest.raises(InputError, match="compute_chunk_sizes"):
        as_rows(unknown[unknown[:, 0] == 0])
    with pytest.raises(InputError, match="Got 1 dimensions"):
        as_rows(da.zeros(10))
    with pytest.raises(InputError, match="Got 3 dimensions"):
        as_rows(np.zeros((2, 2, 2)))
    with pytest.raises(ParameterError, match="'rows_per_block'"):
        as_rows(dense_rows(), rows_per_block=0)


def test_map_rows__hands_over_columns_cut_along_with_the_rows():
    rows, weight = as_rows(dense_rows(), rows_per_block=4), np.arange(23.0)
    mapped = map_rows(rows, Scaled(2.0), columns={"weight": weight}, dtype=np.float64)
    assert mapped.chunks == rows.chunks
    np.testing.assert_array_equal(mapped.compute().toarray(), dense_rows() * weight[:, None] * 2)


def test_map_rows__makes_dense_results_of_a_width():
    rows = as_rows(dense_rows(), rows_per_block=4)
    sums = map_rows(rows, row_sums, width=1, dtype=np.int64)
    assert sums.shape == (23, 1)
    np.testing.assert_array_equal(sums.compute(), dense_rows().sum(axis=1, keepdims=True))


def test_map_rows__takes_ragged_and_empty_blocks():
    rows = da.from_array(dense_rows(), chunks=((3, 0, 19, 1), 6)).map_blocks(sp.csr_matrix)
    np.testing.assert_array_equal(
        map_rows(rows, row_sums, width=1, dtype=np.int64).compute()[:, 0], dense_rows().sum(axis=1)
    )


def test_map_rows__and_reading_become_one_task_per_block():
    rows = as_rows(dense_rows(), rows_per_block=4)
    (mapped,) = dask.optimize(map_rows(rows, row_sums, width=1, dtype=np.int64))
    keys = [key for key in mapped.__dask_graph__() if isinstance(key, tuple)]
    assert len(keys) == rows.numblocks[0]


def test_row_columns__make_one_number_for_all_rows_in_the_tasks():
    rows = as_rows(dense_rows(23), rows_per_block=5)
    cut = row_columns(rows, {"same": np.broadcast_to(np.float64(0.25), (23, 1)), "flat": np.broadcast_to(7, 23)})
    assert cut["same"].compute().tolist() == [[0.25]] * 23
    assert cut["flat"].compute().tolist() == [[7]] * 23
    assert cut["flat"].chunks[0] == rows.chunks[0]
    assert not any(isinstance(task, np.ndarray) for task in dict(cut["same"].dask).values())


def test_row_columns__keep_matrices_and_refuse_other_lengths():
    rows = as_rows(dense_rows(), rows_per_block=10)
    cut = row_columns(rows, {"scores": np.ones((23, 3))})
    assert cut["scores"].chunks == ((10, 10, 3), (3,))
    assert row_columns(as_rows(dense_rows(0)), {"codes": np.zeros(0)})["codes"].shape == (0, 1)
    with pytest.raises(InputError, match="'short' has 5 entries for 23 rows"):
        row_columns(rows, {"short": np.ones(5)})


def test_as_csr__sorts_and_sums_without_changing_its_input():
    messy = sp.csr_matrix((np.array([1, 2, 3]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3))
    clean = as_csr(messy)
    assert clean.has_canonical_format
    assert clean.toarray().tolist() == [[2, 0, 4]]
    assert messy.data.tolist() == [1, 2, 3]
    assert isinstance(as_csr(sp.csc_array(np.eye(2))), sp.csr_matrix)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
def test_sizeof__sees_the_arrays_of_a_sparse_array(kind):
    array = kind(sp.random(1000, 1000, density=0.1, format="csr", random_state=0))
    held = array.data.nbytes
    assert held * 1.4 <= sizeof(array) <= held * 2.2
