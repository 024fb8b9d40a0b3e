"""Quasi-likelihood scans, compiled and plain; ``test_differential_expression`` holds them against edgeR."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from chemores_dask.kernels.quasi_columns import (
    average_log_cpm,
    profile_dispersions,
    scan_average,
    scan_quasi,
)

GROUP = np.repeat(np.arange(4), 2)
STAGE = np.tile([0.0, 1.0], 4)[:, None]


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(1).negative_binomial(4, 0.05, (4, 8)).astype(float)


def test_average_log_cpm__solves_its_equation():
    counts, library = np.array([3.0, 0.0, 12.0]), np.array([1e5, 2e5, 1.5e5])
    prior = 2 * library / library.mean()

    def slope(rate):
        mean = np.exp(rate) * (library + 2 * prior)
        return ((counts + prior - mean) / (1 + 0.3 * mean)).sum()

    expected = (brentq(slope, -30, 0, xtol=1e-13) + np.log(1e6)) / np.log(2)
    assert average_log_cpm(counts, library, 0.3) == pytest.approx(expected, rel=1e-10)
    assert average_log_cpm.python(counts, library, 0.3) == pytest.approx(expected, rel=1e-10)


def test_scan_average__gives_totals_too(counts):
    averages, totals = scan_average(counts, counts.sum(axis=0), 0.1)
    np.testing.assert_array_equal(totals, counts.sum(axis=1))
    np.testing.assert_allclose(scan_average.python(counts, counts.sum(axis=0), 0.1)[0], averages, rtol=1e-12)


def test_profile_dispersions__peaks_where_counts_were_drawn():
    rng = np.random.default_rng(2)
    patients, dispersion = 40, 0.25
    group, stage = np.repeat(np.arange(patients), 2), np.tile([0.0, 1.0], patients)[:, None]
    mean = 100 * rng.lognormal(0, 0.5, (60, patients))[:, group]
    counts = rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean)).astype(float)
    grid = 0.1 * 2 ** np.linspace(-3, 4, 29)
    found = profile_dispersions(counts, np.ones(2 * patients), group, patients, stage, grid)
    # Without the adjustment the maximum would lie near one half of it: half of the samples pay for the patients.
    assert grid[np.argmax(found.sum(axis=0))] == pytest.approx(dispersion, rel=0.15)


def test_profile_dispersions__is_the_same_in_plain_python(counts):
    grid = np.array([0.01, 0.1, 1.0])
    shared = (counts.sum(axis=0), GROUP, 4, STAGE, grid)
    np.testing.assert_allclose(
        profile_dispersions.python(counts[:2], *shared), profile_dispersions(counts[:2], *shared), rtol=1e-10
    )


def test_scan_quasi__is_the_same_in_plain_python(counts):
    shared = (counts.sum(axis=0), GROUP, 4, STAGE, 5, np.ones(1), np.empty((8, 0)), 0.2, np.zeros(1), np.log([0.2]))
    counts = counts.copy()
    counts[1, :2] = 0
    for plain, compiled in zip(scan_quasi.python(counts, *shared), scan_quasi(counts, *shared), strict=True):
        np.testing.assert_allclose(plain, compiled, rtol=1e-7, atol=1e-9)
    assert scan_quasi(counts, *shared)[6].tolist() == [3, 2, 3, 3]


def test_scan_quasi__answers_for_genes_without_counts():
    shared = (np.full(8, 1e6), GROUP, 4, STAGE, 5, np.ones(1), np.empty((8, 0)), 0.2, np.zeros(1), np.log([0.2]))
    found = [values[0] for values in scan_quasi(np.zeros((1, 8)), *shared)]
    assert np.isfinite(found).all()
    assert found[5] == 0
    assert found[6] == 0
