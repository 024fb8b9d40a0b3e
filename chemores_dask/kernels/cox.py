"""Cox regression: partial likelihood with tied times, strata, late entry and weights, Newton's method.

Moments are the times at which somebody has the event, counted backwards in time and stratum by stratum. With ``r = w exp(x b)``,
``S_m = sum over the risk set of r x^m`` and ``D_m`` the same sum over the ``d`` patients who die at a moment, of mean weight ``v``, each
moment adds ``sum over deaths of w x b - v sum over l < d of log(S_0 - (l/d) D_0)`` to Efron's log-likelihood; Breslow's has ``d v log S_0``
instead of the sum.

References
----------
Cox DR (1972). Regression models and life-tables. JRSS B 34:187-220.
Breslow NE (1974). Covariance analysis of censored survival data. Biometrics 30:89-99.
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

    By stratum, within it by falling duration, and where durations are equal those with the event last.

    Attributes
    ----------
    event
        Whether follow-up ended in the event.
    duration, entry, weight
        In the same order; entry is minus infinity without late entry, weight is 1 where none was given. A patient of weight 0 is as good
        as absent.
    first, past
        The patient is at risk at the moments ``first`` to ``past - 1``; whoever has the event has it at the moment ``first``.
    opens
        For each moment, whether it is the first of its stratum.
    late
        Whether any patient enters late.
    """

    event: Vector
    duration: Vector
    entry: Vector
    weight: Vector
    first: Vector
    past: Vector
    opens: Vector
    late: bool


def risk_order(
    duration: Vector, event: Vector, entry: Vector, stratum: Vector, weight: Vector | None = None
) -> tuple[Vector, RiskOrder]:
    """Sort patients for the kernels of this module.

    Parameters
    ----------
    duration, event, entry
        Outcome; entry is minus infinity without late entry.
    stratum
        Number of each patient's stratum.
    weight
        How often each patient counts; once where it is not given.

    Returns
    -------
    Positions of the patients in the new order, and their outcome in that order.
    """
    order = np.lexsort((event, -duration, stratum))
    time, layer, died = duration[order], stratum[order], np.asarray(event, dtype=np.bool_)[order]
    entered = np.asarray(entry, dtype=float)[order]
    first, past = np.zeros(order.size, dtype=np.int64), np.zeros(order.size, dtype=np.int64)
    opens: list[np.ndarray] = [np.zeros(0, dtype=np.bool_)]
    moments = 0
    for number in np.unique(layer):
        own = layer == number
        times = np.unique(time[own & died])
        # Moments are counted backwards: the latest is the first.
        first[own] = moments + times.size - np.searchsorted(times, time[own], side="right")
        past[own] = moments + times.size - np.searchsorted(times, entered[own], side="right")
        opens.append(np.arange(times.size) == 0)
        moments += times.size
    given = np.ones(order.size) if weight is None else np.asarray(weight, dtype=float)[order]
    late = bool(np.isfinite(entered).any())
    return order, RiskOrder(died, time.astype(float), entered, given, first, past, np.concatenate(opens), late)


@jit
def _running_sums(values: Matrix, risk: RiskOrder) -> Matrix:
    moments, columns = risk.opens.size, values.shape[1]
    sums, running = np.empty((moments, columns)), np.zeros(columns)
    i = 0
    for k in range(moments):
        if risk.opens[k]:
            running[:] = 0.0
        while i < risk.first.size and risk.first[i] <= k:
            if risk.first[i] < risk.past[i]:
                for c in range(columns):
                    running[c] += values[i, c]
            i += 1
        for c in range(columns):
            sums[k, c] = running[c]
    return sums


@jit
def _late_sums(values: Matrix, risk: RiskOrder) -> Matrix:
    # A patient's moments are cut into runs of 2^k, nodes of a tree; each run gets its share once, and hands it down at the end.
    moments, columns = risk.opens.size, values.shape[1]
    tree = np.zeros((2 * moments, columns))
    for i in range(risk.first.size):
        low, high = risk.first[i] + moments, risk.past[i] + moments
        while low < high:
            if low % 2:
                for c in range(columns):
                    tree[low, c] += values[i, c]
                low += 1
            if high % 2:
                high -= 1
                for c in range(columns):
                    tree[high, c] += values[i, c]
            low //= 2
            high //= 2
    for node in range(2, 2 * moments):
        for c in range(columns):
            tree[node, c] += tree[node // 2, c]
    return tree[moments:]


@jit
def risk_set_sums(values: Matrix, risk: RiskOrder) -> Matrix:
    """Sum rows of ``values`` over the patients at risk at each moment.

    Nothing is ever subtracted, so that small risk sets keep full precision beside large ones, also with late entry.

    Parameters
    ----------
    values
        Patients (in the order of ``risk``) by columns.
    risk
        From :func:`risk_order`.

    Returns
    -------
    Moments by columns.
    """
    return _late_sums(values, risk) if risk.late else _running_sums(values, risk)


@jit
def sums_while_at_risk(steps: Matrix, risk: RiskOrder) -> Matrix:
    """Sum rows of ``steps`` over the moments at which each patient is at risk.

    Added up from the earliest moment of each stratum: where risks differ by many orders, what late moments add is many orders larger than
    what early ones do, and a difference of sums that begin with the late ones would lose the early ones.

    Parameters
    ----------
    steps
        Moments by columns, such as what each adds to the hazard.
    risk
        From :func:`risk_order`.

    Returns
    -------
    Patients (in the order of ``risk``) by columns.
    """
    moments, columns = steps.shape
    since = np.zeros((moments + 1, columns))
    for k in range(moments - 1, -1, -1):
        fresh = k + 1 == moments or risk.opens[k + 1]
        for c in range(columns):
            since[k, c] = steps[k, c] + (0.0 if fresh else since[k + 1, c])
    sums = np.zeros((risk.first.size, columns))
    for i in range(risk.first.size):
        first, past = risk.first[i], risk.past[i]
        if first == past:
            continue
        entered = past < moments and not risk.opens[past]
        for c in range(columns):
            sums[i, c] = since[first, c] - (since[past, c] if entered else 0.0)
    return sums


@jit
def death_sums(values: Matrix, risk: RiskOrder) -> tuple[Matrix, Vector, Vector]:
    """Sum rows of ``values`` over the patients who die at each moment.

    Returns
    -------
    Moments by columns; the number of deaths (of patients whose weight is not 0) and the sum of their weights.
    """
    moments, columns = risk.opens.size, values.shape[1]
    sums = np.zeros((moments, columns))
    deaths, weights = np.zeros(moments, dtype=np.int64), np.zeros(moments)
    for i in range(risk.first.size):
        if risk.event[i] and risk.weight[i] > 0:
            k = risk.first[i]
            deaths[k] += 1
            weights[k] += risk.weight[i]
            for c in range(columns):
                sums[k, c] += values[i, c]
    return sums, deaths, weights


@jit
def _products(b: Vector, design: Matrix, risk: RiskOrder, values: Matrix, slope: Vector) -> float:
    # Rows of r, r x and the lower triangle of r x x; the part of the log-likelihood and of its slope that deaths give by themselves.
    p = b.size
    log_likelihood = 0.0
    for i in range(design.shape[0]):
        exponent = 0.0
        for j in range(p):
            exponent += design[i, j] * b[j]
        if abs(exponent) > LARGEST_EXPONENT:
            return -np.inf
        r = risk.weight[i] * math.exp(exponent)
        values[i, 0] = r
        column = p + 1
        for a in range(p):
            rx = r * design[i, a]
            values[i, 1 + a] = rx
            for c in range(a + 1):
                values[i, column] = rx * design[i, c]
                column += 1
        if risk.event[i]:
            log_likelihood += risk.weight[i] * exponent
            for j in range(p):
                slope[j] += risk.weight[i] * design[i, j]
    return log_likelihood


@jit
def cox_terms(b: Vector, design: Matrix, risk: RiskOrder, efron: bool, slope: Vector, information: Matrix) -> float:
    """Log-likelihood at ``b`` for several covariates, with Efron's or Breslow's treatment of ties.

    ``slope`` and the lower triangle of ``information`` are overwritten. Minus infinity when ``b`` is out of bounds.
    """
    p = b.size
    slope[:] = 0.0
    information[:] = 0.0
    values = np.empty((design.shape[0], 1 + p + p * (p + 1) // 2))
    log_likelihood = _products(b, design, risk, values, slope)
    if log_likelihood == -np.inf:
        return log_likelihood
    at_risk = risk_set_sums(values, risk)
    dying, deaths, weights = death_sums(values, risk)
    mean = np.empty(p)
    for k in range(deaths.size):
        terms = deaths[k] if efron else min(deaths[k], 1)
        for earlier in range(terms):
            share, weight = earlier / terms, weights[k] / terms
            a = at_risk[k, 0] - share * dying[k, 0]
            log_likelihood -= weight * math.log(a)
            column = p + 1
            for j in range(p):
                mean[j] = (at_risk[k, 1 + j] - share * dying[k, 1 + j]) / a
                slope[j] -= weight * mean[j]
                for c in range(j + 1):
                    square = (at_risk[k, column] - share * dying[k, column]) / a
                    information[j, c] += weight * (square - mean[j] * mean[c])
                    column += 1
    return log_likelihood


@jit
def _cholesky(matrix: Matrix, factor: Matrix) -> bool:
    # Whether the symmetric matrix, read from its lower triangle, is positive definite beyond rounding.
    for j in range(matrix.shape[0]):
        pivot = matrix[j, j]
        for m in range(j):
            pivot -= factor[j, m] ** 2
        if not pivot > PIVOT_TOLERANCE * matrix[j, j] or not matrix[j, j] > 0:
            return False
        factor[j, j] = math.sqrt(pivot)
        for i in range(j + 1, matrix.shape[0]):
            rest = matrix[i, j]
            for m in range(j):
                rest -= factor[i, m] * factor[j, m]
            factor[i, j] = rest / factor[j, j]
    return True


@jit
def inverse_information(information: Matrix, inverse: Matrix) -> bool:
    """Invert a symmetric matrix from its lower triangle by Cholesky factors.

    Returns
    -------
    Whether it is positive definite; otherwise ``inverse`` is meaningless.
    """
    p = information.shape[0]
    factor = np.zeros((p, p))
    if not _cholesky(information, factor):
        return False
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
def log_determinant(information: Matrix) -> float:
    """Logarithm of the determinant of a symmetric matrix, from its lower triangle; minus infinity where it is not positive definite."""
    factor = np.zeros(information.shape)
    if not _cholesky(information, factor):
        return -np.inf
    total = 0.0
    for j in range(information.shape[0]):
        total += 2 * math.log(factor[j, j])
    return total


@jit
def climb(
    design: Matrix, risk: RiskOrder, efron: bool, start: Vector, max_iterations: int
) -> tuple[Vector, Matrix, float, Vector, int, float]:
    """What :func:`fit_cox` does and returns, and the score statistic at ``start``."""
    p = start.size
    b, step, slope = start.copy(), np.zeros(p), np.zeros(p)
    information, covariance = np.zeros((p, p)), np.full((p, p), np.nan)
    log_likelihood = cox_terms(b, design, risk, efron, slope, information)
    before = -np.inf
    score = np.nan
    for round_number in range(max_iterations):
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
            if round_number == 0:
                score = decrement
        if runaway and (flat or not invertible or decrement < NEWTON_DECREMENT):
            singular_at_start = not invertible and before == -np.inf
            return b, covariance, log_likelihood, step, COLLINEAR if singular_at_start else SEPARATED, score
        if decrement < NEWTON_DECREMENT:
            return b + step, covariance, log_likelihood, step, OK, score
        before = log_likelihood
        log_likelihood = cox_terms(b + step, design, risk, efron, slope, information)
        halvings = 0
        while not log_likelihood >= before - 1e-13 * abs(before) and halvings < max_iterations:
            step = step / 2
            halvings += 1
            log_likelihood = cox_terms(b + step, design, risk, efron, slope, information)
        b = b + step
    return b, covariance, log_likelihood, step, NOT_CONVERGED, score


@jit
def fit_cox(
    design: Matrix, risk: RiskOrder, efron: bool, start: Vector, max_iterations: int
) -> tuple[Vector, Matrix, float, Vector, int]:
    """Newton's method for covariates with mean 0 and variance 1, from the coefficients ``start``.

    Parameters
    ----------
    design
        Patients (in the order of ``risk``) by covariates.
    risk
        From :func:`risk_order`.
    efron
        Whether ties are treated as Efron does; as Breslow does otherwise.
    start
        Coefficients.
    max_iterations
        Most steps, and most halvings of a step.

    Returns
    -------
    Coefficients, their covariance, log-likelihood, last step, status.
    """
    b, covariance, log_likelihood, step, status, _ = climb(design, risk, efron, start, max_iterations)
    return b, covariance, log_likelihood, step, status


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
