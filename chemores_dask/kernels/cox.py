"""Cox regression with Efron's treatment of ties: partial likelihood and Newton's method.

With ``S_m = sum over the risk set of x^m exp(x b)`` and ``D_m`` the same sum over the ``d`` patients who die at a time, each time adds
``sum over deaths of x b - sum over l < d of log(S_0 - (l/d) D_0)`` to the log-likelihood.

References
----------
Cox DR (1972). Regression models and life-tables. JRSS B 34:187-220.
Efron B (1977). The efficiency of Cox's likelihood function for censored data. JASA 72:557-565.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

STATUS_FLAGS = ("ok", "constant", "separated", "not_converged", "collinear", "too_few_events", "infinite")
OK, CONSTANT, SEPARATED, NOT_CONVERGED, COLLINEAR, TOO_FEW_EVENTS, INFINITE = range(len(STATUS_FLAGS))

LARGEST_EXPONENT = 500.0
"""Beyond this a step is out of bounds and is halved."""

NEWTON_DECREMENT = 1e-18
"""Converged when the squared step, in standard errors, is below this."""

FLAT_CHANGE = 1e-11
"""Relative change of the log-likelihood below which it is flat."""

RUNAWAY_STEP = 1e-4
"""A step of this size (of a covariate with unit variance) while the likelihood is flat: the coefficient runs to infinity."""

PIVOT_TOLERANCE = 1e-10
SPREAD_TOLERANCE = 1e-12


class RiskOrder(NamedTuple):
    """Patients of one or more strata in the order in which risk sets grow.

    Attributes
    ----------
    event
        Whether follow-up ended in the event, by stratum and within it by falling duration.
    starts
        Where each run of equal durations starts, and the end of the last one.
    opens
        For each run, whether it is the first of its stratum.
    duration, entry
        In the same order; entry is minus infinity without late entry.
    late
        Whether any patient enters late.
    """

    event: Vector
    starts: Vector
    opens: Vector
    duration: Vector
    entry: Vector
    late: bool


def risk_order(duration: Vector, event: Vector, entry: Vector, stratum: Vector) -> tuple[Vector, RiskOrder]:
    """Sort patients for the kernels of this module.

    Parameters
    ----------
    duration, event, entry
        Outcome; entry is minus infinity without late entry.
    stratum
        Number of each patient's stratum.

    Returns
    -------
    Positions of the patients in the new order, and their outcome in that order.
    """
    order = np.lexsort((-duration, stratum))
    time, layer = duration[order], stratum[order]
    fresh = np.ones(order.size, dtype=np.bool_)
    fresh[1:] = layer[1:] != layer[:-1]
    run = fresh.copy()
    run[1:] |= time[1:] != time[:-1]
    starts = np.append(np.flatnonzero(run), order.size)
    late = bool(np.isfinite(entry).any())
    return order, RiskOrder(event[order], starts, fresh[run], time, entry[order], late)


@jit
def _add_patient(x: Vector, r: float, s1: Vector, s2: Matrix) -> None:
    for a in range(x.size):
        s1[a] += r * x[a]
        for c in range(a + 1):
            s2[a, c] += r * x[a] * x[c]


@jit
def _late_risk_set(
    design: Matrix, risk: RiskOrder, exponents: Vector, first: int, last: int, s1: Vector, s2: Matrix
) -> float:
    # Entries are not subtracted as time goes back: recounting keeps full precision, and models are few.
    time = risk.duration[last - 1]
    s0 = 0.0
    s1[:] = 0.0
    s2[:] = 0.0
    for i in range(first, last):
        if risk.entry[i] < time:
            r = math.exp(exponents[i])
            s0 += r
            _add_patient(design[i], r, s1, s2)
    return s0


@jit
def _add_deaths(
    d: int, s: tuple[float, Vector, Matrix], d_sums: tuple[float, Vector, Matrix], slope: Vector, information: Matrix
) -> float:
    s0, s1, s2 = s
    d0, d1, d2 = d_sums
    log_likelihood = 0.0
    for earlier in range(d):
        share = earlier / d
        a = s0 - share * d0
        log_likelihood -= math.log(a)
        for j in range(slope.size):
            mean = (s1[j] - share * d1[j]) / a
            slope[j] -= mean
            for c in range(j + 1):
                information[j, c] += (s2[j, c] - share * d2[j, c]) / a - mean * (s1[c] - share * d1[c]) / a
    return log_likelihood


@jit
def efron_terms(b: Vector, design: Matrix, risk: RiskOrder, slope: Vector, information: Matrix) -> float:
    """Log-likelihood at ``b`` for several covariates, strata and late entry.

    ``slope`` and the lower triangle of ``information`` are overwritten. Minus infinity when ``b`` is out of bounds.
    """
    p = b.size
    slope[:] = 0.0
    information[:] = 0.0
    exponents = np.zeros(design.shape[0])
    for i in range(design.shape[0]):
        for j in range(p):
            exponents[i] += design[i, j] * b[j]
        if abs(exponents[i]) > LARGEST_EXPONENT:
            return -np.inf
    s0 = log_likelihood = 0.0
    s1, d1 = np.zeros(p), np.zeros(p)
    s2, d2 = np.zeros((p, p)), np.zeros((p, p))
    stratum = 0
    for k in range(risk.opens.size):
        first, last = risk.starts[k], risk.starts[k + 1]
        if risk.opens[k]:
            stratum = first
            s0 = 0.0
            s1[:] = 0.0
            s2[:] = 0.0
        d = 0
        d0 = 0.0
        d1[:] = 0.0
        d2[:] = 0.0
        for i in range(first, last):
            r = math.exp(exponents[i])
            s0 += r
            _add_patient(design[i], r, s1, s2)
            if risk.event[i]:
                d += 1
                d0 += r
                _add_patient(design[i], r, d1, d2)
                log_likelihood += exponents[i]
                slope += design[i]
        if d > 0:
            if risk.late:
                s0 = _late_risk_set(design, risk, exponents, stratum, last, s1, s2)
            log_likelihood += _add_deaths(d, (s0, s1, s2), (d0, d1, d2), slope, information)
    return log_likelihood


@jit
def inverse_information(information: Matrix, inverse: Matrix) -> bool:
    """Invert a symmetric matrix from its lower triangle by Cholesky factors.

    Returns
    -------
    Whether it is positive definite; otherwise ``inverse`` is meaningless.
    """
    p = information.shape[0]
    factor = np.zeros((p, p))
    for j in range(p):
        pivot = information[j, j]
        for m in range(j):
            pivot -= factor[j, m] ** 2
        if not pivot > PIVOT_TOLERANCE * information[j, j] or not information[j, j] > 0:
            return False
        factor[j, j] = math.sqrt(pivot)
        for i in range(j + 1, p):
            rest = information[i, j]
            for m in range(j):
                rest -= factor[i, m] * factor[j, m]
            factor[i, j] = rest / factor[j, j]
    for c in range(p):
        column = np.zeros(p)
        for i in range(p):
            rest = 1.0 if i == c else 0.0
            for m in range(i):
                rest -= factor[i, m] * column[m]
            column[i] = rest / factor[i, i]
        for i in range(p - 1, -1, -1):
            rest = column[i]
            for m in range(i + 1, p):
                rest -= factor[m, i] * column[m]
            column[i] = rest / factor[i, i]
        inverse[:, c] = column
    return True


@jit
def fit_efron(
    design: Matrix, risk: RiskOrder, start: Vector, max_iterations: int
) -> tuple[Vector, Matrix, float, Vector, int]:
    """Newton's method for covariates with mean 0 and variance 1, from the coefficients ``start``.

    Returns
    -------
    Coefficients, their covariance, log-likelihood, last step, status.
    """
    p = start.size
    b, step, slope = start.copy(), np.zeros(p), np.zeros(p)
    information, covariance = np.zeros((p, p)), np.full((p, p), np.nan)
    log_likelihood = efron_terms(b, design, risk, slope, information)
    before = -np.inf
    for _ in range(max_iterations):
        flat = log_likelihood - before <= FLAT_CHANGE * abs(log_likelihood)
        invertible = inverse_information(information, covariance)
        decrement = 0.0
        runaway = not invertible
        if invertible:
            for j in range(p):
                step[j] = 0.0
                for c in range(p):
                    step[j] += covariance[j, c] * slope[c]
                decrement += step[j] * slope[j]
                runaway = runaway or abs(step[j]) > RUNAWAY_STEP * max(1.0, abs(b[j]))
        if runaway and (flat or not invertible or decrement < NEWTON_DECREMENT):
            singular_at_start = not invertible and before == -np.inf
            return b, covariance, log_likelihood, step, COLLINEAR if singular_at_start else SEPARATED
        if decrement < NEWTON_DECREMENT:
            return b + step, covariance, log_likelihood, step, OK
        before = log_likelihood
        log_likelihood = efron_terms(b + step, design, risk, slope, information)
        halvings = 0
        while not log_likelihood >= before - 1e-13 * abs(before) and halvings < max_iterations:
            step = step / 2
            halvings += 1
            log_likelihood = efron_terms(b + step, design, risk, slope, information)
        b = b + step
    return b, covariance, log_likelihood, step, NOT_CONVERGED


def standardize(covariates: Matrix) -> tuple[Matrix, Vector, Vector]:
    """Bring covariates to mean 0 and variance 1.

    Parameters
    ----------
    covariates
        Patients by covariates.

    Returns
    -------
    The standardized covariates, their means and their standard deviations (0 for a constant one, which is only centered).
    """
    center = covariates.mean(axis=0)
    centered = covariates - center
    spread = np.sqrt((centered**2).mean(axis=0))
    constant = spread <= SPREAD_TOLERANCE * np.abs(covariates).max(axis=0, initial=0.0)
    spread = np.where(constant, 0.0, spread)
    return centered / np.where(constant, 1.0, spread), center, spread
