"""A smooth trend through points: local quadratic regression with tricube weights.

The trend comes from the compiled library that scanpy uses, wherever that library can fit it. It refuses few points, and neighborhoods
with too few different values of x, which small batches of cells have; there the same curve is fitted here. Both fit it at the
vertices of a tree of cells over x, with its slope, and interpolate between them by cubic polynomials. Without equal values of x the two
agree to 1e-9; with many, their trees are cut at slightly different places, and the curves differ by up to 0.002.

References
----------
Cleveland WS, Devlin SJ (1988). Locally weighted regression: an approach to regression analysis by local fitting. Journal of the
American Statistical Association 83:596-610.

Cleveland WS, Grosse E (1991). Computational methods for local regression. Statistics and Computing 1:47-62.
"""

from __future__ import annotations

import math

import numpy as np
from skmisc.loess import loess  # type: ignore[import-untyped]

from chemores_dask.aliases import Vector

LIBRARY_POINTS = 14
"""The compiled library does not survive one to three points, and refuses fewer than these."""

CELL = 0.2
"""A cell of the tree is cut while it holds more than this share of the points of a neighborhood."""

MARGIN = 0.005
"""The outer vertices lie this share of the range outside of the points."""

CONDITION = 1e-7
"""Directions weaker than this share of the strongest one are left out of a local fit: they are not determined by its points."""


def loess_trend(x: Vector, y: Vector, *, span: float) -> Vector:
    """Fit a smooth curve to points and read it at these points.

    Parameters
    ----------
    x, y
        The points, finite, in any order.
    span
        Share of the points in each neighborhood, above 0 and up to 1.

    Returns
    -------
    Fitted values, one per point.
    """
    if len(x) < LIBRARY_POINTS:
        return local_quadratic(x, y, span=span)
    model = loess(
        np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(y, dtype=np.float64), span=span, degree=2
    )
    try:
        model.fit()
    except ValueError:
        # "reciprocal condition number", "near singularities", "svddc failed": parabolas that the points do not determine.
        return local_quadratic(x, y, span=span)
    return np.asarray(model.outputs.fitted_values, dtype=np.float64)


def local_quadratic(x: Vector, y: Vector, *, span: float) -> Vector:
    """Fit the curve of :func:`loess_trend` to any number of points.

    Where a neighborhood has fewer than three different values of x, its parabola is the one with the smallest coefficients;
    a single value of x gives the mean of y.

    Parameters
    ----------
    x, y
        The points, finite, in any order.
    span
        Share of the points in each neighborhood, above 0 and up to 1.

    Returns
    -------
    Fitted values, one per point.
    """
    if len(x) == 0:
        return np.zeros(0)
    order = np.argsort(x, kind="stable")
    sorted_x, sorted_y = np.asarray(x, dtype=np.float64)[order], np.asarray(y, dtype=np.float64)[order]
    neighbors = min(max(math.floor(len(x) * span + 1e-5), 1), len(x))
    vertices = tree_vertices(sorted_x, largest_cell=math.floor(len(x) * span * CELL))
    fits = np.array([_local_fit(sorted_x, sorted_y, at=vertex, neighbors=neighbors) for vertex in vertices])
    fitted = np.empty(len(x))
    fitted[order] = _interpolate(sorted_x, vertices, fits[:, 0], fits[:, 1])
    return fitted


def tree_vertices(sorted_x: Vector, *, largest_cell: int) -> Vector:
    """Borders of cells that are cut at their median point until they are small.

    Parameters
    ----------
    sorted_x
        Rising values.
    largest_cell
        Points that a cell may hold.

    Returns
    -------
    Rising borders; the first and last lie outside of the points.
    """
    low, high = float(sorted_x[0]), float(sorted_x[-1])
    margin = MARGIN * max(high - low, max(abs(low), abs(high)) * 1e-3 + 1e-30)
    borders = {low - margin, high + margin}
    waiting = [(0, len(sorted_x), low - margin, high + margin)]
    while waiting:
        start, stop, lower, upper = waiting.pop()
        if stop - start <= max(largest_cell, 1):
            continue
        middle = (start + stop + 1) // 2
        cut = float(sorted_x[middle - 1])
        # A cell of equal points cannot be cut.
        if cut in {lower, upper}:
            continue
        borders.add(cut)
        waiting += [(start, middle, lower, cut), (middle, stop, cut, upper)]
    return np.array(sorted(borders))


def _local_fit(x: Vector, y: Vector, *, at: float, neighbors: int) -> tuple[float, float]:
    distance = np.abs(x - at)
    radius = float(np.partition(distance, neighbors - 1)[neighbors - 1])
    if radius <= 0.0:
        return float(y[distance <= 0.0].mean()), 0.0
    inside = distance < 0.999 * radius
    if not inside.any():
        return float(y[distance <= radius].mean()), 0.0
    share = distance[inside] / radius
    root_weight = np.sqrt(np.where(share > 0.001, (1 - share**3) ** 3, 1.0))
    offset = x[inside] - at
    design = root_weight[:, None] * np.column_stack([np.ones(len(offset)), offset, offset**2])
    scale = np.sqrt((design**2).sum(axis=0))
    scale[scale == 0] = 1.0
    coefficients = np.linalg.lstsq(design / scale, root_weight * y[inside], rcond=CONDITION)[0] / scale
    return float(coefficients[0]), float(coefficients[1])


def _interpolate(x: Vector, vertices: Vector, value: Vector, slope: Vector) -> Vector:
    left = np.clip(np.searchsorted(vertices, x, side="right") - 1, 0, len(vertices) - 2)
    width = vertices[left + 1] - vertices[left]
    t = (x - vertices[left]) / width
    curve: Vector = (
        (1 + 2 * t) * (1 - t) ** 2 * value[left]
        + t * (1 - t) ** 2 * width * slope[left]
        + t**2 * (3 - 2 * t) * value[left + 1]
        - t**2 * (1 - t) * width * slope[left + 1]
    )
    return curve
