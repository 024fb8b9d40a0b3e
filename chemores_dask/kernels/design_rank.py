"""Which columns of a design say something new, and what the others repeat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.linalg import qr

from chemores_dask.aliases import Matrix, Vector

TOLERANCE = 1e-7
"""A column is new if the part of it that the columns before it do not explain is longer than this share of it (as in R's ``lm``)."""

SHOWN_TERMS = 6
"""Terms of a sum that are written."""


def independent_columns(matrix: Matrix) -> Vector:
    """Which columns are no combination of the columns before them.

    Parameters
    ----------
    matrix
        Rows by columns, finite.

    Returns
    -------
    Boolean, one per column. The rank is the number of those that are true.

    Examples
    --------
    >>> independent_columns(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))
    array([ True,  True, False])
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    rows, columns = matrix.shape
    lengths = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(lengths > 0, lengths, 1.0)
    kept = np.ones(columns, dtype=bool)
    left = np.zeros(columns)
    if rows and columns:
        corner = np.abs(np.diagonal(qr(scaled, mode="r")[0]))
        left[: corner.size] = corner
    doubtful = np.flatnonzero(left <= TOLERANCE)
    if not doubtful.size:
        return kept
    # Up to the first doubtful column the factors hold; behind it they contain a direction that is no column's, so go on one by one.
    first = int(doubtful[0])
    basis = np.zeros((rows, min(rows, columns)))
    basis[:, :first] = qr(scaled[:, :first], mode="economic")[0] if first else 0.0
    rank = first
    for column in range(first, columns):
        rest = scaled[:, column]
        for _ in range(2):
            rest = rest - basis[:, :rank] @ (basis[:, :rank].T @ rest)
        length = float(np.linalg.norm(rest))
        kept[column] = rank < rows and length > TOLERANCE
        if kept[column]:
            basis[:, rank] = rest / length
            rank += 1
    return kept


def aliased_columns(matrix: Matrix) -> dict[int, dict[int, float]]:
    """Columns that repeat others, with the combination that each equals.

    Parameters
    ----------
    matrix
        Rows by columns, finite.

    Returns
    -------
    By the position of the column: weights of the independent columns that it is made of, by their positions. A column of zeros has none.

    Examples
    --------
    >>> aliased_columns(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]))
    {2: {0: 1.0, 1: -1.0}}
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    kept = independent_columns(matrix)
    repeated = np.flatnonzero(~kept)
    if not repeated.size:
        return {}
    own = np.flatnonzero(kept)
    weights = np.linalg.lstsq(matrix[:, own], matrix[:, repeated], rcond=None)[0]
    return {
        int(column): {
            int(position): round(float(weight), 8) + 0.0
            for position, weight in zip(own, weights[:, place], strict=True)
            if abs(weight) > TOLERANCE
        }
        for place, column in enumerate(repeated)
    }


def alias_text(combination: Mapping[int, float], columns: tuple[str, ...]) -> str:
    """Write what a column equals.

    Parameters
    ----------
    combination
        Weights of other columns by their positions, of :func:`aliased_columns`.
    columns
        Names of all columns.

    Returns
    -------
    A sum such as ``Intercept - stage[T.relapse]``, its first terms where there are many.

    Examples
    --------
    >>> alias_text({0: 1.0, 1: -1.0}, ("Intercept", "stage[T.relapse]"))
    'Intercept - stage[T.relapse]'
    """
    if not combination:
        return "0"
    parts: list[str] = []
    for position, weight in list(combination.items())[:SHOWN_TERMS]:
        size = "" if abs(abs(weight) - 1) < 1e-6 else f"{abs(weight):.4g} "
        sign = ("- " if weight < 0 else "+ ") if parts else ("-" if weight < 0 else "")
        parts.append(f"{sign}{size}{columns[position]}")
    rest = len(combination) - SHOWN_TERMS
    return " ".join(parts) + (f" … and {rest} more terms" if rest > 0 else "")
