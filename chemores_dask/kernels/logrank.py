"""The log-rank test and its weighted relatives, for any number of groups within strata.

References
----------
Mantel N (1966). Evaluation of survival data and two new rank order statistics. Cancer Chemotherapy Reports 50:163-170.
Harrington DP, Fleming TR (1982). A class of rank test procedures for censored survival data. Biometrika 69:553-566.
Tarone RE (1975). Tests for trend in life table analysis. Biometrika 62:679-690.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

RANK_TOLERANCE = 1e-10


@jit
def log_rank_sums(
    entry: Vector, duration: Vector, event: Vector, group: Vector, stratum: Vector, groups: int, exponents: Vector
) -> tuple[Vector, Vector, Matrix]:
    """Add up observed and expected events over all times of all strata.

    At each time with ``d`` events among ``n`` at risk, group ``i`` with ``n_i`` at risk expects ``d n_i / n``, with hypergeometric variance
    ``d (n - d) / (n - 1) * (n_i / n) (delta_ij - n_j / n)``. Every time weighs ``n^a S(t-)^b (1 - S(t-))^c``, S being the pooled survival
    of the stratum.

    Parameters
    ----------
    entry, duration, event, group, stratum
        One entry per patient, ordered by stratum and within it by rising duration; groups are numbered from 0. A patient is at risk at
        ``t`` when ``entry < t <= duration``.
    groups
        Number of groups.
    exponents
        ``a, b, c`` of the weight; all 0 for the log-rank test.

    Returns
    -------
    Observed and expected events by group, and the variance matrix of their difference.
    """
    observed = np.zeros(groups)
    expected = np.zeros(groups)
    variance = np.zeros((groups, groups))
    at_risk = np.zeros(groups)
    dead = np.zeros(groups)
    start = 0
    while start < duration.size:
        end = start
        while end < duration.size and stratum[end] == stratum[start]:
            end += 1
        arrivals = start + np.argsort(entry[start:end])
        arrived = 0
        at_risk[:] = 0.0
        survival = 1.0
        i = start
        while i < end:
            time = duration[i]
            while arrived < arrivals.size and entry[arrivals[arrived]] < time:
                at_risk[group[arrivals[arrived]]] += 1
                arrived += 1
            n = at_risk.sum()
            dead[:] = 0.0
            first = i
            while i < end and duration[i] == time:
                if event[i]:
                    dead[group[i]] += 1
                i += 1
            d = dead.sum()
            if d > 0:
                weight = n ** exponents[0] * survival ** exponents[1] * (1.0 - survival) ** exponents[2]
                spread = weight * weight * d * (n - d) / (n * n * (n - 1)) if n > 1 else 0.0
                for a in range(groups):
                    observed[a] += weight * dead[a]
                    expected[a] += weight * d * at_risk[a] / n
                    variance[a, a] += spread * n * at_risk[a]
                    for b in range(groups):
                        variance[a, b] -= spread * at_risk[a] * at_risk[b]
                survival *= (n - d) / n
            for j in range(first, i):
                at_risk[group[j]] -= 1
        start = end
    return observed, expected, variance


def log_rank_test(observed: Vector, expected: Vector, variance: Matrix) -> tuple[float, int, float]:
    """Chi-square statistic of observed minus expected events.

    Parameters
    ----------
    observed, expected, variance
        As made by :func:`log_rank_sums`.

    Returns
    -------
    Statistic, degrees of freedom (the rank of the variance) and P value; not a number when no group can be compared with another.
    """
    difference = observed - expected
    values, vectors = np.linalg.eigh(variance)
    kept = values > RANK_TOLERANCE * max(values.max(initial=0.0), np.finfo(float).tiny)
    degrees = int(kept.sum())
    if degrees == 0:
        return float("nan"), 0, float("nan")
    projected = vectors[:, kept].T @ difference
    statistic = float((projected**2 / values[kept]).sum())
    return statistic, degrees, float(chdtrc(degrees, statistic))


def log_rank_trend(observed: Vector, expected: Vector, variance: Matrix, scores: Vector) -> tuple[float, float]:
    """Chi-square statistic, with one degree of freedom, of the trend over scored groups.

    ``(c' (O - E))^2 / (c' V c)`` for scores ``c``: the most powerful direction where the log hazard rises along them.

    Parameters
    ----------
    observed, expected, variance
        As made by :func:`log_rank_sums`.
    scores
        Score of each group.

    Returns
    -------
    Signed root of the statistic (above 0 where higher scores have more events than expected) and two-sided P value; not a number when
    no group can be compared with another.
    """
    centered = scores - scores.mean()
    spread = float(centered @ variance @ centered)
    largest = float(np.abs(variance).max(initial=0.0) * (centered**2).sum())
    if spread <= RANK_TOLERANCE * max(largest, np.finfo(float).tiny):
        return float("nan"), float("nan")
    statistic = float(centered @ (observed - expected)) / np.sqrt(spread)
    return statistic, float(chdtrc(1, statistic**2))
