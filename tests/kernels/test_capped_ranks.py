"""Capped sums of ranks: against scipy's ranks, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata

from chemores_dask.errors import InputError
from chemores_dask.kernels.capped_ranks import add_capped_ranks, capped_rank_sums
from chemores_dask.kernels.row_ranks import rank_space
from chemores_dask.kernels.set_ranks import SetColumns, longest_row

COLUMNS = [np.array([0, 4, 7]), np.array([], dtype=np.int64), np.array([7, 2, 11, 3]), np.array([5])]
WIDTH = 12


def rows_of(kind: str) -> sp.csr_matrix:
    generator = np.random.default_rng(3)
    dense = generator.poisson(0.7, (9, WIDTH)).astype(np.int32)
    dense[4] = 0
    if kind == "counts":
        return sp.csr_matrix(dense)
    if kind == "explicit zeros":
        return sp.csr_matrix((dense.ravel(), np.tile(np.arange(WIDTH), 9), np.arange(0, 9 * WIDTH + 1, WIDTH)))
    if kind == "logarithms":
        return sp.csr_matrix(np.log1p(dense).astype(np.float32))
    if kind == "below zero":
        return sp.csr_matrix(dense - 1.5 * (dense == 1))
    return sp.csr_matrix(generator.normal(size=(9, WIDTH)))


def expected_sums(rows: sp.csr_matrix, maximum_rank: int) -> np.ndarray:
    ranks = np.minimum(rankdata(-rows.toarray(), axis=1), maximum_rank)
    return np.column_stack([ranks[:, columns].sum(axis=1) for columns in COLUMNS])


@pytest.mark.parametrize("maximum_rank", [1, 4, 12, 100])
@pytest.mark.parametrize("kind", ["counts", "explicit zeros", "logarithms", "below zero", "dense"])
def test_capped_rank_sums__equal_ranks_of_scipy(kind, maximum_rank):
    rows = rows_of(kind)
    sets = SetColumns.from_lists(COLUMNS, width=WIDTH)
    found = capped_rank_sums(rows, sets, maximum_rank=maximum_rank)
    np.testing.assert_array_equal(found, expected_sums(rows, maximum_rank))


@pytest.mark.parametrize("kind", ["counts", "below zero"])
def test_add_capped_ranks__agrees_with_its_plain_twin(kind):
    rows = rows_of(kind)
    sets = SetColumns.from_lists(COLUMNS, width=WIDTH)
    sums = np.zeros((9, 4))
    space = rank_space(longest_row(rows))
    arguments = (rows.data, rows.indices, rows.indptr, WIDTH, (sets.starts, sets.members, sets.sizes), 6.0, space, sums)
    assert add_capped_ranks.python(*arguments) == -1
    np.testing.assert_array_equal(sums, capped_rank_sums(rows, sets, maximum_rank=6))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_capped_rank_sums__refuse_what_cannot_be_ranked(value):
    rows = rows_of("logarithms")
    rows.data[5] = value
    sets = SetColumns.from_lists(COLUMNS, width=WIDTH)
    with pytest.raises(InputError, match="missing or infinite"):
        capped_rank_sums(rows, sets, maximum_rank=6)
    space = rank_space(longest_row(rows))
    arguments = (rows.data, rows.indices, rows.indptr, WIDTH, (sets.starts, sets.members, sets.sizes), 6.0, space)
    row = int(np.searchsorted(rows.indptr, 5, side="right")) - 1
    assert add_capped_ranks.python(*arguments, np.zeros((9, 4))) == row
