"""Residuals of a Cox model from the steps of its baseline hazard.

With the martingale increments ``dM_i(t) = dN_i(t) - Y_i(t) exp(x_i b) dH(t)``, the martingale residual is their integral and the score
residual that of ``(x_i - mean(t)) dM_i(t)``; among Efron's tied deaths each counts with the average of the shares ``1 - l/d``.

References
----------
Therneau TM, Grambsch PM, Fleming TR (1990). Martingale-based residuals for survival models. Biometrika 77:147-160.
Schoenfeld D (1982). Partial residuals for the proportional hazards regression model. Biometrika 69:239-241.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.baseline_hazard import HazardSteps
from chemores_dask.kernels.cox import RiskOrder, sums_while_at_risk


def martingale_residuals(b: Vector, design: Matrix, risk: RiskOrder, steps: HazardSteps) -> tuple[Vector, Matrix]:
    """Martingale and score residuals, not multiplied by weights.

    Parameters
    ----------
    b
        Coefficients.
    design
        Patients by covariates, in the order of risk.
    risk
        Outcome in that order.
    steps
        Of the baseline hazard at ``b``.

    Returns
    -------
    Martingale residuals, and score residuals (patients by covariates), in that order.
    """
    added = np.column_stack([steps.hazard, steps.hazard_mean])
    lived = sums_while_at_risk(np.ascontiguousarray(added), risk)
    hazard, integral = lived[:, 0], lived[:, 1:]
    died = np.flatnonzero(risk.event)
    moment = risk.first[died]
    hazard[died] -= steps.tied_hazard[moment]
    integral[died] -= steps.tied_hazard_mean[moment]
    scores = np.exp(design @ b)
    residuals = -scores[:, None] * (design * hazard[:, None] - integral)
    residuals[died] += design[died] - steps.mean[moment]
    return risk.event - scores * hazard, residuals


def deviance_residuals(martingale: Vector, event: Vector) -> Vector:
    """Martingale residuals brought nearer to a normal distribution.

    Parameters
    ----------
    martingale
        Martingale residuals.
    event
        Whether each patient had the event.

    Examples
    --------
    >>> deviance_residuals(np.array([0.0, -0.5]), np.array([True, False]))
    array([ 0., -1.])
    """
    expected = np.maximum(event - martingale, np.finfo(float).tiny)
    inside = -2 * (martingale + np.where(event, np.log(expected), 0.0))
    residuals: Vector = np.sign(martingale) * np.sqrt(np.maximum(inside, 0.0))
    return residuals


def schoenfeld_residuals(design: Matrix, risk: RiskOrder, steps: HazardSteps) -> tuple[Vector, Matrix]:
    """Covariates of those who die minus the mean of those at risk.

    Parameters
    ----------
    design
        Patients by covariates, in the order of risk.
    risk
        Outcome in that order.
    steps
        Of the baseline hazard.

    Returns
    -------
    Positions of those who die (in the order of risk), and their residuals by covariate.
    """
    died = np.flatnonzero(risk.event)
    return died, design[died] - steps.mean[risk.first[died]]


def cluster_sums(rows: Matrix, clusters: Vector) -> Matrix:
    """Add up rows of the same cluster.

    Parameters
    ----------
    rows
        Patients by covariates.
    clusters
        Number of each patient's cluster.
    """
    count = int(clusters.max(initial=-1)) + 1
    return np.column_stack([np.bincount(clusters, column, minlength=count) for column in rows.T])
