"""Correlation of two measurements of the same patients, with its P value and limits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, stdtr
from scipy.stats import rankdata

from chemores_dask.aliases import Vector
from chemores_dask.kernels.rank_tests import tie_sizes

EXACT_RANKS = 9
"""Most patients for whom all orders are counted, ties included."""

SERIES_RANKS = 1289
"""Most patients for whom the rank correlation without ties has its P value from an Edgeworth series, as in R."""

SERIES = ((0.2274, 0.2531, 0.1745), (0.0758, 0.1033, 0.3932), (0.0879, 0.0151), (0.0072, 0.0831), (0.0131, 4.6e-4))
"""Coefficients of Best and Roberts, by the power of the squared deviate that they belong to."""

SAME = 1e-9


@dataclass(frozen=True)
class Correlation:
    """A correlation.

    Attributes
    ----------
    estimate
        From -1 to 1; not a number where a measurement is the same for all.
    p_value
        Two-sided.
    method
        How the P value was found: ``exact``, ``Edgeworth series`` or ``Student's t``.
    """

    estimate: float
    p_value: float
    method: str


def correlation_p_value(correlation: float, patients: int) -> float:
    """Two-sided P value of Pearson's correlation: Student's t with n - 2 degrees of freedom.

    ``t = r sqrt((n - 2) / (1 - r^2))``. It says from a published r which number of patients a published P belongs to.

    Parameters
    ----------
    correlation
        From -1 to 1.
    patients
        Pairs of measurements.

    Returns
    -------
    The P value; not a number for fewer than three patients.

    Examples
    --------
    >>> [round(correlation_p_value(-0.35, patients), 4) for patients in (60, 70)]
    [0.0061, 0.003]
    """
    if patients < 3 or not np.isfinite(correlation):
        return float("nan")
    if abs(correlation) >= 1 - 1e-15:
        return 0.0
    t = abs(correlation) * np.sqrt((patients - 2) / (1 - correlation**2))
    return float(2 * stdtr(patients - 2, -t))


def correlation_limits(correlation: float, patients: int, *, level: float = 0.95) -> tuple[float, float]:
    """Limits of Pearson's correlation by Fisher's z.

    Parameters
    ----------
    correlation
        The estimate.
    patients
        Pairs of measurements.
    level
        Coverage.

    Returns
    -------
    Lower and upper limit; not numbers for fewer than four patients.
    """
    if patients < 4 or not np.isfinite(correlation):
        return float("nan"), float("nan")
    reach = float(ndtri(0.5 + level / 2)) / np.sqrt(patients - 3)
    with np.errstate(divide="ignore"):
        center = np.arctanh(np.clip(correlation, -1.0, 1.0))
    return float(np.tanh(center - reach)), float(np.tanh(center + reach))


def pearson(first: Vector, second: Vector) -> Correlation:
    """Pearson's correlation.

    Parameters
    ----------
    first, second
        Finite, of the same patients.

    Returns
    -------
    The correlation.
    """
    estimate = _product_moment(first, second)
    return Correlation(estimate, correlation_p_value(estimate, first.size), "Student's t")


def spearman(first: Vector, second: Vector) -> Correlation:
    """Spearman's rank correlation, ties at their mean rank.

    Up to nine patients the P value counts all orders, ties included. Without ties it then comes from the Edgeworth series of Best and
    Roberts, as in R; with ties and beyond 1,289 patients from Student's t.

    Parameters
    ----------
    first, second
        Finite, of the same patients.

    Returns
    -------
    The correlation.

    References
    ----------
    Best DJ, Roberts DE (1975). Algorithm AS 89: the upper tail probabilities of Spearman's rho. Applied Statistics 24:377-379.
    """
    ranks, others = rankdata(first), rankdata(second)
    estimate = _product_moment(ranks, others)
    n = first.size
    if not np.isfinite(estimate):
        return Correlation(estimate, float("nan"), "none")
    if n <= EXACT_RANKS:
        return Correlation(estimate, _share_of_orders(ranks, others), "exact")
    if n <= SERIES_RANKS and tie_sizes(first).max() == tie_sizes(second).max() == 1:
        return Correlation(estimate, _series_p_value(float(((ranks - others) ** 2).sum()), n), "Edgeworth series")
    return Correlation(estimate, correlation_p_value(estimate, n), "Student's t")


def smallest_spearman_p_value(first: Vector, second: Vector) -> float:
    """Smallest P that an exact test of the rank correlation of these values can have.

    Parameters
    ----------
    first, second
        Finite, of the same patients.

    Returns
    -------
    Share of the orders that put the values side by side, rising or falling, whichever lies farther from no correlation (both where they lie
    equally far): without ties ``2 / n!``; 1 where a measurement is the same for all.
    """
    ranks, others = np.sort(rankdata(first)), np.sort(rankdata(second))
    n = ranks.size
    log_shares, distances = [], []
    for side in (others, others[::-1]):
        # Exchanging tied values of either measurement changes nothing; pairs that are alike in both would be counted twice.
        pairs = np.unique(np.column_stack([ranks, side]), axis=0, return_counts=True)[1]
        ways = sum(gammaln(tie_sizes(values) + 1).sum() for values in (first, second)) - gammaln(pairs + 1.0).sum()
        log_shares.append(ways - gammaln(n + 1.0))
        distances.append(abs(float(ranks @ side) - n * ((n + 1) / 2) ** 2))
    if max(distances) <= SAME:
        return 1.0
    farthest = [
        share for share, distance in zip(log_shares, distances, strict=True) if distance >= max(distances) - SAME
    ]
    return float(min(np.exp(farthest).sum(), 1.0))


def _product_moment(first: Vector, second: Vector) -> float:
    if first.size < 2:
        return float("nan")
    one, other = first - first.mean(), second - second.mean()
    one, other = (part / size if (size := np.abs(part).max()) > 0 else part for part in (one, other))
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    vanishing = [np.ptp(values) <= 1e-12 * np.abs(values).max() for values in (first, second)]
    return float(np.clip((one @ other) / scale, -1.0, 1.0)) if scale > 0 and not any(vanishing) else float("nan")


def _products_of_orders(ranks: Vector, others: Vector) -> Vector:
    orders = np.array(list(permutations(range(ranks.size))), dtype=np.int8)
    return np.asarray(others[orders] @ ranks)


def _share_of_orders(ranks: Vector, others: Vector) -> float:
    products = _products_of_orders(ranks, others)
    center = ranks.size * ((ranks.size + 1) / 2) ** 2
    return float((np.abs(products - center) >= abs(float(ranks @ others) - center) - SAME).mean())


def _series_p_value(squares: float, n: int) -> float:
    """Twice the smaller tail of the sum of squared differences of ranks, which is even and whole without ties."""
    largest = n * (n**2 - 1) / 3
    # The distribution is symmetric, so both tails are upper ones: of the sum, or of its distance to the largest.
    tail = min(squares, largest - squares)
    upper = _series_tail(largest - tail, n)
    return float(min(2 * upper, 1.0))


def _series_tail(squares: float, n: int) -> float:
    """P that the sum of squared differences of ranks is at least this."""
    b = 1 / n
    x = (6 * (squares - 1) * b / (n**2 - 1) - 1) * np.sqrt(n - 1)
    y = x * x
    (a1, a2, a3), (a4, a5, a6), (a7, a8), (a9, a10), (a11, a12) = SERIES
    series = (
        a1
        + b * (a2 + a3 * b)
        + y * (-a4 + b * (a5 + a6 * b) - y * b * (a7 + a8 * b - y * (a9 - a10 * b + y * b * (a11 - a12 * y))))
    )
    return float(np.clip(x * b * series / np.exp(y / 2) + ndtr(-x), 0.0, 1.0))
