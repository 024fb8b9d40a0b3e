"""Cumulative incidence: hand-worked counts and shares, both variances against what they estimate."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.competing_curves import cause_table, counting_variance, incidence, jackknife_variances

ENTRY, DURATION = np.array([0.0, 0, 0, 1, 2]), np.array([1.0, 2, 3, 3, 4])
CAUSE, TIMES = np.array([1, 0, 2, 1, 0]), np.array([1.0, 2, 3, 4])


def test_cause_table__counts_a_hand_worked_group():
    table = cause_table(ENTRY, DURATION, CAUSE, TIMES, 2)
    assert table.at_risk.tolist() == [3, 3, 3, 1]
    assert table.censored.tolist() == [0, 1, 0, 1]
    assert table.events.tolist() == [[1, 0, 1, 0], [0, 0, 1, 0]]


def test_incidence__splits_what_survival_loses():
    free, shares = incidence(cause_table(ENTRY, DURATION, CAUSE, TIMES, 2))
    np.testing.assert_allclose(free, [2 / 3, 2 / 3, 2 / 9, 2 / 9])
    np.testing.assert_allclose(shares, [[1 / 3, 1 / 3, 5 / 9, 5 / 9], [0, 0, 2 / 9, 2 / 9]])


@pytest.mark.parametrize("variances", [jackknife_variances, jackknife_variances.python], ids=["compiled", "plain"])
def test_jackknife_variances__are_those_of_weights_moved_a_little(variances):
    weight, step = np.array([1.0, 2, 0.5, 1.5, 1]), 1e-6

    def curves(weight):
        risk = np.array([weight[(entry_before := time > ENTRY) & (time <= DURATION)].sum() for time in TIMES])
        assert entry_before.any()
        free, shares = 1.0, np.zeros((3, 4))
        for k, time in enumerate(TIMES):
            lost = [weight[(time == DURATION) & (cause == CAUSE)].sum() / risk[k] for cause in (1, 2)]
            shares[1:, k] = (shares[1:, k - 1] if k else 0) + free * np.array(lost)
            free *= 1 - sum(lost)
            shares[0, k] = free
        return shares

    slopes = [(curves(weight + step * unit) - curves(weight - step * unit)) / (2 * step) for unit in np.eye(5)]
    expected = sum((w * slope) ** 2 for w, slope in zip(weight, slopes, strict=True))
    found, means = variances(ENTRY, DURATION, CAUSE, weight, TIMES, 2, 3.5)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)
    spent = [slope @ np.array([1, 1, 0.5, 0]) for slope in slopes]
    np.testing.assert_allclose(means, sum((w * s) ** 2 for w, s in zip(weight, spent, strict=True)), rtol=1e-7)


def test_counting_variance__is_that_of_a_share_without_censoring():
    rng = np.random.default_rng(1)
    duration, cause = rng.permutation(200).astype(float), rng.integers(1, 3, 200)
    times = np.unique(duration)
    table = cause_table(np.full(200, -1.0), duration, cause, times, 2)
    free, shares = incidence(table)
    found = counting_variance(table, free, shares)
    # Nobody is censored, so the share is a mean of 0 and 1; the counting form divides by n - 1 at places.
    np.testing.assert_allclose(found[:, 100], shares[:, 100] * (1 - shares[:, 100]) / 200, rtol=0.02)
    np.testing.assert_allclose(
        jackknife_variances(np.full(200, -1.0), duration, cause, np.ones(200), times, 2, 0.0)[0][1:, 100],
        shares[:, 100] * (1 - shares[:, 100]) / 200,
        rtol=1e-10,
    )
