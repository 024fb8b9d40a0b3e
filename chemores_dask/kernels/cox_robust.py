"""Errors of a Cox model that allow for patients who belong together: the sandwich of its score residuals, added up within clusters.

References
----------
Lin DY, Wei LJ (1989). The robust inference for the Cox proportional hazards model. JASA 84:1074-1078.
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import RiskOrder, death_sums, risk_set_sums, sums_while_at_risk
from chemores_dask.kernels.jit import jit


@jit
def score_rows(b: Vector, design: Matrix, risk: RiskOrder, efron: bool) -> Matrix:
    """Score residuals, each times the weight of its patient.

    Among Efron's ``d`` tied deaths, each is at risk with the share ``1 - l/d`` in the ``l``-th term.
    """
    n, p = design.shape
    values, scores = np.empty((n, 1 + p)), np.empty(n)
    for i in range(n):
        exponent = 0.0
        for j in range(p):
            exponent += design[i, j] * b[j]
        scores[i] = risk.weight[i] * math.exp(exponent)
        values[i, 0] = scores[i]
        for j in range(p):
            values[i, 1 + j] = scores[i] * design[i, j]
    at_risk = risk_set_sums(values, risk)
    dying, deaths, weights = death_sums(values, risk)
    # Of the hazard (first column) and of the hazard times the mean covariates: what each moment adds, and what tied deaths are spared.
    added, spared = np.zeros((deaths.size, 1 + p)), np.zeros((deaths.size, 1 + p))
    average = np.zeros((deaths.size, p))
    for k in range(deaths.size):
        terms = deaths[k] if efron else min(deaths[k], 1)
        for earlier in range(terms):
            share = earlier / terms
            sums = at_risk[k] - share * dying[k]
            hazard = weights[k] / terms / sums[0]
            sums /= sums[0]
            added[k] += hazard * sums
            spared[k] += share * hazard * sums
            average[k] += sums[1:] / terms
    lived = sums_while_at_risk(added, risk)
    rows = np.zeros((n, p))
    for i in range(n):
        hazard = lived[i]
        dies = risk.event[i] and risk.weight[i] > 0
        if dies:
            hazard -= spared[risk.first[i]]
        for j in range(p):
            rows[i, j] = scores[i] * (hazard[1 + j] - hazard[0] * design[i, j])
            if dies:
                rows[i, j] += risk.weight[i] * (design[i, j] - average[risk.first[i], j])
    return rows


@jit
def robust_covariance(
    b: Vector, design: Matrix, risk: RiskOrder, efron: bool, covariance: Matrix, cluster: Vector
) -> Matrix:
    """Covariance of the coefficients from score residuals, added up within clusters.

    Parameters
    ----------
    b
        Coefficients.
    design
        Patients (in the order of ``risk``) by covariates.
    risk
        From :func:`~chemores_dask.kernels.cox.risk_order`.
    efron
        Whether ties are treated as Efron does.
    covariance
        Inverse of the information.
    cluster
        Number of each patient's cluster, in the same order.

    Returns
    -------
    Covariates by covariates.
    """
    rows = score_rows(b, design, risk, efron)
    sums = np.zeros((cluster.max() + 1, b.size))
    for i in range(cluster.size):
        for j in range(b.size):
            for c in range(b.size):
                sums[cluster[i], j] += rows[i, c] * covariance[c, j]
    robust = np.zeros((b.size, b.size))
    for one in range(sums.shape[0]):
        for j in range(b.size):
            for c in range(b.size):
                robust[j, c] += sums[one, j] * sums[one, c]
    return robust
