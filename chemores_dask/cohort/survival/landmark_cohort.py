"""Patients at a landmark: an exposure that takes time to happen is judged at one time, and follow-up begins there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of, check_variables, listed
from chemores_dask.cohort.outcome import TIE_TOLERANCE, Outcome, check_groups, check_outcome
from chemores_dask.errors import DroppedPatientsWarning, InputError, ParameterError
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CLOCKS = ("landmark", "origin")
REASONS = (
    "event by the landmark",
    "censored by the landmark",
    "under observation only later",
    "exposure not known by the landmark",
)

_PATIENT, _REASON = ("patient",), ("reason",)
RESULT = declare(
    Variable(
        "landmark_duration", _PATIENT, "f", unit="unit of the duration", doc="end of follow-up by the chosen clock"
    ),
    Variable("landmark_event", _PATIENT, "b"),
    Variable(
        "landmark_entry",
        _PATIENT,
        "f",
        unit="unit of the duration",
        doc="start of follow-up by the chosen clock",
        optional=True,
    ),
    Variable("landmark_exposed", _PATIENT, "b", doc="exposed by the landmark", optional=True),
    Variable("landmark_exposure", _PATIENT, "U", unit="label", doc="as known by the landmark", optional=True),
    Variable("landmark_exposed_later", _PATIENT, "b", doc="not yet exposed at the landmark, but later", optional=True),
    Variable("landmark_time", (), "f", unit="unit of the duration"),
    Variable("landmark_patients_total", (), "i", unit="patients", doc="before any is left out"),
    Variable("landmark_patients", (), "i", unit="patients", doc="at risk at the landmark"),
    Variable("landmark_events", (), "i", unit="events", doc="after the landmark"),
    Variable("landmark_excluded", _REASON, "i", unit="patients", doc="left out for this reason"),
    Variable("landmark_excluded_events", _REASON, "i", unit="events", doc="of these patients"),
)


@dataclass(frozen=True)
class _Exposure:
    """What is known of the exposure at the landmark."""

    known: Vector
    exposed: Vector | None
    later: Vector
    labels: Vector | None


def landmark_cohort(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    landmark: float,
    entry: str | None = None,
    exposure: str | None = None,
    exposure_time: str | None = None,
    clock: str = "landmark",
) -> xr.Dataset:
    """Patients who are at risk at a landmark, with their exposure as it is known then and their follow-up from then on.

    Whoever responds, relapses late or gets a transplant had to live until then. Compared from the start, the exposed seem to live longer
    for that alone: the time they were bound to survive is immortal. At a landmark both groups have survived as long [1]_, [2]_.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    landmark
        The time, in the unit of the duration; chosen before looking at survival.
    entry
        Variable with the time at which the patient came under observation (left truncation).
    exposure
        Variable with a label or number that becomes known at ``exposure_time``, such as the response. Without it the exposure is something
        that happens at ``exposure_time``, such as a transplant.
    exposure_time
        Variable: when the exposure happens or becomes known. A missing value says that it never does.
    clock
        ``"landmark"`` counts durations from the landmark; ``"origin"`` leaves them as they are and lets patients enter at the landmark
        (``landmark_entry``, the ``entry`` of later analyses).

    Returns
    -------
    Dataset over the ``patient`` who are kept, in their order: ``landmark_duration``, ``landmark_event``, with the clock ``"origin"``
    ``landmark_entry``; with an exposure time ``landmark_exposed`` and ``landmark_exposed_later``, or with an exposure as well
    ``landmark_exposure``. Over ``reason`` ``landmark_excluded`` and ``landmark_excluded_events``. Numbers: ``landmark_time``,
    ``landmark_patients``, ``landmark_patients_total``, ``landmark_events``. The attribute ``patients_left_out`` names those left out
    by reason. It is a cohort of patients: ``kaplan_meier(at_landmark, duration="landmark_duration", event="landmark_event",
    group="landmark_exposed")``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome is missing or impossible, an exposure time is negative or lies behind the end of follow-up, or nobody is left.
    ParameterError
        If the landmark is not above 0, or an exposure is named without its time.

    Warns
    -----
    DroppedPatientsWarning
        If patients are at risk at the landmark, but their exposure becomes known only later. They are left out: who will be known to
        respond is not known at the landmark.

    Notes
    -----
    Passes over the counts: 0. A patient is at risk at the landmark whose follow-up goes beyond it: an event at the landmark itself is
    before it. Patients exposed later count as not exposed, and are counted.

    References
    ----------
    .. [1] Anderson JR, Cain KC, Gelber RD (1983). Analysis of survival by tumor response. J Clin Oncol 1:710-719.
    .. [2] Suissa S (2008). Immortal time bias in pharmaco-epidemiology. Am J Epidemiol 167:492-499.

    Examples
    --------
    >>> patients = xr.Dataset(
    ...     {
    ...         "months": ("patient", [2.0, 9.0, 12.0, 4.0]),
    ...         "died": ("patient", [True, True, False, False]),
    ...         "transplant": ("patient", [np.nan, 3.0, 8.0, np.nan]),
    ...     },
    ...     coords={"patient": ["A", "B", "C", "D"]},
    ... )
    >>> kept = landmark_cohort(patients, duration="months", event="died", landmark=6, exposure_time="transplant")
    >>> kept["patient"].values.tolist(), kept["landmark_exposed"].values.tolist(), kept["landmark_duration"].values.tolist()
    (['B', 'C'], [True, False], [3.0, 6.0])
    """
    caller = "landmark_cohort"
    check_between(
        landmark, parameter="landmark", caller=caller, minimum=np.finfo(float).tiny, maximum=np.finfo(float).max
    )
    check_one_of(clock, CLOCKS, parameter="clock", caller=caller)
    outcome = check_outcome(patients, duration=duration, event=event, entry=entry, caller=caller)
    known = _exposure(patients, outcome, landmark, exposure, exposure_time)
    over = outcome.duration <= landmark * (1 + TIE_TOLERANCE)
    reason = np.select(
        [over & outcome.event, over, outcome.entry > landmark * (1 + TIE_TOLERANCE), ~known.known],
        [1, 2, 3, 4],
        default=0,
    )
    kept = reason == 0
    left_out = {text: outcome.patients[reason == number].tolist() for number, text in enumerate(REASONS, start=1)}
    _check_kept(kept, left_out, duration=duration, landmark=landmark)
    start = landmark if clock == "landmark" else 0.0
    values: dict[str, object] = {
        "landmark_duration": outcome.duration[kept] - start,
        "landmark_event": outcome.event[kept],
        "landmark_time": float(landmark),
        "landmark_patients_total": kept.size,
        "landmark_patients": int(kept.sum()),
        "landmark_events": int(outcome.event[kept].sum()),
        "landmark_excluded": np.bincount(reason, minlength=5)[1:],
        "landmark_excluded_events": np.bincount(reason, weights=outcome.event, minlength=5)[1:].astype(np.int64),
    }
    if clock == "origin":
        values["landmark_entry"] = np.full(int(kept.sum()), float(landmark))
    if known.labels is not None:
        values["landmark_exposure"] = known.labels[kept]
    if known.exposed is not None:
        values |= {"landmark_exposed": known.exposed[kept], "landmark_exposed_later": known.later[kept]}
    return make_result(
        RESULT,
        values,
        analysis=caller,
        parameters={
            "duration": duration,
            "event": event,
            "landmark": float(landmark),
            "entry": entry,
            "exposure": exposure,
            "exposure_time": exposure_time,
            "clock": clock,
        },
        coordinates={"patient": outcome.patients[kept], "reason": list(REASONS)},
        attributes={"patients_left_out": left_out},
    )


def _exposure(
    patients: xr.Dataset, outcome: Outcome, landmark: float, exposure: str | None, exposure_time: str | None
) -> _Exposure:
    everybody = np.ones(outcome.patients.size, dtype=bool)
    if exposure_time is None:
        if exposure is not None:
            message = (
                "An exposure of landmark_cohort needs the time at which it becomes known. Got "
                f"exposure={exposure!r} without 'exposure_time'; name that variable. What is known from the start needs no landmark: name "
                "it as the group or covariate of the next analysis."
            )
            raise ParameterError(message)
        return _Exposure(everybody, None, ~everybody, None)
    when = _exposure_times(patients, outcome, exposure_time)
    known = when <= landmark * (1 + TIE_TOLERANCE)
    if exposure is None:
        return _Exposure(everybody, known, np.isfinite(when) & ~known, None)
    found = np.full(everybody.size, "", dtype=object)
    if known.any():
        codes, labels = check_groups(patients.isel(patient=np.flatnonzero(known)), exposure, caller="landmark_cohort")
        found[known] = np.array(labels, dtype=object)[codes]
    return _Exposure(known, None, ~everybody, found)


def _exposure_times(patients: xr.Dataset, outcome: Outcome, name: str) -> Vector:
    """Times of exposure; infinite for those who never are."""
    check_variables(patients, [name], dims=("patient",), what="patients", caller="landmark_cohort")
    (values,) = compute(patients[name].data)
    if np.asarray(values).dtype.kind not in "fiu":
        message = f"The exposure time {name!r} of landmark_cohort must hold numbers. Found {np.asarray(values).dtype}; convert it first."
        raise InputError(message)
    when = np.where(np.isnan(np.asarray(values, dtype=float)), np.inf, np.asarray(values, dtype=float))
    behind = np.isfinite(when) & (when > outcome.duration * (1 + TIE_TOLERANCE))
    for wrong, demand in ((when < 0, "must not be negative"), (behind, "must not lie behind the end of follow-up")):
        if wrong.any():
            message = (
                f"The exposure time {name!r} {demand} in landmark_cohort. Not so for {int(wrong.sum())} of {when.size} patients: "
                f"{listed(outcome.patients[wrong])}; correct these rows. A missing value says that the exposure never happened."
            )
            raise InputError(message)
    return when


def _check_kept(kept: Vector, left_out: dict[str, list[str]], *, duration: str, landmark: float) -> None:
    if not kept.any():
        counts = "; ".join(f"{len(names)} {text}" for text, names in left_out.items())
        message = (
            f"landmark_cohort needs patients who are at risk at the landmark {landmark:g}. Found none among {kept.size} ({counts}); is the "
            f"landmark in the unit of {duration!r}?"
        )
        raise InputError(message)
    unknown = left_out[REASONS[3]]
    if unknown:
        message = (
            f"landmark_cohort leaves out patients whose exposure is not known at the landmark {landmark:g}. Found {len(unknown)} who are "
            f"at risk then: {listed(unknown)}. A later landmark would keep them; calling them by what became known later would count "
            "time in which they could not have the event."
        )
        warnings.warn(message, DroppedPatientsWarning, stacklevel=3)
