"""The patients in whom a risk can be held against survival, and why others cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables
from chemores_dask.cohort.outcome import check_outcome, patient_names
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.stream import compute

FEWEST_EVENTS = 2
REASONS = (
    "in the cohort",
    "without any expression",
    "with too little of the signature measured",
    "without a risk",
    "without a known outcome",
    "with an event by the landmark",
    "censored by the landmark",
    "used",
)
"""Rows of the flow of a cohort: all, those left out in the order in which they are, and those that remain."""


@dataclass(frozen=True)
class ScoredCohort:
    """Patients with a risk and an outcome, in order of their names.

    Attributes
    ----------
    patients
        Names.
    rows
        Where they stand in the cohort.
    risk
        Higher for a shorter life.
    duration, event
        Outcome.
    flow
        Patients by ``REASONS``.
    flow_events
        Events among them, where the outcome is known.
    """

    patients: Vector
    rows: Vector
    risk: Vector
    duration: Vector
    event: Vector
    flow: Vector
    flow_events: Vector


def known_outcomes(patients: xr.Dataset, duration: str, event: str, *, caller: str) -> Vector:
    """Which patients have a duration and an event that are not missing.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    """
    check_variables(patients, [duration, event], dims=("patient",), what="patients", caller=caller)
    columns = compute(patients[duration].data, patients[event].data)
    return ~np.logical_or.reduce([np.asarray(pd.isna(pd.Series(np.asarray(values)))) for values in columns])


def score_cohort(
    patients: xr.Dataset,
    risk: Vector,
    unscored: Vector,
    *,
    duration: str,
    event: str,
    landmark: float = 0.0,
    caller: str,
) -> ScoredCohort:
    """Keep the patients with a risk and an outcome, and count the others by the first reason that leaves them out.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    risk
        One per patient; not a number where there is none.
    unscored
        Reason why there is none (1 to 3 of ``REASONS``), one per patient.
    duration, event
        Names of variables.
    landmark
        Patients whose follow-up ends by then are left out.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The cohort.

    Raises
    ------
    InputError
        If a risk is infinite, an outcome impossible, or nobody is left.
    TooFewEventsError
        If fewer than two events are left.
    """
    names = patient_names(patients, caller=caller)
    if np.isinf(risk).any():
        message = f"The risk of {caller} must be finite. It is infinite for: {', '.join(names[np.isinf(risk)][:12])}."
        raise InputError(message)
    known = known_outcomes(patients, duration, event, caller=caller)
    reason = np.where(np.isnan(risk), unscored, np.where(known, len(REASONS) - 1, 4))
    time, died = np.full(names.size, np.nan), np.zeros(names.size, dtype=bool)
    if known.any():
        outcome = check_outcome(
            patients.isel(patient=np.flatnonzero(known)), duration=duration, event=event, caller=caller
        )
        time[known], died[known] = outcome.duration, outcome.event
    early = (reason == len(REASONS) - 1) & (time <= landmark) & (landmark > 0)
    reason = np.where(early, np.where(died, 5, 6), reason)
    flow = np.bincount(reason, minlength=len(REASONS))
    flow[0] = names.size
    flow_events = np.bincount(reason, weights=died, minlength=len(REASONS)).astype(np.int64)
    flow_events[0] = died.sum()
    if flow_events[-1] < FEWEST_EVENTS:
        counted = "; ".join(
            f"{number} {word}" for number, word in zip(flow[1:-1], REASONS[1:-1], strict=True) if number
        )
        message = (
            f"{caller} needs at least {FEWEST_EVENTS} patients with an event among those with a risk and an outcome. Found "
            f"{flow_events[-1]} among {flow[-1]} of {names.size} patients{f' ({counted})' if counted else ''}."
        )
        raise TooFewEventsError(message)
    order = np.argsort(names.astype(str), kind="stable")
    rows = order[reason[order] == len(REASONS) - 1]
    return ScoredCohort(names[rows], rows, risk[rows], time[rows], died[rows], flow, flow_events)


def pick_rows(matrix: Matrix, cohort: ScoredCohort) -> Matrix:
    """Rows of the patients of the cohort."""
    return np.asarray(matrix)[cohort.rows]
