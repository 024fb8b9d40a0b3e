"""Histograms that need not know the range beforehand: bins whose width is a power of two.

A bin holds the values with the same ``floor(value / 2^e)``, with the least ``e`` for which the values span at most so many bins. Two
bins of one width make one of the next, so histograms of different widths are added exactly, and ``e`` follows from the extremes alone:
any cutting of the values into blocks gives the same bins with the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Vector

DIGITS = 54
"""Bins are never narrower than the distance between neighboring numbers just below the largest value, which has 53 bits."""

LEAST_EXPONENT = -1074


@dataclass(frozen=True)
class GroupBins:
    """Histogram of the values of some groups; bins without a value are left out.

    Attributes
    ----------
    exponent
        Bins are ``2 ** exponent`` wide.
    groups, bins
        Group and bin of each entry, ascending; the bin ``k`` begins at ``k * 2 ** exponent``.
    counts
        Values in it, int64.
    lowest, highest
        The least and the largest of them.
    broken
        Values that were missing or infinite, and are in no bin.
    """

    exponent: int
    groups: Vector
    bins: Vector
    counts: Vector
    lowest: Vector
    highest: Vector
    broken: int


@dataclass(frozen=True)
class ValueBins:
    """Histogram of some values, in ascending order; every bin holds a value.

    Attributes
    ----------
    counts
        Values in each bin, float64.
    lowest, highest
        The least and the largest of them.
    """

    counts: Vector
    lowest: Vector
    highest: Vector

    @property
    def middles(self) -> Vector:
        """What stands for the values of a bin: midway between the least and the largest."""
        return self.lowest / 2 + self.highest / 2

    @property
    def stretched(self) -> Vector:
        """Middles from 0 to 1, so that sums of squares lose no digits and nothing overflows."""
        middles = self.middles / 2
        width = middles[-1] - middles[0] if len(middles) else 0.0
        return (middles - middles[0]) / width if width > 0 else np.zeros(len(middles))


def bin_groups(values: Vector, groups: Vector, *, most: int) -> GroupBins:
    """Count values in bins, apart for each group.

    Parameters
    ----------
    values
        Numbers; those that are not finite are counted apart.
    groups
        Group of each, whole numbers from 0.
    most
        Bins that all values together span, at the most.

    Returns
    -------
    The histogram.
    """
    sound = np.isfinite(values)
    kept = np.asarray(values, dtype=np.float64)[sound]
    exponent = _exponent(kept, most=most)
    bins = np.floor(np.ldexp(kept, -exponent)).astype(np.int64)
    counts = np.ones(len(kept), dtype=np.int64)
    return _gathered(exponent, np.asarray(groups)[sound], bins, counts, kept, kept, broken=int((~sound).sum()))


def merge_bins(first: GroupBins, second: GroupBins, *, most: int) -> GroupBins:
    """Add up two histograms.

    Parameters
    ----------
    first, second
        Made with the same ``most``.
    most
        Bins that all values together span, at the most.

    Returns
    -------
    The histogram of all values, with the bits it has when they are counted at once.
    """
    lowest, highest = (np.concatenate((getattr(first, side), getattr(second, side))) for side in ("lowest", "highest"))
    exponent = _exponent(np.concatenate((lowest, highest)), most=most)
    return _gathered(
        exponent,
        np.concatenate((first.groups, second.groups)),
        # A shift of a negative number rounds down, as a bin does.
        np.concatenate([part.bins >> min(max(exponent - part.exponent, 0), 62) for part in (first, second)]),
        np.concatenate((first.counts, second.counts)),
        lowest,
        highest,
        broken=first.broken + second.broken,
    )


def pool_bins(found: GroupBins, *, weights: Vector | None = None) -> ValueBins:
    """Put the groups together.

    Parameters
    ----------
    found
        Histogram by group.
    weights
        How often each group counts; once unless given.

    Returns
    -------
    Histogram of all of them; the least and largest values of a bin are those of the groups that count.
    """
    each = found.counts.astype(np.float64) if weights is None else found.counts * np.asarray(weights)[found.groups]
    used = np.flatnonzero(each > 0)
    order = used[np.argsort(found.bins[used], kind="stable")]
    starts = _starts(found.bins[order])
    if not len(starts):
        return ValueBins(np.empty(0), np.empty(0), np.empty(0))
    return ValueBins(
        np.add.reduceat(each[order], starts),
        np.minimum.reduceat(found.lowest[order], starts),
        np.maximum.reduceat(found.highest[order], starts),
    )


def coarser(found: ValueBins, *, most: int) -> ValueBins:
    """The same values in fewer bins.

    Parameters
    ----------
    found
        The histogram.
    most
        Bins that the values span, at the most; none is cut in two.
    """
    exponent = _exponent(np.concatenate((found.lowest, found.highest)), most=most)
    starts = _starts(np.floor(np.ldexp(found.lowest, -exponent)))
    if not len(starts):
        return found
    return ValueBins(
        np.add.reduceat(found.counts, starts),
        np.minimum.reduceat(found.lowest, starts),
        np.maximum.reduceat(found.highest, starts),
    )


def even_bins(found: ValueBins, *, most: int) -> tuple[Vector, Vector, float]:
    """The same values in bins of one width, with those that hold nothing.

    Parameters
    ----------
    found
        The histogram, of at least one value.
    most
        Bins that the values span, at the most.

    Returns
    -------
    Where each bin begins, its values, and the width of all.
    """
    wide = coarser(found, most=most)
    exponent = _exponent(np.concatenate((found.lowest, found.highest)), most=most)
    numbers = np.floor(np.ldexp(wide.lowest, -exponent))
    places = (numbers - numbers[0]).astype(np.int64)
    counts = np.zeros(places[-1] + 1)
    counts[places] = wide.counts
    starts = np.ldexp(numbers[0] + np.arange(len(counts)), exponent)
    return starts, counts, float(np.ldexp(1.0, exponent))


def _gathered(
    exponent: int, groups: Vector, bins: Vector, counts: Vector, lowest: Vector, highest: Vector, *, broken: int
) -> GroupBins:
    if not len(bins):
        return GroupBins(exponent, np.empty(0, dtype=np.int64), bins, counts, lowest, highest, broken)
    order = np.lexsort((bins, groups))
    groups, bins = groups[order].astype(np.int64), bins[order]
    changes = (np.diff(groups) != 0) | (np.diff(bins) != 0)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    return GroupBins(
        exponent,
        groups[starts],
        bins[starts],
        np.add.reduceat(counts[order], starts),
        np.minimum.reduceat(lowest[order], starts),
        np.maximum.reduceat(highest[order], starts),
        broken,
    )


def _starts(ascending: Vector) -> Vector:
    """Places where sorted numbers change."""
    return np.flatnonzero(np.diff(ascending, prepend=ascending[0] - 1)) if len(ascending) else np.empty(0, dtype=int)


def _exponent(values: Vector, *, most: int) -> int:
    """The least exponent with which the values span at most so many bins."""
    if not len(values):
        return LEAST_EXPONENT
    least, largest = float(values.min()), float(values.max())
    exponent = max(int(np.frexp(max(abs(least), abs(largest)))[1]) - DIGITS, LEAST_EXPONENT)
    half = largest / 2 - least / 2
    if half > 0:
        # Two below what the width asks for; the bins are then counted.
        exponent = max(exponent, int(np.frexp(half)[1]) - 1 - int(np.frexp(float(most))[1]))
    while _spanned(least, largest, exponent) > most:
        exponent += 1
    return exponent


def _spanned(least: float, largest: float, exponent: int) -> int:
    return int(np.floor(np.ldexp(largest, -exponent))) - int(np.floor(np.ldexp(least, -exponent))) + 1
