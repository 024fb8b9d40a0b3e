"""Jenks natural breaks: the exact optimal classes in one dimension.

The best start of the last class never falls as more values join. So the best starts of one half of the places limit those of the other
half, and all of them are found in ``groups x log(groups)`` steps per class instead of ``groups^2``.

References
----------
Fisher WD (1958). On grouping for maximum homogeneity. Journal of the American Statistical Association 53:789-798.

Jenks GF (1977). Optimal data classification for choropleth maps. University of Kansas, Department of Geography, occasional paper 2.

Wu X (1991). Optimal quantization by matrix searching. Journal of Algorithms 12:663-673.
"""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.jit import jit


@jit
def optimal_classes(counts: Vector, means: Vector, classes: int) -> tuple[Matrix, Matrix]:
    """Least squared deviations for any number of classes, by dynamic programming.

    ``cost[k, j]`` is the least sum of squared deviations from class means when the groups ``0 .. j`` form ``k + 1`` classes of
    neighbors; it follows from ``cost[k - 1]`` by the best start of the last class.

    Parameters
    ----------
    counts, means
        Number of values and their mean for each group, in ascending order of the means; every group holds a value. Means should span
        about 0 to 1: sums of squares lose digits when the mean is far larger than the spread.
    classes
        Greatest number of classes.

    Returns
    -------
    ``cost`` and ``starts``, classes by groups: the first group of the last class. The cost of more classes than groups is infinite.
    """
    groups = len(counts)
    total, first, second = np.zeros(groups + 1), np.zeros(groups + 1), np.zeros(groups + 1)
    for group in range(groups):
        total[group + 1] = total[group] + counts[group]
        first[group + 1] = first[group] + counts[group] * means[group]
        second[group + 1] = second[group] + counts[group] * means[group] * means[group]
    cost = np.full((classes, groups), np.inf)
    starts = np.zeros((classes, groups), dtype=np.int64)
    for last in range(groups):
        cost[0, last] = max(second[last + 1] - first[last + 1] * first[last + 1] / total[last + 1], 0.0)
    # Ranges of places whose best starts are still unknown, and the limits of these starts.
    waiting = np.empty((groups + 64, 4), dtype=np.int64)
    for level in range(1, classes):
        waiting[0] = np.array([level, groups - 1, level, groups - 1])
        ranges = 1
        while ranges:
            ranges -= 1
            begin, end, least, largest = waiting[ranges]
            if begin > end:
                continue
            middle = (begin + end) // 2
            for start in range(least, min(largest, middle) + 1):
                mass = first[middle + 1] - first[start]
                spread = second[middle + 1] - second[start] - mass * mass / (total[middle + 1] - total[start])
                candidate = cost[level - 1, start - 1] + max(spread, 0.0)
                if candidate < cost[level, middle]:
                    cost[level, middle] = candidate
                    starts[level, middle] = start
            waiting[ranges] = np.array([begin, middle - 1, least, starts[level, middle]])
            waiting[ranges + 1] = np.array([middle + 1, end, starts[level, middle], largest])
            ranges += 2
    return cost, starts


def class_starts(starts: Matrix, classes: int) -> Vector:
    """Read the best classes of all groups off the table.

    Parameters
    ----------
    starts
        As found by :func:`optimal_classes`.
    classes
        How many classes: at most as many as there are groups, and as were asked for.

    Returns
    -------
    The first group of each class but the lowest, ascending.
    """
    most = min(starts.shape)
    if not 1 <= classes <= most:
        message = f"The number of classes must be between 1 and {most}. Got {classes}."
        raise ValueError(message)
    found = np.empty(classes - 1, dtype=np.int64)
    last = starts.shape[1] - 1
    for level in range(classes - 1, 0, -1):
        found[level - 1] = starts[level, last]
        last = found[level - 1] - 1
    return found
