"""Cumulative incidence of competing causes in one group (Aalen-Johansen), with two estimates of its variance.

References
----------
Aalen OO, Johansen S (1978). An empirical transition matrix for non-homogeneous Markov chains. Scand J Stat 5:141-150.
Gray RJ (1988). A class of K-sample tests for comparing the cumulative incidence of a competing risk. Annals of Statistics 16:1141-1154.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit


class CauseTable(NamedTuple):
    """Who is at risk and what happens at each time.

    Attributes
    ----------
    at_risk
        Patients with ``entry < t <= duration``.
    censored
        Patients lost at the time.
    events
        Causes by times: patients whom the cause ends at the time.
    """

    at_risk: Vector
    censored: Vector
    events: Matrix


def cause_table(entry: Vector, duration: Vector, cause: Vector, times: Vector, causes: int) -> CauseTable:
    """Count patients at risk and events of each cause at each time.

    Parameters
    ----------
    entry, duration, cause
        One entry per patient; ``cause`` is 0 for censored patients, otherwise 1, 2 and so on.
    times
        Rising times without repeats that include every duration.
    causes
        Number of causes.

    Returns
    -------
    Integer counts.
    """
    entered = np.searchsorted(np.sort(entry), times, side="left")
    left = np.searchsorted(np.sort(duration), times, side="left")
    place = np.searchsorted(times, duration)
    counts = np.bincount(cause * times.size + place, minlength=(causes + 1) * times.size).reshape(causes + 1, -1)
    return CauseTable(entered - left, counts[0], counts[1:])


def incidence(table: CauseTable) -> tuple[Vector, Matrix]:
    """Share without any event, and share ended by each cause, after each time.

    Parameters
    ----------
    table
        As made by :func:`cause_table`.

    Returns
    -------
    Over times, and over causes by times. They add up to 1.
    """
    risk = np.maximum(table.at_risk, 1)
    free = np.cumprod((risk - table.events.sum(axis=0)) / risk)
    before = np.concatenate([[1.0], free[:-1]])
    return free, np.cumsum(before * table.events / risk, axis=1)


def counting_variance(table: CauseTable, free: Vector, shares: Matrix) -> Matrix:
    """Variance of the incidences from the counting processes, in Gray's form with its correction for ties.

    An event of the cause at ``s`` moves the incidence at ``t`` by ``1 - (F(t) - F(s)) / S(s)`` times ``S(s-) / n``, one of another cause by
    ``(F(t) - F(s)) / S(s)`` times the same; ``d`` events at once have variance ``d (n - d) / (n - 1)``.

    Parameters
    ----------
    table, free, shares
        As made by :func:`cause_table` and :func:`incidence`.

    Returns
    -------
    Over causes by times.
    """
    risk = np.maximum(table.at_risk, 1)
    before = np.concatenate([[1.0], free[:-1]])
    spread = (before / risk) ** 2
    inverse = np.divide(1.0, free, out=np.zeros(free.size), where=free > 0)
    every = table.events.sum(axis=0)
    variances = np.empty(shares.shape)
    for number, (own, share) in enumerate(zip(table.events, shares, strict=True)):
        others = np.where(free > 0, every - own, 0)
        total = np.zeros((3, share.size))
        # At t the shift is constant + slope F(t), so its square needs three running sums only.
        for events, constant in ((own, 1 + share * inverse), (others, share * inverse)):
            size = spread * np.where(events > 1, 1 - (events - 1) / np.maximum(risk - 1, 1), 1.0) * events
            total += np.cumsum(np.stack([constant**2, constant * inverse, inverse**2]) * size, axis=1)
        variances[number] = total[0] - 2 * share * total[1] + share**2 * total[2]
    return np.maximum(variances, 0.0)


@jit
def jackknife_variances(
    entry: Vector, duration: Vector, cause: Vector, weight: Vector, times: Vector, causes: int, until: float
) -> tuple[Matrix, Vector]:
    """Variances of the shares from what each patient adds to them (infinitesimal jackknife).

    The influence of a patient on all shares is carried from time to time; its weighted squares are added up over the patients.

    Parameters
    ----------
    entry, duration, cause, times, causes
        As for :func:`cause_table`.
    weight
        How often each patient counts.
    until
        End of the mean times.

    Returns
    -------
    Variance of the share without any event and of those ended by each cause (shares by times), and of the mean time spent in each
    of these states from 0 to ``until``.
    """
    patients = duration.size
    states = causes + 1
    influence = np.zeros((patients, states))
    spent = np.zeros((patients, states))
    variance = np.zeros((states, times.size))
    ended = np.zeros(states)
    free = 1.0
    for k in range(times.size):
        time = times[k]
        ended[:] = 0.0
        n = 0.0
        last = True
        for i in range(patients):
            if entry[i] < time <= duration[i]:
                n += weight[i]
                if duration[i] == time:
                    ended[cause[i]] += weight[i]
                last &= duration[i] == time and cause[i] > 0
        events = ended[1:].sum()
        if events > 0:
            for i in range(patients):
                present = 1.0 if entry[i] < time <= duration[i] else 0.0
                stays = influence[i, 0]
                for c in range(1, states):
                    hazard = ended[c] / n
                    own = 1.0 if present and duration[i] == time and cause[i] == c else 0.0
                    moved = stays * hazard + free * (own - present * hazard) / n
                    influence[i, c] += moved
                    influence[i, 0] -= moved
            # Weights of all who are at risk need not add up to those of all who have the event to the last digit.
            free = 0.0 if last else free * (n - events) / n
        width = (min(times[k + 1], until) if k + 1 < times.size else until) - time
        for c in range(states):
            for i in range(patients):
                variance[c, k] += (weight[i] * influence[i, c]) ** 2
                if width > 0:
                    spent[i, c] += width * influence[i, c]
    means = np.zeros(states)
    for c in range(states):
        for i in range(patients):
            means[c] += (weight[i] * spent[i, c]) ** 2
    return variance, means
