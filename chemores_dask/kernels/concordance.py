"""Harrell's concordance of a risk score with survival."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit


@jit
def concordance_counts(risk: Vector, duration: Vector, event: Vector, entry: Vector, stratum: Vector) -> Vector:
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

    Returns
    -------
    Concordant, discordant and tied pairs.

    References
    ----------
    Harrell FE, Lee KL, Mark DB (1996). Multivariable prognostic models. Statistics in Medicine 15:361-387.
    """
    counts = np.zeros(3, dtype=np.int64)
    for i in range(duration.size):
        if not event[i]:
            continue
        for j in range(duration.size):
            outlives = duration[j] > duration[i] or (duration[j] == duration[i] and not event[j])
            if not outlives or entry[j] >= duration[i] or stratum[j] != stratum[i]:
                continue
            if risk[i] > risk[j]:
                counts[0] += 1
            elif risk[i] < risk[j]:
                counts[1] += 1
            else:
                counts[2] += 1
    return counts
