"""Designs of models from formulas such as ``~ patient + stage``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed, reason_text
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.kernels.design_rank import SHOWN_TERMS, alias_text, aliased_columns


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
        If the formula does not parse or has a left side, a value is missing (an empty text, too) or infinite, fractions are written as
        text, or a column follows from others; the message says what it equals.

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
            f"{reason_text(error)}."
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


def with_patients_as_labels(table: pd.DataFrame, patient: str | None, owners: Vector) -> pd.DataFrame:
    """Let a formula take patients for labels where their names are numbers: a slope over these would say nothing.

    Parameters
    ----------
    table
        One row per sample.
    patient
        Column that names the patients; None if there is none.
    owners
        Names of the patients, as text.

    Returns
    -------
    The table, with these names in the column.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": [7, 7, 9, 9], "stage": ["a", "b", "a", "b"]})
    >>> named = with_patients_as_labels(table, "patient", table["patient"].astype(str).to_numpy())
    >>> design_of(named, "~ patient + stage", caller="example").columns
    ('Intercept', 'patient[T.9]', 'stage[T.b]')
    """
    return table if patient is None else table.assign(**{patient: np.asarray(owners, dtype=object)})


def _parse(formula: str, *, caller: str) -> Formula:
    if not isinstance(formula, str) or not formula.strip():
        message = f"The formula of {caller} must be a text such as '~ patient + stage'. Got {formula!r}."
        raise InputError(message)
    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError) as error:
        message = (
            f"The formula of {caller} must be one that formulaic reads, such as '~ patient + stage'. Got {formula!r}: "
            f"{reason_text(error)}."
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
        values = table[name]
        unknown = table.index[(values.isna() | (values.astype(object) == "")).to_numpy(dtype=bool)]
        if unknown.size:
            message = (
                f"Every sample of {caller} must have a value of {name!r}. Missing in {unknown.size} of {len(table)}: "
                f"{listed(unknown)}; leave these samples out, or fill the values in."
            )
            raise InputError(message)
        if f"C({name}" not in formula.replace(" ", "") and _fractions_as_text(values):
            message = (
                f"Numbers in the formula of {caller} must be of a type for numbers. {name!r} holds text such as "
                f"{listed(pd.unique(values)[:3])}, of which every value would become a level; convert it, or write C({name}) if these "
                "are labels."
            )
            raise InputError(message)


def _fractions_as_text(values: pd.Series) -> bool:
    # Whole numbers may be names of batches; text such as 4.5 is a measurement.
    if values.dtype.kind in "biufc" or not all(isinstance(value, str) for value in values):
        return False
    numbers = pd.to_numeric(values.astype(object), errors="coerce")
    return bool(np.isfinite(numbers).all() and (numbers % 1 != 0).any())


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
