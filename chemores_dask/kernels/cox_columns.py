"""One Cox model per gene, with Efron's treatment of ties. The formulas are in :mod:`chemores_dask.kernels.cox`."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import (
    CONSTANT,
    FLAT_CHANGE,
    INFINITE,
    LARGEST_EXPONENT,
    NEWTON_DECREMENT,
    NOT_CONVERGED,
    OK,
    RUNAWAY_STEP,
    SEPARATED,
    SPREAD_TOLERANCE,
    TOO_FEW_EVENTS,
    RiskOrder,
    fit_cox,
)
from chemores_dask.kernels.jit import jit

MINIMUM_EVENTS = 2
LARGEST_VALUE = 1e100
"""Values beyond this, and genes that nowhere reach its inverse, are not fitted: squares would overflow, or vanish."""

Fit: TypeAlias = tuple[Vector, Matrix, float, Vector, int]
"""What ``fit_cox`` returns."""


@jit
def univariate_terms(b: float, x: Vector, event: Vector, starts: Vector) -> tuple[float, float, float]:
    """Log-likelihood, its slope and the information at ``b``, for one covariate, one stratum and no late entry."""
    s0 = s1 = s2 = 0.0
    log_likelihood = slope = information = 0.0
    for k in range(starts.size - 1):
        d = 0
        d0 = d1 = d2 = 0.0
        for i in range(starts[k], starts[k + 1]):
            exponent = b * x[i]
            if abs(exponent) > LARGEST_EXPONENT:
                return -np.inf, 0.0, 0.0
            r = math.exp(exponent)
            s0 += r
            s1 += r * x[i]
            s2 += r * x[i] * x[i]
            if event[i]:
                d += 1
                d0 += r
                d1 += r * x[i]
                d2 += r * x[i] * x[i]
                log_likelihood += exponent
                slope += x[i]
        for earlier in range(d):
            share = earlier / d
            a = s0 - share * d0
            mean = (s1 - share * d1) / a
            log_likelihood -= math.log(a)
            slope -= mean
            information += (s2 - share * d2) / a - mean * mean
    return log_likelihood, slope, information


@jit
def fit_univariate(
    x: Vector, event: Vector, starts: Vector, max_iterations: int
) -> tuple[float, float, float, float, int]:
    """Newton's method for one covariate with mean 0 and variance 1.

    Returns
    -------
    Coefficient, its standard error, log-likelihood there and at 0, status.
    """
    log_likelihood, slope, information = univariate_terms(0.0, x, event, starts)
    null = log_likelihood
    if not information > SPREAD_TOLERANCE * event.sum():
        return np.nan, np.nan, null, null, CONSTANT
    b = 0.0
    for _ in range(max_iterations):
        step = slope / information if information > 0 else np.inf
        largest = RUNAWAY_STEP * max(1.0, abs(b))
        if slope * step < NEWTON_DECREMENT:
            status = OK if abs(step) < largest else SEPARATED
            return b + step, 1 / math.sqrt(information), log_likelihood, null, status
        before = log_likelihood
        slack = 1e-13 * abs(before)
        log_likelihood, slope, information = univariate_terms(b + step, x, event, starts)
        halvings = 0
        while not log_likelihood >= before - slack and halvings < max_iterations:
            step /= 2
            halvings += 1
            log_likelihood, slope, information = univariate_terms(b + step, x, event, starts)
        b += step
        flat = log_likelihood - before <= FLAT_CHANGE * abs(before)
        if flat and not abs(slope) < RUNAWAY_STEP * max(1.0, abs(b)) * information:
            return b, np.nan, log_likelihood, null, SEPARATED
    return b, np.nan, log_likelihood, null, NOT_CONVERGED


@jit
def _known_patients(row: Vector, order: Vector, duration: Vector) -> tuple[Vector, Vector]:
    # Positions in falling duration of the patients whose value is known, and where their runs of equal durations start.
    kept = np.empty(order.size, dtype=np.int64)
    starts = np.empty(order.size + 1, dtype=np.int64)
    n = runs = 0
    for i in range(order.size):
        if math.isnan(row[order[i]]):
            continue
        if n == 0 or duration[i] != duration[kept[n - 1]]:
            starts[runs] = n
            runs += 1
        kept[n] = i
        n += 1
    starts[runs] = n
    return kept[:n], starts[: runs + 1]


@jit
def _fit_gene(
    x: Vector, risk: RiskOrder, covariates: Matrix, without: Fit, max_iterations: int
) -> tuple[float, float, float, float, int]:
    # One standardized gene beside covariates: coefficient, error, log-likelihood with and without the gene, status. ``without`` is the fit
    # of the covariates alone.
    q = covariates.shape[1]
    design = np.empty((x.size, q + 1))
    design[:, :q] = covariates
    design[:, q] = x
    start = np.zeros(q + 1)
    if without[4] == OK:
        start[:q] = without[0]
    b, covariance, log_likelihood, _, status = fit_cox(design, risk, True, start, max_iterations)
    if status != OK:
        return np.nan, np.nan, log_likelihood, without[2], status
    return float(b[q]), math.sqrt(covariance[q, q]), log_likelihood, without[2], status


@jit
def _one_stratum(event: Vector, starts: Vector, duration: Vector) -> RiskOrder:
    n = event.size
    first = np.zeros(n, dtype=np.int64)
    moments = 0
    for k in range(starts.size - 1):
        first[starts[k] : starts[k + 1]] = moments
        if event[starts[k] : starts[k + 1]].any():
            moments += 1
    opens = np.arange(moments) == 0
    late = False
    entry = np.full(n, -np.inf)
    return RiskOrder(event, duration, entry, np.ones(n), first, np.full(n, moments), opens, late)


@jit
def scan_efron(
    matrix: Matrix, order: Vector, duration: Vector, event: Vector, covariates: Matrix, max_iterations: int
) -> tuple[Vector, Vector, Vector, Vector, Vector, Vector, Vector]:
    """Fit one Cox model per gene.

    Parameters
    ----------
    matrix
        Genes by patients. A patient whose value is not a number is left out of that gene's model.
    order
        Patients by falling duration.
    duration, event, covariates
        In that order; covariates (patients by covariates, or no column) with mean 0 and variance 1.
    max_iterations
        Of Newton's method.

    Returns
    -------
    Per gene: coefficient, standard error, log-likelihood with the gene and without it, status, patients, events.
    """
    genes = matrix.shape[0]
    estimates = np.full((4, genes), np.nan)
    status = np.zeros(genes, dtype=np.int64)
    counts = np.zeros((2, genes), dtype=np.int64)
    q = covariates.shape[1]
    everyone = _known_patients(np.zeros(order.size), order, duration)[1]
    whole = fit_cox(covariates, _one_stratum(event, everyone, duration), True, np.zeros(q), max_iterations)
    for g in range(genes):
        known, starts = _known_patients(matrix[g], order, duration)
        x = matrix[g][order[known]]
        died = event[known]
        counts[0, g] = known.size
        counts[1, g] = died.sum()
        if counts[1, g] < MINIMUM_EVENTS:
            status[g] = TOO_FEW_EVENTS
            continue
        largest = np.abs(x).max()
        if not largest <= LARGEST_VALUE:
            status[g] = INFINITE
            continue
        center = x.mean()
        spread = math.sqrt(((x - center) ** 2).mean())
        if largest * LARGEST_VALUE < 1.0 or spread <= SPREAD_TOLERANCE * largest:
            status[g] = CONSTANT
            continue
        x = (x - center) / spread
        if q == 0:
            fitted = fit_univariate(x, died, starts, max_iterations)
        elif not univariate_terms(0.0, x, died, starts)[2] > SPREAD_TOLERANCE * died.sum():
            status[g] = CONSTANT
            continue
        else:
            risk = _one_stratum(died, starts, duration[known])
            beside = covariates[known]
            without = whole if known.size == order.size else fit_cox(beside, risk, True, np.zeros(q), max_iterations)
            fitted = _fit_gene(x, risk, beside, without, max_iterations)
        status[g] = fitted[4]
        if fitted[4] == OK:
            estimates[0, g] = fitted[0] / spread
            estimates[1, g] = fitted[1] / spread
        estimates[2, g] = fitted[2]
        estimates[3, g] = fitted[3]
    return estimates[0], estimates[1], estimates[2], estimates[3], status, counts[0], counts[1]
