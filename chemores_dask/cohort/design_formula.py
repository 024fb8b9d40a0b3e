"""Designs of models from formulas such as ``~ patient + stage``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import Formula  # type: ignore[import-untyped]
from formulaic.errors import FormulaicError  # type: ignore[import-untyped]

from chemores_dask.aliases import Matrix
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.kernels.design_rank import aliased_columns

SHOWN_TERMS = 6


@dataclass(frozen=True)
class Design:
    """A design of full rank.

    Attributes
    ----------
    matrix
        Samples by columns.
    columns
        Names of the columns, such as ``Intercept`` and ``stage[T.relapse]``.
    """

    matrix: Matrix
    columns: tuple[str, ...]


def design_of(table: pd.DataFrame, formula: str, *, caller: str) -> Design:
    """Build the design of a formula.

    Parameters
    ----------
    table
        One row per sample. Text (and categories) become an indicator for every level but the first; numbers stand as they are.
    formula
        The right side of a formula in Wilkinson's notation as ``formulaic`` reads it: ``"~ patient + stage"``,
        ``"~ C(stage, contr.treatment('diagnosis')) + age"``. Only columns of the table may be named.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The design, whose columns are linearly independent.

    Raises
    ------
    MissingVariableError
        If the formula names a column that the table does not have.
    InputError
        If the formula does not parse or has a left side, a value is missing or infinite, or a column follows from others; the message
        says what it equals.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["P1", "P1", "P2", "P2"], "stage": ["a", "b", "a", "b"]})
    >>> design_of(table, "~ patient + stage", caller="example").columns
    ('Intercept', 'patient[T.P2]', 'stage[T.b]')
    """
    parsed = _parse(formula, caller=caller)
    _check_table(table, sorted(str(name) for name in parsed.required_variables), formula, caller=caller)
    try:
        found = parsed.get_model_matrix(_plain(table), context={}, na_action="raise", output="pandas")
    except FormulaicError as error:
        message = (
            f"The formula of {caller} must be made of columns of the table and of what formulaic knows. {formula!r} cannot be evaluated: "
            f"{_reason(error)}."
        )
        raise InputError(message) from error
    columns = tuple(str(name) for name in found.columns)
    matrix = np.ascontiguousarray(found.to_numpy(dtype=np.float64))
    endless = [name for name, finite in zip(columns, np.isfinite(matrix).all(axis=0), strict=True) if not finite]
    if endless:
        message = (
            f"The design of {caller} must be finite. {formula!r} gives infinite or unknown values in {listed(endless)}; "
            "transform only values that the transformation allows."
        )
        raise InputError(message)
    if not columns:
        message = f"The formula of {caller} must give at least one column. {formula!r} gives none; write for example '~ stage'."
        raise InputError(message)
    _check_rank(matrix, columns, formula, caller=caller)
    return Design(matrix, columns)


def formula_columns(formula: str, *, caller: str) -> list[str]:
    """Names of the columns that a formula needs.

    Parameters
    ----------
    formula
        As for :func:`design_of`.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The names, sorted.

    Raises
    ------
    InputError
        If the formula does not parse or has a left side.

    Examples
    --------
    >>> formula_columns("~ log(age) + stage", caller="example")
    ['age', 'stage']
    """
    return sorted(str(name) for name in _parse(formula, caller=caller).required_variables)


def alias_text(combination: Mapping[int, float], columns: tuple[str, ...]) -> str:
    """Write what a column equals.

    Parameters
    ----------
    combination
        Weights of other columns by their positions, of :func:`~chemores_dask.kernels.design_rank.aliased_columns`.
    columns
        Names of all columns.

    Returns
    -------
    A sum such as ``Intercept - stage[T.relapse]``.

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


def _parse(formula: str, *, caller: str) -> Formula:
    if not isinstance(formula, str) or not formula.strip():
        message = f"The formula of {caller} must be a text such as '~ patient + stage'. Got {formula!r}."
        raise InputError(message)
    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError) as error:
        message = (
            f"The formula of {caller} must be one that formulaic reads, such as '~ patient + stage'. Got {formula!r}: "
            f"{_reason(error)}."
        )
        raise InputError(message) from error
    if hasattr(parsed, "lhs") or (hasattr(parsed, "rhs") and not hasattr(parsed, "required_variables")):
        message = (
            f"The formula of {caller} must have a right side only, since the counts stand on the left. Got {formula!r}."
        )
        raise InputError(message)
    return parsed


def _check_table(table: pd.DataFrame, names: list[str], formula: str, *, caller: str) -> None:
    absent = [name for name in names if name not in table.columns]
    if absent:
        message = (
            f"Every name in the formula of {caller} must be a column of the samples. {formula!r} names {listed(absent)}; "
            f"present: {listed(table.columns)}."
        )
        raise MissingVariableError(message)
    for name in names:
        unknown = table.index[table[name].isna().to_numpy()]
        if unknown.size:
            message = (
                f"Every sample of {caller} must have a value of {name!r}. Missing in {unknown.size} of {len(table)}: "
                f"{listed(unknown)}; leave these samples out, or fill the values in."
            )
            raise InputError(message)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    # Only levels that occur: a category without samples would give a column of zeros.
    plain = table.reset_index(drop=True)
    for name in plain.columns:
        if isinstance(plain[name].dtype, pd.CategoricalDtype):
            plain[name] = plain[name].cat.remove_unused_categories()
    return plain


def _check_rank(matrix: Matrix, columns: tuple[str, ...], formula: str, *, caller: str) -> None:
    aliased = aliased_columns(matrix)
    if not aliased:
        return
    equations = [f"{columns[column]} = {alias_text(weights, columns)}" for column, weights in aliased.items()]
    message = (
        f"The columns of the design of {caller} must not follow from each other. In {formula!r} with {len(matrix)} samples: "
        f"{'; '.join(equations[:SHOWN_TERMS])}{f' … and {len(equations) - SHOWN_TERMS} more' if len(equations) > SHOWN_TERMS else ''}. "
        "These effects cannot be told apart; leave a term out of the formula, or add samples that separate them."
    )
    raise InputError(message)


def _reason(error: Exception) -> str:
    # formulaic marks places in a formula with codes for terminals.
    words = re.sub(r"\x1b\[[0-9;]*m|\u29db(\[[0-9;]*m)?|\u29da", "", str(error))
    return " ".join(words.split()).rstrip(".") or type(error).__name__
