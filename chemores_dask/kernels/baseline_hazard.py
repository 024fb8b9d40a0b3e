"""Baseline hazard of a Cox model: what each moment with deaths adds to it.

At a moment with ``d`` deaths of mean weight ``w``, ``A_l = S_0 - (l/d) D_0`` with Efron's ties (``A_l = S_0`` with Breslow's) and
``m_l = (S_1 - (l/d) D_1) / A_l``, in the notation of :mod:`chemores_dask.kernels.cox`. Summed over ``l < d``, the cumulative hazard grows
by ``w / A_l`` and its variance by ``w / A_l^2``; for those who die then, the hazard counts with the share ``1 - l/d`` only.

References
----------
Efron B (1977). The efficiency of Cox's likelihood function for censored data. JASA 72:557-565.
Therneau TM, Grambsch PM (2000). Modeling Survival Data: Extending the Cox Model, chapters 3, 4 and 10. Springer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import RiskOrder, death_sums, risk_set_sums


class HazardSteps(NamedTuple):
    """What moments with deaths add, in the order of the moments: by stratum and within it by falling time.

    Attributes
    ----------
    deaths, weight
        Patients who die then, and the sum of their weights.
    hazard, variance
        Growth of the cumulative hazard at covariates 0, and of its variance.
    mean
        Mean covariates of those at risk, over the tied deaths.
    hazard_mean
        Growth of the integral of mean covariates over the hazard.
    tied_hazard, tied_hazard_mean
        What of ``hazard`` and ``hazard_mean`` does not count for those who die then.
    """

    deaths: Vector
    weight: Vector
    hazard: Vector
    variance: Vector
    mean: Matrix
    hazard_mean: Matrix
    tied_hazard: Vector
    tied_hazard_mean: Matrix


def hazard_steps(b: Vector, design: Matrix, risk: RiskOrder, *, efron: bool) -> HazardSteps:
    """What every moment adds to the baseline hazard.

    Parameters
    ----------
    b
        Coefficients.
    design
        Patients by covariates, in the order of risk.
    risk
        Outcome in that order.
    efron
        Whether ties are Efron's; else Breslow's.

    Returns
    -------
    The steps, in the order of the moments.
    """
    scores = risk.weight * np.exp(design @ b)
    at_risk, dying, deaths, weight = _sums(np.column_stack([scores, scores[:, None] * design]), risk)
    k, p = deaths.size, b.size
    steps = HazardSteps(
        deaths,
        weight,
        np.zeros(k),
        np.zeros(k),
        np.zeros((k, p)),
        np.zeros((k, p)),
        np.zeros(k),
        np.zeros((k, p)),
    )
    for earlier in range(int(deaths.max(initial=0))):
        on = np.flatnonzero(deaths > earlier)
        share = earlier / deaths[on] if efron else np.zeros(on.size)
        left = at_risk[on] - share[:, None] * dying[on]
        growth = weight[on] / deaths[on] / left[:, 0]
        mean = left[:, 1:] / left[:, :1]
        steps.hazard[on] += growth
        steps.variance[on] += growth / left[:, 0]
        steps.mean[on] += mean / deaths[on][:, None]
        steps.hazard_mean[on] += growth[:, None] * mean
        steps.tied_hazard[on] += share * growth
        steps.tied_hazard_mean[on] += (share * growth)[:, None] * mean
    return steps


def moment_information(b: Vector, design: Matrix, risk: RiskOrder, *, efron: bool) -> Matrix:
    """Information that each moment adds.

    Parameters
    ----------
    b, design, risk, efron
        As for :func:`hazard_steps`.

    Returns
    -------
    Moments by covariates by covariates; their sum is the information of the model.
    """
    p = b.size
    scores = risk.weight * np.exp(design @ b)
    one, other = np.tril_indices(p)
    products = scores[:, None] * design[:, one] * design[:, other]
    at_risk, dying, deaths, weight = _sums(np.column_stack([scores, scores[:, None] * design, products]), risk)
    packed = np.zeros((deaths.size, one.size))
    for earlier in range(int(deaths.max(initial=0))):
        on = np.flatnonzero(deaths > earlier)
        share = earlier / deaths[on] if efron else np.zeros(on.size)
        left = at_risk[on] - share[:, None] * dying[on]
        moments = left[:, 1:] / left[:, :1]
        spread = moments[:, p:] - moments[:, one] * moments[:, other]
        packed[on] += (weight[on] / deaths[on])[:, None] * spread
    whole = np.zeros((deaths.size, p, p))
    whole[:, one, other] = packed
    whole[:, other, one] = packed
    return whole


def moment_places(risk: RiskOrder, stratum: Vector) -> tuple[Vector, Vector]:
    """Time and stratum of each moment.

    Parameters
    ----------
    risk
        Outcome in the order of risk.
    stratum
        Number of each patient's stratum, in that order.
    """
    died = np.flatnonzero(risk.event)
    time, number = np.zeros(risk.opens.size), np.zeros(risk.opens.size, dtype=np.int64)
    time[risk.first[died]] = risk.duration[died]
    number[risk.first[died]] = stratum[died]
    return time, number


def _sums(values: Matrix, risk: RiskOrder) -> tuple[Matrix, Matrix, Vector, Vector]:
    values = np.ascontiguousarray(values)
    dying, deaths, weight = death_sums(values, risk)
    return risk_set_sums(values, risk), dying, deaths, weight
