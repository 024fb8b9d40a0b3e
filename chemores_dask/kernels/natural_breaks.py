"""Jenks natural breaks: the exact optimal classes in one dimension.

References
----------
Fisher WD (1958). On grouping for maximum homogeneity. Journal of the American Statistical Association 53:789-798.

Jenks GF (1977). Optimal data classification for choropleth maps. University of Kansas, Department of Geography, occasional paper 2.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.histograms import Histogram
from chemores_dask.kernels.jit import jit


@jit
def optimal_classes(counts: Vector, means: Vector, classes: int) -> tuple[Matrix, Matrix]:
    """Least squared deviations for any number of classes, by dynamic programming.

    ``cost[k, j]`` is the least sum of squared deviations from class means when the groups ``0 .. j`` form ``k + 1`` classes of
    neighbors; it follows from ``cost[k - 1]`` by trying every start of the last class.

    Parameters
    ----------
    counts, means
        Number of values and their mean for each group, in ascending order of the means; every group holds a value.
    classes
        Greatest number of classes.

    Returns
    -------
    ``cost`` and ``starts``, classes by groups: the first group of the last class.
    """
    groups = len(counts)
    total = np.zeros(groups + 1)
    first = np.zeros(groups + 1)
    second = np.zeros(groups + 1)
    for group in range(groups):
        total[group + 1] = total[group] + counts[group]
        first[group + 1] = first[group] + counts[group] * means[group]
        second[group + 1] = second[group] + counts[group] * means[group] * means[group]
    cost = np.full((classes, groups), np.inf)
    starts = np.zeros((classes, groups), dtype=np.int64)
    for last in range(groups):
        for start in range(last + 1):
            number = total[last + 1] - total[start]
            mass = first[last + 1] - first[start]
            spread = max(second[last + 1] - second[start] - mass * mass / number, 0.0)
            if start == 0:
                cost[0, last] = spread
            for level in range(1, min(classes, start + 1)):
                candidate = cost[level - 1, start - 1] + spread
                if candidate < cost[level, last]:
                    cost[level, last] = candidate
                    starts[level, last] = start
    return cost, starts


def natural_breaks(bins: Histogram, *, classes: int) -> Vector:
    """Cut a histogram into classes with the least squared deviations from the class means.

    Parameters
    ----------
    bins
        Histogram of the values, which should span about 0 to 1: sums of squares lose digits when the mean is far larger than
        the spread.
    classes
        Number of classes; at least this many bins must hold a value.

    Returns
    -------
    The first bin of each class but the lowest, ascending; each of these bins holds a value.
    """
    occupied = np.flatnonzero(bins.counts)
    if not 1 <= classes <= len(occupied):
        message = (
            f"The number of classes must be between 1 and the {len(occupied)} bins that hold values. Got {classes}."
        )
        raise ValueError(message)
    counts = bins.counts[occupied].astype(np.float64)
    means = bins.sums[occupied] / counts
    _, starts = optimal_classes(counts, means, classes)
    breaks = np.empty(classes - 1, dtype=np.int64)
    last = len(occupied) - 1
    for level in range(classes - 1, 0, -1):
        start = starts[level, last]
        breaks[level - 1] = occupied[start]
        last = start - 1
    return breaks


def goodness_of_fit(bins: Histogram, breaks: Vector) -> float:
    """Goodness of variance fit: the share of the squared deviations that lies between classes.

    Parameters
    ----------
    bins
        Histogram of the values.
    breaks
        First bin of each class but the lowest.

    Returns
    -------
    ``1 - sum of squared deviations from class means / sum of squared deviations from the mean``; NaN for constant values.
    """
    edges = np.concatenate(([0], breaks))
    within = _squared_deviations(bins, edges).sum()
    total = _squared_deviations(bins, np.array([0])).sum()
    return float(1.0 - within / total) if total > 0 else float("nan")


def _squared_deviations(bins: Histogram, edges: Vector) -> Vector:
    sums = np.add.reduceat(bins.sums, edges)
    counts = np.add.reduceat(bins.counts, edges)
    return np.maximum(np.add.reduceat(bins.squares, edges) - sums * sums / np.maximum(counts, 1), 0.0)
