"""Steps of the baseline hazard against sums as they are written down."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.baseline_hazard import hazard_steps, moment_information, moment_places
from chemores_dask.kernels.cox import cox_terms, risk_order


def _cohort(seed=4, n=40):
    rng = np.random.default_rng(seed)
    duration, event = rng.integers(1, 9, n).astype(float), rng.random(n) < 0.6
    entry = np.where(rng.random(n) < 0.4, duration - rng.integers(1, 5, n), -np.inf)
    stratum, weight = rng.integers(0, 2, n), rng.choice([0.5, 1.0, 2.0], n)
    return duration, event, entry, stratum, weight, rng.normal(size=(n, 2))


def _plain_steps(cohort, b, *, efron):
    duration, event, entry, stratum, weight, x = cohort
    risks = weight * np.exp(x @ b)
    rows = {}
    for number in (0, 1):
        for time in np.unique(duration[event & (stratum == number)]):
            at_risk = (entry < time) & (duration >= time) & (stratum == number)
            dying = at_risk & event & (duration == time)
            d = int(dying.sum())
            hazard = variance = tied = 0.0
            means = []
            for earlier in range(d):
                share = np.where(dying, 1 - (earlier / d if efron else 0), 1) * at_risk * risks
                growth = weight[dying].mean() / share.sum()
                hazard, variance = hazard + growth, variance + growth / share.sum()
                tied += growth * (earlier / d if efron else 0)
                means.append(share @ x / share.sum())
            rows[number, time] = (d, hazard, variance, tied, np.mean(means, axis=0))
    return rows


@pytest.mark.parametrize("efron", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_hazard_steps__are_the_sums_over_risk_sets(efron, late):
    cohort = _cohort()
    if not late:
        cohort = (*cohort[:2], np.full(40, -np.inf), *cohort[3:])
    b = np.array([0.4, -0.7])
    order, risk = risk_order(*cohort[:5])
    steps = hazard_steps(b, cohort[5][order], risk, efron=efron)
    time, stratum = moment_places(risk, cohort[3][order])
    expected = _plain_steps(cohort, b, efron=efron)
    assert {*zip(stratum.tolist(), time.tolist(), strict=True)} == set(expected)
    for place, key in enumerate(zip(stratum.tolist(), time.tolist(), strict=True)):
        d, hazard, variance, tied, mean = expected[key]
        assert steps.deaths[place] == d
        found = [steps.hazard[place], steps.variance[place], steps.tied_hazard[place]]
        np.testing.assert_allclose(found, [hazard, variance, tied], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(steps.mean[place], mean, rtol=1e-12)


@pytest.mark.parametrize("efron", [True, False])
def test_moment_information__adds_up_to_the_information(efron):
    cohort = _cohort(seed=5)
    order, risk = risk_order(*cohort[:5])
    design, b = np.ascontiguousarray(cohort[5][order]), np.array([0.2, 0.3])
    information = np.zeros((2, 2))
    cox_terms(b, design, risk, efron, np.zeros(2), information)
    found = moment_information(b, design, risk, efron=efron).sum(axis=0)
    np.testing.assert_allclose(found[np.tril_indices(2)], information[np.tril_indices(2)], rtol=1e-12)
    np.testing.assert_allclose(found, found.T)
