"""Which natural breaks of a score are used: how many classes, and which break is the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.errors import InputError
from chemores_dask.kernels.dyadic_bins import ValueBins
from chemores_dask.kernels.natural_breaks import class_starts, optimal_classes
from chemores_dask.scores.score_bins import MOST_BINS

WINDOW = 1 / 3
"""Width of the windows in which scores are counted, as a share of the distance between the means of two classes."""

LEAST_DEPTH = 0.25
"""Depth from which a break counts as a valley between two groups."""

LEAST_DEVIATION = 3.0
"""Standard deviations (Poisson) by which the count at a break must fall short, so that noise is not taken for a valley."""


@dataclass(frozen=True)
class NaturalClasses:
    """Natural classes of a histogram, for every number of classes.

    Attributes
    ----------
    bins
        The histogram.
    within
        Least squared deviations from class means, for 1, 2, … classes; scores are stretched from 0 to 1.
    starts
        Table of :func:`~chemores_dask.kernels.natural_breaks.optimal_classes`.
    """

    bins: ValueBins
    within: Vector
    starts: Matrix

    @property
    def goodness(self) -> Vector:
        """Goodness of variance fit for 1, 2, … classes: the share of the squared deviations that lies between classes."""
        return 1.0 - self.within / self.within[0]

    def firsts(self, classes: int) -> Vector:
        """First bin of each class but the lowest."""
        return class_starts(self.starts, classes)


def natural_classes(bins: ValueBins, *, classes: int) -> NaturalClasses:
    """Cut a histogram into 1, 2, … classes with the least squared deviations.

    Parameters
    ----------
    bins
        The histogram.
    classes
        The most classes.

    Raises
    ------
    InputError
        If scores take fewer different values.
    """
    occupied = len(bins.counts)
    if occupied < classes:
        message = (
            f"Natural breaks into {classes} classes need as many different scores. Found {occupied} that differ by more than "
            f"1/{MOST_BINS} of their range, in {bins.counts.sum():.0f} cells; pass fewer classes, or check the score."
        )
        raise InputError(message)
    cost, starts = optimal_classes(bins.counts, bins.stretched, classes)
    return NaturalClasses(bins, cost[:, -1], starts)


def elbow_distances(within: Vector) -> Vector:
    """How far the curve of within-class squared deviations lies below its chord, for each number of classes.

    The curve runs from 1 class to the most classes; both axes are scaled to 1, and the distance is measured along the ordinate, which
    orders the points as the distance at a right angle does.

    Parameters
    ----------
    within
        Squared deviations for 1, 2, … classes.

    Returns
    -------
    One number per number of classes; 0 at both ends.

    Examples
    --------
    >>> elbow_distances(np.array([9.0, 2.0, 1.0, 0.0])).round(3).tolist()
    [0.0, 0.444, 0.222, 0.0]
    """
    falls = within[0] - within[-1]
    if len(within) < 2 or falls <= 0:
        return np.zeros(len(within))
    shares = (within - within[-1]) / falls
    return 1.0 - np.arange(len(within)) / (len(within) - 1) - shares


def break_values(bins: ValueBins, firsts: Vector) -> Vector:
    """Breaks midway between neighboring scores of different classes.

    Parameters
    ----------
    bins
        The histogram.
    firsts
        First bin of each class but the lowest.

    Returns
    -------
    Ascending; a score at the break belongs to the upper class.
    """
    below, above = bins.highest[firsts - 1], bins.lowest[firsts]
    middle = below / 2 + above / 2
    return np.where((below < middle) & (middle < above), middle, above)


def break_depths(bins: ValueBins, firsts: Vector) -> tuple[Vector, Vector]:
    """How far the density falls at each break, and whether that makes it a valley.

    Parameters
    ----------
    bins
        The histogram.
    firsts
        First bin of each class but the lowest; where classes are empty, bins repeat.

    Returns
    -------
    ``1 - (scores around the break) / (scores around the mean of the class beside it that has fewer)``, not a number beside an empty
    class; and whether it is at least a quarter, by more than chance would have it.
    """
    if not len(bins.counts):
        return np.full(len(firsts), np.nan), np.zeros(len(firsts), dtype=bool)
    edges = np.concatenate(([0], firsts, [len(bins.counts)]))
    sums, counts = (np.concatenate(([0.0], np.cumsum(part))) for part in (bins.counts * bins.stretched, bins.counts))
    number = np.diff(counts[edges])
    means = np.divide(np.diff(sums[edges]), number, out=np.full(len(number), np.nan), where=number > 0)
    lower, upper = means[:-1], means[1:]
    known = np.isfinite(lower) & np.isfinite(upper)
    inner = np.clip(firsts, 1, max(len(bins.counts) - 1, 1))
    at = (bins.stretched[inner - 1] + bins.stretched[np.minimum(inner, len(bins.counts) - 1)]) / 2
    half = WINDOW * (upper - lower) / 2

    def within(centers: Vector) -> Vector:
        left = np.searchsorted(bins.stretched, centers - half, side="left")
        return counts[np.searchsorted(bins.stretched, centers + half, side="right")] - counts[left]

    at_break, around = within(at), np.minimum(within(lower), within(upper))
    around = np.where(known, around, np.nan)
    depths = np.divide(around - at_break, around, out=np.where(known, 0.0, np.nan), where=around > 0)
    sound = (depths >= LEAST_DEPTH) & (around - at_break >= LEAST_DEVIATION * np.sqrt(at_break + around))
    return depths, sound


def chosen_break(sound: Vector) -> int:
    """The highest break in a valley; the last where none lies in one.

    Parameters
    ----------
    sound
        Whether each break lies in a valley.

    Returns
    -------
    Its place.
    """
    valleys = np.flatnonzero(sound)
    return int(valleys[-1]) if len(valleys) else len(sound) - 1
