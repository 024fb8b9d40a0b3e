"""How far from the reference is far: measured in what nearly all reference cells of a label stay below."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Vector

LIMIT_SHARE = 0.99
"""A distance of 1 is that which so many of the reference cells of a label stay below."""

FEWEST_CELLS = 20
"""A label with fewer takes the limit of all labels together."""


def in_limits(distance: Vector, limit: Vector) -> Vector:
    """Distances in units of a limit: where that is 0, infinity for all that is farther."""
    farther = np.where(distance > 0, np.inf, 0.0)
    return np.divide(distance, limit, out=farther, where=limit > 0)


def limits_of(distance: Vector, codes: Vector, *, labels: int) -> Vector:
    """What nearly all cells of a label stay below.

    Parameters
    ----------
    distance
        One per cell.
    codes
        Number of its label.
    labels
        Number of labels.

    Returns
    -------
    One per label: a quantile of the distances of its cells, or of all cells where it has few.
    """
    limits = np.full(labels, np.quantile(distance, LIMIT_SHARE) if len(distance) else 0.0)
    for code in np.flatnonzero(np.bincount(codes, minlength=labels) >= FEWEST_CELLS):
        limits[code] = np.quantile(distance[codes == code], LIMIT_SHARE)
    return limits
