"""Ordinal regression: one set of odds ratios for every cut between ordered responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, expit

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import standardize
from chemores_dask.kernels.logistic import fit_logistic
from chemores_dask.kernels.newton import OK, maximize


@dataclass(frozen=True)
class OrdinalFit:
    """A fitted model ``logit P(response <= k) = threshold_k - b'x``.

    Attributes
    ----------
    thresholds, coefficients
        On the scale of the covariates.
    covariance
        Of the thresholds, then the coefficients; not numbers where the status is not ``ok``.
    log_likelihood, null
        With the covariates and without them.
    runaway
        Coefficients without a finite estimate.
    status
        As in :mod:`chemores_dask.kernels.newton`.
    """

    thresholds: Vector
    coefficients: Vector
    covariance: Matrix
    log_likelihood: float
    null: float
    runaway: Vector
    status: int


@dataclass(frozen=True)
class ParallelTest:
    """Whether the odds ratios are the same at every cut.

    Attributes
    ----------
    statistic, degrees, p_value
        Of all covariates together.
    term_statistics, term_p_values
        Of each covariate.
    """

    statistic: float
    degrees: int
    p_value: float
    term_statistics: Vector
    term_p_values: Vector


def fit_proportional_odds(matrix: Matrix, codes: Vector) -> OrdinalFit:
    """Fit by Newton's steps with the observed information.

    Parameters
    ----------
    matrix
        Patients by covariates without an intercept; independent columns that vary.
    codes
        Number of the response of each patient; each of 0 to the largest occurs.

    Returns
    -------
    The fit.

    References
    ----------
    McCullagh P (1980). Regression models for ordinal data. JRSS B 42:109-142.
    """
    scaled, center, spread = standardize(matrix)
    counts = np.bincount(codes)
    below = np.cumsum(counts)[:-1] / counts.sum()
    thresholds = np.log(below / (1 - below))
    cuts = thresholds.size
    found = maximize(_Likelihood(scaled, codes, cuts), np.concatenate([thresholds, np.zeros(scaled.shape[1])]))
    back = np.eye(found.place.size)
    back[:cuts, cuts:] = center / spread
    back[cuts:, cuts:] = np.diag(1 / spread)
    place = back @ found.place
    return OrdinalFit(
        thresholds=place[:cuts],
        coefficients=place[cuts:],
        covariance=back @ found.covariance @ back.T,
        log_likelihood=found.value,
        null=float((counts * np.log(counts / counts.sum())).sum()),
        runaway=found.runaway[cuts:],
        status=found.status,
    )


def parallel_test(matrix: Matrix, codes: Vector) -> ParallelTest | None:
    """Brant's test that the coefficients of all cuts are the same.

    Each cut has a logistic model of its own; the differences of their coefficients are compared with their joint covariance.

    Parameters
    ----------
    matrix, codes
        As for the fit.

    Returns
    -------
    The test; None where there is one cut only, or a model of one cut has no finite estimates.

    References
    ----------
    Brant R (1990). Assessing proportionality in the proportional odds model for ordinal logistic regression. Biometrics 46:1171-1178.
    """
    scaled = standardize(matrix)[0]
    cuts, terms = int(codes.max()), scaled.shape[1]
    if cuts < 2:
        return None
    fits = [fit_logistic(scaled, codes > cut) for cut in range(cuts)]
    if any(fit.status != OK for fit in fits):
        return None
    design = np.column_stack([np.ones(scaled.shape[0]), scaled])
    chances = [expit(design @ fit.coefficients) for fit in fits]
    covariance = np.empty((cuts * terms, cuts * terms))
    for first in range(cuts):
        for second in range(first, cuts):
            # P(above both cuts) is P(above the higher one).
            weight = chances[second] * (1 - chances[first])
            between = design.T @ (weight[:, None] * design)
            part = (fits[first].covariance @ between @ fits[second].covariance)[1:, 1:]
            rows, columns = slice(first * terms, (first + 1) * terms), slice(second * terms, (second + 1) * terms)
            covariance[rows, columns] = part
            covariance[columns, rows] = part.T
    coefficients = np.concatenate([fit.coefficients[1:] for fit in fits])
    contrast = np.kron(np.column_stack([np.ones(cuts - 1), -np.eye(cuts - 1)]), np.eye(terms))
    statistic = _wald(contrast, coefficients, covariance)
    by_term = np.array([_wald(contrast[term::terms], coefficients, covariance) for term in range(terms)])
    degrees = (cuts - 1) * terms
    return ParallelTest(
        statistic, degrees, float(chdtrc(degrees, statistic)), by_term, np.asarray(chdtrc(cuts - 1, by_term))
    )


def _wald(contrast: Matrix, coefficients: Vector, covariance: Matrix) -> float:
    difference = contrast @ coefficients
    return float(difference @ np.linalg.lstsq(contrast @ covariance @ contrast.T, difference, rcond=None)[0])


class _Likelihood:
    def __init__(self, matrix: Matrix, codes: Vector, cuts: int) -> None:
        self.matrix = matrix
        self.codes = codes
        self.cuts = cuts
        # Rows of the threshold above and below each patient's response; none above the last, none below the first.
        patients = np.arange(codes.size)
        self.above = np.zeros((codes.size, cuts + matrix.shape[1]))
        self.below = np.zeros_like(self.above)
        self.above[patients[codes < cuts], codes[codes < cuts]] = 1.0
        self.below[patients[codes > 0], codes[codes > 0] - 1] = 1.0
        self.above[codes < cuts, cuts:] = -matrix[codes < cuts]
        self.below[codes > 0, cuts:] = -matrix[codes > 0]

    def __call__(self, place: Vector) -> tuple[float, Vector, Matrix]:
        thresholds = place[: self.cuts]
        if (np.diff(thresholds) <= 0).any():
            return -np.inf, np.zeros(place.size), np.eye(place.size)
        linear = self.matrix @ place[self.cuts :]
        bounds = np.concatenate([[-np.inf], thresholds, [np.inf]])
        upper, lower = bounds[self.codes + 1] - linear, bounds[self.codes] - linear
        # On the side of zero where the two probabilities are small, so that their difference keeps its digits.
        flip = lower + upper > 0
        high, low = expit(np.where(flip, -lower, upper)), expit(np.where(flip, -upper, lower))
        chance = np.maximum(high - low, np.finfo(float).tiny)
        first, second = _density(upper) / chance, _density(lower) / chance
        bend = first * _tilt(upper) - first**2, -second * _tilt(lower) - second**2
        slope = self.above.T @ first - self.below.T @ second
        cross = self.above.T @ ((first * second)[:, None] * self.below)
        information = -(
            self.above.T @ (bend[0][:, None] * self.above)
            + self.below.T @ (bend[1][:, None] * self.below)
            + cross
            + cross.T
        )
        return float(np.log(chance).sum()), slope, information


def _density(argument: Vector) -> Vector:
    return np.asarray(expit(argument) * expit(-argument))


def _tilt(argument: Vector) -> Vector:
    """Slope of the logistic density over the density itself."""
    return np.asarray(1 - 2 * expit(argument))
