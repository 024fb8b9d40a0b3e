"""Gray's sums: compiled and plain twins, the log-rank test as the case of one cause, invariance."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.gray_statistic import gray_sums
from chemores_dask.kernels.logrank import log_rank_test


def _patients(patients=60, groups=3, seed=1):
    rng = np.random.default_rng(seed)
    duration = np.sort(rng.integers(1, 15, patients).astype(float))
    return duration, rng.integers(0, 3, patients), rng.integers(0, groups, patients)


@pytest.mark.parametrize("rho", [0.0, 1.5])
def test_gray_sums__are_the_same_compiled_and_plain(rho):
    duration, ending, group = _patients()
    stratum = np.repeat([0, 1], 30)
    compiled = gray_sums(duration, ending, group, stratum, 3, rho)
    plain = gray_sums.python(duration, ending, group, stratum, 3, rho)
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sums", [gray_sums, gray_sums.python], ids=["compiled", "plain"])
def test_gray_sums__match_a_hand_worked_table(sums):
    # Group 0: cause at 1, other cause at 2; group 1: cause at 3, censored at 4.
    difference, variance = sums(
        np.arange(1.0, 5), np.array([1, 2, 1, 0]), np.array([0, 0, 1, 1]), np.zeros(4, int), 2, 0.0
    )
    # At 1 both have two at risk; at 3 group 0 has nobody left.
    np.testing.assert_allclose(difference, [0.5, -0.5])
    np.testing.assert_allclose(variance, variance[0, 0] * np.array([[1, -1], [-1, 1]]))
    assert variance[0, 0] > 0


def test_gray_sums__add_up_to_nothing_over_groups_and_strata():
    duration, ending, group = _patients()
    difference, variance = gray_sums(duration, ending, group, np.zeros(60, int), 3, 0.5)
    np.testing.assert_allclose(difference.sum(), 0, atol=1e-12)
    np.testing.assert_allclose(variance.sum(axis=0), 0, atol=1e-12)
    twice = np.concatenate([duration, duration])
    both = gray_sums(twice, np.tile(ending, 2), np.tile(group, 2), np.repeat([0, 1], 60), 3, 0.5)
    np.testing.assert_allclose(both[0], 2 * difference, atol=1e-12)
    np.testing.assert_allclose(both[1], 2 * variance, rtol=1e-12)


def test_gray_sums__do_not_care_for_the_numbers_of_groups():
    duration, ending, group = _patients()
    stratum = np.zeros(60, int)
    one = log_rank_test(*_test_parts(gray_sums(duration, ending, group, stratum, 3, 0.0)))
    other = log_rank_test(*_test_parts(gray_sums(duration, ending, 2 - group, stratum, 3, 0.0)))
    np.testing.assert_allclose(one, other, rtol=1e-10)


def _test_parts(sums):
    difference, variance = sums
    return difference, np.zeros(difference.size), variance
