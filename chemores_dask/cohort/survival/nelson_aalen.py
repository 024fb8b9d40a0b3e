"""Nelson-Aalen's cumulative hazard of groups of patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome
from chemores_dask.kernels.cumulative_hazard import HAZARD_CONFIDENCE, cumulative_hazard, hazard_limits
from chemores_dask.kernels.product_limit import risk_table
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

TIES = ("breslow", "efron")

_CURVE = ("group", "time")
RESULT = declare(
    Variable("nelson_aalen_hazard", _CURVE, "f", doc="cumulative; not a number beyond the group's follow-up"),
    Variable("nelson_aalen_standard_error", _CURVE, "f", doc="of the cumulative hazard"),
    Variable("nelson_aalen_lower", _CURVE, "f", doc="lower limit of the cumulative hazard"),
    Variable("nelson_aalen_upper", _CURVE, "f", doc="upper limit of the cumulative hazard"),
    Variable("nelson_aalen_at_risk", _CURVE, "i", unit="patients", doc="in follow-up just before the time"),
    Variable("nelson_aalen_events", _CURVE, "i", unit="patients", doc="with the event at the time"),
    Variable("nelson_aalen_patients", ("group",), "i", unit="patients"),
    Variable("nelson_aalen_event_total", ("group",), "i", unit="patients", doc="with the event at any time"),
)


def nelson_aalen(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    group: str | None = None,
    entry: str | None = None,
    ties: str = "breslow",
    confidence: str = "log",
    level: float = 0.95,
) -> xr.Dataset:
    """Cumulative hazards of groups of patients.

    The sum of ``d / n`` over times with ``d`` events among ``n`` at risk [1]_; its slope shows when patients are at risk most. Numbers are
    those of R's ``survfit(..., stype = 2)`` with ``ctype`` 1 (``"breslow"``) or 2 (``"efron"``).

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    group
        Variable that splits the patients; everybody is in the group ``all`` unless given.
    entry
        Variable with the time at which the patient came under observation (left truncation). A patient is at risk at ``t`` when
        ``entry < t <= duration``.
    ties
        ``"breslow"``: ``d`` events at once add ``d / n`` (Nelson and Aalen). ``"efron"``: they add ``1 / n + 1 / (n - 1) + …`` (Fleming and
        Harrington), which goes with Efron's Cox models.
    confidence
        Scale of the limits: ``"log"`` (of the hazard, as ``conf.type = "log-log"`` of ``survfit``) or ``"plain"`` (as its ``"log"``).
    level
        Coverage of the limits.

    Returns
    -------
    Dataset over ``(group, time)``, with ``time`` the union of all ends of follow-up: ``nelson_aalen_hazard``,
    ``nelson_aalen_standard_error``, ``nelson_aalen_lower``, ``nelson_aalen_upper``, ``nelson_aalen_at_risk``, ``nelson_aalen_events``
    (patients). Over ``group``: ``nelson_aalen_patients``, ``nelson_aalen_event_total``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome or a group is missing or impossible; variable and patients are named.

    Notes
    -----
    Passes over the counts: 0.

    References
    ----------
    .. [1] Aalen O (1978). Nonparametric inference for a family of counting processes. Annals of Statistics 6:701-726.

    Examples
    --------
    >>> patients = xr.Dataset({"months": ("patient", [1.0, 2.0, 3.0, 4.0]), "died": ("patient", [True, False, True, True])})
    >>> nelson_aalen(patients, duration="months", event="died")["nelson_aalen_hazard"].values
    array([[0.25, 0.25, 0.75, 1.75]])
    """
    check_one_of(ties, TIES, parameter="ties", caller="nelson_aalen")
    check_one_of(confidence, HAZARD_CONFIDENCE, parameter="confidence", caller="nelson_aalen")
    check_between(level, parameter="level", caller="nelson_aalen", minimum=0.01, maximum=0.9999)
    outcome = check_outcome(patients, duration=duration, event=event, entry=entry, caller="nelson_aalen")
    codes, labels = check_groups(patients, group, caller="nelson_aalen")
    times = np.unique(outcome.duration)
    curves = []
    for code in range(len(labels)):
        curve = _hazard_curve(outcome, np.flatnonzero(codes == code), times, efron=ties == "efron")
        curve["lower"], curve["upper"] = hazard_limits(
            curve["hazard"], curve["standard_error"] ** 2, confidence=confidence, level=level
        )
        curves.append(curve)
    return make_result(
        RESULT,
        {f"nelson_aalen_{name}": np.stack([curve[name] for curve in curves]) for name in curves[0]},
        analysis="nelson_aalen",
        parameters={
            "duration": duration,
            "event": event,
            "group": group,
            "entry": entry,
            "ties": ties,
            "confidence": confidence,
            "level": level,
        },
        coordinates={"group": labels, "time": times},
    )


def _hazard_curve(outcome: Outcome, rows: Vector, times: Vector, *, efron: bool) -> dict[str, Any]:
    order = rows[np.argsort(outcome.duration[rows], kind="stable")]
    at_risk, events, _ = risk_table(np.sort(outcome.entry[rows]), outcome.duration[order], outcome.event[order], times)
    hazard, variance = cumulative_hazard(at_risk, events, efron)
    beyond = times > outcome.duration[order[-1]]
    return {
        "hazard": np.where(beyond, np.nan, hazard),
        "standard_error": np.where(beyond, np.nan, np.sqrt(variance)),
        "at_risk": at_risk,
        "events": events,
        "patients": rows.size,
        "event_total": int(outcome.event[rows].sum()),
    }
