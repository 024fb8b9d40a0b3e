"""The log-rank test and its weighted relatives, for any number of groups within strata.

References
----------
Mantel N (1966). Evaluation of survival data and two new rank order statistics. Cancer Chemotherapy Reports 50:163-170.
Harrington DP, Fleming TR (1982). A class of rank test procedures for censored survival data. Biometrika 69:553-566.
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

RANK_TOLERANCE = 1e-10


@jit
def log_rank_sums(
    duration: Vector, event: Vector, group: Vector, stratum: Vector, groups: int, rho: float
) -> tuple[Vector, Vector, Matrix]:
    """Add up observed and expected events over all times of all strata.

    At each time with ``d`` events among ``n`` at risk, group ``i`` with ``n_i`` at risk expects ``d n_i / n``, with hypergeometric variance
    ``d (n - d) / (n - 1) * (n_i / n) (delta_ij - n_j / n)``. Every time weighs ``S(t-)^rho``, S being the pooled survival of the stratum.

    Parameters
    ----------
    duration, event, group, stratum
        One entry per patient, ordered by stratum and within it by rising duration; groups are numbered from 0.
    groups
        Number of groups.
    rho
        Exponent of the weight; 0 for the log-rank test.

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
        at_risk[:] = 0.0
        while end < duration.size and stratum[end] == stratum[start]:
            at_risk[group[end]] += 1
            end += 1
        survival = 1.0
        i = start
        while i < end:
            time = duration[i]
            n = at_risk.sum()
            dead[:] = 0.0
            first = i
            while i < end and duration[i] == time:
                if event[i]:
                    dead[group[i]] += 1
                i += 1
            d = dead.sum()
            if d > 0:
                weight = survival**rho
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
