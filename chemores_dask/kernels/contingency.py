"""Exact tests of two-by-two tables and of draws without replacement."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import hypergeom

from chemores_dask.aliases import Vector

SAME = 1 + 1e-7
"""Tables whose probability is larger than the observed one by less than this factor count as equally likely (as in R)."""

WIDEST_LOG_ODDS = 700.0


def fisher_test(table: Vector) -> tuple[float, float]:
    """Fisher's exact test of a two-by-two table, two-sided as in R: all tables that are no more likely than the observed one.

    Parameters
    ----------
    table
        ``[[a, b], [c, d]]``, whole numbers.

    Returns
    -------
    P value, and the smallest P value that any table with these margins has.

    Examples
    --------
    >>> p_value, smallest = fisher_test(np.array([[7, 1], [1, 4]]))
    >>> round(p_value, 4), round(smallest, 6)
    (0.0319, 0.000777)
    """
    counts, chances = _margins(table)
    if counts.size < 2:
        return 1.0, 1.0
    own = chances[counts == table[0][0]][0]
    p_value = chances[chances <= own * SAME].sum()
    smallest = chances[chances <= chances.min() * SAME].sum()
    return float(min(p_value, 1.0)), float(min(smallest, 1.0))


def conditional_odds_ratio(table: Vector, *, level: float = 0.95) -> tuple[float, float, float]:
    """Odds ratio of a two-by-two table given its margins, by maximum likelihood, with exact limits, as R's ``fisher.test`` gives them.

    Parameters
    ----------
    table
        ``[[a, b], [c, d]]``, whole numbers.
    level
        Coverage of the limits.

    Returns
    -------
    Estimate, lower and upper limit; 0 or infinite where a cell is empty, not a number where a margin is.
    """
    counts, chances = _margins(table)
    if counts.size < 2:
        return float("nan"), 0.0, float("inf")
    own, lowest, highest = int(table[0][0]), counts[0], counts[-1]
    with np.errstate(divide="ignore"):
        logs = np.log(chances)

    def shares(log_odds: float) -> Vector:
        tilted = logs + counts * log_odds
        weights = np.exp(tilted - tilted.max())
        normalized: Vector = weights / weights.sum()
        return normalized

    def solved(excess: object) -> float:
        return float(np.exp(brentq(excess, -WIDEST_LOG_ODDS, WIDEST_LOG_ODDS, xtol=1e-12)))

    tail = (1 - level) / 2
    estimate = 0.0 if own == lowest else np.inf if own == highest else solved(lambda x: shares(x) @ counts - own)
    lower = 0.0 if own == lowest else solved(lambda x: shares(x)[counts >= own].sum() - tail)
    upper = np.inf if own == highest else solved(lambda x: shares(x)[counts <= own].sum() - tail)
    return estimate, lower, upper


def draw_tail(found: int, *, drawn: int, marked: int, total: int) -> tuple[float, float]:
    """How likely a draw without replacement is to hold so many marked ones.

    Parameters
    ----------
    found
        Marked ones in the draw.
    drawn
        Size of the draw.
    marked, total
        Marked ones among all.

    Returns
    -------
    Probability of ``found`` or more, and of ``found`` or fewer.

    Examples
    --------
    >>> draw_tail(2, drawn=2, marked=2, total=4)
    (0.16666666666666666, 1.0)
    """
    law = hypergeom(total, marked, drawn)
    return float(min(law.sf(found - 1), 1.0)), float(min(law.cdf(found), 1.0))


def _margins(table: Vector) -> tuple[Vector, Vector]:
    """Values that the first cell can have, and how likely they are."""
    (a, b), (c, d) = (tuple(int(value) for value in row) for row in table)
    counts = np.arange(max(0, a - d), min(a + b, a + c) + 1)
    return counts, hypergeom(a + b + c + d, a + c, a + b).pmf(counts)
