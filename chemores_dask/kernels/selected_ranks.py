"""Maximally selected rank statistics: the largest of many two-group statistics along a cut through ordered patients, and its P value.

References
----------
Lausen B, Schumacher M (1992). Maximally selected rank statistics. Biometrics 48:73-85.
Lausen B, Sauerbrei W, Schumacher M (1994). Classification and regression trees (CART) used for the exploration of prognostic factors
measured on different scales. In: Dirschedl P, Ostermann R (eds), Computational Statistics, 483-496.
Hothorn T, Lausen B (2003). On the exact distribution of maximally selected rank statistics. Comput Stat Data Anal 43:121-137.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.recovery_areas import drawn_place

SAME = 1e-9
"""Statistics that differ by less are equal: sums in another order differ by rounding."""


def log_rank_scores(duration: Vector, event: Vector) -> Vector:
    """Log-rank scores of patients: events observed less those expected by the cumulative hazard of everybody (Nelson-Aalen).

    Parameters
    ----------
    duration, event
        Outcome.

    Returns
    -------
    One per patient; they sum to 0, and the sum over a group is observed less expected events of the log-rank test.
    """
    times, place = np.unique(duration, return_inverse=True)
    leaving = np.bincount(place, minlength=times.size)
    dying = np.bincount(place, weights=np.asarray(event, dtype=float), minlength=times.size)
    at_risk = np.cumsum(leaving[::-1])[::-1]
    return np.asarray(event, dtype=float) - np.cumsum(dying / at_risk)[place]


def cut_moments(scores: Vector, below: Vector) -> tuple[Vector, Vector]:
    """Mean and standard deviation of the sum of the scores below each cut, over all orders of the patients.

    Parameters
    ----------
    scores
        Of all patients.
    below
        Numbers of patients below each cut.

    Returns
    -------
    Means and standard deviations.
    """
    n = scores.size
    mean = scores.mean()
    variance = ((scores - mean) ** 2).sum() / (n - 1)
    return below * mean, np.sqrt(below * (n - below) / n * variance)


@jit
def cut_statistics(scores: Vector, below: Vector, mean: Vector, deviation: Vector) -> Vector:
    """Standardized sums of the scores below each cut.

    Parameters
    ----------
    scores
        In the order of the patients along the cut.
    below
        Numbers of patients below each cut, rising.
    mean, deviation
        From :func:`cut_moments`.

    Returns
    -------
    One per cut.
    """
    found = np.empty(below.size)
    total = 0.0
    place = 0
    for cut in range(below.size):
        while place < below[cut]:
            total += scores[place]
            place += 1
        found[cut] = (total - mean[cut]) / deviation[cut]
    return found


@jit
def shuffled_maxima(scores: Vector, below: Vector, mean: Vector, deviation: Vector, streams: Vector) -> Vector:
    """Largest absolute statistic of each of some random orders of the patients.

    Parameters
    ----------
    scores
        Of all patients, in an order that does not depend on the caller's.
    below, mean, deviation
        As for :func:`cut_statistics`.
    streams
        One uint64 per draw; what is drawn depends on it alone.

    Returns
    -------
    One per draw.
    """
    maxima = np.empty(streams.size)
    shuffled = np.empty_like(scores)
    for draw in range(streams.size):
        shuffled[:] = scores
        total, largest = 0.0, 0.0
        cut = 0
        # Patients are drawn one by one until the last cut; who would stand behind it does not matter.
        for place in range(below[-1]):
            other = place + drawn_place(streams[draw], place + 1, scores.size - place)
            taken = shuffled[other]
            shuffled[other] = shuffled[place]
            total += taken
            if place + 1 == below[cut]:
                largest = max(largest, abs((total - mean[cut]) / deviation[cut]))
                cut += 1
        maxima[draw] = largest
    return maxima


def maximum_p_1992(statistic: float, share: float) -> float:
    """P value of the largest absolute statistic by the limiting process (Lausen and Schumacher 1992).

    Parameters
    ----------
    statistic
        The largest absolute standardized statistic.
    share
        Least share of patients on either side of a cut.

    Returns
    -------
    An approximation for large cohorts and small P; 1 where the statistic is below 1.
    """
    if statistic < 1:
        return 1.0
    density = math.exp(-(statistic**2) / 2) / math.sqrt(2 * math.pi)
    width = 2 * math.log((1 - share) / share)
    return min(1.0, max(0.0, 4 * density / statistic + density * (statistic - 1 / statistic) * width))


def maximum_p_1994(statistic: float, below: Vector, patients: int) -> float:
    """P value of the largest absolute statistic by an improved Bonferroni inequality (Lausen, Sauerbrei and Schumacher 1994).

    To the P value of one cut each further cut adds the chance that the statistic exceeds there and not at the cut before.

    Parameters
    ----------
    statistic
        The largest absolute standardized statistic.
    below
        Numbers of patients below each cut, rising.
    patients
        All of them.

    Returns
    -------
    An upper bound, as far as statistics are normal.
    """
    first, second = below[:-1].astype(float), below[1:].astype(float)
    apart = np.sqrt(1 - first * (patients - second) / ((patients - first) * second))
    added = np.exp(-(statistic**2) / 2) / np.pi * (apart - (statistic**2 / 4 - 1) * apart**3 / 6)
    return float(min(1.0, 2 * ndtr(-statistic) + added.sum()))


def share_reached(maxima: Vector, statistic: float) -> float:
    """P value of the largest statistic over random orders: the share that reaches it, the order found among them.

    Parameters
    ----------
    maxima
        From :func:`shuffled_maxima`.
    statistic
        The largest absolute statistic found.

    Returns
    -------
    From 1 / (draws + 1) to 1.
    """
    return float((1 + np.count_nonzero(maxima >= statistic - SAME)) / (1 + maxima.size))
