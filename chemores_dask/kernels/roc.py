"""How well a score tells two classes of patients apart: the ROC curve, its area, and what a cut-off does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from chemores_dask.aliases import Matrix, Vector

NO_VARIANCE = 1e-15
"""What rounding may leave of a variance that is 0."""


@dataclass(frozen=True)
class Areas:
    """Areas under the ROC curves of some scores of the same patients.

    Attributes
    ----------
    estimates
        One per score: the probability that the score of a positive patient is the higher one, ties half.
    covariance
        Of the estimates (DeLong); not numbers where a class has one patient.
    """

    estimates: Vector
    covariance: Matrix


@dataclass(frozen=True)
class Curve:
    """A ROC curve, from nobody called positive to everybody.

    Attributes
    ----------
    cutoff
        Falling: patients at or above are called positive; the first is infinite.
    sensitivity, specificity
        At each cut-off.
    """

    cutoff: Vector
    sensitivity: Vector
    specificity: Vector


def areas_under_curves(scores: Matrix, positive: Vector) -> Areas:
    """Areas under the ROC curves with DeLong's covariance, from ranks.

    With ranks ``r`` among all and ``s`` within the own class, a positive patient's share of negatives below is ``(r - s) / n_negative``;
    the area is its mean, and its variance over patients of either class gives that of the area.

    Parameters
    ----------
    scores
        Scores by patients.
    positive
        Boolean, both values present.

    Returns
    -------
    Areas and their covariance.

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Comparing the areas under two or more correlated ROC curves. Biometrics 44:837-845.
    Sun X, Xu W (2014). Fast implementation of DeLong's algorithm. IEEE Signal Process Lett 21:1389-1393.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    among_all = rankdata(scores, axis=1)
    above = (among_all[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    below = 1 - (among_all[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    covariance = np.full((scores.shape[0],) * 2, np.nan)
    if min(m, n) > 1:
        covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return Areas(above.mean(axis=1), covariance)


def area_limits(area: float, variance: float, *, level: float = 0.95) -> tuple[float, float]:
    """Normal limits of an area, cut to 0 and 1; not numbers where a class has one patient, or the score parts the classes.

    DeLong's variance is 0 there, so that limits would claim that the area is known.
    """
    if not variance > NO_VARIANCE:
        return float("nan"), float("nan")
    reach = float(ndtri(0.5 + level / 2) * np.sqrt(variance))
    return float(np.clip(area - reach, 0, 1)), float(np.clip(area + reach, 0, 1))


def compare_areas(areas: Areas) -> tuple[float, float, float]:
    """DeLong's test that the first two areas are the same.

    Parameters
    ----------
    areas
        Of at least two scores of the same patients.

    Returns
    -------
    Difference (first minus second), z, and the two-sided P value; z and P are not numbers where the difference has no variance.
    """
    difference = float(areas.estimates[0] - areas.estimates[1])
    variance = float(areas.covariance[0, 0] + areas.covariance[1, 1] - 2 * areas.covariance[0, 1])
    if not variance > NO_VARIANCE:
        return difference, float("nan"), float("nan")
    z = difference / np.sqrt(variance)
    return difference, float(z), float(2 * ndtr(-abs(z)))


def roc_points(score: Vector, positive: Vector) -> Curve:
    """Sensitivity and specificity at every cut-off that changes a call.

    Parameters
    ----------
    score
        Finite.
    positive
        Boolean, both values present.

    Returns
    -------
    The curve.
    """
    cutoffs, place = np.unique(score, return_inverse=True)
    found = np.cumsum(np.bincount(place, weights=positive, minlength=cutoffs.size)[::-1])
    wrong = np.cumsum(np.bincount(place, weights=~positive, minlength=cutoffs.size)[::-1])
    return Curve(
        np.concatenate([[np.inf], cutoffs[::-1]]),
        np.concatenate([[0.0], found / positive.sum()]),
        1 - np.concatenate([[0.0], wrong / (~positive).sum()]),
    )


def youden_cutoff(score: Vector, positive: Vector) -> float:
    """The cut-off with the largest sum of sensitivity and specificity; of equals the highest.

    Parameters
    ----------
    score, positive
        As for the curve.

    Returns
    -------
    Halfway between the lowest score called positive and the highest that is not.

    References
    ----------
    Youden WJ (1950). Index for rating diagnostic tests. Cancer 3:32-35.
    """
    curve = roc_points(score, positive)
    best = 1 + int(np.argmax((curve.sensitivity + curve.specificity)[1:].round(12)))
    lowest = curve.cutoff[best]
    below = score[score < lowest]
    return float(lowest if not below.size else (lowest + below.max()) / 2)
