"""Clinical columns as the survival analyses need them, checked once: outcome, groups, covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import InputError
from chemores_dask.stream import compute

TIE_TOLERANCE = float(np.sqrt(np.finfo(float).eps))
"""Times closer than this (absolutely, or relative to the mean time) are the same time, as in R's ``aeqSurv``."""

LARGEST_NUMBER = 1e100
"""Numbers beyond this, and columns whose every number lies below its inverse, are refused: their squares are not numbers."""

SHORTEST_FOLLOW_UP = 1e-6
"""Where even the longest follow-up is shorter, the tolerance for ties would make different times the same."""


LARGEST_WEIGHT = 1e6
"""Weights beyond this, or below its inverse, would leave nothing of the other patients but rounding."""


@dataclass(frozen=True)
class Outcome:
    """Follow-up of the patients of a cohort.

    Attributes
    ----------
    patients
        Names, unique.
    duration
        End of follow-up.
    event
        Whether it ended in the event.
    entry
        Start of follow-up; minus infinity for everybody without late entry.
    weight
        How often the patient counts; 1 for everybody without weights.
    """

    patients: Vector
    duration: Vector
    event: Vector
    entry: Vector
    weight: Vector


def check_outcome(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    entry: str | None = None,
    weights: str | None = None,
    caller: str,
) -> Outcome:
    """Read durations, events and entries, and refuse those that cannot be.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event, entry, weights
        Names of the variables. Durations and entries are numbers of one unit, 0 or above; events are boolean, or 0 and 1; weights are
        numbers above 0.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The outcome. Times that differ by rounding only are made equal.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    InputError
        If a patient occurs twice, a value is missing, infinite or negative, an event is neither 0 nor 1, an entry is not before the
        end of follow-up, a weight is not above 0, or the unit of time makes all follow-up vanish. Variable and patients are named.
    """
    names = patient_names(patients, caller=caller)
    wanted = [duration, event, *(name for name in (entry, weights) if name is not None)]
    values = _values(patients, wanted, caller=caller)
    time = _numbers(values[duration], duration, names, caller=caller)
    _refuse(time < 0, f"must not be negative in {caller}", duration, names, values[duration])
    _check_unit(time, duration, least=SHORTEST_FOLLOW_UP, caller=caller)
    died = _numbers(values[event], event, names, caller=caller)
    _refuse((died != 0) & (died != 1), f"must be boolean, or 0 and 1, in {caller}", event, names, values[event])
    weight = np.ones(time.size)
    if weights is not None:
        weight = _numbers(values[weights], weights, names, caller=caller)
        _refuse(weight <= 0, f"must be above 0 in {caller}", weights, names, values[weights])
        apart = (weight < 1 / LARGEST_WEIGHT) | (weight > LARGEST_WEIGHT)
        limits = f"must lie between {1 / LARGEST_WEIGHT:g} and {LARGEST_WEIGHT:g} in {caller}"
        _refuse(apart, limits, weights, names, values[weights])
    if entry is None:
        return Outcome(names, _merge_near(time), died == 1, np.full(time.size, -np.inf), weight)
    start = _numbers(values[entry], entry, names, caller=caller)
    _refuse(start < 0, f"must not be negative in {caller}", entry, names, values[entry])
    merged = _merge_near(np.concatenate([time, start]))
    time, start = merged[: time.size], merged[time.size :]
    _refuse(start >= time, f"must lie before {duration!r} in {caller}", entry, names, values[entry])
    return Outcome(names, time, died == 1, start, weight)


def patient_names(patients: xr.Dataset, *, caller: str) -> Vector:
    """Names of the patients as text; their positions where they have none.

    Raises
    ------
    InputError
        If there is no patient, or one occurs twice.
    """
    if "patient" not in patients.dims or not patients.sizes["patient"]:
        message = f"{caller} needs patients along the dimension 'patient'. Found dimensions {dict(patients.sizes)}."
        raise InputError(message)
    names = np.array([str(name) for name in patients["patient"].to_numpy()], dtype=object)
    series = pd.Series(names)
    twice = series[series.duplicated()].unique()
    if twice.size:
        message = (
            f"Every patient must occur once in {caller}. Found more than once: {listed(twice)}; keep one row of each, "
            "or give the rows names of their own if they are not the same patient."
        )
        raise InputError(message)
    return names


def check_expression(expression: xr.DataArray, *, caller: str) -> None:
    """Refuse expression that does not consist of real numbers.

    Raises
    ------
    InputError
        Naming the type that was found.
    """
    if expression.dtype.kind not in "fiub":
        message = (
            f"The variable {expression.name!r} of {caller} must hold real numbers. Found the type {expression.dtype}; convert it first, "
            "for example with astype('float64')."
        )
        raise InputError(message)


def check_groups(patients: xr.Dataset, name: str | None, *, caller: str) -> tuple[Vector, list[str]]:
    """Number the groups of a variable over ``patient``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    name
        The variable; None puts everybody into the group ``all``.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Number of each patient's group, and the groups' labels as text, sorted (numbers by size).

    Raises
    ------
    InputError
        If a patient has no group.
    """
    names = patient_names(patients, caller=caller)
    if name is None:
        return np.zeros(names.size, dtype=np.int64), ["all"]
    values = _values(patients, [name], caller=caller)[name]
    # Missing text is empty text in a store.
    missing = pd.isna(values) | np.array([isinstance(value, str) and not value for value in values], dtype=bool)
    _refuse(missing, f"must be known for every patient in {caller}", name, names, values)
    if values.dtype.kind == "O":
        values = np.array([str(value) for value in values])
    labels, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64), [_label(value) for value in labels]


def check_strata(patients: xr.Dataset, strata: str | Sequence[str] | None, *, caller: str) -> Vector:
    """Number the strata made by crossing some variables over ``patient``."""
    columns = [] if strata is None else [strata] if isinstance(strata, str) else list(strata)
    crossed = np.zeros(patients.sizes["patient"], dtype=np.int64)
    for name in columns:
        codes, labels = check_groups(patients, name, caller=caller)
        crossed = crossed * len(labels) + codes
    return np.unique(crossed, return_inverse=True)[1].astype(np.int64)


def design_matrix(patients: xr.Dataset, covariates: Sequence[str], *, caller: str) -> tuple[Matrix, list[str]]:
    """Turn clinical variables into columns of numbers.

    Numbers and booleans are one column each, also where they come as objects. A text variable becomes an indicator ``name[level]``
    for every level but the first in alphabetical order, which is the reference.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    covariates
        Names of variables.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Matrix of patients by terms, and the names of the terms.

    Raises
    ------
    InputError
        If a value is missing or infinite, or a covariate is named twice.
    """
    if isinstance(covariates, str) or len(set(covariates)) != len(covariates):
        message = f"The covariates of {caller} must be a list of different names. Got {covariates!r}."
        raise InputError(message)
    names = patient_names(patients, caller=caller)
    values = _values(patients, covariates, caller=caller)
    columns, terms = [], []
    for name in covariates:
        if _is_text(values[name]):
            codes, labels = check_groups(patients, name, caller=caller)
            columns += [codes == level for level in range(1, len(labels))]
            terms += [f"{name}[{label}]" for label in labels[1:]]
            if len(labels) == 1:
                message = f"A covariate of {caller} must vary between patients. {name!r} is {labels[0]!r} for all; leave it out."
                raise InputError(message)
        else:
            columns.append(_numbers(values[name], name, names, caller=caller))
            terms.append(name)
    return np.column_stack([np.zeros((names.size, 0)), *columns]).astype(float), terms


def _values(patients: xr.Dataset, names: Sequence[str], *, caller: str) -> dict[str, np.ndarray]:
    check_variables(patients, names, dims=("patient",), what="patients", caller=caller)
    return {
        name: np.asarray(value) for name, value in zip(names, compute(*(patients[n].data for n in names)), strict=True)
    }


def _numbers(values: np.ndarray, name: str, names: Vector, *, caller: str) -> Vector:
    if values.dtype.kind not in "fiub":
        try:
            values = np.array([_number(value) for value in values], dtype=float)
        except (TypeError, ValueError) as error:
            error.add_note(f"variable: {name}")
            message = f"The variable {name!r} of {caller} must hold numbers. Found {listed(pd.unique(values))}; convert it first."
            raise InputError(message) from error
    numbers = values.astype(float)
    _refuse(~np.isfinite(numbers), f"must be known and finite for every patient in {caller}", name, names, values)
    _check_unit(numbers, name, least=1 / LARGEST_NUMBER, caller=caller)
    return numbers


def _number(value: Any) -> float:
    if isinstance(value, complex):
        message = "a complex number"
        raise TypeError(message)
    return float("nan") if pd.isna(value) else float(value)


def _is_text(values: np.ndarray) -> bool:
    """Whether a variable holds labels; numbers and booleans may come as objects."""
    if values.dtype.kind != "O":
        return values.dtype.kind in "US"
    return not all(isinstance(value, Number) or pd.isna(value) for value in values)


def _check_unit(numbers: Vector, name: str, *, least: float, caller: str) -> None:
    largest = float(np.abs(numbers).max(initial=0.0))
    if largest > LARGEST_NUMBER or 0 < largest < least:
        message = (
            f"The largest value of {name!r} must lie between {least:g} and {LARGEST_NUMBER:g} in {caller}. Found {largest:g}; "
            "use another unit."
        )
        raise InputError(message)


def _refuse(wrong: Vector, demand: str, name: str, names: Vector, values: np.ndarray) -> None:
    if not np.any(wrong):
        return
    found = [f"{names[i]} ({values[i]})" for i in np.flatnonzero(wrong)]
    message = (
        f"The variable {name!r} {demand}. Not so for {len(found)} of {names.size} patients: {listed(found)}. "
        "Correct the values, or leave these patients out: patients.drop_sel(patient=[...]), or, where values are missing, "
        f"patients.dropna('patient', subset=[{name!r}]), or required=[{name!r}] (--required {name}) when the cohort is ingested."
    )
    raise InputError(message)


def _label(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _merge_near(times: Vector) -> Vector:
    distinct, positions = np.unique(times, return_inverse=True)
    gaps = np.diff(distinct)
    new = np.ones(distinct.size, dtype=bool)
    new[1:] = (gaps > TIE_TOLERANCE) & (gaps > TIE_TOLERANCE * np.abs(distinct).mean())
    return distinct[new][np.cumsum(new) - 1][positions]
