"""Log-rank sums: compiled and plain twins, a hand-worked table, invariance."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines.statistics import multivariate_logrank_test

from chemores_dask.kernels.logrank import log_rank_sums, log_rank_test


def _patients(patients=60, groups=3, seed=1):
    rng = np.random.default_rng(seed)
    duration = np.sort(rng.integers(1, 20, patients).astype(float))
    return duration, rng.random(patients) < 0.6, rng.integers(0, groups, patients)


@pytest.mark.parametrize("sums", [log_rank_sums, log_rank_sums.python], ids=["compiled", "plain"])
def test_log_rank_sums__match_a_hand_worked_table(sums):
    duration, group = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1])
    observed, expected, variance = sums(duration, np.ones(4, dtype=bool), group, np.zeros(4, dtype=int), 2, 0.0)
    assert observed.tolist() == [2, 2]
    np.testing.assert_allclose(expected, [1 / 2 + 1 / 3, 1 / 2 + 2 / 3 + 1 + 1])
    np.testing.assert_allclose(variance[0, 0], 1 / 4 + 2 / 9)
    np.testing.assert_allclose(variance.sum(axis=0), 0, atol=1e-15)


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_log_rank_sums__are_the_same_compiled_and_plain(rho):
    duration, event, group = _patients()
    stratum = np.zeros(duration.size, dtype=int)
    for compiled, plain in zip(
        log_rank_sums(duration, event, group, stratum, 3, rho),
        log_rank_sums.python(duration, event, group, stratum, 3, rho),
        strict=True,
    ):
        np.testing.assert_allclose(compiled, plain, rtol=1e-13, atol=1e-13)


def test_log_rank_test__equals_lifelines_for_three_groups():
    duration, event, group = _patients()
    sums = log_rank_sums(duration, event, group, np.zeros(duration.size, dtype=int), 3, 0.0)
    statistic, degrees, p_value = log_rank_test(*sums)
    expected = multivariate_logrank_test(duration, group, event)
    assert degrees == 2
    assert statistic == pytest.approx(expected.test_statistic, rel=1e-9)
    assert p_value == pytest.approx(expected.p_value, rel=1e-9)


def test_log_rank_test__counts_only_comparable_groups():
    # Two strata with two groups each that never meet: the variance has rank 2, not 3.
    duration = np.array([1.0, 2, 3, 4, 1, 2, 3, 4])
    group, stratum = np.array([0, 1, 0, 1, 2, 3, 2, 3]), np.repeat([0, 1], 4)
    statistic, degrees, _ = log_rank_test(*log_rank_sums(duration, np.ones(8, dtype=bool), group, stratum, 4, 0.0))
    # Both strata are alike, and each adds what a test of its own two groups finds.
    alone = multivariate_logrank_test(duration[:4], group[:4], np.ones(4))
    assert degrees == 2
    assert statistic == pytest.approx(2 * alone.test_statistic, rel=1e-9)


def test_log_rank_test__is_unknown_without_a_comparison():
    statistic, degrees, p_value = log_rank_test(np.zeros(2), np.zeros(2), np.zeros((2, 2)))
    assert degrees == 0
    assert np.isnan([statistic, p_value]).all()
