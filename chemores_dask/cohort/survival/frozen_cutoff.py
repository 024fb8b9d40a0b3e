"""A cut-off that was found in one cohort and is used in another as it is."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.errors import InputError

SCALES = ("score", "zscore", "quantile")


def on_scales(threshold: float, values: Vector) -> dict[str, float]:
    """A threshold on each scale on which it can be carried to another cohort.

    Parameters
    ----------
    threshold
        A score.
    values
        Scores of the patients it was found in.

    Returns
    -------
    By the name of the scale.
    """
    spread = float(values.std(ddof=1))
    return {
        "score": float(threshold),
        "zscore": float((threshold - values.mean()) / spread),
        "quantile": float((values < threshold).mean()),
    }


def as_score(frozen: float, values: Vector, *, scale: str) -> float:
    """A frozen threshold as a score of other patients.

    Parameters
    ----------
    frozen
        On its scale.
    values
        Scores of these patients.
    scale
        One of ``SCALES``.

    Returns
    -------
    From here on patients are high. With a quantile at least that share of the patients is below it, ties aside.

    Raises
    ------
    InputError
        If these patients have no mean or deviation to go by.
    """
    if scale == "score":
        return float(frozen)
    if values.size < 2 or not np.ptp(values) > 0:
        message = (
            f"A cut-off on the scale {scale!r} needs at least two patients whose scores differ in apply_cutoff. Got {values.size} "
            f"patients with {np.unique(values).size} different scores; use a cut-off frozen on the scale 'score', or more patients."
        )
        raise InputError(message)
    if scale == "zscore":
        return float(values.mean() + frozen * values.std(ddof=1))
    ordered = np.sort(values)
    # Nine digits, so that 7 % of 100 patients are seven of them.
    below = int(np.ceil(np.round(frozen * values.size, 9)))
    return float(ordered[below]) if below < values.size else float(np.nextafter(ordered[-1], np.inf))
