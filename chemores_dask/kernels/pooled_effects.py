"""Effects of several studies pooled: variance between studies by DerSimonian and Laird or by restricted maximum likelihood.

References
----------
DerSimonian R, Laird N (1986). Meta-analysis in clinical trials. Controlled Clinical Trials 7:177-188.
Viechtbauer W (2005). Bias and efficiency of meta-analytic variance estimators in the random-effects model. Journal of Educational and
Behavioral Statistics 30:261-293.
Viechtbauer W (2007). Confidence intervals for the amount of heterogeneity in meta-analysis. Statistics in Medicine 26:37-52.
Hartung J, Knapp G (2001). A refined method for the meta-analysis of controlled clinical trials with binary outcome. Statistics in Medicine
20:3875-3889.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri

from chemores_dask.aliases import Vector

WIDEST = 2.0**60
GRID = 400


@dataclass(frozen=True)
class Pooled:
    """An estimate over studies.

    Attributes
    ----------
    estimate, standard_error
        Mean weighed by the inverse of each study's variance.
    knapp_error
        Standard error by Hartung and Knapp; not a number for one study.
    weight
        Share of each study.
    """

    estimate: float
    standard_error: float
    knapp_error: float
    weight: Vector


def pool(effect: Vector, variance: Vector, between: float) -> Pooled:
    """Weigh studies by the inverse of their variance.

    Parameters
    ----------
    effect, variance
        Of each study.
    between
        Variance between studies; 0 for a fixed effect.

    Returns
    -------
    The pooled estimate.
    """
    weight = 1 / (variance + between)
    mean = float((weight * effect).sum() / weight.sum())
    freedom = effect.size - 1
    spread = (weight * (effect - mean) ** 2).sum() / freedom if freedom else np.nan
    return Pooled(mean, float(np.sqrt(1 / weight.sum())), float(np.sqrt(spread / weight.sum())), weight / weight.sum())


def heterogeneity(effect: Vector, variance: Vector, between: float = 0.0) -> float:
    """Cochran's Q: the weighed squares of the distances from the pooled estimate, at a variance between studies."""
    pooled = pool(effect, variance, between)
    return float(((effect - pooled.estimate) ** 2 / (variance + between)).sum())


def between_by_moments(effect: Vector, variance: Vector) -> float:
    """Variance between studies by DerSimonian and Laird; 0 for one study."""
    weight = 1 / variance
    slack = weight.sum() - (weight**2).sum() / weight.sum()
    if effect.size < 2:
        return 0.0
    return max(0.0, (heterogeneity(effect, variance) - effect.size + 1) / float(slack))


def restricted_likelihood(effect: Vector, variance: Vector, between: Vector) -> Vector:
    """Restricted log-likelihood of some variances between studies, without its constant."""
    total = variance + np.asarray(between)[:, None]
    weight = 1 / total
    mean = (weight * effect).sum(axis=1) / weight.sum(axis=1)
    squares = (weight * (effect - mean[:, None]) ** 2).sum(axis=1)
    return np.asarray(-0.5 * (np.log(total).sum(axis=1) + np.log(weight.sum(axis=1)) + squares))


def between_by_likelihood(effect: Vector, variance: Vector) -> float:
    """Variance between studies by restricted maximum likelihood; 0 for one study.

    The likelihood may have several peaks: a grid finds the highest, the zero of the slope beside it is the estimate.
    """
    if effect.size < 2:
        return 0.0
    largest = max(float(np.ptp(effect)) ** 2, float(variance.max()))
    grid = np.append(0.0, np.geomspace(1e-8 * largest, 4 * largest, GRID))
    top = int(np.argmax(restricted_likelihood(effect, variance, grid)))
    low, high = grid[max(top - 1, 0)], grid[min(top + 1, GRID)]
    slopes = [_slope(effect, variance, value) for value in (low, high)]
    if slopes[0] <= 0:
        return float(low)
    if slopes[1] >= 0:
        return float(high)
    return float(brentq(lambda value: _slope(effect, variance, value), low, high, xtol=1e-300, rtol=1e-14))


def _slope(effect: Vector, variance: Vector, between: float) -> float:
    weight = 1 / (variance + between)
    mean = (weight * effect).sum() / weight.sum()
    return float(0.5 * ((weight**2 * (effect - mean) ** 2).sum() - weight.sum() + (weight**2).sum() / weight.sum()))


def between_limits(effect: Vector, variance: Vector, *, level: float) -> tuple[float, float]:
    """Limits of the variance between studies: where Q meets the quantiles of its distribution.

    Parameters
    ----------
    effect, variance
        Of each study.
    level
        Coverage.

    Returns
    -------
    Lower and upper limit; both 0 where even no variance between studies leaves less spread than expected, not numbers for one study.
    """
    freedom = effect.size - 1
    if not freedom:
        return float("nan"), float("nan")
    # chdtri takes the probability of the upper tail.
    most, least = (float(chdtri(freedom, tail)) for tail in ((1 - level) / 2, (1 + level) / 2))
    return _meets(effect, variance, most), _meets(effect, variance, least)


def _meets(effect: Vector, variance: Vector, target: float) -> float:
    if heterogeneity(effect, variance) <= target:
        return 0.0
    high = float(variance.max()) + float(np.ptp(effect)) ** 2
    while heterogeneity(effect, variance, high) > target and high < WIDEST:
        high *= 2
    return float(brentq(lambda value: heterogeneity(effect, variance, value) - target, 0.0, high, rtol=1e-14))


def typical_variance(variance: Vector) -> float:
    """Variance within a typical study (Higgins and Thompson 2002)."""
    weight = 1 / variance
    return float((variance.size - 1) * weight.sum() / (weight.sum() ** 2 - (weight**2).sum()))
