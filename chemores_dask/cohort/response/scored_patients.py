"""Scores and responses of patients as the analyses of this room need them: read once, with what is missing counted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.cohort.outcome import LARGEST_NUMBER, patient_names
from chemores_dask.errors import FewEventsWarning, InputError
from chemores_dask.kernels.rank_tests import rank_sum_test
from chemores_dask.stream import compute

EVENTS_PER_TERM = 10
"""Patients of the rarer response per coefficient below which a model is unreliable (Peduzzi et al. 1996)."""


@dataclass(frozen=True)
class Flow:
    """How many patients an analysis rests on.

    Attributes
    ----------
    total
        Patients of the cohort.
    without_score, without_response
        Patients who lack the score (or another measurement); patients who have it, but no known response.
    used
        The others.
    missing_auroc, missing_p_value
        Whether the score is another where the response is not known: probability that it is higher there, and Wilcoxon's rank sum test.
    """

    total: int
    without_score: int
    without_response: int
    used: int
    missing_auroc: float
    missing_p_value: float


def read_measurement(patients: xr.Dataset, name: str, *, caller: str) -> Vector:
    """A variable over ``patient`` as numbers, not a number where it is missing.

    Raises
    ------
    MissingVariableError
        If the variable is absent.
    InputError
        If it does not hold numbers, or one is infinite.
    """
    check_variables(patients, [name], dims=("patient",), what="patients", caller=caller)
    (values,) = compute(patients[name].data)
    values = np.asarray(values)
    try:
        numbers = np.array([float("nan") if pd.isna(value) else float(value) for value in values])
    except (TypeError, ValueError) as error:
        error.add_note(f"variable: {name}")
        message = (
            f"The variable {name!r} of {caller} must hold numbers. Found {listed(pd.unique(values))}; convert it first."
        )
        raise InputError(message) from error
    odd = np.abs(numbers) > LARGEST_NUMBER
    if odd.any():
        names = patient_names(patients, caller=caller)
        message = (
            f"The variable {name!r} of {caller} must be finite and below {LARGEST_NUMBER:g}. Not so for {listed(names[odd])}; "
            "correct the values, or set them to missing."
        )
        raise InputError(message)
    return numbers


def read_labels(patients: xr.Dataset, name: str, *, unknown: Sequence[str], caller: str) -> Vector:
    """A variable over ``patient`` as text, empty where it is missing or says that nothing is known.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    name
        The variable.
    unknown
        Labels that say that nothing is known, in any case.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Object array of text.
    """
    check_variables(patients, [name], dims=("patient",), what="patients", caller=caller)
    (values,) = compute(patients[name].data)
    labels = ["" if pd.isna(value) else label_text(value) for value in np.asarray(values, dtype=object)]
    nothing = {label.strip().casefold() for label in unknown} | {""}
    return np.array(["" if label.casefold() in nothing else label for label in labels], dtype=object)


def label_text(value: object) -> str:
    """A label as text; whole numbers without a decimal point."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def read_ordered(
    patients: xr.Dataset, name: str, *, order: Sequence[str], unknown: Sequence[str], caller: str
) -> tuple[Vector, list[str]]:
    """Number the responses of an ordered variable; -1 where the response is not known.

    Returns
    -------
    Code of each patient, and the labels of the codes.

    Raises
    ------
    InputError
        If a label is neither in the order nor among those that say that nothing is known, or the order names a label twice.
    """
    levels = [label_text(level) for level in order]
    if isinstance(order, str) or len(set(levels)) != len(levels) or len(levels) < 2:
        message = (
            f"The 'order' parameter of {caller} must list two or more different responses, lowest first. Got {order!r}."
        )
        raise InputError(message)
    labels = read_labels(patients, name, unknown=unknown, caller=caller)
    strange = sorted(set(labels) - set(levels) - {""})
    if strange:
        message = (
            f"Every response of {caller} must be in 'order' or in 'unknown'. {name!r} also holds: {listed(strange)}; order: "
            f"{listed(levels)}; unknown: {listed(unknown)}. Add them to one of both."
        )
        raise InputError(message)
    numbers = {level: code for code, level in enumerate(levels)} | {"": -1}
    return np.array([numbers[label] for label in labels], dtype=np.int64), levels


def count_flow(score: Vector, known: Vector) -> Flow:
    """Count patients with and without score and response, and compare the scores of both.

    Parameters
    ----------
    score
        One per patient, not a number where missing.
    known
        Whether the response is known.

    Returns
    -------
    The flow.
    """
    measured = ~np.isnan(score)
    within, lacking = score[measured & known], score[measured & ~known]
    area, p_value = float("nan"), float("nan")
    if within.size and lacking.size:
        test = rank_sum_test(within, lacking)
        area, p_value = test.statistic / test.pairs, test.p_value
    return Flow(score.size, int((~measured).sum()), lacking.size, within.size, area, p_value)


def flow_values(flow: Flow, prefix: str) -> dict[str, object]:
    """The flow as variables of a result."""
    return {
        f"{prefix}_patients": flow.used,
        f"{prefix}_patients_total": flow.total,
        f"{prefix}_patients_without_score": flow.without_score,
        f"{prefix}_patients_without_response": flow.without_response,
        f"{prefix}_missing_auroc": flow.missing_auroc,
        f"{prefix}_missing_p_value": flow.missing_p_value,
    }


def events_note(events: float, terms: int, *, caller: str) -> dict[str, object]:
    """Events per coefficient as attributes of a result; warns below ten.

    Parameters
    ----------
    events
        Patients of the rarer response; of ordered responses ``n - sum(n_k^3) / n^2``, what they are worth (Harrell).
    terms
        Coefficients, thresholds and intercept not counted.
    caller
        Name of the analysis, for the message.

    Returns
    -------
    ``events_per_term`` and, where it is below 10, ``note``.
    """
    attributes: dict[str, object] = {"events_per_term": events / terms}
    if events < EVENTS_PER_TERM * terms:
        coefficients = "coefficient" if terms == 1 else "coefficients"
        note = (
            f"{events:.3g} events (patients of the rarer response) for {terms} {coefficients}: fewer than {EVENTS_PER_TERM} per "
            "coefficient, so that estimates and limits are unreliable."
        )
        attributes["note"] = note
        warnings.warn(f"{caller}: {note} Leave covariates out, or add patients.", FewEventsWarning, stacklevel=3)
    return attributes
