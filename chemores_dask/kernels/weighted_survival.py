"""Survival and censoring of a cohort whose patients count any number of times, as in a bootstrap, and the concordance of a risk in it.

References
----------
Uno H, Cai T, Pencina MJ, D'Agostino RB, Wei LJ (2011). On the C-statistics for evaluating overall adequacy of risk prediction procedures
with censored survival data. Statistics in Medicine 30:1105-1117.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit

CENSORED, DIED = range(2)


class TimedRisk(NamedTuple):
    """Patients in rising duration.

    Attributes
    ----------
    event
        Whether follow-up ended in the event.
    run
        Number of the run of equal durations of each patient.
    starts
        Where each run starts, and the end of the last one.
    rank
        Rank of the risk of each patient among the different risks, from 0.
    by_risk
        The patients in rising risk.
    """

    event: Vector
    run: Vector
    starts: Vector
    rank: Vector
    by_risk: Vector


def timed_risk(risk: Vector, duration: Vector, event: Vector) -> tuple[Vector, TimedRisk]:
    """Sort patients for the kernels of this module.

    Parameters
    ----------
    risk
        Higher for a shorter life.
    duration, event
        Outcome.

    Returns
    -------
    Positions of the patients in the new order, and the patients in it.
    """
    order = np.argsort(duration, kind="stable")
    time, score = duration[order], risk[order]
    starts = np.append(np.flatnonzero(np.append(True, np.diff(time) > 0)), time.size)
    run = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    rank = np.unique(score, return_inverse=True)[1].astype(np.int64)
    return order, TimedRisk(event[order], run, starts, rank, np.argsort(rank, kind="stable"))


@jit
def survival_steps(patients: TimedRisk, weight: Vector) -> tuple[Vector, Vector, Vector]:
    """Product-limit estimates of survival and of staying uncensored; events come before censoring at the same time.

    Parameters
    ----------
    patients
        In rising duration.
    weight
        How often each counts.

    Returns
    -------
    By run of equal durations: survival after it; the share uncensored before it and after it.
    """
    runs = patients.starts.size - 1
    survival, before, after = np.ones(runs), np.ones(runs), np.ones(runs)
    alive = uncensored = 1.0
    at_risk = weight.sum()
    for k in range(runs):
        died = left = 0.0
        for i in range(patients.starts[k], patients.starts[k + 1]):
            if patients.event[i]:
                died += weight[i]
            else:
                left += weight[i]
        before[k] = uncensored
        if died > 0:
            alive *= (at_risk - died) / at_risk
        if left > 0:
            uncensored *= (at_risk - died - left) / (at_risk - died)
        survival[k] = alive
        after[k] = uncensored
        at_risk -= died + left
    return survival, before, after


@jit
def _enter(patients: TimedRisk, weight: Vector, run: int, kind: int, tree: Vector, own: Vector) -> float:
    # Patients of a run enter a Fenwick tree over the ranks of their risks; returns how much they weigh.
    total = 0.0
    for i in range(patients.starts[run], patients.starts[run + 1]):
        if patients.event[i] != kind or weight[i] == 0:
            continue
        total += weight[i]
        own[patients.rank[i]] += weight[i]
        place = patients.rank[i] + 1
        while place < tree.size:
            tree[place] += weight[i]
            place += place & -place
    return total


@jit
def concordance_shares(patients: TimedRisk, weight: Vector, before: Vector, runs: int) -> tuple[float, float]:
    """Harrell's concordance, and Uno's up to a time.

    A pair counts when one patient has the event and the other lives on, or is censored at that time. Equal risks count half. Uno's weighs
    each pair by the inverse squared share that is uncensored just before the event.

    Parameters
    ----------
    patients
        In rising duration.
    weight
        How often each counts.
    before
        Of :func:`survival_steps`.
    runs
        Uno's takes events of the first so many runs of equal durations.

    Returns
    -------
    Both; not a number without a pair.
    """
    ranks = patients.rank.max() + 1
    tree, own = np.zeros(ranks + 1), np.zeros(ranks)
    later = right = pairs = uno_right = uno_pairs = 0.0
    for k in range(patients.starts.size - 2, -1, -1):
        later += _enter(patients, weight, k, CENSORED, tree, own)
        for i in range(patients.starts[k], patients.starts[k + 1]):
            if not patients.event[i] or weight[i] == 0:
                continue
            agree = 0.5 * own[patients.rank[i]]
            place = patients.rank[i]
            while place > 0:
                agree += tree[place]
                place -= place & -place
            right += weight[i] * agree
            pairs += weight[i] * later
            if k < runs:
                uno_right += weight[i] * agree / before[k] ** 2
                uno_pairs += weight[i] * later / before[k] ** 2
        later += _enter(patients, weight, k, DIED, tree, own)
    return right / pairs if pairs > 0 else np.nan, uno_right / uno_pairs if uno_pairs > 0 else np.nan


@jit
def concordance_columns(columns: Vector, order: Vector, starts: Vector, event: Vector) -> Vector:
    """Harrell's concordance of many risks.

    Parameters
    ----------
    columns
        Risks by patients.
    order
        Patients in rising duration.
    starts
        Where runs of equal durations start in that order, and the end of the last one.
    event
        In that order.

    Returns
    -------
    One per risk; not a number where it is not known for some patient, or no pair counts.
    """
    found = np.full(columns.shape[0], np.nan)
    run = np.zeros(order.size, dtype=np.int64)
    weight, before = np.ones(order.size), np.ones(starts.size - 1)
    for g in range(columns.shape[0]):
        risk = columns[g][order]
        if np.isnan(risk).any():
            continue
        by_risk = np.argsort(risk)
        rank = np.zeros(order.size, dtype=np.int64)
        for i in range(1, order.size):
            rank[by_risk[i]] = rank[by_risk[i - 1]] + (risk[by_risk[i]] > risk[by_risk[i - 1]])
        found[g] = concordance_shares(TimedRisk(event, run, starts, rank, by_risk), weight, before, 0)[0]
    return found
