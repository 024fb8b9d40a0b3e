"""Sums of ranks of the genes of sets, against scipy on dense rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata

import chemores_dask.kernels.set_ranks as module
from chemores_dask.errors import InputError
from chemores_dask.kernels.set_ranks import SetColumns, add_set_ranks, longest_row, refuse_broken_row, set_rank_sums

GENES = 40
SETS = [np.array([3, 0, 17]), np.array([], dtype=int), np.arange(10, 30), np.array([17])]


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def _kernel(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(module, "add_set_ranks", add_set_ranks.python)


@pytest.fixture
def dense():
    generator = np.random.default_rng(4)
    matrix = generator.poisson(0.5, (12, GENES)).astype(float)
    matrix[3] = 0
    matrix[4] -= 1
    matrix[5] = generator.normal(size=GENES)
    return matrix


@pytest.mark.parametrize("lowest", [True, False])
@pytest.mark.parametrize("exponent", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_set_rank_sums__equal_sums_of_dense_ranks(dense, lowest, exponent, dtype):
    dense = dense.astype(dtype)
    sums = set_rank_sums(
        sp.csr_matrix(dense), SetColumns.from_lists(SETS, width=GENES), exponent=exponent, lowest=lowest
    )
    ranks = rankdata(dense.astype(np.float64), axis=1, method="min" if lowest else "average")
    for number, genes in enumerate(SETS):
        of_set = ranks[:, genes]
        np.testing.assert_allclose(sums.ranks[:, number], of_set.sum(axis=1), rtol=1e-14)
        np.testing.assert_allclose(sums.powers[:, number], (of_set**exponent).sum(axis=1), rtol=1e-13)
        np.testing.assert_allclose(sums.weighted[:, number], (of_set ** (1 + exponent)).sum(axis=1), rtol=1e-13)


def test_set_rank_sums__takes_stored_zeros_for_zeros(dense):
    sets = SetColumns.from_lists(SETS, width=GENES)
    stored = sp.csr_matrix(np.ones_like(dense))
    stored.data[:] = dense.ravel()
    assert stored.nnz > sp.csr_matrix(dense).nnz
    for ours, theirs in zip(
        set_rank_sums(stored, sets, exponent=0.25, lowest=False),
        set_rank_sums(sp.csr_matrix(dense), sets, exponent=0.25, lowest=False),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_set_rank_sums__of_no_rows_is_empty():
    sets = SetColumns.from_lists(SETS, width=GENES)
    assert set_rank_sums(sp.csr_matrix((0, GENES)), sets, exponent=1.0, lowest=True).ranks.shape == (0, 4)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_set_rank_sums__refuses_values_that_have_no_rank(dense, wrong):
    dense[7, 39] = wrong
    with pytest.raises(InputError, match="Row 7 of a block"):
        set_rank_sums(sp.csr_matrix(dense), SetColumns.from_lists(SETS, width=GENES), exponent=1.0, lowest=True)


def test_set_columns__turn_lists_around():
    sets = SetColumns.from_lists([np.array([2, 0]), np.array([2])], width=4)
    members = [sets.members[sets.starts[column] : sets.starts[column + 1]].tolist() for column in range(4)]
    assert members == [[0], [], [0, 1], []]
    assert sets.sizes.tolist() == [2, 1]
    assert SetColumns.from_lists([], width=3).starts.tolist() == [0, 0, 0, 0]


def test_longest_row__counts_stored_values(dense):
    assert longest_row(sp.csr_matrix(dense)) == int((dense != 0).sum(axis=1).max())
    assert longest_row(sp.csr_matrix((0, 3))) == 0


def test_refuse_broken_row__lets_good_rows_pass():
    refuse_broken_row(-1)
