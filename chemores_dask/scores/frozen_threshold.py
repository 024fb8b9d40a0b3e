"""A threshold on the scales on which it can be carried to another cohort, and its interval over patients."""

from __future__ import annotations

import warnings

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.errors import SmallSampleWarning
from chemores_dask.kernels.dyadic_bins import ValueBins

LEVEL = 0.95


def standard_scores(bins: ValueBins, threshold: float) -> float:
    """How many standard deviations a threshold lies above the mean.

    Parameters
    ----------
    bins
        Histogram of the scores.
    threshold
        A score.

    Returns
    -------
    Exact up to the width of a bin; not a number where all scores are equal.
    """
    middles, counts = bins.middles, bins.counts
    total = counts.sum()
    mean = float((counts * middles).sum() / total)
    spread = float((counts * (middles - mean) ** 2).sum() / max(total - 1, 1))
    return (threshold - mean) / np.sqrt(spread) if spread > 0 else float("nan")


def share_below(bins: ValueBins, threshold: float) -> float:
    """Share of scores below a threshold.

    Parameters
    ----------
    bins
        Histogram of the scores.
    threshold
        A score; a bin that it cuts counts in proportion.

    Returns
    -------
    From 0 to 1; not a number where the threshold is none.
    """
    if np.isnan(threshold):
        return float("nan")
    width = bins.highest - bins.lowest
    part = np.divide(threshold - bins.lowest, width, out=np.zeros(len(width)), where=width > 0)
    below = np.where(bins.highest < threshold, 1.0, np.where(bins.lowest >= threshold, 0.0, np.clip(part, 0.0, 1.0)))
    return float((bins.counts * below).sum() / bins.counts.sum())


def threshold_interval(resampled: Vector) -> tuple[float, float]:
    """Interval of a threshold from resamples of patients: their quantiles.

    Parameters
    ----------
    resampled
        Thresholds; those that are not a number, where a resample has none, are left out.

    Returns
    -------
    Lower and upper limit; not a number where no resample has a threshold.
    """
    found = resampled[np.isfinite(resampled)]
    if not len(found):
        return float("nan"), float("nan")
    lower, upper = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(lower), float(upper)


def warn_single_patient(caller: str) -> None:
    """Say that one patient gives no interval.

    Warns
    -----
    SmallSampleWarning
        Always.
    """
    message = (
        f"An interval over patients needs at least two of them in {caller}. Found one; its limits are not numbers."
    )
    warnings.warn(message, SmallSampleWarning, stacklevel=4)
