"""Concordance of a risk score with survival: Harrell's, and Uno's, which weighs every death by how likely it was to be seen.

References
----------
Harrell FE, Lee KL, Mark DB (1996). Multivariable prognostic models. Statistics in Medicine 15:361-387.
Uno H et al. (2011). On the C-statistics for evaluating overall adequacy of risk prediction procedures with censored survival data.
Statistics in Medicine 30:1105-1117.
Therneau TM, Atkinson E (2024). Concordance. Vignette of the R package survival (the infinitesimal jackknife).
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit


@jit
def concordance_pairs(
    risk: Vector, duration: Vector, event: Vector, entry: Vector, stratum: Vector, weight: Vector, death_weight: Vector
) -> tuple[Vector, Matrix]:
    """Count pairs of patients whose scores agree with the order of their deaths.

    A pair counts when one patient has the event at ``t`` and the other, of the same stratum, is at risk then and lives on (or is censored
    at ``t``). It is concordant when the one who dies has the higher score.

    Parameters
    ----------
    risk
        Score, higher for a shorter life.
    duration, event, entry
        Outcome; entry is minus infinity where there is no late entry.
    stratum
        Number of the stratum.
    weight
        Of each patient; a pair has the product of both.
    death_weight
        Factor of all pairs in which this patient is the one who dies.

    Returns
    -------
    Concordant, discordant and tied pairs; and the same of the pairs with each patient, not multiplied by the patient's own weight.
    """
    counts = np.zeros(3)
    pairs = np.zeros((duration.size, 3))
    for i in range(duration.size):
        if not event[i] or death_weight[i] == 0:
            continue
        for j in range(duration.size):
            outlives = duration[j] > duration[i] or (duration[j] == duration[i] and not event[j])
            if not outlives or entry[j] >= duration[i] or stratum[j] != stratum[i]:
                continue
            kind = 0 if risk[i] > risk[j] else 1 if risk[i] < risk[j] else 2
            counts[kind] += weight[i] * weight[j] * death_weight[i]
            pairs[i, kind] += weight[j] * death_weight[i]
            pairs[j, kind] += weight[i] * death_weight[i]
    return counts, pairs


def concordance_summary(counts: Vector, pairs: Matrix, weight: Vector) -> tuple[float, Vector]:
    """Share of pairs that are concordant, ties by halves.

    Parameters
    ----------
    counts, pairs
        Of :func:`concordance_pairs`.
    weight
        Of each patient.

    Returns
    -------
    The concordance (not a number without pairs), and what each patient adds to it: the sum of the squares is its variance.

    Examples
    --------
    >>> concordance_summary(np.array([3.0, 1.0, 0.0]), np.zeros((1, 3)), np.ones(1))[0]
    0.75
    """
    total = counts.sum()
    if not total > 0:
        return float("nan"), np.full(weight.size, np.nan)
    value = float((counts[0] + counts[2] / 2) / total)
    return value, weight * (pairs[:, 0] + pairs[:, 2] / 2 - value * pairs.sum(axis=1)) / total


def unseen_weights(duration: Vector, event: Vector, stratum: Vector, weight: Vector) -> Vector:
    """Uno's weight of every death: one over the squared chance of not being censored before it.

    Parameters
    ----------
    duration, event
        Outcome without late entry.
    stratum
        Number of the stratum; censoring is estimated in each.
    weight
        Of each patient.

    Returns
    -------
    ``1 / G(t-)^2`` with Kaplan and Meier's ``G`` of censoring (deaths at the same time come first); 1 for those who do not die.
    """
    weights = np.ones(duration.size)
    for number in np.unique(stratum):
        own = np.flatnonzero(stratum == number)
        times, place = np.unique(duration[own], return_inverse=True)
        lost = np.bincount(place, weight[own] * ~event[own], minlength=times.size)
        died = np.bincount(place, weight[own] * event[own], minlength=times.size)
        at_risk = np.cumsum((lost + died)[::-1])[::-1] - died
        kept = np.where(lost > 0, 1 - lost / np.where(at_risk > 0, at_risk, 1.0), 1.0)
        before = np.concatenate([[1.0], np.cumprod(kept)[:-1]])
        weights[own] = np.where(event[own], 1 / before[place] ** 2, 1.0)
    return weights
