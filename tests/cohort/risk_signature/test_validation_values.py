"""Kaplan-Meier at some times, and groups of rising risk."""

from __future__ import annotations

import numpy as np

from chemores_dask.cohort.risk_signature.scored_cohort import ScoredCohort
from chemores_dask.cohort.risk_signature.validation_values import cutoff_values, group_values, survival_at


def cohort_of(risk):
    n = len(risk)
    nothing = np.zeros(0, dtype=int)
    return ScoredCohort(
        np.array([f"p{i}" for i in range(n)], dtype=object),
        np.arange(n),
        np.asarray(risk, dtype=float),
        np.arange(1.0, n + 1),
        np.ones(n, dtype=bool),
        nothing,
        nothing,
    )


def test_survival_at__stops_with_follow_up():
    duration, event = np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False])
    survival, lower, upper = survival_at(duration, event, np.array([0.5, 1.0, 3.5, 4.0]), level=0.95)
    np.testing.assert_allclose(survival, [1, 0.75, 0.375, np.nan])
    assert np.isnan(lower[0])
    assert lower[1] < 0.75 < upper[1]
    # Where the last one has the event, survival stays at 0.
    assert survival_at(duration, np.ones(4, dtype=bool), np.array([9.0]), level=0.95)[0].tolist() == [0]


def test_group_values__keep_equal_risks_together():
    cohort = cohort_of([0, 0, 0, 0, 1, 2, 3, 3])
    predicted = np.linspace(0.9, 0.1, 8)[:, None]
    found = group_values(cohort, np.array([4.0]), predicted, groups=4, level=0.95)
    assert found["validation_group_patients"].tolist() == [4, 2, 2]
    np.testing.assert_allclose(found["validation_group_predicted"][0, 0], 1 - predicted[:4].mean())
    np.testing.assert_allclose(found["validation_group_observed"], [[1, 0, 0]])
    alone = group_values(cohort_of(np.zeros(5)), np.array([2.0]), np.full((5, 1), 0.5), groups=4, level=0.95)
    assert alone["validation_group_patients"].tolist() == [5]


def test_cutoff_values__of_one_group_have_no_test():
    found = cutoff_values(cohort_of(np.arange(6)), np.ones(6, dtype=bool), level=0.95)
    assert found["validation_high_patients"] == 6
    assert np.isnan(found["validation_log_rank_p_value"])
    assert np.isnan(found["validation_high_hazard_ratio"])
