"""The columns of a design from its formula, without refusing those that follow from others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError

from chemores_dask.aliases import Matrix
from chemores_dask.checks import check_columns, reason_text
from chemores_dask.errors import InputError

CALLER = "The formula of a contrast"


def formula_variables(formula: str) -> frozenset[str]:
    """Columns of the samples that a formula names.

    Parameters
    ----------
    formula
        Such as ``"~ patient + stage"``.

    Returns
    -------
    Their names.

    Raises
    ------
    InputError
        If the formula does not parse, or has a left side.

    Examples
    --------
    >>> sorted(formula_variables("~ patient + stage"))
    ['patient', 'stage']
    """
    return frozenset(str(name) for name in _parsed(formula).required_variables)


def formula_columns(table: pd.DataFrame, formula: str) -> tuple[Matrix, tuple[str, ...]]:
    """Build the columns of a design.

    Parameters
    ----------
    table
        One row per sample; text becomes an indicator for every level but the first.
    formula
        The right side of a formula as ``formulaic`` reads it.

    Returns
    -------
    Samples by columns, and the names of the columns.

    Raises
    ------
    MissingVariableError
        If the formula names a column that the table does not have.
    InputError
        If the formula does not parse, or a value is missing.
    """
    parsed = _parsed(formula)
    names = sorted(formula_variables(formula))
    check_columns(table, names, what="the table of samples", caller=f"{CALLER} ({formula!r})")
    plain = table[names].reset_index(drop=True)
    for name in names:
        unknown = int(plain[name].isna().sum())
        if unknown:
            message = (
                f"{CALLER} must name columns that are known for every sample compared. {name!r} of {formula!r} is missing in {unknown} of "
                f"{len(plain)}; leave these samples out, or fill the values in."
            )
            raise InputError(message)
        if plain[name].dtype.kind in "OU" or isinstance(plain[name].dtype, pd.CategoricalDtype):
            plain[name] = plain[name].astype(str)
    try:
        found = parsed.get_model_matrix(plain, context={}, na_action="raise", output="pandas")
    except FormulaicError as error:
        message = (
            f"{CALLER} must be made of columns of the samples. {formula!r} cannot be evaluated: {reason_text(error)}."
        )
        raise InputError(message) from error
    matrix = np.ascontiguousarray(found.to_numpy(dtype=np.float64))
    if not np.isfinite(matrix).all():
        message = f"{CALLER} must give finite columns. {formula!r} does not; transform only values that the transformation allows."
        raise InputError(message)
    return matrix, tuple(str(name) for name in found.columns)


def _parsed(formula: str) -> Formula:
    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError) as error:
        message = f"{CALLER} must be one that formulaic reads, such as '~ patient + stage'. Got {formula!r}: {reason_text(error)}."
        raise InputError(message) from error
    if not hasattr(parsed, "required_variables") or hasattr(parsed, "lhs"):
        message = f"{CALLER} must have a right side only. Got {formula!r}; write for example '~ patient + stage'."
        raise InputError(message)
    return parsed
