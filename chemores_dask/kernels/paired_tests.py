"""Tests of paired differences, one difference per patient."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, ndtr, stdtr
from scipy.stats import rankdata

from chemores_dask.aliases import Vector

EXACT_SIGN_FLIPS = 40
"""Most patients for which all sign flips are counted: two halves of 2^20 sums each."""

EXACT_SIGNED_RANKS = 200
"""Most differences for which the distribution of the signed rank sum is worked out exactly."""

TIE_TOLERANCE = 1e-12


def paired_t_test(differences: Vector) -> tuple[float, float]:
    """Student's t test that the mean difference is zero.

    Parameters
    ----------
    differences
        One per patient.

    Returns
    -------
    t and the two-sided P value with n - 1 degrees of freedom; not a number for fewer than two patients or differences that are all equal.
    """
    n = differences.size
    if n < 2:
        return float("nan"), float("nan")
    mean = differences.mean()
    error = differences.std(ddof=1) / np.sqrt(n)
    if error <= TIE_TOLERANCE * abs(mean):
        return float("nan"), float("nan")
    t = mean / error
    return float(t), float(2 * stdtr(n - 1, -abs(t)))


def sign_flip_test(differences: Vector) -> tuple[float, bool]:
    """Share of all sign patterns whose sum is at least as far from zero as the one observed.

    Up to 40 patients all 2^n patterns are counted: the sums of either half of the patients are listed, and for every sum of one half
    those of the other that reach the observed total are found by bisection. Beyond, the sum over its root of squares is taken as normal.

    Parameters
    ----------
    differences
        One per patient.

    Returns
    -------
    Two-sided P value, and whether it is exact.
    """
    size = np.abs(differences).sum()
    if size == 0:
        return 1.0, True
    total = abs(differences.sum())
    if differences.size > EXACT_SIGN_FLIPS:
        return float(2 * ndtr(-total / np.sqrt((differences**2).sum()))), False
    goal = total - TIE_TOLERANCE * size
    if goal <= 0:
        return 1.0, True
    half = differences.size // 2
    first = np.sort(_signed_sums(differences[:half]))
    second = _signed_sums(differences[half:])
    reaching = first.size - np.searchsorted(first, goal - second, side="left")
    return float(2 * reaching.sum() / 2.0**differences.size), True


def signed_rank_test(differences: Vector) -> tuple[float, bool]:
    """Wilcoxon's signed rank test; zero differences are left out, tied ones share their mean rank.

    Up to 200 differences the P value is exact, ties included (the distribution of the rank sum over all signs); beyond, normal with
    continuity correction.

    Parameters
    ----------
    differences
        One per patient.

    Returns
    -------
    Two-sided P value, and whether it is exact.
    """
    kept = differences[differences != 0]
    if not kept.size:
        return 1.0, True
    ranks = rankdata(np.abs(kept))
    positive = ranks[kept > 0].sum()
    mean = ranks.sum() / 2
    distance = abs(positive - mean)
    if kept.size > EXACT_SIGNED_RANKS:
        z = max(distance - 0.5, 0.0) / np.sqrt((ranks**2).sum() / 4)
        return float(2 * ndtr(-z)), False
    doubled = np.rint(2 * ranks).astype(int)
    chances = np.zeros(doubled.sum() + 1)
    chances[0] = 1.0
    for rank in doubled:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[: chances.size - rank]
        chances = (chances + shifted) / 2
    sums = np.arange(chances.size) / 2
    return float(min(chances[np.abs(sums - mean) >= distance - 0.25].sum(), 1.0)), True


def minimum_p_value(patients: int) -> float:
    """Smallest two-sided P value that any test of signs can reach: ``2 / 2^n``.

    Parameters
    ----------
    patients
        Number of pairs.

    Returns
    -------
    The P value, at most 1.

    Examples
    --------
    >>> minimum_p_value(3)
    0.25
    """
    return min(1.0, 2.0 * 0.5**patients)


def binomial_limits(found: Vector, total: Vector, *, level: float = 0.95) -> tuple[Vector, Vector]:
    """Clopper and Pearson's exact limits of a share.

    Parameters
    ----------
    found, total
        Counts; ``total`` above 0.
    level
        Coverage of the two-sided interval.

    Returns
    -------
    Lower and upper limits. With nothing found, the upper one is ``1 - (alpha / 2)^(1 / n)``.

    References
    ----------
    Clopper CJ, Pearson ES (1934). The use of confidence or fiducial limits. Biometrika 26:404-413.
    """
    found = np.asarray(found, dtype=float)
    total = np.asarray(total, dtype=float)
    tail = (1 - level) / 2
    none, all_found = found == 0, found == total
    lower = betaincinv(np.where(none, 1, found), total - found + 1, tail)
    upper = betaincinv(found + 1, np.where(all_found, 1, total - found), 1 - tail)
    return np.where(none, 0.0, lower), np.where(all_found, 1.0, upper)


def _signed_sums(values: Vector) -> Vector:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
