"""Whether predicted probabilities come true, and whether acting on them does good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.logistic import LogisticFit, fit_logistic
from chemores_dask.kernels.newton import Maximum, maximize

NEAREST = 1e-12
"""Probabilities of 0 and 1 are taken for this far from them, so that their log odds are finite."""


@dataclass(frozen=True)
class Bins:
    """Patients in groups of rising probability.

    Attributes
    ----------
    number
        Bin of each patient.
    patients, positives
        In each bin.
    predicted
        Mean probability in each bin.
    """

    number: Vector
    patients: Vector
    positives: Vector
    predicted: Vector


def calibration_slope(probability: Vector, positive: Vector) -> LogisticFit:
    """The logistic model of the outcome on the log odds of the probability; its slope is 1 where they are neither too bold nor too timid.

    Parameters
    ----------
    probability
        From 0 to 1, not all the same.
    positive
        Boolean, both values present.

    Returns
    -------
    The fit: intercept, slope.

    References
    ----------
    Cox DR (1958). Two further applications of a model for binary regression. Biometrika 45:562-565.
    """
    return fit_logistic(log_odds(probability)[:, None], positive)


def calibration_intercept(probability: Vector, positive: Vector) -> Maximum:
    """What must be added to the log odds of all patients for the mean to come true (calibration in the large); 0 where it does.

    Parameters
    ----------
    probability, positive
        As for the slope.

    Returns
    -------
    The maximum: ``place[0]`` and ``covariance[0, 0]``.
    """
    offset = log_odds(probability)

    def terms(place: Vector) -> tuple[float, Vector, Matrix]:
        linear = offset + place[0]
        chance = expit(linear)
        value = float((positive * linear - np.logaddexp(0.0, linear)).sum())
        return value, np.array([(positive - chance).sum()]), np.array([[(chance * (1 - chance)).sum()]])

    return maximize(terms, np.zeros(1))


def spiegelhalter_test(probability: Vector, positive: Vector) -> tuple[float, float]:
    """Spiegelhalter's z of the Brier score: whether its size is what the probabilities themselves expect.

    ``z = sum((y - p)(1 - 2p)) / sqrt(sum((1 - 2p)^2 p (1 - p)))``.

    Parameters
    ----------
    probability, positive
        As for the slope.

    Returns
    -------
    z and its two-sided P value; not numbers where every probability is 0, a half or 1.

    References
    ----------
    Spiegelhalter DJ (1986). Probabilistic prediction in patient management and clinical trials. Stat Med 5:421-433.
    """
    tilt = 1 - 2 * probability
    variance = float((tilt**2 * probability * (1 - probability)).sum())
    if variance <= NEAREST:
        return float("nan"), float("nan")
    z = float(((positive - probability) * tilt).sum() / np.sqrt(variance))
    return z, float(2 * ndtr(-abs(z)))


def brier_score(probability: Vector, positive: Vector) -> float:
    """Mean squared distance of the probabilities from what happened."""
    return float(((probability - positive) ** 2).mean())


def probability_bins(probability: Vector, positive: Vector, bins: int) -> Bins:
    """Groups of about as many patients each, in order of probability; equal probabilities stay together.

    Parameters
    ----------
    probability, positive
        As for the slope.
    bins
        At most so many; fewer where many probabilities are the same.

    Returns
    -------
    The bins.
    """
    _values, place = np.unique(probability, return_inverse=True)
    upto = np.cumsum(np.bincount(place))
    # A value belongs to the bin in which its middle patient stands.
    middle = upto - np.bincount(place) / 2
    _, number = np.unique(np.minimum((middle * bins / probability.size).astype(int), bins - 1), return_inverse=True)
    number = number[place]
    patients = np.bincount(number)
    return Bins(
        number,
        patients,
        np.bincount(number, weights=positive).astype(np.int64),
        np.bincount(number, weights=probability) / patients,
    )


def net_benefit(probability: Vector, positive: Vector, thresholds: Vector) -> tuple[Vector, Vector]:
    """Net benefit of treating those at or above a threshold probability, and of treating all.

    ``TP / n - FP / n * t / (1 - t)``: true positives less false ones, at the rate at which the threshold weighs them.

    Parameters
    ----------
    probability, positive
        As for the slope.
    thresholds
        Above 0 and below 1.

    Returns
    -------
    By the model, and for all; that of treating none is 0.

    References
    ----------
    Vickers AJ, Elkin EB (2006). Decision curve analysis: a novel method for evaluating prediction models. Med Decis Making 26:565-574.
    """
    treated = probability[None, :] >= thresholds[:, None]
    weight = thresholds / (1 - thresholds)
    gained, wasted = (treated & positive).mean(axis=1), (treated & ~positive).mean(axis=1)
    share = positive.mean()
    return gained - wasted * weight, share - (1 - share) * weight


def log_odds(probability: Vector) -> Vector:
    """Log odds, finite also for 0 and 1."""
    return np.asarray(logit(np.clip(probability, NEAREST, 1 - NEAREST)))
