"""Variances that learn from each other: each is drawn towards what all of them have in common.

A variance ``s^2`` with ``d`` degrees of freedom is thought to scatter around ``sigma^2``, and ``1 / sigma^2`` around ``1 / s0^2`` as a
chi-square over its ``d0`` degrees of freedom. Then ``s^2 / s0^2`` follows F with ``d`` and ``d0`` degrees, whose logarithm has known
moments: they give ``s0^2`` and ``d0``, and the posterior is ``(d s^2 + d0 s0^2) / (d + d0)``. The numbers are those of limma.

References
----------
Smyth GK (2004). Linear models and empirical Bayes methods for assessing differential expression in microarray experiments. Statistical
Applications in Genetics and Molecular Biology 3:3.

Phipson B, Lee S, Majewski IJ, Alexander WS, Smyth GK (2016). Robust hyperparameter estimation protects against hypervariable genes and
improves power to detect differential expression. Annals of Applied Statistics 10:946-963.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import polygamma, psi

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.variance_outliers import robust_prior

LEAST_SHARE = 1e-5
"""Variances below this share of the median are lifted to it before their logarithm is taken."""

SPLINE_STEPS = (3, 6, 30)
"""From so many variances on, the natural spline of the trend has one more coefficient."""


@dataclass(frozen=True)
class SqueezedVariances:
    """Variances after they were drawn towards their prior.

    Attributes
    ----------
    posterior
        ``(d s^2 + d0 s0^2) / (d + d0)``, not a number where the variance is not.
    prior_degrees
        ``d0`` of each; infinite where all variances are alike; with ``robust`` smaller for outliers.
    prior_variance
        ``s0^2`` of each: all equal, or the trend.
    """

    posterior: Vector
    prior_degrees: Vector
    prior_variance: Vector


class Prior(NamedTuple):
    """Degrees of freedom and variance of the prior, one per variance."""

    degrees: Vector
    variance: Vector


def squeeze_variances(
    variances: Vector, degrees: float | Vector, *, trend: Vector | None = None, robust: bool = False
) -> SqueezedVariances:
    """Draw variances towards their common prior, as limma's ``squeezeVar`` does.

    Parameters
    ----------
    variances
        One per gene (or state); those that are not finite, or have no degrees of freedom, teach nothing.
    degrees
        Residual degrees of freedom, one for all or one for each.
    trend
        What the prior variance depends on (the mean of log expression), finite; a constant prior unless given. The trend is a natural
        spline with four coefficients (fewer for less than 30 variances), with ``robust`` a ``lowess`` of span 0.4.
    robust
        Estimate the prior from moments in which the lowest 5 % and the highest 10 % of the variances are drawn in (winsorized), and
        draw outliers less towards it.

    Returns
    -------
    Posterior variances with the prior that each was drawn to.

    Examples
    --------
    >>> squeeze_variances(np.array([1.0, 1.0, 1.0]), 4.0).posterior
    array([1., 1., 1.])
    """
    variances = np.asarray(variances, dtype=np.float64)
    each = np.broadcast_to(np.asarray(degrees, dtype=np.float64), variances.shape).copy()
    known = np.isfinite(variances) & (variances >= 0) & np.isfinite(each) & (each > 1e-15)
    if known.sum() < 2:
        alone = np.full(variances.shape, variances[known][0] if known.any() else np.nan)
        return SqueezedVariances(np.where(each > 0, variances, alone), np.zeros(variances.shape), alone)
    prior = fit_prior(variances, each, known, trend)
    if robust and known.sum() > 2:
        prior = Prior(*robust_prior(variances, each, known, trend, prior))
    degrees_of_none = each <= 1e-15
    own = np.where(degrees_of_none, 0.0, variances)
    endless = np.isinf(prior.degrees)
    finite = np.where(endless, 0.0, prior.degrees)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = (each * own + finite * prior.variance) / (each + finite)
    posterior = np.where(endless, np.where(np.isnan(own), np.nan, prior.variance), mixed)
    return SqueezedVariances(posterior, prior.degrees, prior.variance)


def total_degrees(degrees: float | Vector, prior_degrees: Vector) -> Vector:
    """Degrees of freedom of a moderated t: own and prior ones, at most those of all variances pooled.

    Parameters
    ----------
    degrees
        Residual degrees of freedom, one for all or one for each.
    prior_degrees
        Of :class:`SqueezedVariances`.

    Returns
    -------
    One per variance.
    """
    each = np.broadcast_to(np.asarray(degrees, dtype=np.float64), prior_degrees.shape)
    return np.asarray(np.minimum(each + prior_degrees, np.nansum(each)))


def fit_prior(variances: Vector, degrees: Vector, known: Vector, trend: Vector | None) -> Prior:
    """Prior by the moments of the logarithms.

    Parameters
    ----------
    variances, degrees
        One per gene.
    known
        Those that teach.
    trend
        What the prior depends on, or None.

    Returns
    -------
    The prior of each, also of those that teach nothing.
    """
    floor = LEAST_SHARE * _middle(variances[known])
    own = degrees[known] / 2
    heights = np.log(np.maximum(variances[known], floor)) - psi(own) + np.log(own)
    n = heights.size
    basis = np.ones((variances.size, 1)) if trend is None else natural_spline(np.asarray(trend, float), known)
    coefficients, _, rank, _ = np.linalg.lstsq(basis[known], heights, rcond=None)
    center = basis @ coefficients
    spread = ((heights - center[known]) ** 2).sum() / (n - rank) if n > rank else 0.0
    excess = spread - polygamma(1, own).mean()
    if excess > 0:
        half = inverse_trigamma(float(excess))
        return Prior(np.full(variances.shape, 2 * half), np.exp(center + psi(half) - np.log(half)))
    if basis.shape[1] == 1:
        center = np.full(variances.shape, np.log(np.maximum(variances[known], floor).mean()))
    return Prior(np.full(variances.shape, np.inf), np.exp(center))


def natural_spline(x: Vector, known: Vector) -> Matrix:
    """Basis of natural cubic splines whose knots are quantiles: 1, x, and one column more for each inner knot.

    Parameters
    ----------
    x
        Where the columns are read.
    known
        Points that place the knots.

    Returns
    -------
    Points by columns. Natural splines are straight beyond the outer knots.
    """
    points = x[known]
    columns = min(1 + sum(points.size >= step for step in SPLINE_STEPS), np.unique(points).size)
    if columns < 2:
        return np.ones((x.size, 1))
    knots = np.unique(np.quantile(points, np.linspace(0, 1, columns)))
    scaled, places = (x - knots[0]) / (knots[-1] - knots[0]), (knots - knots[0]) / (knots[-1] - knots[0])

    def bent(knot: float) -> Vector:
        return np.asarray((np.maximum(scaled - knot, 0) ** 3 - np.maximum(scaled - 1.0, 0) ** 3) / (1.0 - knot))

    curves = [bent(knot) - bent(places[-2]) for knot in places[:-2]]
    return np.column_stack([np.ones(x.size), scaled, *curves])


def inverse_trigamma(value: float) -> float:
    """The ``y`` at which the trigamma function has this value, by Newton's steps on its inverse, which is nearly straight.

    Parameters
    ----------
    value
        Above 0.

    Returns
    -------
    ``y``, above 0.

    Examples
    --------
    >>> float(polygamma(1, inverse_trigamma(0.3)).round(12))
    0.3
    """
    if value > 1e7:
        return 1 / float(np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    y = 0.5 + 1 / value
    for _ in range(50):
        height = float(polygamma(1, y))
        step = height * (1 - height / value) / float(polygamma(2, y))
        y += step
        if -step < 1e-10 * y:
            break
    return y


def _middle(variances: Vector) -> float:
    middle = float(np.median(variances))
    if middle > 0 or not (variances > 0).any():
        return middle or 1.0
    return float(np.median(variances[variances > 0]))
