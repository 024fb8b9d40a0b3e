"""How far two labels of the same things go together."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix


def cramers_v(table: Matrix) -> float:
    """Cramer's V of a table of counts, corrected for bias.

    With ``phi^2 = chi^2 / n`` of an r by k table: ``phi'^2 = max(0, phi^2 - (r - 1)(k - 1) / (n - 1))``,
    ``r' = r - (r - 1)^2 / (n - 1)``, ``k'`` likewise, and ``V = sqrt(phi'^2 / min(r' - 1, k' - 1))``.

    Parameters
    ----------
    table
        Counts; rows and columns without any are left out.

    Returns
    -------
    From 0, what chance gives, to 1; not a number where a label has fewer than two values, or each thing has a value of its own.

    References
    ----------
    Bergsma W (2013). A bias-correction for Cramer's V and Tschuprow's T. J Korean Stat Soc 42:323-328.

    Examples
    --------
    >>> cramers_v(np.array([[5, 0], [0, 5]])), cramers_v(np.array([[5, 5], [5, 5]]))
    (1.0, 0.0)
    """
    counts = _occupied(table)
    rows, columns = counts.shape
    total = counts.sum()
    if min(rows, columns) < 2 or total < 2:
        return float("nan")
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    phi = ((counts - expected) ** 2 / expected).sum() / total
    above_chance = max(0.0, phi - (rows - 1) * (columns - 1) / (total - 1))
    room = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    if room <= 0:
        return float("nan")
    return float(min(1.0, np.sqrt(above_chance / room)))


def goodman_kruskal_tau(table: Matrix) -> float:
    """Share of the wrong guesses of the column that knowing the row saves.

    ``tau = (sum p_ij^2 / p_i. - sum p_.j^2) / (1 - sum p_.j^2)``, where guesses follow the shares of the columns.

    Parameters
    ----------
    table
        Counts; rows and columns without any are left out.

    Returns
    -------
    From 0 to 1, where the row tells the column; not a number where there is but one column.

    References
    ----------
    Goodman LA, Kruskal WH (1954). Measures of association for cross classifications. J Am Stat Assoc 49:732-764.

    Examples
    --------
    >>> [round(goodman_kruskal_tau(table), 2) for table in (np.array([[3, 0], [2, 0], [0, 5]]), np.array([[3, 2, 0], [0, 0, 5]]))]
    [1.0, 0.61]
    """
    counts = _occupied(table)
    total = counts.sum()
    if counts.shape[1] < 2:
        return float("nan")
    shares = counts / total
    by_chance = (shares.sum(axis=0) ** 2).sum()
    by_row = (shares**2 / shares.sum(axis=1, keepdims=True)).sum()
    return float((by_row - by_chance) / (1 - by_chance))


def _occupied(table: Matrix) -> Matrix:
    counts = np.asarray(table, dtype=np.float64)
    rows, columns = np.flatnonzero(counts.sum(axis=1)), np.flatnonzero(counts.sum(axis=0))
    return np.asarray(counts[np.ix_(rows, columns)])
