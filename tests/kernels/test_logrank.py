"""Log-rank sums: compiled and plain twins, a hand-worked table, invariance."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines.statistics import multivariate_logrank_test

from chemores_dask.kernels.logrank import log_rank_sums, log_rank_test, log_rank_trend

LOG_RANK = np.zeros(3)


def _sums(sums, duration, event, group, stratum, groups, exponents=LOG_RANK):
    return sums(np.full(duration.size, -np.inf), duration, event, group, stratum, groups, exponents)


def _patients(patients=60, groups=3, seed=1):
    rng = np.random.default_rng(seed)
    duration = np.sort(rng.integers(1, 20, patients).astype(float))
    return duration, rng.random(patients) < 0.6, rng.integers(0, groups, patients)


@pytest.mark.parametrize("sums", [log_rank_sums, log_rank_sums.python], ids=["compiled", "plain"])
def test_log_rank_sums__match_a_hand_worked_table(sums):
    duration, group = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1])
    observed, expected, variance = _sums(sums, duration, np.ones(4, dtype=bool), group, np.zeros(4, dtype=int), 2)
    assert observed.tolist() == [2, 2]
    np.testing.assert_allclose(expected, [1 / 2 + 1 / 3, 1 / 2 + 2 / 3 + 1 + 1])
    np.testing.assert_allclose(variance[0, 0], 1 / 4 + 2 / 9)
    np.testing.assert_allclose(variance.sum(axis=0), 0, atol=1e-15)


@pytest.mark.parametrize("exponents", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 1.0, 0.5)])
def test_log_rank_sums__are_the_same_compiled_and_plain(exponents):
    duration, event, group = _patients()
    entry = duration - 1 - np.arange(duration.size) % 7
    stratum = np.repeat([0, 1], duration.size // 2)
    for compiled, plain in zip(
        log_rank_sums(entry, duration, event, group, stratum, 3, np.array(exponents)),
        log_rank_sums.python(entry, duration, event, group, stratum, 3, np.array(exponents)),
        strict=True,
    ):
        np.testing.assert_allclose(compiled, plain, rtol=1e-13, atol=1e-13)


def test_log_rank_sums__count_whom_they_see():
    # At 1: both of a, nobody of b yet; at 3: one of each; at 5: one of b.
    entry = np.array([0.0, 0.0, 1.0, 3.0])
    duration, group = np.array([1.0, 3.0, 3.0, 5.0]), np.array([0, 0, 1, 1])
    observed, expected, variance = log_rank_sums(
        entry, duration, np.ones(4, dtype=bool), group, np.zeros(4, dtype=int), 2, LOG_RANK
    )
    assert observed.tolist() == [2, 2]
    assert expected.tolist() == [1 + 1, 1 + 1]
    assert variance[0, 0] == 0
    assert log_rank_test(observed, expected, variance)[1] == 0


def test_log_rank_trend__is_the_test_of_two_groups():
    duration, event, group = _patients(groups=2)
    sums = _sums(log_rank_sums, duration, event, group, np.zeros(duration.size, dtype=int), 2)
    statistic, p_value = log_rank_trend(*sums, np.array([0.0, 1.0]))
    assert statistic**2 == pytest.approx(log_rank_test(*sums)[0], rel=1e-12)
    assert p_value == pytest.approx(log_rank_test(*sums)[2], rel=1e-12)
    turned, _ = log_rank_trend(*sums, np.array([3e6, 1e6]))
    assert turned == pytest.approx(-statistic, rel=1e-9)
    assert np.isnan(log_rank_trend(*sums, np.array([2.0, 2.0]))).all()


def test_log_rank_test__equals_lifelines_for_three_groups():
    duration, event, group = _patients()
    sums = _sums(log_rank_sums, duration, event, group, np.zeros(duration.size, dtype=int), 3)
    statistic, degrees, p_value = log_rank_test(*sums)
    expected = multivariate_logrank_test(duration, group, event)
    assert degrees == 2
    assert statistic == pytest.approx(expected.test_statistic, rel=1e-9)
    assert p_value == pytest.approx(expected.p_value, rel=1e-9)


def test_log_rank_test__counts_only_comparable_groups():
    # Two strata with two groups each that never meet: the variance has rank 2, not 3.
    duration = np.array([1.0, 2, 3, 4, 1, 2, 3, 4])
    group, stratum = np.array([0, 1, 0, 1, 2, 3, 2, 3]), np.repeat([0, 1], 4)
    statistic, degrees, _ = log_rank_test(*_sums(log_rank_sums, duration, np.ones(8, dtype=bool), group, stratum, 4))
    # Both strata are alike, and each adds what a test of its own two groups finds.
    alone = multivariate_logrank_test(duration[:4], group[:4], np.ones(4))
    assert degrees == 2
    assert statistic == pytest.approx(2 * alone.test_statistic, rel=1e-9)


def test_log_rank_test__is_unknown_without_a_comparison():
    statistic, degrees, p_value = log_rank_test(np.zeros(2), np.zeros(2), np.zeros((2, 2)))
    assert degrees == 0
    assert np.isnan([statistic, p_value]).all()
