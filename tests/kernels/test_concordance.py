"""Concordance of scores with survival against R, by hand, and against its plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.concordance import concordance_pairs, concordance_summary, unseen_weights


@pytest.mark.parametrize("pairs", [concordance_pairs, concordance_pairs.python], ids=["compiled", "plain"])
def test_concordance_pairs__match_a_hand_worked_cohort(pairs):
    duration = np.array([1.0, 2.0, 2.0, 3.0])
    event = np.array([True, True, False, False])
    risk, nowhere, one = np.array([5.0, 1.0, 3.0, 1.0]), np.full(4, -np.inf), np.ones(4)
    counts, own = pairs(risk, duration, event, nowhere, np.zeros(4, dtype=int), one, one)
    assert counts.tolist() == [3, 1, 1]
    assert own.tolist() == [[3, 0, 0], [1, 1, 1], [1, 1, 0], [1, 0, 1]]
    weight, deaths = np.array([1.0, 2.0, 3.0, 0.5]), np.array([1.0, 10.0, 1.0, 1.0])
    counts, own = pairs(risk, duration, event, nowhere, np.zeros(4, dtype=int), weight, deaths)
    assert counts.tolist() == [5.5, 60, 10]
    assert own[1].tolist() == [1, 30, 5]


def test_concordance_pairs__compare_within_strata_and_after_entry_only():
    duration, event = np.array([1.0, 2.0]), np.array([True, True])
    risk, nowhere, together, one = np.array([2.0, 1.0]), np.full(2, -np.inf), np.zeros(2, dtype=int), np.ones(2)
    assert concordance_pairs(risk, duration, event, nowhere, together, one, one)[0].tolist() == [1, 0, 0]
    assert concordance_pairs(risk, duration, event, nowhere, np.array([0, 1]), one, one)[0].sum() == 0
    assert concordance_pairs(risk, duration, event, np.array([0.0, 1.0]), together, one, one)[0].sum() == 0


def test_concordance_summary__has_the_variance_of_leaving_patients_out():
    rng = np.random.default_rng(1)
    n = 60
    risk, duration, event = rng.normal(size=n), rng.exponential(size=n), rng.random(n) < 0.6
    nowhere, stratum, one = np.full(n, -np.inf), np.zeros(n, dtype=int), np.ones(n)

    def value(weight):
        return concordance_summary(*concordance_pairs(risk, duration, event, nowhere, stratum, weight, one), weight)

    found, influence = value(one)
    for place in (0, 17, 40):
        more = one.copy()
        more[place] += 1e-6
        assert (value(more)[0] - found) / 1e-6 == pytest.approx(influence[place], rel=1e-4, abs=1e-9)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_concordance_summary__has_no_value_without_pairs():
    value, influence = concordance_summary(np.zeros(3), np.zeros((2, 3)), np.ones(2))
    assert np.isnan(value)
    assert np.isnan(influence).all()


def test_unseen_weights__estimate_censoring_in_each_stratum():
    duration = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    event = np.array([False, True, True, True, False, True])
    stratum = np.array([0, 0, 0, 1, 1, 1])
    found = unseen_weights(duration, event, stratum, np.ones(6))
    np.testing.assert_allclose(found, [1, 9 / 4, 9 / 4, 1, 1, 4])
    # A death at the time of a censoring comes first.
    tied = unseen_weights(np.array([1.0, 1.0, 2.0]), np.array([True, False, True]), np.zeros(3, dtype=int), np.ones(3))
    np.testing.assert_allclose(tied, [1, 1, 4])
