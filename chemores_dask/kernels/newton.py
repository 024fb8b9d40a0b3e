"""Newton's steps up a concave likelihood, and the recognition of one that rises without end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from chemores_dask.aliases import Matrix, Vector

OK, SEPARATED, NOT_CONVERGED = 0, 1, 2
STATUS_FLAGS = ("ok", "separated", "not_converged")

MAXIMUM_STEPS = 200
MAXIMUM_HALVINGS = 40

SMALL_STEP = 1e-9
"""A last step below this, in standard deviations of the covariates, is no longer taken."""

LEAST_GAIN = 0.1
"""A step must gain this share of what the slope promises; otherwise steps could go to and fro across the maximum."""

FLAT_GAIN, RUNAWAY_STEP = 1e-9, 1e-3
"""A likelihood that gains less than the first (relative to its size) by a step larger than the second rises without end."""

Terms = Callable[[Vector], tuple[float, Vector, Matrix]]
"""Value, slope and information (the negative curvature, or its expectation) at a place."""


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is highest.

    Attributes
    ----------
    place
        Coefficients.
    value
        Log-likelihood there.
    covariance
        Inverse of the information there; not numbers where the status is not ``ok``.
    runaway
        Coefficients that were still growing when the likelihood no longer did.
    status
        ``OK``, ``SEPARATED`` or ``NOT_CONVERGED``.
    """

    place: Vector
    value: float
    covariance: Matrix
    runaway: Vector
    status: int


def maximize(terms: Terms, start: Vector) -> Maximum:
    """Climb by Newton's steps, each halved until the likelihood rises.

    Parameters
    ----------
    terms
        Log-likelihood with slope and information, in covariates of mean 0 and variance 1.
    start
        Where to begin.

    Returns
    -------
    The maximum. Where the likelihood rises without end, ``value`` is its limit and the status says ``separated``.
    """
    place = np.asarray(start, dtype=float)
    value, slope, information = terms(place)
    nowhere = np.full(information.shape, np.nan)
    still = np.zeros(place.size, dtype=bool)
    step = np.zeros(place.size)
    for _ in range(MAXIMUM_STEPS):
        try:
            step = cho_solve(cho_factor(information), slope)
        except LinAlgError:
            # The covariates are independent, so the information vanishes only where probabilities have become 0 and 1.
            return Maximum(place, value, nowhere, np.abs(step) > RUNAWAY_STEP, SEPARATED)
        size = float(np.abs(step).max(initial=0.0))
        if size < SMALL_STEP:
            return Maximum(place, value, cho_solve(cho_factor(information), np.eye(place.size)), still, OK)
        before = value
        place, value, slope, information = _climb(terms, place, value, step, float(slope @ step))
        if value - before <= FLAT_GAIN * (1 + abs(value)) and size > RUNAWAY_STEP:
            return Maximum(place, value, nowhere, np.abs(step) > RUNAWAY_STEP, SEPARATED)
    return Maximum(place, value, nowhere, still, NOT_CONVERGED)


def _climb(
    terms: Terms, place: Vector, value: float, step: Vector, promised: float
) -> tuple[Vector, float, Vector, Matrix]:
    # Near the maximum rounding may take the last digits of the value away; the step is still the better place.
    rounding = 1e-12 * (1 + abs(value))
    found = terms(place + step)
    for _ in range(MAXIMUM_HALVINGS):
        if found[0] >= value + LEAST_GAIN * promised - rounding:
            break
        step, promised = step / 2, promised / 2
        found = terms(place + step)
    return (place + step, *found)
