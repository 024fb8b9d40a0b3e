"""The smallest P value that a test can give, whatever the data say."""

from __future__ import annotations

from math import comb

import numpy as np
from scipy.special import gammaln

from chemores_dask.aliases import Vector

TIE = 1e-7
"""Tables whose probabilities differ by less than this share count as equally likely (as in R's ``fisher.test``)."""


def minimum_rank_sum_p_value(first: int, second: int) -> float:
    """Smallest two-sided P value of an exact rank sum test without ties: ``2 / choose(n1 + n2, n1)``.

    Parameters
    ----------
    first, second
        Units on either side.

    Returns
    -------
    The P value, at most 1.

    Examples
    --------
    >>> minimum_rank_sum_p_value(2, 3)
    0.2
    """
    return min(1.0, 2 / comb(int(first + second), int(first)))


def minimum_fisher_p_value(first_row: int, second_row: int, first_column: int) -> float:
    """Smallest two-sided P value of Fisher's exact test of a 2 x 2 table with these margins.

    Parameters
    ----------
    first_row, second_row
        Sums of the two rows.
    first_column
        Sum of the first column.

    Returns
    -------
    The P value; 1 where only one table has these margins.

    Examples
    --------
    >>> round(minimum_fisher_p_value(8, 5, 8), 5)
    0.00078
    """
    probabilities = _table_probabilities(first_row, second_row, first_column)
    least = probabilities.min()
    return float(min(1.0, probabilities[probabilities <= least * (1 + TIE)].sum()))


def _table_probabilities(first_row: int, second_row: int, first_column: int) -> Vector:
    lowest, highest = max(0, first_column - second_row), min(first_row, first_column)
    inside = np.arange(lowest, highest + 1)
    logarithms = (
        _log_choose(first_row, inside)
        + _log_choose(second_row, first_column - inside)
        - _log_choose(first_row + second_row, np.array([first_column]))
    )
    return np.asarray(np.exp(logarithms))


def _log_choose(total: int, chosen: Vector) -> Vector:
    return np.asarray(gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1))
