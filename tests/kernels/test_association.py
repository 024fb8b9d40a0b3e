from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.contingency import association, chi2_contingency

from chemores_dask.kernels.association import cramers_v, goodman_kruskal_tau


@pytest.mark.parametrize("seed", range(6))
def test_cramers_v__follows_bergsma_on_the_chi_square_of_scipy(seed):
    table = np.random.default_rng(seed).integers(1, 30, size=(2 + seed % 3, 4))
    n, (rows, columns) = table.sum(), table.shape
    phi = max(0.0, chi2_contingency(table, correction=False).statistic / n - (rows - 1) * (columns - 1) / (n - 1))
    fewer = [size - (size - 1) ** 2 / (n - 1) for size in (rows, columns)]
    assert cramers_v(table) == pytest.approx(np.sqrt(phi / (min(fewer) - 1)), rel=1e-12)


def test_cramers_v__comes_to_that_of_scipy_in_a_large_table():
    table = np.random.default_rng(1).integers(1, 30, size=(3, 4)) * 10_000
    assert cramers_v(table) == pytest.approx(association(table, method="cramer"), rel=1e-3)


def test_cramers_v__is_near_zero_by_chance_where_the_plain_one_is_not():
    generator = np.random.default_rng(7)
    corrected, plain = [], []
    for _ in range(300):
        table = np.zeros((5, 4))
        np.add.at(table, (generator.integers(0, 5, 40), generator.integers(0, 4, 40)), 1)
        corrected.append(cramers_v(table) ** 2)
        plain.append(association(table.astype(int), method="cramer") ** 2)
    assert np.mean(corrected) < 0.025
    assert np.mean(plain) > 0.08


def test_cramers_v__of_relapse_type_and_batch_by_hand():
    # 13 patients: old batch 5 type-2; new batch 3 type-2, 5 type-1. phi^2 = 25^2 / (5 8 8 5) = 0.390625.
    phi, n = 625 / 1600, 13
    assert cramers_v(np.array([[5, 0], [3, 5]])) == pytest.approx(np.sqrt((phi - 1 / 12) / (1 - 1 / (n - 1))))


@pytest.mark.parametrize("table", [[[4, 0], [0, 4]], [[9, 0, 0], [0, 3, 0], [0, 0, 5]]])
def test_cramers_v__is_one_where_one_tells_the_other(table):
    assert cramers_v(np.array(table)) == pytest.approx(1.0)
    assert goodman_kruskal_tau(np.array(table)) == pytest.approx(1.0)


@pytest.mark.parametrize("table", [[[3, 4]], [[1], [2]], [[0, 0], [3, 4]], np.eye(3), [[1, 0], [0, 0]]])
def test_cramers_v__is_unknown_where_there_is_nothing_to_tell(table):
    assert np.isnan(cramers_v(np.array(table)))


def test_goodman_kruskal_tau__is_the_share_of_wrong_guesses_saved():
    # Guesses drawn by the shares of the columns: errors counted by hand over all pairs of truth and guess.
    table = np.array([[6, 2, 1], [1, 5, 3]])
    shares = table / table.sum()
    column = shares.sum(axis=0)
    blind = sum(column[truth] * column[guess] for truth in range(3) for guess in range(3) if truth != guess)
    told = sum(
        shares[row, truth] * shares[row, guess] / shares[row].sum()
        for row in range(2)
        for truth in range(3)
        for guess in range(3)
        if truth != guess
    )
    assert goodman_kruskal_tau(table) == pytest.approx(1 - told / blind)


def test_goodman_kruskal_tau__has_a_direction():
    table = np.array([[3, 0], [2, 0], [0, 5]])
    assert goodman_kruskal_tau(table) == pytest.approx(1.0)
    assert goodman_kruskal_tau(table.T) < 0.8
    assert np.isnan(goodman_kruskal_tau(np.array([[3], [4]])))
    assert goodman_kruskal_tau(np.array([[2, 2], [5, 5]])) == pytest.approx(0.0)
