"""Kaplan-Meier's product-limit estimate of one group: risk sets, survival, Greenwood's variance, limits, restricted mean.

References
----------
Kaplan EL, Meier P (1958). Nonparametric estimation from incomplete observations. JASA 53:457-481.
Klein JP, Moeschberger ML (2003). Survival Analysis, sections 4.2 to 4.5. Springer.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit

CONFIDENCE = ("log", "log-log", "plain")
HALF_TOLERANCE = float(np.sqrt(np.finfo(float).eps))
"""How close to one half a survival counts as one half."""


@jit
def risk_table(entry: Vector, duration: Vector, event: Vector, times: Vector) -> tuple[Vector, Vector, Vector]:
    """Count who is at risk, has the event and is censored at each time.

    A patient is at risk at ``t`` when ``entry < t <= duration``.

    Parameters
    ----------
    entry
        Times of entry in rising order (on their own, not in the order of ``duration``); minus infinity for no late entry.
    duration
        Ends of follow-up in rising order.
    event
        Whether each of those ends was the event.
    times
        Rising times without repeats that include every duration.

    Returns
    -------
    Three integer arrays over ``times``.
    """
    at_risk = np.zeros(times.size, dtype=np.int64)
    events = np.zeros(times.size, dtype=np.int64)
    censored = np.zeros(times.size, dtype=np.int64)
    entered = 0
    left = 0
    for k in range(times.size):
        while entered < entry.size and entry[entered] < times[k]:
            entered += 1
        at_risk[k] = entered - left
        while left < duration.size and duration[left] == times[k]:
            if event[left]:
                events[k] += 1
            else:
                censored[k] += 1
            left += 1
    return at_risk, events, censored


def weighted_table(
    entry: Vector, duration: Vector, event: Vector, weight: Vector, times: Vector
) -> tuple[Vector, Vector]:
    """Add up the weights of those who are at risk and of those who have the event at each time.

    Parameters
    ----------
    entry, duration, event, weight
        One entry per patient, in any order.
    times
        Rising times without repeats that include every duration.

    Returns
    -------
    Two arrays over ``times``. Where all who are at risk have the event, both are the same to the last digit.
    """
    place = np.searchsorted(times, duration)
    first = np.searchsorted(times, entry, side="right")
    events = np.bincount(place[event], weight[event], minlength=times.size)
    others = np.bincount(place[~event], weight[~event], minlength=times.size)
    coming = np.bincount(first, weight, minlength=times.size + 1)[1:]
    # From the end, so that nothing is left over where nobody is left.
    left = np.cumsum((events + others - coming)[::-1])[::-1] - events
    entered = np.bincount(first, minlength=times.size + 1).cumsum()[:-1]
    gone = np.bincount(place, minlength=times.size).cumsum()
    return np.where((entered == gone) & (others == 0), 0.0, left) + events, events


@jit
def product_limit(at_risk: Vector, events: Vector) -> tuple[Vector, Vector]:
    """Multiply the shares that survive each time, and add up Greenwood's terms.

    Parameters
    ----------
    at_risk, events
        As made by :func:`risk_table`.

    Returns
    -------
    Survival after each time, and the variance of its logarithm (infinite once survival is 0).
    """
    survival = np.ones(at_risk.size)
    log_variance = np.zeros(at_risk.size)
    share = 1.0
    total = 0.0
    for k in range(at_risk.size):
        d = events[k]
        n = at_risk[k]
        if d > 0:
            share *= (n - d) / n
            if n > d:
                total += d / (n * (n - d))
            else:
                total = np.inf
        survival[k] = share
        log_variance[k] = total
    return survival, log_variance


@jit
def restricted_mean(
    times: Vector, survival: Vector, at_risk: Vector, events: Vector, restrict: float
) -> tuple[float, float]:
    """Area under the curve from 0 to ``restrict``, and its variance.

    The variance is ``sum over event times of A(t)^2 d / (n (n - d))`` with ``A(t)`` the area from ``t`` to ``restrict``; a time at which
    everybody at risk has the event adds nothing.

    Parameters
    ----------
    times, survival, at_risk, events
        One curve.
    restrict
        End of the area.

    Returns
    -------
    Mean time lived up to ``restrict``, and its variance.
    """
    area = 0.0
    variance = 0.0
    end = restrict
    for k in range(times.size - 1, -1, -1):
        if times[k] >= restrict:
            continue
        area += survival[k] * (end - times[k])
        end = times[k]
        n = at_risk[k]
        d = events[k]
        if d > 0 and n > d:
            variance += area * area * d / (n * (n - d))
    return area + max(end, 0.0), variance


def survival_limits(survival: Vector, log_variance: Vector, *, confidence: str, level: float) -> tuple[Vector, Vector]:
    """Pointwise limits of survival.

    Parameters
    ----------
    survival, log_variance
        As made by :func:`product_limit`.
    confidence
        Scale on which the interval is symmetric: ``"log"`` (of survival), ``"log-log"`` (of minus its logarithm) or ``"plain"``.
    level
        Coverage.

    Returns
    -------
    Lower and upper limits within [0, 1]. Not a number where survival is 0, and for log-log also where it is 1.
    """
    z = ndtri(0.5 + level / 2)
    known = survival > 0
    if confidence == "log-log":
        known &= survival < 1
    share = np.where(known, survival, np.nan)
    width = z * np.sqrt(np.where(known, log_variance, np.nan))
    if confidence == "plain":
        lower, upper = share - width * share, share + width * share
    elif confidence == "log":
        lower, upper = share * np.exp(-width), share * np.exp(width)
    else:
        hazard = -np.log(share)
        lower = np.exp(-hazard * np.exp(width / hazard))
        upper = np.exp(-hazard * np.exp(-width / hazard))
    return np.maximum(lower, 0), np.minimum(upper, 1)


def median_time(times: Vector, curve: Vector) -> float:
    """First time at which a falling curve is at most one half.

    A curve that stays at exactly one half for a while has its median in the middle of that stretch.

    Parameters
    ----------
    times
        Rising times.
    curve
        Survival or one of its limits after each time; may hold not-a-number.

    Returns
    -------
    The time; not a number if the curve stays above one half.
    """
    low = np.flatnonzero(curve < 0.5 + HALF_TOLERANCE)
    if not low.size:
        return float("nan")
    first = low[0]
    below = low[curve[low] < curve[first]]
    if abs(curve[first] - 0.5) < HALF_TOLERANCE and below.size:
        return float((times[first] + times[below[0]]) / 2)
    return float(times[first])
