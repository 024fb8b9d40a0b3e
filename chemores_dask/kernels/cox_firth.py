"""Cox regression with Firth's penalty, whose estimates are finite where a covariate separates the patients.

Maximizes ``log-likelihood + log det(information) / 2``. The slope of the penalty, ``trace(V dI/db_j) / 2``, is a sum of third central
moments over risk sets; with ``q = x'Vx`` it takes one more pass over the patients.

References
----------
Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80:27-38.
Heinze G, Schemper M (2001). A solution to the problem of monotone likelihood in Cox regression. Biometrics 57:114-119.
"""

from __future__ import annotations

import math

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import (
    COLLINEAR,
    NEWTON_DECREMENT,
    NOT_CONVERGED,
    OK,
    RiskOrder,
    cox_terms,
    death_sums,
    inverse_information,
    log_determinant,
    risk_set_sums,
)
from chemores_dask.kernels.jit import jit

LONGEST_STEP = 5.0
"""Of one coefficient of a covariate with unit variance; beyond this a step is shortened."""


@jit
def _penalty_slope(b: Vector, design: Matrix, risk: RiskOrder, efron: bool, covariance: Matrix, slope: Vector) -> None:
    # Adds the slope of the penalty to that of the log-likelihood.
    p = b.size
    values = np.empty((design.shape[0], 2 + 2 * p + p * p))
    for i in range(design.shape[0]):
        exponent = q = 0.0
        for j in range(p):
            exponent += design[i, j] * b[j]
            for c in range(p):
                q += design[i, j] * covariance[j, c] * design[i, c]
        r = risk.weight[i] * math.exp(exponent)
        values[i, 0] = r
        values[i, 1] = r * q
        for j in range(p):
            values[i, 2 + j] = r * design[i, j]
            values[i, 2 + p + j] = r * q * design[i, j]
            for c in range(p):
                values[i, 2 + 2 * p + j * p + c] = r * design[i, j] * design[i, c]
    at_risk = risk_set_sums(values, risk)
    dying, deaths, weights = death_sums(values, risk)
    turned = np.empty(p)
    for k in range(deaths.size):
        terms = deaths[k] if efron else min(deaths[k], 1)
        for earlier in range(terms):
            weight = weights[k] / terms
            sums = at_risk[k] - earlier / terms * dying[k]
            sums /= sums[0]
            turned[:] = 0.0
            square = 0.0
            for j in range(p):
                for c in range(p):
                    turned[j] += covariance[j, c] * sums[2 + c]
                square += turned[j] * sums[2 + j]
            for j in range(p):
                third = sums[2 + p + j] - sums[2 + j] * sums[1] + 2 * sums[2 + j] * square
                for c in range(p):
                    third -= 2 * sums[2 + 2 * p + j * p + c] * turned[c]
                slope[j] += weight * third / 2


@jit
def _penalized(b: Vector, design: Matrix, risk: RiskOrder, efron: bool, slope: Vector, information: Matrix) -> float:
    # Minus infinity where the information is singular.
    log_likelihood = cox_terms(b, design, risk, efron, slope, information)
    return log_likelihood + log_determinant(information) / 2 if log_likelihood > -np.inf else log_likelihood


@jit
def fit_firth_first(
    design: Matrix, risk: RiskOrder, efron: bool, start: Vector, max_iterations: int, free: int
) -> tuple[Vector, Matrix, float, Vector, int]:
    """What :func:`fit_firth` does and returns, moving the first ``free`` coefficients only.

    The others stay as in ``start``, under the penalty of all: twice the difference to the log-likelihood of :func:`fit_firth` is the
    penalized likelihood-ratio statistic.
    """
    p = start.size
    b, step, slope = start.copy(), np.zeros(p), np.zeros(p)
    information, covariance = np.zeros((p, p)), np.full((p, p), np.nan)
    within = np.empty((free, free))
    log_likelihood = _penalized(b, design, risk, efron, slope, information)
    for _ in range(max_iterations):
        if not inverse_information(information, covariance):
            return b, covariance, log_likelihood, step, COLLINEAR
        inverse_information(information[:free, :free], within)
        _penalty_slope(b, design, risk, efron, covariance, slope)
        decrement = largest = 0.0
        for j in range(free):
            step[j] = 0.0
            for c in range(free):
                step[j] += within[j, c] * slope[c]
            decrement += step[j] * slope[j]
            largest = max(largest, abs(step[j]))
        if decrement < NEWTON_DECREMENT:
            return b + step, covariance, log_likelihood, step, OK
        step *= min(1.0, LONGEST_STEP / largest)
        before = log_likelihood
        log_likelihood = _penalized(b + step, design, risk, efron, slope, information)
        halvings = 0
        while not log_likelihood >= before - 1e-13 * abs(before) and halvings < max_iterations:
            step = step / 2
            halvings += 1
            log_likelihood = _penalized(b + step, design, risk, efron, slope, information)
        b = b + step
    return b, covariance, log_likelihood, step, NOT_CONVERGED


@jit
def fit_firth(
    design: Matrix, risk: RiskOrder, efron: bool, start: Vector, max_iterations: int
) -> tuple[Vector, Matrix, float, Vector, int]:
    """Maximize the penalized likelihood for covariates with mean 0 and variance 1.

    Parameters
    ----------
    design
        Patients (in the order of ``risk``) by covariates.
    risk
        From :func:`~chemores_dask.kernels.cox.risk_order`.
    efron
        Whether ties are treated as Efron does; as Breslow does otherwise.
    start
        Coefficients; 0 where nothing better is known.
    max_iterations
        Most steps, and most halvings of a step.

    Returns
    -------
    Coefficients, their covariance (the inverse of the information there), penalized log-likelihood, last step, status.
    """
    return fit_firth_first(design, risk, efron, start, max_iterations, start.size)
