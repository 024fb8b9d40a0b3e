"""Restricted cubic splines: cubic between knots, straight lines beyond the outer ones.

References
----------
Harrell FE (2015). Regression Modeling Strategies, 2nd edition, section 2.4.5. Springer.
Stone CJ, Koo CY (1985). Additive splines in statistics. Proceedings of the Statistical Computing Section ASA, 45-48.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector

LARGE_SHARE = 0.05
"""If this share of the values equals the smallest (or largest), the outer knot is the next value, as in R's ``Hmisc``."""

FEWEST_FOR_QUANTILES = 100
OUTER_RANK = 5
"""With fewer values than above, the outer knots are the fifth smallest and the fifth largest."""

FEWEST_KNOTS, MOST_KNOTS = 3, 7


def spline_knots(values: Vector, number: int) -> Vector:
    """Knots at Harrell's quantiles.

    Parameters
    ----------
    values
        Of a covariate.
    number
        Of knots, 3 to 7.

    Returns
    -------
    Rising knots; fewer, or equal ones, where the values do not allow as many.

    Examples
    --------
    >>> spline_knots(np.arange(201.0), 4)
    array([ 10.,  70., 130., 190.])
    """
    values = np.sort(np.asarray(values, dtype=float))
    levels, counts = np.unique(values, return_counts=True)
    low: list[float] = []
    high: list[float] = []
    if levels.size > 2 and counts[1:-1].max() < LARGE_SHARE * values.size:
        if counts[0] >= LARGE_SHARE * values.size:
            low = [levels[1]]
        if counts[-1] >= LARGE_SHARE * values.size:
            high = [levels[-2]]
    inner = values[(values > (low[0] if low else -np.inf)) & (values < (high[0] if high else np.inf))]
    left = number - len(low) - len(high)
    outer = 0.1 if number == FEWEST_KNOTS else 0.025 if number == MOST_KNOTS else 0.05
    if left == 1:
        return np.array([*low, np.median(inner), *high])
    shares = np.linspace(0.5 if left == 2 else outer, 1 - outer, left)
    knots = np.quantile(inner, shares)
    if inner.size < FEWEST_FOR_QUANTILES and inner.size >= OUTER_RANK:
        if not low:
            knots[0] = inner[OUTER_RANK - 1]
        if not high:
            knots[-1] = inner[-OUTER_RANK]
    return np.sort(np.array([*low, *knots, *high]))


def spline_basis(values: Vector, knots: Vector) -> Matrix:
    """Columns of a restricted cubic spline.

    The first column is ``x``; column ``j`` is ``(x - t_j)^3 - (x - t_(k-1))^3 (t_k - t_j) / (t_k - t_(k-1)) +
    (x - t_k)^3 (t_(k-1) - t_j) / (t_k - t_(k-1))`` over ``(t_k - t_1)^2``, with negative differences set to 0.

    Parameters
    ----------
    values
        Of a covariate.
    knots
        Rising, three or more.

    Returns
    -------
    Values by ``len(knots) - 1`` columns.

    Examples
    --------
    >>> spline_basis(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    array([[0.  , 0.  ],
           [1.  , 0.25],
           [2.  , 1.5 ]])
    """
    x = np.asarray(values, dtype=float)
    last, before = knots[-1], knots[-2]
    gap = last - before

    def above(knot: float) -> Vector:
        return np.maximum(x - knot, 0.0) ** 3

    columns = [x]
    for knot in knots[:-2]:
        bend = above(knot) - above(before) * (last - knot) / gap + above(last) * (before - knot) / gap
        columns.append(bend / (last - knots[0]) ** 2)
    return np.column_stack(columns)
