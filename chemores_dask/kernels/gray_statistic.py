"""Gray's test: do groups differ in the cumulative incidence of one cause, in the presence of others?

References
----------
Gray RJ (1988). A class of K-sample tests for comparing the cumulative incidence of a competing risk. Annals of Statistics 16:1141-1154.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit

CENSORED, OF_INTEREST, OTHER = 0, 1, 2


@jit
def gray_sums(
    duration: Vector, ending: Vector, group: Vector, stratum: Vector, groups: int, rho: float
) -> tuple[Vector, Matrix]:
    """Add up observed minus expected events of a cause over all times of all strata, with their variance.

    With ``n_i`` at risk in group ``i``, its survival ``S_i(t-)`` from all causes and its incidence ``F_i(t-)``, the risk set of the
    subdistribution is ``R_i = n_i (1 - F_i(t-)) / S_i(t-)``; ``d`` events of the cause at a time put ``d R_i / sum R`` into group ``i``.
    Every time weighs ``(1 - F(t-))^rho``, ``F`` being the pooled incidence of the stratum. The variance has one term for events of the
    cause and one for the others, since both move ``S_i``.

    Parameters
    ----------
    duration, ending, group, stratum
        One entry per patient, ordered by stratum and within it by rising duration; ``ending`` is 0 for censored patients, 1 for the cause
        of interest and 2 for any other; groups are numbered from 0.
    groups
        Number of groups.
    rho
        Exponent of the weight.

    Returns
    -------
    Observed minus expected events by group, and their variance matrix.
    """
    difference = np.zeros(groups)
    variance = np.zeros((groups, groups))
    start = 0
    while start < duration.size:
        end = start
        while end < duration.size and stratum[end] == stratum[start]:
            end += 1
        _add_stratum(duration[start:end], ending[start:end], group[start:end], rho, difference, variance)
        start = end
    return difference, variance


@jit
def _add_events(
    at_once: float, reach: float, spread: float, jump: Vector, drift: Vector, variance: Matrix, mixed: Vector
) -> None:
    # Events of one group with the variance `spread`: what they move at once, and through the survival later.
    for a in range(jump.size):
        first = at_once * jump[a] - reach * drift[a]
        mixed[a] += first * reach * spread
        for b in range(jump.size):
            variance[a, b] += first * (at_once * jump[b] - reach * drift[b]) * spread


@jit
def _add_stratum(
    duration: Vector, ending: Vector, group: Vector, rho: float, difference: Vector, variance: Matrix
) -> None:
    groups = difference.size
    at_risk = np.bincount(group, minlength=groups).astype(np.float64)
    survival, incidence, pooled = np.ones(groups), np.zeros(groups), 0.0
    # The score is a sum over times of what events move at once (jump) and of what they move later through the survival (drift).
    jump, drift = np.zeros((groups, groups)), np.zeros((groups, groups))
    mixed, later = np.zeros((groups, groups)), np.zeros(groups)
    ends, share = np.zeros((3, groups)), np.zeros(groups)
    i = 0
    while i < duration.size:
        ends[:] = 0.0
        time = duration[i]
        while i < duration.size and duration[i] == time:
            ends[ending[i], group[i]] += 1
            i += 1
        of_interest = ends[1].sum()
        if of_interest + ends[2].sum() > 0:
            total = open_total = 0.0
            for k in range(groups):
                share[k] = at_risk[k] / survival[k] if at_risk[k] > 0 else 0.0
                total += share[k]
                open_total += share[k] * (1 - incidence[k])
            weight = (1 - pooled) ** rho
            rise = of_interest / total
            for a in range(groups):
                difference[a] += weight * (ends[1, a] - of_interest * share[a] * (1 - incidence[a]) / open_total)
                for b in range(groups):
                    jump[a, b] = weight * share[a] * ((a == b) - share[b] / total)
                    drift[a, b] += jump[a, b] * rise / (1 - pooled)
            pooled += rise
            for k in range(groups):
                n = at_risk[k]
                if n == 0:
                    continue
                before = survival[k]
                incidence[k] += before * ends[1, k] / n
                survival[k] = before * (n - ends[1, k] - ends[2, k]) / n
                left = (1 - pooled) / survival[k] if survival[k] > 0 else 0.0
                if of_interest > 0:
                    ties = (of_interest - 1) / (total * before - 1) if of_interest > 1 else 0.0
                    spread = (1 - ties) * before * rise / n
                    _add_events(1.0, 1 - left, spread, jump[:, k], drift[:, k], variance, mixed[:, k])
                    later[k] += (1 - left) ** 2 * spread
                if ends[2, k] > 0:
                    ties = (ends[2, k] - 1) / (n - 1) if ends[2, k] > 1 else 0.0
                    spread = (1 - ties) * before * before * ends[2, k] / (n * n)
                    _add_events(0.0, left, spread, jump[:, k], drift[:, k], variance, mixed[:, k])
                    later[k] += left * left * spread
        for k in range(groups):
            at_risk[k] -= ends[0, k] + ends[1, k] + ends[2, k]
    for k in range(groups):
        for a in range(groups):
            for b in range(groups):
                variance[a, b] += (
                    drift[a, k] * drift[b, k] * later[k] + drift[a, k] * mixed[b, k] + drift[b, k] * mixed[a, k]
                )
