"""Kernels of voom against numpy, compiled and plain; ``test_differential_expression`` holds them against limma."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.voom_columns import (
    log_counts_per_million,
    scan_directions,
    scan_means,
    scan_voom,
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    counts = rng.poisson(30, (5, 8)).astype(float)
    group, stage = np.repeat(np.arange(4), 2), np.tile([0.0, 1.0], 4)[:, None]
    return counts, counts.sum(axis=0) * 100, group, stage


def _design(group, stage):
    return np.column_stack([np.eye(4)[group], stage])


def test_log_counts_per_million__is_the_formula():
    found = log_counts_per_million(np.array([0.0, 9.5]), np.array([999.0, 999.0]))
    np.testing.assert_allclose(found, np.log2([500, 10_000]))
    np.testing.assert_allclose(log_counts_per_million.python(np.array([3.0]), np.array([9.0])), np.log2(3.5 / 10 * 1e6))


@pytest.mark.parametrize("kernel", [scan_means, scan_means.python])
def test_scan_means__equals_numpy(data, kernel):
    counts, library, group, stage = data
    means, deviations = kernel(counts, library, group, 4, stage, 5)
    y = np.log2((counts + 0.5) / (library + 1) * 1e6)
    design = _design(group, stage)
    residuals = y.T - design @ np.linalg.lstsq(design, y.T, rcond=None)[0]
    np.testing.assert_allclose(means, y.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(deviations, np.sqrt((residuals**2).sum(axis=0) / 3), rtol=1e-9)


@pytest.mark.parametrize("kernel", [scan_voom, scan_voom.python])
def test_scan_voom__equals_weighted_least_squares(data, kernel):
    counts, library, group, stage = data
    trend = np.array([0.0, 10.0]), np.array([1.2, 0.4])
    effect, unscaled, variance = kernel(counts, library, group, 4, stage, 5, np.ones(1), *trend)
    design, y = _design(group, stage), np.log2((counts[0] + 0.5) / (library + 1) * 1e6)
    expected = design @ np.linalg.lstsq(design, y, rcond=None)[0] + np.log2((library + 1) / 1e6)
    weights = np.interp(expected, *trend) ** -4
    products = np.linalg.inv((design.T * weights) @ design)
    beta = products @ (design.T * weights) @ y
    assert effect[0] == pytest.approx(beta[-1], rel=1e-9)
    assert unscaled[0] == pytest.approx(products[-1, -1], rel=1e-9)
    assert variance[0] == pytest.approx((weights * (y - design @ beta) ** 2).sum() / 3, rel=1e-9)


@pytest.mark.parametrize("kernel", [scan_directions, scan_directions.python])
def test_scan_directions__counts_patients(kernel):
    counts = np.array([[10, 20, 10, 30, 20, 10, 5, 5.0], [0, 0, 0, 0, 0, 0, 0, 1.0]])
    library, patient = np.full(8, 1e6), np.repeat(np.arange(4), 2)
    up, down = kernel(counts, library, patient, 4, np.tile([-0.5, 0.5], 4))
    np.testing.assert_array_equal(up, [2, 1])
    np.testing.assert_array_equal(down, [1, 0])
