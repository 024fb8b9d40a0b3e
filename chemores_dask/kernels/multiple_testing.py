"""Corrections of many P values."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Vector


def benjamini_hochberg(p_values: Vector) -> Vector:
    """Adjust P values for the false discovery rate.

    ``q_(i) = min over j >= i of m p_(j) / j``, capped at 1, where m counts the P values that are numbers.

    Parameters
    ----------
    p_values
        One-dimensional; those that are not a number are left out of the family.

    Returns
    -------
    Adjusted values in the same order, not a number where the P value is not.

    References
    ----------
    Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate. JRSS B 57:289-300.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.03]))
    array([0.03,  nan, 0.04, 0.04])
    """
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    if not known.size:
        return adjusted
    falling = known[np.argsort(p_values[known], kind="stable")[::-1]]
    ranks = np.arange(known.size, 0, -1)
    adjusted[falling] = np.minimum(np.minimum.accumulate(p_values[falling] * (known.size / ranks)), 1.0)
    return adjusted


def holm(p_values: Vector) -> Vector:
    """Adjust P values for the chance of any false one in the family.

    ``max over j <= i of (m - j + 1) p_(j)``, capped at 1, where m counts the P values that are numbers.

    Parameters
    ----------
    p_values
        One-dimensional; those that are not a number are left out of the family.

    Returns
    -------
    Adjusted values in the same order, not a number where the P value is not.

    References
    ----------
    Holm S (1979). A simple sequentially rejective multiple test procedure. Scand J Stat 6:65-70.

    Examples
    --------
    >>> holm(np.array([0.01, np.nan, 0.04, 0.03]))
    array([0.03,  nan, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(p_values.shape, np.nan)
    rising = np.argsort(p_values, kind="stable")[: int((~np.isnan(p_values)).sum())]
    raised = p_values[rising] * np.arange(rising.size, 0, -1)
    adjusted[rising] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return adjusted
