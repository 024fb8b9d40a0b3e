"""Breslow's partial likelihood of a penalized Cox model: its value, its slopes and the diagonal of its information.

References
----------
Breslow NE (1974). Covariance analysis of censored survival data. Biometrics 30:89-99.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

LARGEST_RANGE = 300.0
"""Exponents that lie farther apart are out of bounds, and the step is halved."""


class PenalizedCox(NamedTuple):
    """Patients in the order in which risk sets grow (by stratum, and by falling duration), and how genes are penalized.

    Attributes
    ----------
    columns
        Genes by patients.
    event
        Whether follow-up ended in the event.
    starts
        Where each run of equal durations starts, and the end of the last one.
    opens
        For each run, whether it is the first of its stratum.
    factor
        Factor of the penalty of each gene: 0 is not penalized, infinite stays out.
    mixing
        Share of the absolute values in the penalty (alpha).
    """

    columns: Matrix
    event: Vector
    starts: Vector
    opens: Vector
    factor: Vector
    mixing: float


def order_of_risk(duration: Vector, stratum: Vector) -> tuple[Vector, Vector, Vector]:
    """Order patients by stratum, and by falling duration within it.

    Parameters
    ----------
    duration
        End of follow-up.
    stratum
        Number of each patient's stratum.

    Returns
    -------
    Positions of the patients in the new order; ``starts`` and ``opens`` as in :class:`PenalizedCox`.
    """
    order = np.lexsort((-duration, stratum))
    time, layer = duration[order], stratum[order]
    fresh = np.ones(order.size, dtype=np.bool_)
    fresh[1:] = layer[1:] != layer[:-1]
    run = fresh.copy()
    run[1:] |= time[1:] != time[:-1]
    return order, np.append(np.flatnonzero(run), order.size), fresh[run]


class PathState(NamedTuple):
    """Where a path stands; its arrays are overwritten as it goes on.

    Attributes
    ----------
    b
        Coefficients.
    exponents
        ``x b`` of each patient.
    residual, weight
        Slope of the log-likelihood and diagonal of its information for each patient.
    log_likelihood
        One number.
    """

    b: Vector
    exponents: Vector
    residual: Vector
    weight: Vector
    log_likelihood: Vector


@jit
def lane_dot(a: Vector, b: Vector) -> float:
    """Sum of products, in an order that never changes."""
    # Eight sums side by side fill the lanes of the processor.
    n = a.size
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = n - n % 8
    for i in range(0, whole, 8):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
        s4 += a[i + 4] * b[i + 4]
        s5 += a[i + 5] * b[i + 5]
        s6 += a[i + 6] * b[i + 6]
        s7 += a[i + 7] * b[i + 7]
    for i in range(whole, n):
        s0 += a[i] * b[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@jit
def breslow_residuals(
    exponents: Vector, event: Vector, starts: Vector, opens: Vector, residual: Vector, curvature: Vector
) -> float:
    """Log-likelihood of given exponents, with its slope and the diagonal of its information for each patient.

    Parameters
    ----------
    exponents
        ``x b`` of each patient.
    event, starts, opens
        As in :class:`PenalizedCox`.
    residual, curvature
        Overwritten: the martingale residuals, and what each patient adds to the information.

    Returns
    -------
    Breslow's partial log-likelihood; minus infinity where exponents are out of bounds.
    """
    shift = exponents.max()
    if not shift - exponents.min() < LARGEST_RANGE:
        return -np.inf
    runs = opens.size
    at_risk = np.empty(runs)
    total = log_likelihood = 0.0
    for k in range(runs):
        if opens[k]:
            total = 0.0
        deaths = 0
        for i in range(starts[k], starts[k + 1]):
            total += math.exp(exponents[i] - shift)
            if event[i]:
                deaths += 1
                log_likelihood += exponents[i] - shift
        at_risk[k] = total
        if deaths > 0:
            log_likelihood -= deaths * math.log(total)
    hazard = squares = 0.0
    for k in range(runs - 1, -1, -1):
        deaths = 0
        for i in range(starts[k], starts[k + 1]):
            deaths += event[i]
        if deaths > 0:
            hazard += deaths / at_risk[k]
            squares += deaths / at_risk[k] ** 2
        for i in range(starts[k], starts[k + 1]):
            r = math.exp(exponents[i] - shift)
            residual[i] = event[i] - r * hazard
            curvature[i] = max(r * hazard - r * r * squares, 0.0)
        if opens[k]:
            hazard = squares = 0.0
    return log_likelihood


@jit
def gene_slopes(columns: Matrix, residual: Vector) -> Vector:
    """Slope of the log-likelihood per patient along each gene.

    Parameters
    ----------
    columns
        Genes by patients.
    residual
        Martingale residuals.

    Returns
    -------
    One per gene.
    """
    slopes = np.empty(columns.shape[0])
    for j in range(columns.shape[0]):
        slopes[j] = lane_dot(columns[j], residual) / residual.size
    return slopes
