"""Ranks of many genes against SciPy, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chemores_dask.kernels.rank_columns import (
    CONSTANT,
    INFINITE,
    OK,
    ONE_RESPONSE,
    TOO_FEW_PATIENTS,
    associate_ranks,
    hold_ranks,
    response_ranks,
)


def simulated(genes=12, patients=30, levels=3):
    generator = np.random.default_rng(1)
    matrix = np.round(generator.normal(size=(genes, patients)), 1)
    matrix[generator.random(matrix.shape) < 0.1] = np.nan
    matrix[0] = generator.normal(size=patients)
    return matrix, generator.permutation(np.arange(patients) % levels).astype(np.int64)


@pytest.mark.parametrize("levels", [2, 3, 30])
def test_associate_ranks__equals_scipy(levels):
    matrix, codes = simulated(levels=levels)
    rho, rank_sum, ties, log_share, patients, highest, status = associate_ranks(matrix, codes, levels)
    assert (status == OK).all()
    for gene, row in enumerate(matrix):
        known = ~np.isnan(row)
        assert rho[gene] == pytest.approx(stats.spearmanr(row[known], codes[known]).statistic, abs=1e-12)
        ranks = stats.rankdata(row[known])
        assert rank_sum[gene] == ranks[codes[known] == levels - 1].sum()
        counts = np.unique(row[known], return_counts=True)[1].astype(float)
        assert ties[gene] == (counts**3 - counts).sum()
        assert (patients[gene], highest[gene]) == (known.sum(), (codes[known] == levels - 1).sum())
        if levels == 2:
            inside = int(highest[gene])
            arrangements = np.exp(-log_share[gene])
            assert arrangements == pytest.approx(
                np.prod([(patients[gene] - k) / (k + 1) for k in range(inside)]), rel=1e-9
            )


def test_associate_ranks__flags_what_cannot_be_ranked():
    nothing = np.nan
    matrix = np.array(
        [
            [1.0, 1.0, 1.0, 1.0],
            [1.0, 2.0, nothing, nothing],
            [1.0, 2.0, 3.0, np.inf],
            [-np.inf, 2.0, 3.0, 1.0],
            [1.0, 2.0, 4.0, nothing],
            [nothing] * 4,
            [1.0, 2.0, 4.0, 3.0],
        ]
    )
    codes = np.array([0, 0, 0, 1])
    expected = [CONSTANT, TOO_FEW_PATIENTS, INFINITE, INFINITE, ONE_RESPONSE, TOO_FEW_PATIENTS, OK]
    rho, *_, status = associate_ranks(matrix, codes, 2)
    assert status.tolist() == expected
    assert np.isfinite(rho).tolist() == [False] * 6 + [True]
    arrays = [np.full(7, np.nan) for _ in range(4)] + [np.zeros(7, dtype=np.int64) for _ in range(3)]
    hold_ranks.python(matrix, np.argsort(matrix, axis=1), codes, 2, *arrays)
    assert arrays[-1].tolist() == expected


def test_hold_ranks__compiled_and_plain_agree():
    matrix, codes = simulated()
    found = []
    for function in (hold_ranks, hold_ranks.python):
        arrays = [np.full(len(matrix), np.nan) for _ in range(4)] + [
            np.zeros(len(matrix), dtype=np.int64) for _ in range(3)
        ]
        function(matrix, np.argsort(matrix, axis=1), codes, 3, *arrays)
        found.append(arrays)
    for first, second in zip(*found, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-13)


@pytest.mark.parametrize("function", [response_ranks, response_ranks.python])
def test_response_ranks__are_those_of_ties_about_their_mean(function):
    ranks = np.empty(3)
    squares, log_share = function(np.array([2, 0, 3]), ranks)
    expected = stats.rankdata([0, 0, 2, 2, 2]) - 3
    assert ranks[[0, 2]].tolist() == [expected[0], expected[-1]]
    assert squares == (expected**2).sum()
    assert np.exp(log_share) == pytest.approx(1 / 10)
