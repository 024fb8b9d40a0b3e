"""Covariates of models of response: by formula, from patients who have them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.design_formula import design_of, formula_columns
from chemores_dask.cohort.outcome import patient_names
from chemores_dask.cohort.response.scored_patients import label_text
from chemores_dask.errors import InputError
from chemores_dask.kernels.design_rank import independent_columns
from chemores_dask.stream import compute


def covariate_table(
    patients: xr.Dataset, formula: str, *, unknown: Sequence[str], caller: str
) -> tuple[pd.DataFrame, Vector]:
    """The variables of a formula as a table, and who has them all.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    formula
        Covariates in Wilkinson's notation.
    unknown
        Labels that say that nothing is known, in any case.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Table with one row per patient, and which rows are complete. Variables that are absent are left to :func:`design_of`, which names them.
    """
    names = patient_names(patients, caller=caller)
    over = {str(name): patients[name] for name in patients.variables if patients[name].dims == ("patient",)}
    needed = [name for name in formula_columns(formula, caller=caller) if name in over]
    nothing = {label.strip().casefold() for label in unknown} | {""}
    columns, complete = {}, np.ones(names.size, dtype=bool)
    for name, found in zip(needed, compute(*(over[name].data for name in needed)), strict=True):
        values = np.asarray(found)
        column = pd.Series(values)
        if column.dtype.kind in "OUST":
            stated = [pd.notna(value) and label_text(value).casefold() not in nothing for value in values]
            column = column.where(np.array(stated, dtype=bool), None)
        complete &= column.notna().to_numpy()
        columns[name] = column
    # Variables that the formula does not name stand in for themselves in messages about those that are absent.
    table = pd.DataFrame(columns, index=range(names.size)).assign(**{name: 0.0 for name in over if name not in columns})
    return table.set_axis(names), complete


def response_design(table: pd.DataFrame, formula: str, *, caller: str) -> tuple[Matrix, list[str]]:
    """Columns of a formula without the intercept.

    Parameters
    ----------
    table
        Complete rows of :func:`covariate_table`.
    formula
        As there.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Patients by terms, and the names of the terms.

    Raises
    ------
    MissingVariableError
        If the formula names a variable that is absent.
    InputError
        If there are no terms, or a column is constant or follows from others.
    """
    design = design_of(table.infer_objects(), formula, caller=caller)
    kept = [place for place, name in enumerate(design.columns) if name != "Intercept"]
    if not kept:
        message = f"{caller} needs at least one covariate. {formula!r} has none; write for example '~ score + age'."
        raise InputError(message)
    matrix = design.matrix[:, kept]
    if not independent_columns(np.column_stack([np.ones(len(matrix)), matrix])).all():
        message = (
            f"No column of {caller} may be constant, or add up to one with others, since the model has an intercept of its own. Not so for "
            f"{formula!r} with {len(matrix)} patients; leave the intercept in the formula."
        )
        raise InputError(message)
    return matrix, [design.columns[place] for place in kept]
