"""A smooth trend through points: local lines with tricube weights, made robust by bisquare weights (Cleveland's LOWESS)."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

ROBUST_ROUNDS = 3
"""Times the curve is fitted again with less weight for points far from it."""

SKIP = 0.01
"""Points nearer to each other than this share of the range are not all fitted: a line joins those that are."""


def lowess(x: Vector, y: Vector, *, span: float) -> tuple[Vector, Vector]:
    """Fit a robust smooth curve to points, with the numbers of R's ``lowess``.

    Parameters
    ----------
    x, y
        The points, finite, in any order.
    span
        Share of the points in each neighborhood, above 0 and up to 1.

    Returns
    -------
    ``x`` in rising order, and the curve there; ``numpy.interp`` reads it anywhere else.

    References
    ----------
    Cleveland WS (1979). Robust locally weighted regression and smoothing scatterplots. Journal of the American Statistical Association
    74:829-836.

    Examples
    --------
    >>> lowess(np.array([3.0, 1.0, 2.0]), np.array([6.0, 2.0, 4.0]), span=1.0)[1]
    array([2., 4., 6.])
    """
    order = np.argsort(x, kind="stable")
    rising = np.ascontiguousarray(x, dtype=np.float64)[order]
    heights = np.ascontiguousarray(y, dtype=np.float64)[order]
    if rising.size < 2:
        return rising, heights
    near = max(2, min(rising.size, int(span * rising.size + 1e-7)))
    return rising, robust_lines(rising, heights, near, SKIP * (rising[-1] - rising[0]), ROBUST_ROUNDS)


@jit
def local_line(x: Vector, y: Vector, left: int, right: int, at: float, trust: Vector) -> float:
    """Height at ``at`` of the line through the points ``left`` to ``right`` and those as near as the farther of them.

    Parameters
    ----------
    x, y
        The points, ``x`` rising.
    left, right
        First and last position of the neighborhood.
    at
        Where to read the line.
    trust
        Weight of each point beside that of its distance.

    Returns
    -------
    The height; not a number where no point has weight.
    """
    reach = max(at - x[left], x[right] - at)
    weights = np.zeros(x.size)
    total = 0.0
    end = left
    while end < x.size:
        distance = abs(x[end] - at)
        if distance <= 0.999 * reach:
            weight = 1.0 if distance <= 0.001 * reach else (1.0 - (distance / reach) ** 3) ** 3
            weights[end] = weight * trust[end]
            total += weights[end]
        elif x[end] > at:
            break
        end += 1
    if total <= 0.0:
        return np.nan
    center = mean = 0.0
    for j in range(left, end):
        weights[j] /= total
        center += weights[j] * x[j]
        mean += weights[j] * y[j]
    spread = slope = 0.0
    for j in range(left, end):
        spread += weights[j] * (x[j] - center) ** 2
        slope += weights[j] * (x[j] - center) * y[j]
    if reach <= 0.0 or np.sqrt(spread) <= 0.001 * (x[-1] - x[0]):
        return mean
    return mean + slope / spread * (at - center)


@jit
def robust_lines(x: Vector, y: Vector, near: int, skip: float, rounds: int) -> Vector:
    """Local lines at the points, fitted again ``rounds`` times with bisquare weights of the residuals.

    Parameters
    ----------
    x, y
        The points, ``x`` rising.
    near
        Points in a neighborhood.
    skip
        Points nearer than this to the last one fitted are interpolated.
    rounds
        Times the weights are renewed.

    Returns
    -------
    Heights of the curve.
    """
    n = x.size
    curve = np.empty(n)
    trust = np.ones(n)
    for turn in range(rounds + 1):
        left, right = 0, near - 1
        last, i = -1, 0
        while True:
            while right < n - 1 and x[i] - x[left] > x[right + 1] - x[i]:
                left += 1
                right += 1
            height = local_line(x, y, left, right, x[i], trust)
            curve[i] = y[i] if np.isnan(height) else height
            if last >= 0 and last < i - 1:
                for j in range(last + 1, i):
                    share = (x[j] - x[last]) / (x[i] - x[last])
                    curve[j] = share * curve[i] + (1.0 - share) * curve[last]
            last = i
            i = last + 1
            limit = x[last] + skip
            while i < n and x[i] <= limit:
                if x[i] == x[last]:
                    curve[i] = curve[last]
                    last = i
                i += 1
            i = max(last + 1, i - 1)
            if last >= n - 1:
                break
        if turn == rounds:
            break
        distance = np.abs(y - curve)
        middle = 6.0 * np.median(distance)
        if middle < 1e-7 * distance.mean():
            break
        for j in range(n):
            if distance[j] <= 0.001 * middle:
                trust[j] = 1.0
            elif distance[j] <= 0.999 * middle:
                trust[j] = (1.0 - (distance[j] / middle) ** 2) ** 2
            else:
                trust[j] = 0.0
    return curve


@jit
def local_means(x: Vector, values: Matrix, near: int) -> Matrix:
    """Means over the nearest points with tricube weights, of many columns at once.

    Parameters
    ----------
    x
        Rising.
    values
        Points by columns.
    near
        Points in a neighborhood, at least 1.

    Returns
    -------
    Means, points by columns.
    """
    n = x.size
    means = np.zeros(values.shape)
    left, right = 0, min(near, n) - 1
    for i in range(n):
        while right < n - 1 and x[i] - x[left] > x[right + 1] - x[i]:
            left += 1
            right += 1
        reach = max(x[i] - x[left], x[right] - x[i])
        total = 0.0
        for j in range(left, right + 1):
            weight = (1.0 - (abs(x[j] - x[i]) / reach) ** 3) ** 3 if reach > 0.0 else 1.0
            total += weight
            for k in range(values.shape[1]):
                means[i, k] += weight * values[j, k]
        for k in range(values.shape[1]):
            means[i, k] /= total
    return means
