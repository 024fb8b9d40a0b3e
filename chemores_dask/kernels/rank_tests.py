"""Rank tests between groups of patients: Wilcoxon's rank sum, and the trend of Jonckheere and Terpstra."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import gammaln, ndtr, ndtri
from scipy.stats import rankdata

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit

EXACT_GROUP = 50
"""Two groups that are both smaller than this are compared exactly, ties included (R does so without ties)."""

EXACT_TREND = 100
"""Most values for which the distribution of the trend is worked out; ties leave the normal approximation."""

SAME = 1e-9


@dataclass(frozen=True)
class RankTest:
    """What a rank test found.

    Attributes
    ----------
    statistic
        Pairs in which the value of the later group is higher; ties count half.
    pairs
        Pairs compared, so that ``statistic / pairs`` is the area under the ROC curve.
    p_value
        Two-sided.
    minimum_p_value
        Smallest P that any arrangement of the same values over groups of the same sizes can have.
    exact
        Whether the P value comes from all arrangements, not from the normal distribution.
    """

    statistic: float
    pairs: int
    p_value: float
    minimum_p_value: float
    exact: bool


@dataclass(frozen=True)
class Shift:
    """By how much the values of one group lie above those of another.

    Attributes
    ----------
    estimate
        Median of all differences, second minus first (Hodges and Lehmann).
    lower, upper
        Its limits; not a number where so few values allow none.
    """

    estimate: float
    lower: float
    upper: float


def rank_sum_test(first: Vector, second: Vector) -> RankTest:
    """Wilcoxon's rank sum test that two groups have the same distribution.

    With both groups below 50 the P value is the share of all arrangements whose rank sum lies at least as far from its mean, ties
    included. Beyond, it is normal with continuity correction and the variance ``m n / 12 (N + 1 - sum(t^3 - t) / (N (N - 1)))``.

    Parameters
    ----------
    first, second
        Finite values of either group, at least one each.

    Returns
    -------
    The test; ``statistic`` counts pairs in which the second value is higher (``W`` of R's ``wilcox.test(second, first)``).

    References
    ----------
    Wilcoxon F (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1:80-83.
    Mann HB, Whitney DR (1947). On a test whether one of two random variables is stochastically larger than the other. Ann Math
    Stat 18:50-60.

    Examples
    --------
    >>> round(rank_sum_test(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])).p_value, 6)
    0.2
    """
    m, n = first.size, second.size
    pooled = np.concatenate([first, second])
    doubled = np.rint(2 * rankdata(pooled)).astype(np.int64)
    statistic = float((doubled[m:].sum() - n * (n + 1)) / 2)
    minimum = smallest_p_value(pooled, np.array([m, n]))
    if max(m, n) < EXACT_GROUP:
        smaller, size = (doubled[:m], m) if m <= n else (doubled[m:], n)
        chances = _subset_counts(doubled, size)
        distances = np.abs(np.arange(chances.size) - size * (m + n + 1))
        reaching = chances[distances >= abs(smaller.sum() - size * (m + n + 1))].sum()
        p_value = float(min(reaching / chances.sum(), 1.0))
        return RankTest(statistic, m * n, max(p_value, minimum), minimum, exact=True)
    total = m + n
    ties = tie_sizes(pooled)
    variance = m * n / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    distance = max(abs(statistic - m * n / 2) - 0.5, 0.0)
    p_value = float(2 * ndtr(-distance / np.sqrt(variance))) if variance > SAME else 1.0
    return RankTest(statistic, m * n, max(p_value, minimum), minimum, exact=False)


def trend_test(values: Vector, codes: Vector) -> RankTest:
    """Jonckheere and Terpstra's test that values rise, or fall, from each group to the next.

    ``J`` counts, over all pairs of groups, the pairs of values of which the one in the later group is higher. Without ties and up to
    100 values the P value is exact; otherwise normal, with the variance for ties.

    Parameters
    ----------
    values
        Finite.
    codes
        Number of the group of each value; the groups are in order, and each of 0 to the largest has a value.

    Returns
    -------
    The test.

    References
    ----------
    Jonckheere AR (1954). A distribution-free k-sample test against ordered alternatives. Biometrika 41:133-145.
    Hollander M, Wolfe DA, Chicken E (2014). Nonparametric Statistical Methods, 3rd edition, section 6.2. Wiley.
    """
    groups = [np.sort(values[codes == code]) for code in range(int(codes.max()) + 1)]
    sizes = np.array([group.size for group in groups], dtype=np.int64)
    statistic = _higher_pairs(groups)
    pairs = int((sizes.sum() ** 2 - (sizes**2).sum()) // 2)
    minimum = smallest_p_value(values, sizes)
    ties = tie_sizes(values)
    distance = abs(statistic - pairs / 2)
    if ties.max() == 1 and values.size <= EXACT_TREND:
        chances = np.ones(1)
        for place in range(1, sizes.size):
            chances = np.convolve(chances, _rank_sum_chances(int(sizes[:place].sum()), int(sizes[place])))
        reached = np.abs(np.arange(chances.size) - pairs / 2) >= distance - SAME
        p_value = float(min(chances[reached].sum(), 1.0))
        return RankTest(statistic, pairs, max(p_value, minimum), minimum, exact=True)
    variance = _trend_variance(sizes.astype(float), ties)
    p_value = float(2 * ndtr(-distance / np.sqrt(variance))) if variance > SAME else 1.0
    return RankTest(statistic, pairs, max(p_value, minimum), minimum, exact=False)


def smallest_p_value(values: Vector, sizes: Vector) -> float:
    """Smallest two-sided P of a rank test: the share of the arrangements with the groups in perfect order, rising or falling.

    Parameters
    ----------
    values
        Of all groups together.
    sizes
        Values of each group, in the order of the groups.

    Returns
    -------
    The P value; without ties ``2 n_1! ... n_k! / N!``.

    Examples
    --------
    >>> round(smallest_p_value(np.arange(5.0), np.array([2, 3])), 6)
    0.2
    """
    ordered = np.sort(values)
    center = (values.size**2 - (sizes**2).sum()) / 4
    log_shares, distances = [], []
    for direction in (1, -1):
        codes = np.repeat(np.arange(sizes.size)[::direction], sizes[::direction])
        _, block = np.unique(ordered, return_inverse=True)
        # Tied values are exchanged at will: every way to share a tie between groups is the same arrangement of values.
        shared = np.bincount(block * sizes.size + codes)
        log_ways = gammaln(np.bincount(block) + 1.0).sum() - gammaln(shared + 1.0).sum()
        log_shares.append(log_ways - gammaln(values.size + 1.0) + gammaln(sizes + 1.0).sum())
        distances.append(abs(_higher_pairs([ordered[codes == code] for code in range(sizes.size)]) - center))
    far = max(distances)
    if far <= SAME:
        return 1.0
    reaching = [share for share, distance in zip(log_shares, distances, strict=True) if distance >= far - SAME]
    return float(min(np.exp(reaching).sum(), 1.0))


def shift_between(first: Vector, second: Vector, *, level: float = 0.95) -> Shift:
    """Median of all differences between two groups, with limits from the rank sum test.

    The limits are the differences whose ranks are the quantiles of the rank sum: exact with both groups below 50, normal beyond.

    Parameters
    ----------
    first, second
        Finite values, at least one each.
    level
        Coverage of the limits.

    Returns
    -------
    The shift of the second group against the first.

    References
    ----------
    Hodges JL, Lehmann EL (1963). Estimates of location based on rank tests. Ann Math Stat 34:598-611.

    Examples
    --------
    >>> shift_between(np.array([1.0, 2.0, 3.0]), np.array([4.0, 6.0])).estimate
    3.0
    """
    low, high = np.sort(first), np.sort(second)
    m, n = low.size, high.size
    middle = [ranked_difference(low, high, (m * n - 1) // 2), ranked_difference(low, high, m * n // 2)]
    tail = (1 - level) / 2
    if max(m, n) < EXACT_GROUP:
        rank = int(np.searchsorted(np.cumsum(_rank_sum_chances(m, n)), tail * (1 - SAME)))
    else:
        rank = int(np.rint(m * n / 2 + ndtri(tail) * np.sqrt(m * n * (m + n + 1) / 12)))
    if rank < 1:
        return Shift(float(np.mean(middle)), float("nan"), float("nan"))
    return Shift(
        float(np.mean(middle)), ranked_difference(low, high, rank - 1), ranked_difference(low, high, m * n - rank)
    )


def tie_sizes(values: Vector) -> Vector:
    """How many values share each of the different values, as floats."""
    return np.unique(values, return_counts=True)[1].astype(float)


@jit
def ranked_difference(first: Vector, second: Vector, place: int) -> float:
    """The difference (second minus first) at a place of all differences in order, without writing them down.

    Parameters
    ----------
    first, second
        Sorted.
    place
        From 0.
    """
    low, high = second[0] - first[-1], second[-1] - first[0]
    if differences_up_to(first, second, low) > place:
        return float(low)
    # The value is above low and not above high; halve until no number lies between.
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            return float(high)
        if differences_up_to(first, second, middle) > place:
            high = middle
        else:
            low = middle


@jit
def differences_up_to(first: Vector, second: Vector, limit: float) -> int:
    """How many differences (second minus first, both sorted) do not exceed a limit."""
    found, place = 0, 0
    for value in second:
        while place < len(first) and value - first[place] > limit:
            place += 1
        found += len(first) - place
    return found


def _higher_pairs(groups: list[Vector]) -> float:
    """Pairs of sorted groups in which the later value is higher, ties half."""
    return float(
        sum(
            (np.searchsorted(a, b, side="left").sum() + np.searchsorted(a, b, side="right").sum()) / 2
            for a, b in combinations(groups, 2)
        )
    )


def _trend_variance(sizes: Vector, ties: Vector) -> float:
    total = sizes.sum()
    if total < 2:
        return 0.0
    first = sum(
        sign * (part * (part - 1) * (2 * part + 5)).sum()
        for sign, part in ((1, np.array([total])), (-1, sizes), (-1, ties))
    )
    triples = (sizes * (sizes - 1) * (sizes - 2)).sum() * (ties * (ties - 1) * (ties - 2)).sum()
    doubles = (sizes * (sizes - 1)).sum() * (ties * (ties - 1)).sum()
    variance = first / 72 + doubles / (8 * total * (total - 1))
    if total > 2:
        variance += triples / (36 * total * (total - 1) * (total - 2))
    return float(variance)


def _rank_sum_chances(m: int, n: int) -> Vector:
    """Probability of 0, 1, ... m n pairs of which the second is higher, without ties."""
    size = min(m, n)
    counts = _subset_counts(np.arange(1, m + n + 1), size)
    start = size * (size + 1) // 2
    return np.asarray(counts[start : start + m * n + 1] / counts.sum())


def _subset_counts(ranks: Vector, size: int) -> Vector:
    """How many subsets of a size have each sum of ranks."""
    counts = np.zeros((size + 1, int(np.sort(ranks)[ranks.size - size :].sum()) + 1))
    counts[0, 0] = 1.0
    for rank in ranks:
        counts[1:, rank:] += counts[:-1, : counts.shape[1] - rank]
    return np.asarray(counts[size])
