"""Logistic regression of a yes or no, with Firth's penalty where wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.special import expit

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import standardize
from chemores_dask.kernels.newton import Maximum, maximize


@dataclass(frozen=True)
class LogisticFit:
    """A fitted model ``logit P = b0 + b'x``.

    Attributes
    ----------
    coefficients
        Intercept first, then one per column, on the scale of the columns.
    covariance
        Of the coefficients; not numbers where the status is not ``ok``.
    log_likelihood
        Penalized where the fit is.
    runaway
        Coefficients without a finite estimate.
    status
        As in :mod:`chemores_dask.kernels.newton`.
    """

    coefficients: Vector
    covariance: Matrix
    log_likelihood: float
    runaway: Vector
    status: int


def fit_logistic(matrix: Matrix, outcome: Vector, *, firth: bool = False) -> LogisticFit:
    """Fit by maximum likelihood, or by the likelihood times the root of the determinant of its information (Firth).

    Parameters
    ----------
    matrix
        Patients by covariates without the intercept; independent columns that vary.
    outcome
        Boolean, both values present.
    firth
        Whether to penalize: then estimates are finite even where a covariate separates the outcomes.

    Returns
    -------
    The fit.

    References
    ----------
    Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80:27-38.
    Heinze G, Schemper M (2002). A solution to the problem of separation in logistic regression. Stat Med 21:2409-2419.
    """
    scaled, center, spread = standardize(matrix)
    design = np.column_stack([np.ones(scaled.shape[0]), scaled])
    start = np.zeros(design.shape[1])
    share = outcome.mean()
    start[0] = np.log(share / (1 - share))
    found = maximize(_Likelihood(design, outcome.astype(float), firth=firth), start)
    return _on_their_scale(found, center, spread)


def firth_without(matrix: Matrix, outcome: Vector, place: int) -> float:
    """Penalized log-likelihood with one coefficient held at 0, under the penalty of the whole model.

    Twice its distance from that of the fit is chi-square with one degree of freedom (Heinze and Schemper).

    Parameters
    ----------
    matrix, outcome
        As for the fit.
    place
        Column that is held.

    Returns
    -------
    The penalized log-likelihood.
    """
    scaled = standardize(matrix)[0]
    design = np.column_stack([np.ones(scaled.shape[0]), scaled])
    free = np.arange(design.shape[1]) != place + 1
    found = maximize(_Likelihood(design, outcome.astype(float), firth=True, free=free), np.zeros(int(free.sum())))
    return found.value


class _Likelihood:
    def __init__(self, design: Matrix, outcome: Vector, *, firth: bool, free: Vector | None = None) -> None:
        self.design = design
        self.outcome = outcome
        self.firth = firth
        self.free = np.ones(design.shape[1], dtype=bool) if free is None else free

    def __call__(self, free: Vector) -> tuple[float, Vector, Matrix]:
        coefficients = np.zeros(self.free.size)
        coefficients[self.free] = free
        linear = self.design @ coefficients
        chance = expit(linear)
        weight = chance * (1 - chance)
        value = float((self.outcome * linear - np.logaddexp(0.0, linear)).sum())
        rest = self.outcome - chance
        information = self.design.T @ (weight[:, None] * self.design)
        if self.firth:
            try:
                factor = cholesky(information, lower=True)
            except LinAlgError:
                # Too long a step: probabilities of 0 and 1, where the penalty is minus infinity.
                return -np.inf, np.zeros(free.size), np.eye(free.size)
            value += float(np.log(np.diag(factor)).sum())
            leverage = weight * (self.design * cho_solve((factor, True), self.design.T).T).sum(axis=1)
            rest = rest + leverage * (0.5 - chance)
        kept = np.ix_(self.free, self.free)
        return value, self.design.T[self.free] @ rest, information[kept]


def _on_their_scale(found: Maximum, center: Vector, spread: Vector) -> LogisticFit:
    size = found.place.size
    back = np.zeros((size, size))
    back[0, 0] = 1.0
    back[0, 1:] = -center / spread
    back[1:, 1:] = np.diag(1 / spread)
    return LogisticFit(back @ found.place, back @ found.covariance @ back.T, found.value, found.runaway, found.status)
