"""Survival and concordance with weights: against repeated patients, pair counting and hand-worked cohorts."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.product_limit import product_limit, risk_table
from chemores_dask.kernels.weighted_survival import (
    concordance_columns,
    concordance_shares,
    survival_steps,
    timed_risk,
)

N = 60
GENERATOR = np.random.default_rng(5)
RISK = np.round(GENERATOR.normal(size=N), 1)
DURATION = np.ceil(GENERATOR.exponential(10 * np.exp(-RISK)))
EVENT = GENERATOR.random(N) < 0.6
WEIGHT = np.bincount(GENERATOR.integers(0, N, N), minlength=N)


def both(kernel):
    return pytest.param(kernel, id="compiled"), pytest.param(kernel.python, id="plain")


def count_pairs(risk, duration, event, factor):
    right = pairs = 0.0
    for i in np.flatnonzero(event):
        later = (duration > duration[i]) | ((duration == duration[i]) & ~event)
        right += factor[i] * ((risk[i] > risk[later]).sum() + 0.5 * (risk[i] == risk[later]).sum())
        pairs += factor[i] * later.sum()
    return right / pairs


@pytest.mark.parametrize("steps", both(survival_steps))
def test_survival_steps__equal_the_product_limit(steps):
    order, patients = timed_risk(RISK, DURATION, EVENT)
    survival, before, after = steps(patients, np.ones(N))
    times = np.unique(DURATION)
    at_risk, events, _ = risk_table(np.full(N, -np.inf), DURATION[order], EVENT[order], times)
    np.testing.assert_allclose(survival, product_limit(at_risk, events)[0], rtol=1e-14)
    np.testing.assert_allclose(before[1:], after[:-1], rtol=0)


@pytest.mark.parametrize("steps", both(survival_steps))
def test_survival_steps__match_a_hand_worked_cohort(steps):
    # At 2 one dies and one is censored: the one who dies is not at risk of censoring any more.
    duration, event = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])
    survival, before, after = steps(timed_risk(np.zeros(4), duration, event)[1], np.ones(4))
    assert survival.tolist() == pytest.approx([1, 2 / 3, 0])
    assert after.tolist() == pytest.approx([3 / 4, 3 / 8, 3 / 8])
    assert before.tolist() == pytest.approx([1, 3 / 4, 3 / 8])


@pytest.mark.parametrize("shares", both(concordance_shares))
def test_concordance_shares__equal_counted_pairs(shares):
    order, patients = timed_risk(RISK, DURATION, EVENT)
    _, before, _ = survival_steps(patients, np.ones(N))
    uncensored = np.empty(N)
    uncensored[order] = before[patients.run]
    runs = int((np.unique(DURATION) <= 12).sum())
    found = shares(patients, np.ones(N), before, runs)
    factor = np.where(DURATION <= 12, uncensored**-2.0, 0.0)
    expected = [count_pairs(RISK, DURATION, EVENT, part) for part in (np.ones(N), factor)]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shares", both(concordance_shares))
def test_concordance_shares__weights_are_repeated_patients(shares):
    order, patients = timed_risk(RISK, DURATION, EVENT)
    found = shares(patients, WEIGHT[order].astype(float), np.ones(patients.starts.size - 1), 0)
    again = np.repeat(np.arange(N), WEIGHT)
    assert found[0] == pytest.approx(count_pairs(RISK[again], DURATION[again], EVENT[again], np.ones(again.size)))


@pytest.mark.parametrize("columns", both(concordance_columns))
def test_concordance_columns__equal_one_by_one(columns):
    risks = np.stack([RISK, -RISK, np.zeros(N), np.where(np.arange(N) == 3, np.nan, RISK)])
    order, patients = timed_risk(RISK, DURATION, EVENT)
    found = columns(risks, order, patients.starts, patients.event)
    expected = count_pairs(RISK, DURATION, EVENT, np.ones(N))
    np.testing.assert_allclose(found, [expected, 1 - expected, 0.5, np.nan], rtol=1e-12)


def test_concordance_shares__without_a_pair_are_not_numbers():
    _, patients = timed_risk(np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.array([True, True]))
    assert np.isnan(concordance_shares(patients, np.ones(2), np.ones(1), 1)).all()
