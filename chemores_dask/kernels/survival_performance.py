"""How predictions hold against survival at some times, with patients who are censored: AUC, Brier score, net benefit.

Patients who had the event by a time ``t`` weigh the inverse share uncensored just before their event, patients who live beyond ``t`` the
inverse share uncensored at ``t``, and patients censored by then nothing (inverse probability of censoring weights).

References
----------
Graf E, Schmoor C, Sauerbrei W, Schumacher M (1999). Assessment and comparison of prognostic classification schemes for survival data.
Statistics in Medicine 18:2529-2545.
Uno H, Cai T, Tian L, Wei LJ (2007). Evaluating prediction rules for t-year survivors with censored regression models. JASA 102:527-537.
Vickers AJ, Cronin AM, Elkin EB, Gonen M (2008). Extensions to decision curve analysis. BMC Medical Informatics and Decision Making 8:53.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit
from chemores_dask.kernels.weighted_survival import TimedRisk, concordance_shares, survival_steps


class Measured(NamedTuple):
    """What is measured, and when.

    Attributes
    ----------
    places
        For each time, how many runs of equal durations end by it; the horizons come first.
    horizons
        How many of the times are horizons.
    predicted
        Patients by times: predicted probability to live beyond the time; no columns where nothing is predicted.
    thresholds
        Probabilities of the event by the horizon at which treatment starts.
    """

    places: Vector
    horizons: int
    predicted: Matrix
    thresholds: Vector


@jit
def dynamic_auc(patients: TimedRisk, weight: Vector, before: Vector, place: int) -> float:
    """Probability that a patient with the event by a time has a higher risk than one who lives beyond it.

    Parameters
    ----------
    patients
        In rising duration.
    weight
        How often each counts.
    before
        Share uncensored before each run.
    place
        Runs of equal durations that end by the time.

    Returns
    -------
    The cumulative/dynamic area; not a number where all or none have had the event.
    """
    right = cases = lower = 0.0
    tied_cases = tied_controls = 0.0
    n = patients.by_risk.size
    for step in range(n):
        i = patients.by_risk[step]
        if patients.run[i] >= place:
            tied_controls += weight[i]
        elif patients.event[i]:
            tied_cases += weight[i] / before[patients.run[i]]
        if step + 1 == n or patients.rank[patients.by_risk[step + 1]] != patients.rank[i]:
            right += tied_cases * (lower + 0.5 * tied_controls)
            cases += tied_cases
            lower += tied_controls
            tied_cases = tied_controls = 0.0
    return right / (cases * lower) if cases * lower > 0 else np.nan


@jit
def brier_at(
    patients: TimedRisk, weight: Vector, before: Vector, uncensored: float, place: int, predicted: Vector
) -> float:
    """Mean squared error of predicted survival beyond a time.

    Parameters
    ----------
    patients
        In rising duration.
    weight
        How often each counts.
    before
        Share uncensored before each run.
    uncensored
        Share uncensored at the time.
    place
        Runs of equal durations that end by the time.
    predicted
        Probability of each patient to live beyond the time.

    Returns
    -------
    Brier score; not a number where nobody lives beyond the time.
    """
    total = beyond = everybody = 0.0
    for i in range(patients.run.size):
        everybody += weight[i]
        if patients.run[i] >= place:
            beyond += weight[i]
            if weight[i] > 0:
                total += weight[i] * (1 - predicted[i]) ** 2 / uncensored
        elif patients.event[i]:
            total += weight[i] * predicted[i] ** 2 / before[patients.run[i]]
    return total / everybody if beyond > 0 else np.nan


@jit
def net_benefit_at(patients: TimedRisk, weight: Vector, place: int, predicted: Vector, threshold: float) -> float:
    """Net benefit of treating those whose probability of the event by a time reaches a threshold.

    Parameters
    ----------
    patients
        In rising duration.
    weight
        How often each counts.
    place
        Runs of equal durations that end by the time.
    predicted
        Probability of each patient to live beyond the time.
    threshold
        Above 0, below 1.

    Returns
    -------
    True positives less false ones, weighed by the odds of the threshold, per patient; by the product-limit estimate among those treated.
    0 where nobody is treated, not a number where the treated are not followed up to the time.
    """
    treated = everybody = 0.0
    for i in range(weight.size):
        everybody += weight[i]
        if 1 - predicted[i] >= threshold:
            treated += weight[i]
    if treated == 0:
        return 0.0
    at_risk, alive = treated, 1.0
    for k in range(place):
        died = left = 0.0
        for i in range(patients.starts[k], patients.starts[k + 1]):
            if 1 - predicted[i] >= threshold:
                if patients.event[i]:
                    died += weight[i]
                else:
                    left += weight[i]
        if died > 0:
            alive *= (at_risk - died) / at_risk
        at_risk -= died + left
    if at_risk <= 0 and alive > 0:
        return np.nan
    return treated / everybody * (1 - alive - alive * threshold / (1 - threshold))


@jit
def measure_risk(patients: TimedRisk, weight: Vector, measured: Measured) -> Vector:
    """Everything that a cohort says of a risk and of predicted survival.

    Parameters
    ----------
    patients
        In rising duration.
    weight
        How often each counts.
    measured
        Times, predictions and thresholds.

    Returns
    -------
    Harrell's and Uno's concordance (up to the last horizon); at each time the AUC, survival by the product-limit estimate (not a number
    beyond follow-up); where survival is predicted also, at each time, the mean prediction, the Brier score and that of the product-limit
    estimate; and for each horizon the net benefit at each threshold, and that of treating everybody.
    """
    times, steps, runs = measured.places.size, measured.thresholds.size, patients.starts.size - 1
    forecast = measured.predicted.shape[1] > 0
    found = np.full(2 + 2 * times + (3 * times + 2 * measured.horizons * steps if forecast else 0), np.nan)
    survival, before, after = survival_steps(patients, weight)
    last = 0
    for h in range(measured.horizons):
        last = max(last, measured.places[h])
    found[0], found[1] = concordance_shares(patients, weight, before, last)
    followed = 0
    for k in range(runs):
        if weight[patients.starts[k] : patients.starts[k + 1]].sum() > 0:
            followed = k + 1
    everybody = weight.sum()
    for t in range(times):
        place = measured.places[t]
        alive = survival[place - 1] if place > 0 else 1.0
        if place >= followed and alive > 0:
            continue
        found[2 + t] = dynamic_auc(patients, weight, before, place)
        found[2 + times + t] = alive
        if not forecast:
            continue
        predicted = measured.predicted[:, t]
        uncensored = after[place - 1] if place > 0 else 1.0
        found[2 + 2 * times + t] = (weight * predicted).sum() / everybody
        found[2 + 3 * times + t] = brier_at(patients, weight, before, uncensored, place, predicted)
        found[2 + 4 * times + t] = brier_at(patients, weight, before, uncensored, place, np.full(weight.size, alive))
        if t < measured.horizons:
            first = 2 + 5 * times + 2 * t * steps
            for s in range(steps):
                threshold = measured.thresholds[s]
                found[first + s] = net_benefit_at(patients, weight, place, predicted, threshold)
                found[first + steps + s] = 1 - alive - alive * threshold / (1 - threshold)
    return found


@jit
def measure_draws(patients: TimedRisk, weights: Matrix, measured: Measured) -> Matrix:
    """:func:`measure_risk` for each row of ``weights``."""
    first = measure_risk(patients, weights[0], measured)
    found = np.empty((weights.shape[0], first.size))
    found[0] = first
    for k in range(1, weights.shape[0]):
        found[k] = measure_risk(patients, weights[k], measured)
    return found
