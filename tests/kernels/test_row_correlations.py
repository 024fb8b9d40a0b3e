"""Rank correlations of sparse rows with weights, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import spearmanr

import chemores_dask.kernels.row_correlations as module
from chemores_dask.errors import InputError
from chemores_dask.kernels.row_correlations import RankedWeights, correlate_rows, row_rank_correlations

GENES = 80


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def _kernel(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(module, "correlate_rows", correlate_rows.python)


@pytest.fixture
def dense():
    generator = np.random.default_rng(8)
    matrix = generator.poisson(0.4, (15, GENES)).astype(float)
    matrix[2] -= 2
    matrix[3] = generator.normal(size=GENES)
    return matrix


@pytest.mark.parametrize("digits", [0, 1, 12])
def test_row_rank_correlations__equal_scipy(dense, digits):
    generator = np.random.default_rng(digits)
    columns = generator.choice(GENES, 50, replace=False)
    weights = generator.normal(size=50).round(digits)
    found = row_rank_correlations(sp.csr_matrix(dense), RankedWeights.from_weights(columns, weights, width=GENES))
    expected = [spearmanr(row[columns], weights).statistic for row in dense]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_row_rank_correlations__reach_both_ends_and_not_beyond():
    weights = RankedWeights.from_weights(np.arange(GENES), np.arange(GENES) - 3.0, width=GENES)
    rows = sp.csr_matrix(np.array([np.arange(GENES), -np.arange(GENES)], dtype=float))
    np.testing.assert_array_equal(row_rank_correlations(rows, weights), [1.0, -1.0])


def test_row_rank_correlations__of_equal_values_are_missing(dense):
    dense[5, :10] = 0
    dense[6, :10] = 4
    weights = RankedWeights.from_weights(np.arange(10), np.arange(10.0), width=GENES)
    found = row_rank_correlations(sp.csr_matrix(dense[5:7]), weights)
    assert np.isnan(found).all()
    level = RankedWeights.from_weights(np.arange(10), np.ones(10), width=GENES)
    assert np.isnan(row_rank_correlations(sp.csr_matrix(dense), level)).all()


def test_row_rank_correlations__looks_at_genes_with_weights_only(dense):
    weights = RankedWeights.from_weights(np.arange(10), np.arange(10.0), width=GENES)
    expected = row_rank_correlations(sp.csr_matrix(dense), weights)
    dense[:, 40] = np.nan
    np.testing.assert_array_equal(row_rank_correlations(sp.csr_matrix(dense), weights), expected)
    dense[4, 3] = np.nan
    with pytest.raises(InputError, match="Row 4 of a block"):
        row_rank_correlations(sp.csr_matrix(dense), weights)
