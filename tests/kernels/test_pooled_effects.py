"""The variance between studies: the peak of the likelihood, and the ends of the Q profile."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from chemores_dask.kernels.pooled_effects import (
    between_by_likelihood,
    between_by_moments,
    between_limits,
    heterogeneity,
    pool,
    restricted_likelihood,
    typical_variance,
)

EFFECT = np.array([-1, 1.5, 0.3, 2.5, -0.7])
VARIANCE = np.array([0.1, 0.15, 0.3, 0.2, 0.12]) ** 2


def test_between_by_likelihood__is_the_highest_point():
    generator = np.random.default_rng(1)
    for _ in range(30):
        effect, variance = generator.normal(0, 0.6, 6), generator.uniform(0.01, 0.5, 6)
        best = between_by_likelihood(effect, variance)
        (height,) = restricted_likelihood(effect, variance, [best])
        assert height >= restricted_likelihood(effect, variance, np.linspace(0, 5, 500)).max() - 1e-10


def test_between_by_moments__equals_variance_less_noise_for_equal_studies():
    effect = np.array([0.0, 1.0, 2.0])
    assert between_by_moments(effect, np.full(3, 0.25)) == pytest.approx(1.0 - 0.25)
    assert between_by_likelihood(effect, np.full(3, 0.25)) == pytest.approx(1.0 - 0.25)
    assert between_by_moments(effect, np.full(3, 4.0)) == between_by_likelihood(effect, np.full(3, 4.0)) == 0


def test_between_limits__are_where_q_meets_its_quantiles():
    low, high = between_limits(EFFECT, VARIANCE, level=0.9)
    assert heterogeneity(EFFECT, VARIANCE, low) == pytest.approx(chi2(4).ppf(0.95))
    assert heterogeneity(EFFECT, VARIANCE, high) == pytest.approx(chi2(4).ppf(0.05))


def test_pool__of_one_study_is_that_study():
    found = pool(np.array([0.4]), np.array([0.04]), 0.0)
    assert (found.estimate, found.standard_error) == pytest.approx((0.4, 0.2))
    assert np.isnan(found.knapp_error)
    assert between_by_moments(np.array([0.4]), np.array([0.04])) == 0
    assert between_by_likelihood(np.array([0.4]), np.array([0.04])) == 0
    assert np.isnan(between_limits(np.array([0.4]), np.array([0.04]), level=0.95)).all()


def test_typical_variance__of_equal_studies_is_theirs():
    assert typical_variance(np.full(4, 0.3)) == pytest.approx(0.3)
