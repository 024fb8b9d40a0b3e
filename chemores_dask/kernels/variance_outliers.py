"""The prior of variances of which a few are outliers, and how little these belong to it (Phipson et al. 2016)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, chdtrc, chdtri, fdtr, fdtrc, fdtri, gammaln, hyp2f1
from scipy.stats import rankdata, trim_mean

from chemores_dask.aliases import Vector
from chemores_dask.kernels.lowess import lowess

LOW_TAIL, HIGH_TAIL = 0.05, 0.1
"""Shares of the variances that are drawn in to the quantiles beside them."""

TREND_SPAN = 0.4
QUADRATURE_POINTS = 128
SMALLEST_TAIL = 1e-200
"""Below this, tails are worked out as logarithms: they would vanish."""


def robust_prior(
    variances: Vector, degrees: Vector, known: Vector, trend: Vector | None, plain: tuple[Vector, Vector]
) -> tuple[Vector, Vector]:
    """Prior from winsorized moments of the logarithms; outliers get fewer prior degrees of freedom.

    Parameters
    ----------
    variances, degrees
        One per gene.
    known
        Those that teach.
    trend
        What the prior variance depends on, or None.
    plain
        Prior degrees and variances without regard to outliers.

    Returns
    -------
    Prior degrees and prior variance of each.
    """
    x = variances[known]
    middle = np.median(x)
    n = x.size
    plain_degrees = float(plain[0][0])
    if middle <= 0 or max(LOW_TAIL, HIGH_TAIL) < 1 / n:
        return plain
    own = float(degrees[known].max())
    x = _as_if_equal(np.maximum(x, 1e-12 * middle), degrees[known], own, plain[1][known], plain_degrees)
    logs = np.log(x)
    curve = None if trend is None else lowess(np.asarray(trend, float)[known], logs, span=TREND_SPAN)
    center = np.full(n, trim_mean(logs, HIGH_TAIL)) if curve is None else np.interp(np.asarray(trend)[known], *curve)
    residuals = logs - center
    drawn = np.clip(residuals, np.quantile(residuals, LOW_TAIL), np.quantile(residuals, 1 - HIGH_TAIL))
    shift, spread = drawn.mean(), drawn.var(ddof=1)

    def misfit(place: float) -> float:
        return float(np.log(spread / winsorized_moments(own, _from_unit(place))[1])) if spread > 0 else -np.inf

    endless = misfit(1.0) <= 0
    if not endless and np.isinf(plain_degrees):
        return plain
    if endless:
        prior = np.inf
    elif misfit(plain_degrees / (1 + plain_degrees)) >= 0:
        prior = plain_degrees
    else:
        prior = _from_unit(brentq(misfit, plain_degrees / (1 + plain_degrees), 1.0, xtol=1e-12, rtol=1e-14))
    moved = shift - winsorized_moments(own, prior)[0]
    ratios = np.exp(logs - center - moved)
    shrunk = _endless_degrees(ratios, own) if endless else _outlier_degrees(ratios, own, prior)
    found = np.full(variances.shape, prior)
    found[known] = shrunk
    level = np.full(variances.shape, center[0]) if curve is None else np.interp(np.asarray(trend, float), *curve)
    return found, np.exp(level + moved)


def winsorized_moments(degrees: float, prior_degrees: float) -> tuple[float, float]:
    """Mean and variance of log F whose tails are drawn in to its quantiles.

    Parameters
    ----------
    degrees, prior_degrees
        Of F; ``prior_degrees`` may be infinite.

    Returns
    -------
    Mean and variance, by Gauss-Legendre quadrature over ``F / (1 + F)``.
    """
    if np.isinf(prior_degrees):
        ends = np.array([chdtri(degrees, 1 - LOW_TAIL), chdtri(degrees, HIGH_TAIL)]) / degrees
    else:
        ends = np.array([fdtri(degrees, prior_degrees, LOW_TAIL), fdtri(degrees, prior_degrees, 1 - HIGH_TAIL)])
    first, last = ends / (1 + ends)
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE_POINTS)
    places = first + (last - first) * (nodes + 1) / 2
    values = places / (1 - places)
    mass = np.exp(_log_density(values, degrees, prior_degrees)) / (1 - places) ** 2 * weights * (last - first) / 2
    tails, corners = np.array([LOW_TAIL, HIGH_TAIL]), np.log(ends)
    mean = float((mass * np.log(values)).sum() + (tails * corners).sum())
    return mean, float((mass * (np.log(values) - mean) ** 2).sum() + (tails * (corners - mean) ** 2).sum())


def log_upper_tail(ratios: Vector, degrees: float, prior_degrees: float) -> Vector:
    """Logarithm of the chance that F exceeds a value, however small it is.

    Parameters
    ----------
    ratios
        The values.
    degrees, prior_degrees
        Of F.

    Returns
    -------
    One per value.
    """
    tail = fdtrc(degrees, prior_degrees, ratios)
    a, b = prior_degrees / 2, degrees / 2
    share = prior_degrees / (prior_degrees + degrees * ratios)
    tiny = tail < SMALLEST_TAIL
    with np.errstate(divide="ignore"):
        logs = np.log(tail)
    small = share[tiny]
    series = np.log(hyp2f1(a + b, 1.0, a + 1.0, small))
    logs[tiny] = a * np.log(small) + b * np.log1p(-small) - np.log(a) - betaln(a, b) + series
    return np.asarray(logs)


def _from_unit(place: float) -> float:
    return place / (1 - place) if place < 1 else np.inf


def _log_density(values: Vector, degrees: float, prior_degrees: float) -> Vector:
    half = degrees / 2
    if np.isinf(prior_degrees):
        return np.asarray(half * np.log(half) + (half - 1) * np.log(values) - half * values - gammaln(half))
    ratio = degrees / prior_degrees
    constant = half * np.log(ratio) - betaln(half, prior_degrees / 2)
    return np.asarray(constant + (half - 1) * np.log(values) - (half + prior_degrees / 2) * np.log1p(ratio * values))


def _as_if_equal(x: Vector, degrees: Vector, own: float, center: Vector, prior: float) -> Vector:
    # Variances with fewer degrees are exchanged for those at the same quantile among variances with all of them.
    fewer = degrees < own - 1e-14
    if not fewer.any():
        return x
    ratios, d = x[fewer] / center[fewer], degrees[fewer]
    if np.isinf(prior):
        above, below = chdtrc(d, d * ratios), 1 - chdtrc(d, d * ratios)
        moved = chdtri(own, np.where(above < below, above, 1 - below)) / own
    else:
        above, below = fdtrc(d, prior, ratios), fdtr(d, prior, ratios)
        # The upper tail of F is the lower tail of its inverse, whose degrees stand the other way round.
        with np.errstate(divide="ignore"):
            moved = np.where(above < below, 1 / fdtri(prior, own, np.maximum(above, 1e-300)), fdtri(own, prior, below))
    x = x.copy()
    x[fewer] = moved * center[fewer]
    return x


def _endless_degrees(ratios: Vector, own: float) -> Vector:
    n = ratios.size
    tail = chdtrc(own, ratios * own)
    belongs = np.minimum(tail / ((n - rankdata(ratios) + 0.5) / n), 1.0)
    shrunk = np.full(n, np.inf)
    shrunk[belongs < 1] = belongs[belongs < 1] * n * own
    order = np.argsort(tail, kind="stable")
    shrunk[order] = np.maximum.accumulate(shrunk[order])
    return shrunk


def _outlier_degrees(ratios: Vector, own: float, prior: float) -> Vector:
    # Mixes the prior degrees with those under which the most extreme ratio would be an even chance, by the chance to be no outlier.
    n = ratios.size
    log_tail = log_upper_tail(ratios, own, prior)
    log_belongs = np.minimum(log_tail - np.log(n - rankdata(ratios) + 0.5) + np.log(n), 0.0)
    if not (log_belongs < 0).any():
        return np.full(n, prior)
    belongs, differs = np.exp(log_belongs), -np.expm1(log_belongs)
    outlier = np.log(0.5) / log_tail.min() * prior
    outlier *= np.log(0.5) / log_upper_tail(ratios.max(keepdims=True), own, outlier)[0]
    order = np.argsort(log_tail, kind="stable")
    rising = (belongs * prior + differs * outlier)[order]
    means = np.cumsum(rising) / np.arange(1, n + 1)
    least = int(np.argmin(means))
    rising[: least + 1] = means[least]
    shrunk = np.empty(n)
    shrunk[order] = np.maximum.accumulate(rising)
    return shrunk
