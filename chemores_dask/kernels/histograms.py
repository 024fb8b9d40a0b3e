"""Counts of values in bins of equal width, with the sums that make statistics over bins exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.kernels.jit import jit


@dataclass(frozen=True)
class Histogram:
    """What fell into each bin.

    Attributes
    ----------
    counts
        Number of values.
    sums
        Their sum.
    squares
        Their sum of squares.
    """

    counts: Vector
    sums: Vector
    squares: Vector


@jit
def bin_numbers(values: Vector, lower: float, upper: float, bins: int) -> Vector:
    """Number of the bin that each value falls into.

    Parameters
    ----------
    values
        Finite numbers.
    lower, upper
        Limits of the first and the last bin; values beyond count to these bins.
    bins
        Bins of equal width.

    Returns
    -------
    Numbers from 0 to ``bins - 1``; a larger value never has a smaller number.
    """
    width = upper - lower
    numbers = np.zeros(len(values), dtype=np.int64)
    if width <= 0:
        return numbers
    for place in range(len(values)):
        place_in_bins = (values[place] - lower) / width * bins
        numbers[place] = int(min(max(place_in_bins, 0.0), bins - 1.0))
    return numbers


def histogram(values: Vector, *, lower: float, upper: float, bins: int) -> Histogram:
    """Count values in bins of equal width.

    Parameters
    ----------
    values
        Finite numbers.
    lower, upper
        Limits of the first and the last bin.
    bins
        Number of bins.

    Returns
    -------
    Counts, sums and sums of squares per bin.
    """
    numbers = bin_numbers(values, lower, upper, bins)
    return Histogram(
        counts=np.bincount(numbers, minlength=bins),
        sums=np.bincount(numbers, weights=values, minlength=bins),
        squares=np.bincount(numbers, weights=values * values, minlength=bins),
    )
