"""Nelson-Aalen's cumulative hazard of one group, with variance and limits.

References
----------
Aalen O (1978). Nonparametric inference for a family of counting processes. Annals of Statistics 6:701-726.
Fleming TR, Harrington DP (1984). Nonparametric estimation of the survival distribution in censored data. Comm Stat A 13:2469-2486.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit

HAZARD_CONFIDENCE = ("log", "plain")


@jit
def cumulative_hazard(
    at_risk: Vector,
    events: Vector,
    efron: bool,
) -> tuple[Vector, Vector]:
    """Add up the hazards of the times, and their variances.

    ``d`` events among ``n`` at risk add ``d / n`` with the variance ``d / n^2``; with ``efron`` they come one after the other, ``1 / n``,
    ``1 / (n - 1)`` and so on, as if ties were an accident of measurement.

    Parameters
    ----------
    at_risk, events
        Numbers over rising times.
    efron
        Whether tied events come one after the other.

    Returns
    -------
    Cumulative hazard after each time, and its variance.
    """
    hazard = np.zeros(at_risk.size)
    variance = np.zeros(at_risk.size)
    total = 0.0
    spread = 0.0
    for k in range(at_risk.size):
        n = float(at_risk[k])
        if efron:
            for earlier in range(events[k]):
                total += 1 / (n - earlier)
                spread += 1 / (n - earlier) ** 2
        elif events[k] > 0:
            total += events[k] / n
            spread += events[k] / (n * n)
        hazard[k] = total
        variance[k] = spread
    return hazard, variance


def hazard_limits(hazard: Vector, variance: Vector, *, confidence: str, level: float) -> tuple[Vector, Vector]:
    """Pointwise limits of a cumulative hazard.

    Parameters
    ----------
    hazard, variance
        As made by :func:`cumulative_hazard`.
    confidence
        ``"log"`` (symmetric on the logarithm of the hazard, so above 0) or ``"plain"``.
    level
        Coverage.

    Returns
    -------
    Lower and upper limits; for ``"log"`` not a number where the hazard is 0.
    """
    width = ndtri(0.5 + level / 2) * np.sqrt(variance)
    if confidence == "plain":
        return np.maximum(hazard - width, 0.0), hazard + width
    known = np.where(hazard > 0, hazard, np.nan)
    return known * np.exp(-width / known), known * np.exp(width / known)
