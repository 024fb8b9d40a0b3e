"""Negative binomial fits against statsmodels, compiled and plain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from chemores_dask.kernels.negative_binomial import (
    adjusted_likelihood,
    counted_groups,
    fit_counts,
    informative_samples,
    mean_likelihood,
    residual_degrees,
    saturated_likelihood,
)

GROUP = np.repeat(np.arange(5), 2)
STAGE = np.tile([0.0, 1.0], 5)[:, None]
EVERYONE = np.ones(10, dtype=bool)


def _counts(seed=1):
    rng = np.random.default_rng(seed)
    offset = rng.normal(0, 0.4, 10)
    return rng.poisson(np.exp(offset + 2 + 0.7 * STAGE[:, 0]) * rng.gamma(5, 0.2, 10)).astype(float), offset


@pytest.mark.parametrize("dispersion", [0.0, 1e-4, 0.3, 5.0])
@pytest.mark.parametrize("kernel", [fit_counts, fit_counts.python])
def test_fit_counts__equals_statsmodels(dispersion, kernel):
    counts, offset = _counts()
    fit = kernel(counts, EVERYONE, offset, np.log(counts + 0.5), dispersion, GROUP, 5, STAGE)
    family = sm.families.NegativeBinomial(alpha=dispersion) if dispersion else sm.families.Poisson()
    design = np.column_stack([np.eye(5)[GROUP], STAGE])
    known = sm.GLM(counts, design, family=family, offset=offset).fit(tol=1e-12, maxiter=200)
    assert fit.converged
    np.testing.assert_allclose(np.exp(fit.linear), known.mu, rtol=1e-6)
    assert fit.model.free[0] == pytest.approx(known.params[-1], rel=1e-5)
    deviance = 2 * (saturated_likelihood(counts, EVERYONE, dispersion) - fit.likelihood)
    assert deviance == pytest.approx(known.deviance, rel=1e-8)
    assert mean_likelihood.python(counts, EVERYONE, fit.linear, dispersion) == pytest.approx(fit.likelihood, rel=1e-12)
    plain = saturated_likelihood.python(counts, EVERYONE, dispersion)
    assert plain == pytest.approx(saturated_likelihood(counts, EVERYONE, dispersion), rel=1e-12)


def test_fit_counts__goes_on_where_a_group_has_no_count():
    counts, offset = _counts(2)
    counts[GROUP == 3] = 0
    used = counted_groups(counts, GROUP, 5)
    np.testing.assert_array_equal(used, GROUP != 3)
    np.testing.assert_array_equal(counted_groups.python(counts, GROUP, 5), used)
    fit = fit_counts(counts, used, offset, np.log(counts + 0.5), 0.2, GROUP, 5, STAGE)
    kept = np.flatnonzero(used)
    group = np.unique(GROUP[kept], return_inverse=True)[1]
    less = fit_counts(counts[kept], used[kept], offset[kept], np.log(counts[kept] + 0.5), 0.2, group, 4, STAGE[kept])
    assert fit.likelihood == pytest.approx(less.likelihood, rel=1e-12)
    assert residual_degrees(used, GROUP, 5, STAGE) == 8 - 5
    assert residual_degrees.python(used, GROUP, 5, STAGE) == 3


@pytest.mark.parametrize("stage", [0.0, 1.0])
def test_fit_counts__reaches_its_limit_where_a_stage_has_no_count(stage):
    counts, offset = _counts(3)
    counts[STAGE[:, 0] == stage] = 0
    design = np.column_stack([np.ones(10), STAGE])
    fit = fit_counts(counts, EVERYONE, offset, np.log(counts + 0.5), 0.2, GROUP, 0, design)
    assert fit.converged
    informative = informative_samples(counts, EVERYONE, fit.linear)
    np.testing.assert_array_equal(informative, STAGE[:, 0] != stage)
    np.testing.assert_array_equal(informative_samples.python(counts, EVERYONE, fit.linear), informative)
    assert residual_degrees(informative, GROUP, 0, design) == 4


@pytest.mark.parametrize("counts", [np.zeros(10), np.full(10, 1e9), np.eye(10)[0] * 1e6])
def test_fit_counts__answers_for_odd_counts(counts):
    used = counted_groups(counts, GROUP, 5)
    fit = fit_counts(counts, used, np.zeros(10), np.log(counts + 0.5), 0.1, GROUP, 5, STAGE)
    assert np.isfinite(fit.linear).all()
    assert fit.converged


def test_adjusted_likelihood__is_the_likelihood_less_half_the_information():
    counts, offset = _counts(4)
    heights = []
    for dispersion in (0.05, 0.4):
        fit = fit_counts(counts, EVERYONE, offset, np.log(counts + 0.5), dispersion, GROUP, 5, STAGE)
        mean = np.exp(fit.linear)
        whole = scipy.stats.nbinom.logpmf(counts, 1 / dispersion, 1 / (1 + dispersion * mean)).sum()
        design = np.column_stack([np.eye(5)[GROUP], STAGE])
        information = (design.T * (mean / (1 + dispersion * mean))) @ design
        expected = whole - 0.5 * np.linalg.slogdet(information)[1]
        found = adjusted_likelihood(counts, EVERYONE, fit, dispersion)
        constant = sum(math.lgamma(count + 1) for count in counts)
        heights.append(found - expected - constant)
        assert adjusted_likelihood.python(counts, EVERYONE, fit, dispersion) == pytest.approx(found, rel=1e-12)
    np.testing.assert_allclose(heights, 0.0, atol=1e-5)
