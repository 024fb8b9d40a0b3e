"""Sums of ranks: against scipy's ranks of dense values, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from chemores_dask.errors import CountsError, InputError
from chemores_dask.kernels import rank_sums as module
from chemores_dask.kernels.rank_sums import (
    GroupedCells,
    add_counts,
    cell_sums,
    merge_rank_sums,
    rank_genes,
    rank_sums,
    rank_words,
    sort_by_digits,
    sort_by_insertion,
)

GROUPS, PARTS = 3, 2


def grouped(codes):
    codes = np.asarray(codes, dtype=np.int32)
    sizes = np.bincount(codes[codes >= 0] // PARTS, minlength=GROUPS)
    return GroupedCells(codes, GROUPS, PARTS, sizes.astype(np.int64))


def example(cells=400, genes=12, seed=0, left_out=True):
    random = np.random.default_rng(seed)
    rate = random.gamma(0.5, 1.0, size=(genes, 1)) * random.gamma(2.0, 1.0, size=(1, cells))
    counts = random.poisson(rate).astype(np.int32)
    counts[0] = 0
    codes = random.integers(-1 if left_out else 0, GROUPS * PARTS, cells)
    return sp.csr_matrix(counts), grouped(codes)


def normalized(counts, target_sum=1e4):
    dense = counts.toarray().astype(np.float64)
    total = dense.sum(axis=0)
    return np.log1p(dense * np.divide(target_sum, total, out=np.zeros(len(total)), where=total > 0)).astype(np.float32)


def by_scipy(dense, cells):
    """Twice the sums of ranks, ties, detected cells and sums of values, from dense values."""
    known = cells.codes >= 0
    doubled, ties, detected, sums = [], [], [], []
    for gene in dense[:, known].astype(np.float64):
        ranks = rankdata(gene)
        groups = cells.codes[known] // PARTS
        doubled.append([round(2 * ranks[groups == group].sum()) for group in range(GROUPS)])
        detected.append([int((gene[groups == group] > 0).sum()) for group in range(GROUPS)])
        times = np.unique(gene, return_counts=True)[1].astype(np.float64)
        ties.append((times**3 - times).sum())
        sums.append([gene[cells.codes[known] == code].sum() for code in range(GROUPS * PARTS)])
    return np.array(doubled).T, np.array(ties), np.array(detected).T, np.array(sums).T


def assert_equal(found, wanted):
    assert np.array_equal(found.doubled, wanted[0])
    np.testing.assert_allclose(found.ties, wanted[1], rtol=1e-13)
    assert np.array_equal(found.detected, wanted[2])
    np.testing.assert_allclose(found.sums, wanted[3], rtol=1e-12, atol=1e-12)


@pytest.fixture(params=["compiled", "plain"])
def either(request, monkeypatch):
    if request.param == "plain":
        for name in ("rank_genes", "rank_words", "sort_by_digits", "sort_by_insertion", "add_counts"):
            monkeypatch.setattr(module, name, getattr(module, name).python)


def test_rank_sums__equal_ranks_of_dense_counts(either):
    counts, cells = example()
    assert_equal(rank_sums(counts, cells), by_scipy(counts.toarray(), cells))


def test_rank_sums__rank_the_values_of_log_normalization(either):
    counts, cells = example(seed=1)
    totals = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    found = rank_sums(counts, cells, totals=totals, target_sum=1e4)
    assert_equal(found, by_scipy(normalized(counts), cells))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_rank_sums__take_values_of_any_type_as_they_are(dtype):
    counts, cells = example(seed=2)
    values = sp.csr_matrix(normalized(counts)).astype(dtype)
    if dtype == np.float64:
        # Differences that float32 does not see.
        values.data *= 1 + 1e-12 * np.arange(values.nnz)
    assert_equal(rank_sums(values, cells), by_scipy(values.toarray(), cells))


def test_rank_sums__take_stored_zeros_for_zeros(either):
    counts, cells = example(seed=3)
    stored = counts.copy()
    stored.data[::3] = 0
    plain = stored.copy()
    plain.eliminate_zeros()
    first, second = rank_sums(stored, cells), rank_sums(plain, cells)
    assert np.array_equal(first.doubled, second.doubled)
    assert np.array_equal(first.detected, second.detected)


def test_rank_sums__do_not_depend_on_blocks():
    counts, cells = example()
    whole = rank_sums(counts, cells)
    parts = merge_rank_sums(rank_sums(counts[:5], cells), rank_sums(counts[5:], cells))
    for name in ("doubled", "ties", "detected", "sums"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_rank_sums__compiled_and_plain_have_the_same_bits():
    counts, cells = example(60, 5)
    outcomes = []
    for kernel in (rank_genes, rank_genes.python):
        shape = (GROUPS, 5)
        arrays = [np.zeros(shape, dtype=np.int64), np.zeros(5), np.zeros(shape, dtype=np.int64), np.zeros((6, 5))]
        wrong = kernel(
            counts.data, counts.data.view(np.uint32), counts.indices, counts.indptr, cells.codes, PARTS, cells.group_cells, None, 0.0,
            *arrays,
        )  # fmt: skip
        assert wrong == -1
        outcomes.append([array.tobytes() for array in arrays])
    assert outcomes[0] == outcomes[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=300), st.integers(1, 2**32 - 1))
def test_sort_by_digits__sorts_by_the_upper_half_and_keeps_the_order_of_equals(keys, span):
    keys = np.array(keys, dtype=np.uint64) % np.uint64(span)
    words = (keys << np.uint64(32)) | np.arange(len(keys), dtype=np.uint64)
    wanted = np.sort(words)
    if not len(keys):
        return
    lowest, highest = int(keys.min()), int(keys.max())
    for kernel in (sort_by_digits, sort_by_digits.python):
        first, spare = words.copy(), np.empty_like(words)
        moved = kernel(first, spare, len(words), lowest, highest)
        assert np.array_equal(spare if moved else first, wanted)
    inserted = words.copy()
    sort_by_insertion(inserted, len(words))
    assert np.array_equal(inserted, wanted)


def test_sort_by_digits__takes_larger_digits_for_many_values():
    random = np.random.default_rng(1)
    keys = random.integers(0, 2**30, module.MANY + 5, dtype=np.uint64)
    words = keys << np.uint64(32)
    spare = np.empty_like(words)
    moved = sort_by_digits(words, spare, len(words), int(keys.min()), int(keys.max()))
    assert np.array_equal((spare if moved else words) >> np.uint64(32), np.sort(keys))


def test_rank_words__gives_ties_their_mean_rank():
    keys, groups = np.array([4, 7, 7, 9], dtype=np.uint64), np.array([0, 0, 1, 1], dtype=np.uint64)
    for kernel in (rank_words, rank_words.python):
        ranks = np.zeros(2, dtype=np.int64)
        ties = kernel((keys << np.uint64(32)) | groups, 4, 10, ranks)
        # Behind ten zeros: ranks 11, 12.5, 12.5 and 14.
        assert ranks.tolist() == [2 * 11 + 25, 25 + 2 * 14]
        assert ties == 6.0


def test_cell_sums__add_all_genes():
    counts, _ = example()
    assert np.array_equal(cell_sums(counts), counts.toarray().sum(axis=0))
    for kernel in (add_counts, add_counts.python):
        sums = np.zeros(counts.shape[1], dtype=np.int64)
        assert not kernel(counts.data, counts.indices, sums)
        assert np.array_equal(sums, counts.toarray().sum(axis=0))
    counts.data[3] = -1
    with pytest.raises(CountsError, match="Found -1"):
        cell_sums(counts)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_rank_sums__refuse_values_that_have_no_place(wrong):
    counts, cells = example()
    values = counts.astype(np.float32)
    values.data[7] = wrong
    with pytest.raises(InputError, match=r"finite and not below zero. Found -?(1\.0|nan|inf)"):
        rank_sums(values, cells)
    with pytest.raises(CountsError, match="Counts must be whole"):
        rank_sums(values, cells, totals=np.ones(counts.shape[1]), target_sum=1e4)


def test_rank_sums__refuse_a_count_above_its_total():
    counts, cells = example(left_out=False)
    for totals in (np.zeros(counts.shape[1]), np.full(counts.shape[1], 0.5)):
        with pytest.raises(CountsError, match="above the total of its cell"):
            rank_sums(counts, cells, totals=totals, target_sum=1e4)


def test_rank_sums__know_genes_without_counts_and_with_one_value():
    cells = grouped([0, 2, 4, 1])
    found = rank_sums(sp.csr_matrix(np.array([[0, 0, 0, 0], [3, 3, 3, 3]], dtype=np.int32)), cells)
    assert found.doubled.tolist() == [[10, 10], [5, 5], [5, 5]]
    assert found.ties.tolist() == [60.0, 60.0]
    assert found.detected.tolist() == [[0, 2], [0, 1], [0, 1]]


def test_rank_sums__of_no_genes_are_empty():
    cells = grouped([0, 2])
    assert rank_sums(sp.csr_matrix((0, 2), dtype=np.int32), cells).doubled.shape == (GROUPS, 0)
