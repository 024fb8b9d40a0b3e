"""Quasi-likelihood on tables in memory; ``test_differential_expression`` holds it against edgeR."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.differential.quasi_likelihood import (
    GRID,
    DispersionTrend,
    dispersion_trend,
    grid_maximum,
    quasi_tests,
)
from tests.cohort.differential.simulated_samples import paired
from tests.cohort.differential.test_voom import _model


def test_dispersion_trend__finds_what_was_simulated():
    data = paired(patients=15, genes=400, dispersion=0.2, mean=300, seed=4)
    counts = data["pseudobulk_count"].values
    trend = dispersion_trend(counts, counts.sum(axis=1).astype(float), _model(data))
    assert trend.common == pytest.approx(0.2, rel=0.15)
    assert np.exp(np.median(trend.log_dispersion)) == pytest.approx(0.2, rel=0.2)
    assert (np.diff(trend.average) >= 0).all()


def test_dispersion_trend__of_some_of_the_genes_is_nearly_that_of_all(monkeypatch):
    data = paired(patients=10, genes=400, dispersion=0.2, mean=300, seed=5)
    counts = data["pseudobulk_count"].values
    library = counts.sum(axis=1).astype(float)
    whole = quasi_tests(counts, library, _model(data), robust=False)
    monkeypatch.setattr("chemores_dask.cohort.differential.quasi_likelihood.TREND_GENES", 100)
    some = quasi_tests(counts, library, _model(data), robust=False)
    # The quasi-dispersion makes up for what the trend misses.
    assert np.abs(np.log10(some.p_value / whole.p_value)).max() < 0.15


def test_grid_maximum__finds_peaks_between_and_at_the_ends_of_the_grid():
    curves = np.array([-((GRID - 1.3) ** 2), -np.abs(GRID + 10), GRID, -((GRID + 4) ** 2)])
    np.testing.assert_allclose(grid_maximum(curves), [1.3, -10, 10, -4], atol=1e-8)


def test_quasi_tests__never_vary_less_than_counting_does():
    rng = np.random.default_rng(6)
    data = paired(patients=8, genes=300)
    counts = rng.poisson(100, data["pseudobulk_count"].shape)
    tests = quasi_tests(counts, counts.sum(axis=1).astype(float), _model(data), robust=False)
    assert (tests.p_value < 0.05).mean() < 0.08


def test_quasi_tests__use_a_trend_that_is_given():
    data = paired(patients=5, genes=60)
    counts = data["pseudobulk_count"].values
    library = counts.sum(axis=1).astype(float)
    trend = DispersionTrend(0.1, np.array([0.0, 20.0]), np.log([0.3, 0.3]))
    tests = quasi_tests(counts, library, _model(data), robust=False, trend=trend)
    np.testing.assert_allclose(tests.dispersion, 0.3)
