"""One walk over counts: against numpy, whatever is wanted together, compiled and plain."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError
from chemores_dask.kernels import count_walk
from chemores_dask.kernels.count_walk import SMALL_COUNTS, Wanted, walk_counts

CELLS, GENES = 60, 12
MEMBERS = np.random.default_rng(1).random((3, GENES)) < 0.4
GROUPS = np.random.default_rng(2).choice([0, 2, 7], size=CELLS)
BATCHES = np.random.default_rng(3).choice([1, 4], size=CELLS)


def example(seed=0):
    dense = np.random.default_rng(seed).negative_binomial(0.4, 0.02, size=(CELLS, GENES))
    dense[5] = 0
    dense[7, 3] = 2**31 - 1
    block = sp.csr_matrix(dense.astype(np.int32))
    # Zeros that are stored count for nothing.
    block.data[::9] = 0
    return block


def wanted(*, groups=False, logs=False, members=False, batches=False):
    return Wanted(
        gene_groups=MEMBERS if members else None,
        gene_totals=members,
        groups=GROUPS if groups else None,
        target_sum=1e4 if logs else None,
        batches=BATCHES if batches else None,
    )


def expected_sums(dense, groups):
    return np.stack([dense[groups == code].sum(axis=0) for code in np.unique(groups)])


def test_walk_counts__equals_numpy():
    block = example()
    dense = block.toarray().astype(np.int64)
    found = walk_counts(block, wanted(groups=True, logs=True, members=True, batches=True))
    total = dense.sum(axis=1, keepdims=True)
    x = np.log1p(dense * np.divide(1e4, total, out=np.zeros((CELLS, 1)), where=total > 0))
    np.testing.assert_array_equal(found.row_total, total[:, 0])
    np.testing.assert_array_equal(found.row_detected, (dense > 0).sum(axis=1))
    np.testing.assert_array_equal(found.row_group_total, dense @ MEMBERS.T)
    assert found.codes.tolist() == [0, 2, 7]
    np.testing.assert_array_equal(found.cells, np.unique(GROUPS, return_counts=True)[1])
    np.testing.assert_array_equal(found.count_sum, expected_sums(dense, GROUPS))
    np.testing.assert_array_equal(found.detected, expected_sums(dense > 0, GROUPS))
    np.testing.assert_allclose(found.log_sum, expected_sums(x, GROUPS), rtol=1e-13)
    np.testing.assert_allclose(found.log_square_sum, expected_sums(x**2, GROUPS), rtol=1e-13)
    assert found.batch_codes.tolist() == [1, 4]
    for place, code in enumerate(found.batch_codes):
        part = dense[code == BATCHES]
        for count in range(1, SMALL_COUNTS):
            np.testing.assert_array_equal(found.small[place, :, count], (part == count).sum(axis=0))
    rows, genes = np.nonzero(dense >= SMALL_COUNTS)
    keys = ((np.searchsorted([1, 4], BATCHES[rows]) * GENES + genes) << 31) | dense[rows, genes]
    assert sorted(found.large) == sorted(keys)
    assert len(keys) > 30


@pytest.mark.parametrize("choice", list(itertools.product([False, True], repeat=4)))
def test_walk_counts__gives_the_same_bits_whatever_else_is_wanted(choice):
    names = ("groups", "logs", "members", "batches")
    flags = dict(zip(names, choice, strict=True))
    found = walk_counts(example(), wanted(**flags))
    everything = walk_counts(example(), wanted(groups=True, logs=True, members=True, batches=True))
    fields = ["row_total", "row_detected"]
    fields += ["row_group_total"] if flags["members"] else []
    fields += ["small", "batch_cells"] if flags["batches"] else []
    fields += ["count_sum", "detected"] if flags["groups"] else []
    fields += ["log_sum", "log_square_sum"] if flags["groups"] and flags["logs"] else []
    for field in fields:
        np.testing.assert_array_equal(getattr(found, field), getattr(everything, field), err_msg=field)
    if flags["batches"]:
        np.testing.assert_array_equal(np.sort(found.large), np.sort(everything.large))


def test_walk__plain_and_compiled_agree(monkeypatch):
    everything = wanted(groups=True, logs=True, members=True, batches=True)
    compiled = walk_counts(example(seed=4), everything)
    for name in ("walk", "walk_row", "longer_keys", "row_summary", "flush_sums", "flush_logs"):
        monkeypatch.setattr(count_walk, name, getattr(count_walk, name).python)
    monkeypatch.setattr(count_walk, "FIRST_LARGE", 4)
    # Sums and numbers leave their shared 64 bits many times.
    monkeypatch.setattr(count_walk, "LARGEST_SUM", 2**20)
    plain = walk_counts(example(seed=4), everything)
    for field in ("row_total", "row_detected", "row_group_total", "count_sum", "detected", "small", "large"):
        np.testing.assert_array_equal(getattr(compiled, field), getattr(plain, field), err_msg=field)
    for field in ("log_sum", "log_square_sum"):
        np.testing.assert_allclose(getattr(compiled, field), getattr(plain, field), rtol=1e-14)


@pytest.mark.compiled
def test_walk_counts__keeps_sums_and_numbers_apart_in_many_rows_of_large_counts():
    cells = 9000
    block = sp.csr_matrix(np.full((cells, 2), 2**31 - 1, dtype=np.int32))
    found = walk_counts(block, Wanted(gene_totals=True))
    assert found.count_sum.tolist() == [[cells * (2**31 - 1)] * 2]
    assert found.detected.tolist() == [[cells] * 2]


def test_walk_counts__keeps_numbers_apart_in_more_rows_than_their_bits_hold():
    cells = 2**20 + 5
    block = sp.csr_matrix(
        (np.ones(cells, dtype=np.int32), np.zeros(cells, dtype=np.int32), np.arange(cells + 1)), shape=(cells, 1)
    )
    found = walk_counts(block, Wanted(gene_totals=True))
    assert found.count_sum.item() == found.detected.item() == cells


@pytest.mark.parametrize("value", [-1, -(2**31)])
def test_walk_counts__refuses_counts_below_zero(value):
    block = example()
    block.data[40] = value
    with pytest.raises(CountsError, match=f"Found {value}"):
        walk_counts(block, wanted(batches=True, logs=True))


def test_walk_counts__takes_no_rows_and_no_genes():
    everything = wanted(groups=True, logs=True, batches=True)
    nothing = Wanted(groups=GROUPS[:0], target_sum=1.0, batches=BATCHES[:0])
    found = walk_counts(example()[:0], nothing)
    assert found.count_sum.shape == (0, GENES)
    assert found.small.shape == (0, GENES, SMALL_COUNTS)
    found = walk_counts(example()[:, :0], everything)
    assert found.log_sum.shape == (3, 0)
    assert found.row_total.tolist() == [0] * CELLS


def test_joined__wants_what_both_want_or_nothing():
    first = Wanted(groups=GROUPS, target_sum=1e4)
    second = Wanted(gene_groups=MEMBERS, gene_totals=True, batches=BATCHES, groups=GROUPS.copy())
    both = first.joined(second)
    assert both.gene_totals
    assert both.target_sum == 1e4
    assert both.groups is GROUPS
    assert both.batches is BATCHES
    assert both.gene_groups is MEMBERS
    assert first.joined(Wanted(groups=BATCHES)) is None
    assert first.joined(Wanted(target_sum=10.0)) is None


def test_sums__are_not_taken_twice():
    assert Wanted(gene_totals=True).sums
    assert Wanted(groups=GROUPS).sums
    assert not Wanted(gene_totals=True, batches=BATCHES).sums
    assert not Wanted().sums
