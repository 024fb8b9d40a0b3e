"""Rank correlations of sparse rows with weights, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import spearmanr

import chemores_dask.kernels.row_correlations as module
from chemores_dask.errors import InputError
from chemores_dask.kernels.row_correlations import RankedWeights, correlate_rows, correlate_set, row_rank_correlations

GENES = 80


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def _kernel(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(module, "correlate_rows", correlate_rows.python)
        monkeypatch.setattr(module, "correlate_set", correlate_set.python)


@pytest.fixture
def dense():
    generator = np.random.default_rng(8)
    matrix = generator.poisson(0.4, (15, GENES)).astype(float)
    matrix[2] -= 2
    matrix[3] = generator.normal(size=GENES)
    return matrix


def one_set(weights):
    """Weights of the first genes."""
    return RankedWeights.from_weights([(np.arange(len(weights)), weights)], width=GENES)


def test_row_rank_correlations__of_a_set_do_not_hang_on_other_sets(dense):
    first, second = (np.arange(30), np.arange(30.0)), (np.arange(20, 60), np.cos(np.arange(40)))
    rows = sp.csr_matrix(dense)
    both = row_rank_correlations(rows, RankedWeights.from_weights([first, second], width=GENES))
    for number, chosen in enumerate((first, second)):
        alone = row_rank_correlations(rows, RankedWeights.from_weights([chosen], width=GENES))
        np.testing.assert_array_equal(both[:, number], alone[:, 0])


@pytest.mark.parametrize("digits", [0, 1, 12])
def test_row_rank_correlations__equal_scipy(dense, digits):
    generator = np.random.default_rng(digits)
    sets = [
        (generator.choice(GENES, size, replace=False), generator.normal(size=size).round(digits))
        for size in (50, 12, 80)
    ]
    found = row_rank_correlations(sp.csr_matrix(dense), RankedWeights.from_weights(sets, width=GENES))
    for number, (columns, weights) in enumerate(sets):
        known = [np.ptp(row[columns]) > 0 and np.ptp(weights) > 0 for row in dense]
        assert sum(known) > 10
        expected = [
            spearmanr(row[columns], weights).statistic if k else np.nan for row, k in zip(dense, known, strict=True)
        ]
        np.testing.assert_allclose(found[:, number], expected, rtol=0, atol=1e-13)


def test_row_rank_correlations__reach_both_ends_and_not_beyond():
    weights = one_set(np.arange(GENES) - 3.0)
    rows = sp.csr_matrix(np.array([np.arange(GENES), -np.arange(GENES)], dtype=float))
    np.testing.assert_allclose(row_rank_correlations(rows, weights)[:, 0], [1.0, -1.0], rtol=1e-15)


def test_row_rank_correlations__of_equal_values_are_missing(dense):
    dense[5, :10] = 0
    dense[6, :10] = 4
    weights = one_set(np.arange(10.0))
    found = row_rank_correlations(sp.csr_matrix(dense[5:7]), weights)
    assert np.isnan(found).all()
    level = one_set(np.ones(10))
    assert np.isnan(row_rank_correlations(sp.csr_matrix(dense), level)).all()


def test_row_rank_correlations__looks_at_genes_with_weights_only(dense):
    weights = one_set(np.arange(10.0))
    expected = row_rank_correlations(sp.csr_matrix(dense), weights)
    dense[:, 40] = np.nan
    np.testing.assert_array_equal(row_rank_correlations(sp.csr_matrix(dense), weights), expected)
    dense[4, 3] = np.nan
    with pytest.raises(InputError, match="Row 4 of a block"):
        row_rank_correlations(sp.csr_matrix(dense), weights)
