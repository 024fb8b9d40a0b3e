"""Negative binomial models of counts with the logarithm as link, for designs with many groups.

``y`` has mean ``mu = exp(offset + level + x'b)`` and variance ``mu + phi mu^2``; the dispersion ``phi`` is given. Coefficients come from
Newton steps, each a weighted least-squares fit, which are halved until the likelihood rises; it has one peak.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.grouped_fit import GroupedFit, fitted_value, grouped_fit
from chemores_dask.kernels.jit import jit

LARGEST_EXPONENT = 60.0
FLAT = 1e-10
"""Steps end when the likelihood rises by less than this share of it (or of 1)."""

MOST_STEPS = 60
MOST_HALVINGS = 20
NO_COUNT = 1e-4
"""Counts and means below this are none: such samples say nothing about dispersion."""


class CountFit(NamedTuple):
    """A negative binomial fit.

    Attributes
    ----------
    linear
        Logarithm of the mean of each sample.
    likelihood
        Part of the log-likelihood that depends on the means.
    model
        Weighted least-squares fit at the maximum, with the expected information as weights.
    converged
        Whether the likelihood had stopped rising.
    """

    linear: Vector
    likelihood: float
    model: GroupedFit
    converged: bool


@jit
def mean_likelihood(counts: Vector, used: Vector, linear: Vector, dispersion: float) -> float:
    """Part of the log-likelihood that depends on the means: ``y log mu - (y + 1/phi) log(1 + phi mu)``.

    Parameters
    ----------
    counts, used, linear
        Counts, which of them to use, and the logarithm of their means.
    dispersion
        0 for Poisson: ``y log mu - mu``.

    Returns
    -------
    Its sum.
    """
    total = 0.0
    for i in range(counts.size):
        if not used[i]:
            continue
        mean = math.exp(linear[i])
        if dispersion > 0.0:
            total += counts[i] * linear[i] - (counts[i] + 1.0 / dispersion) * math.log1p(dispersion * mean)
        else:
            total += counts[i] * linear[i] - mean
    return total


@jit
def saturated_likelihood(counts: Vector, used: Vector, dispersion: float) -> float:
    """The same where every mean equals its count; twice the difference is the deviance.

    Parameters
    ----------
    counts, used, dispersion
        As in :func:`mean_likelihood`.

    Returns
    -------
    Its sum.
    """
    total = 0.0
    for i in range(counts.size):
        y = counts[i]
        if not used[i] or y <= 0.0:
            continue
        if dispersion > 0.0:
            total += y * math.log(y) - (y + 1.0 / dispersion) * math.log1p(dispersion * y)
        else:
            total += y * math.log(y) - y
    return total


@jit
def fit_counts(
    counts: Vector,
    used: Vector,
    offset: Vector,
    start: Vector,
    dispersion: float,
    group: Vector,
    groups: int,
    columns: Matrix,
) -> CountFit:
    """Fit levels and coefficients for a given dispersion.

    Parameters
    ----------
    counts
        One per sample.
    used
        Samples that count; the others have no weight.
    offset
        Logarithm of the size of each sample.
    start
        Logarithms of means to start from.
    dispersion
        ``phi``.
    group, groups, columns
        The design, as in :func:`~chemores_dask.kernels.grouped_fit.grouped_fit`.

    Returns
    -------
    The fit.
    """
    n = counts.size
    linear = start.copy()
    weights = np.zeros(n)
    response = np.zeros(n)
    likelihood = -np.inf
    converged = False
    for _ in range(MOST_STEPS):
        for i in range(n):
            if used[i]:
                mean = math.exp(linear[i])
                spread = 1.0 + dispersion * mean
                weights[i] = mean * (1.0 + dispersion * counts[i]) / (spread * spread)
                response[i] = linear[i] - offset[i] + (counts[i] - mean) / (spread * weights[i])
        model = grouped_fit(response, weights, group, groups, columns)
        proposed = np.empty(n)
        for i in range(n):
            value = offset[i] + fitted_value(model, group, columns, i)
            proposed[i] = min(max(value, -LARGEST_EXPONENT), LARGEST_EXPONENT)
        found = mean_likelihood(counts, used, proposed, dispersion)
        halvings = 0
        # The start need not be a mean that the design can give, so the first step is taken as it comes.
        while likelihood > -np.inf and not found >= likelihood - 1e-13 * abs(likelihood) and halvings < MOST_HALVINGS:
            proposed = (proposed + linear) / 2.0
            found = mean_likelihood(counts, used, proposed, dispersion)
            halvings += 1
        gain = found - likelihood
        linear, likelihood = proposed, found
        if gain <= FLAT * max(1.0, abs(likelihood)):
            converged = True
            break
    for i in range(n):
        if used[i]:
            mean = math.exp(linear[i])
            weights[i] = mean / (1.0 + dispersion * mean)
            response[i] = linear[i] - offset[i] + (counts[i] - mean) / mean
    model = grouped_fit(response, weights, group, groups, columns)
    return CountFit(linear, likelihood, model, converged)


@jit
def counted_groups(counts: Vector, group: Vector, groups: int) -> Vector:
    """Samples of groups with a count: where a group has none its mean is 0, whatever the other coefficients are.

    Parameters
    ----------
    counts, group, groups
        As in :func:`fit_counts`.

    Returns
    -------
    Boolean, one per sample.
    """
    used = np.ones(counts.size, dtype=np.bool_)
    if not groups:
        return used
    sums = np.zeros(groups)
    for i in range(counts.size):
        sums[group[i]] += counts[i]
    for i in range(counts.size):
        used[i] = sums[group[i]] > 0.0
    return used


@jit
def informative_samples(counts: Vector, used: Vector, linear: Vector) -> Vector:
    """Samples but those whose count and mean both are none.

    Parameters
    ----------
    counts, used, linear
        As in :func:`mean_likelihood`.

    Returns
    -------
    Boolean, one per sample.
    """
    informative = used.copy()
    for i in range(counts.size):
        informative[i] = used[i] and not (counts[i] < NO_COUNT and math.exp(linear[i]) < NO_COUNT)
    return informative


@jit
def residual_degrees(used: Vector, group: Vector, groups: int, columns: Matrix) -> int:
    """Samples used less the rank of their part of the design.

    Parameters
    ----------
    used, group, groups, columns
        As in :func:`fit_counts`.

    Returns
    -------
    Degrees of freedom, 0 or above.
    """
    weights = np.zeros(used.size)
    samples = 0
    for i in range(used.size):
        if used[i]:
            weights[i] = 1.0
            samples += 1
    fit = grouped_fit(weights, weights, group, groups, columns)
    rank = 0
    for g in range(groups):
        rank += fit.total[g] > 0.0
    for j in range(columns.shape[1]):
        rank += fit.kept[j]
    return max(samples - rank, 0)


@jit
def adjusted_likelihood(counts: Vector, used: Vector, fit: CountFit, dispersion: float) -> float:
    """Cox and Reid's adjusted profile log-likelihood of a dispersion, without what depends on counts alone.

    Half the logarithm of the determinant of the information about the coefficients is taken off: it pays for the degrees of freedom
    that they took.

    Parameters
    ----------
    counts, used
        As in :func:`fit_counts`.
    fit
        Fit with this dispersion.
    dispersion
        ``phi``, above 0.

    Returns
    -------
    The likelihood.
    """
    size = 1.0 / dispersion
    of_size = math.lgamma(size)
    total = fit.likelihood
    for i in range(counts.size):
        if used[i]:
            total += math.lgamma(counts[i] + size) - of_size + counts[i] * math.log(dispersion)
    for g in range(fit.model.total.size):
        if fit.model.total[g] > 0.0:
            total -= 0.5 * math.log(fit.model.total[g])
    for j in range(fit.model.kept.size):
        if fit.model.kept[j]:
            total -= math.log(fit.model.factor[j, j])
    return total
