"""Cox regression on one covariate without late entry. The formulas are in :mod:`chemores_dask.kernels.cox`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.kernels.cox import (
    CONSTANT,
    FLAT_CHANGE,
    LARGEST_EXPONENT,
    NEWTON_DECREMENT,
    NOT_CONVERGED,
    OK,
    RUNAWAY_STEP,
    SEPARATED,
    SPREAD_TOLERANCE,
    RiskOrder,
)
from chemores_dask.kernels.jit import jit

PRODUCT_BOUND = 1e80
"""Sums over risk sets are multiplied up to here before a logarithm is taken."""


class Moments(NamedTuple):
    """Moments of a risk order without late entry.

    Attributes
    ----------
    begin, end
        The patients ``begin`` to ``end - 1`` are at risk from this moment on, and those of the moments before it in the same stratum.
    deaths
        The last so many of them have the event at this moment.
    known, weight
        How many of these deaths have a weight above 0, and the sum of their weights.
    opens
        Whether the moment is the first of its stratum.
    """

    begin: Vector
    end: Vector
    deaths: Vector
    known: Vector
    weight: Vector
    opens: Vector


@jit
def count_deaths(risk: RiskOrder, weight: Vector) -> tuple[Vector, Vector]:
    """Deaths of patients whose weight is not 0, and the sum of their weights, by moment."""
    known, total = np.zeros(risk.opens.size, dtype=np.int64), np.zeros(risk.opens.size)
    for i in range(weight.size):
        if risk.event[i] and weight[i] > 0:
            known[risk.first[i]] += 1
            total[risk.first[i]] += weight[i]
    return known, total


@jit
def list_moments(risk: RiskOrder) -> Moments:
    """Find the patients who join at each moment."""
    moments = risk.opens.size
    begin, end = np.zeros(moments, dtype=np.int64), np.zeros(moments, dtype=np.int64)
    deaths = np.zeros(moments, dtype=np.int64)
    for i in range(risk.first.size):
        k = risk.first[i]
        if k < risk.past[i]:
            if end[k] == 0:
                begin[k] = i
            end[k] = i + 1
            if risk.event[i]:
                deaths[k] += 1
    known, total = count_deaths(risk, risk.weight)
    return Moments(begin, end, deaths, known, total, risk.opens)


@jit
def univariate_terms(
    b: float, x: Vector, weight: Vector, moments: Moments, efron: bool, r: Vector
) -> tuple[float, float, float]:
    """Log-likelihood, its slope and the information at ``b``, without what deaths give by themselves. ``r`` is scratch."""
    if b == 0.0:
        r[:] = weight
    else:
        for i in range(x.size):
            r[i] = weight[i] * math.exp(b * x[i])
    s0 = s1 = s2 = log_likelihood = slope = information = 0.0
    product = 1.0
    for k in range(moments.begin.size):
        if moments.opens[k]:
            s0 = s1 = s2 = 0.0
        for i in range(moments.begin[k], moments.end[k]):
            rx = r[i] * x[i]
            s0 += r[i]
            s1 += rx
            s2 += rx * x[i]
        d0 = d1 = d2 = 0.0
        terms = moments.known[k] if efron else min(moments.known[k], 1)
        if terms > 1:
            for i in range(moments.end[k] - moments.deaths[k], moments.end[k]):
                rx = r[i] * x[i]
                d0 += r[i]
                d1 += rx
                d2 += rx * x[i]
        for earlier in range(terms):
            share, each = earlier / terms, moments.weight[k] / terms
            a = 1 / (s0 - share * d0)
            mean = (s1 - share * d1) * a
            slope -= each * mean
            information += each * ((s2 - share * d2) * a - mean * mean)
            if each == 1.0:
                product *= a
                if not 1 / PRODUCT_BOUND < product < PRODUCT_BOUND:
                    log_likelihood += math.log(product)
                    product = 1.0
            else:
                log_likelihood += each * math.log(a)
    return log_likelihood + math.log(product), slope, information


@jit
def fit_univariate(
    x: Vector, event: Vector, weight: Vector, moments: Moments, efron: bool, max_iterations: int
) -> tuple[float, float, float, float, float, int]:
    """Newton's method for one covariate with mean 0 and variance 1, from 0.

    Parameters
    ----------
    x, event, weight
        Covariate and outcome of the patients in the order of the moments; whoever has weight 0 is left out.
    moments
        From :func:`list_moments`, with the deaths and weights of those who are not left out.
    efron
        Whether ties are treated as Efron does; as Breslow does otherwise.
    max_iterations
        Most steps, and most halvings of a step.

    Returns
    -------
    Coefficient, its standard error, log-likelihood there and at 0, score statistic, status.
    """
    r = np.empty(x.size)
    own = largest_x = 0.0
    for i in range(x.size):
        largest_x = max(largest_x, abs(x[i]))
        if event[i]:
            own += weight[i] * x[i]
    log_likelihood, slope, information = univariate_terms(0.0, x, weight, moments, efron, r)
    slope += own
    null = log_likelihood
    if not information > SPREAD_TOLERANCE * moments.weight.sum():
        return np.nan, np.nan, null, null, np.nan, CONSTANT
    score = slope * slope / information
    b = 0.0
    for _ in range(max_iterations):
        step = slope / information if information > 0 else np.inf
        largest = RUNAWAY_STEP * max(1.0, abs(b))
        if slope * step < NEWTON_DECREMENT:
            status = OK if abs(step) < largest else SEPARATED
            return b + step, 1 / math.sqrt(information), log_likelihood, null, score, status
        before = log_likelihood
        slack = 1e-13 * abs(before)
        halvings = 0
        while True:
            log_likelihood = -np.inf
            if abs(b + step) * largest_x <= LARGEST_EXPONENT:
                log_likelihood, slope, information = univariate_terms(b + step, x, weight, moments, efron, r)
                log_likelihood += (b + step) * own
                slope += own
            if log_likelihood >= before - slack or halvings == max_iterations:
                break
            step /= 2
            halvings += 1
        b += step
        flat = log_likelihood - before <= FLAT_CHANGE * abs(before)
        if flat and not abs(slope) < RUNAWAY_STEP * max(1.0, abs(b)) * information:
            return b, np.nan, log_likelihood, null, score, SEPARATED
    return b, np.nan, log_likelihood, null, score, NOT_CONVERGED
