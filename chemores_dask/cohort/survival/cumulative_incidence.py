"""Cumulative incidence of competing causes in groups of patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of
from chemores_dask.cohort.outcome import check_groups
from chemores_dask.cohort.survival.competing_outcome import CompetingOutcome, check_causes
from chemores_dask.kernels.competing_curves import cause_table, counting_variance, incidence, jackknife_variances
from chemores_dask.kernels.product_limit import CONFIDENCE, survival_limits
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

VARIANCES = ("counting", "jackknife")

_CURVE, _FREE = ("group", "cause", "time"), ("group", "time")
RESULT = declare(
    Variable("incidence_share", _CURVE, "f", doc="ended by the cause; not a number beyond the group's follow-up"),
    Variable("incidence_standard_error", _CURVE, "f"),
    Variable("incidence_lower", _CURVE, "f", doc="lower limit"),
    Variable("incidence_upper", _CURVE, "f", doc="upper limit"),
    Variable("incidence_events", _CURVE, "i", unit="patients", doc="ended by the cause at the time"),
    Variable("incidence_event_free", _FREE, "f", doc="share without any event after the time"),
    Variable("incidence_at_risk", _FREE, "i", unit="patients", doc="in follow-up just before the time"),
    Variable("incidence_censored", _FREE, "i", unit="patients", doc="lost to follow-up at the time"),
    Variable("incidence_patients", ("group",), "i", unit="patients"),
    Variable("incidence_event_total", ("group", "cause"), "i", unit="patients", doc="ended by the cause at any time"),
)


@dataclass(frozen=True)
class IncidenceOptions:
    """Errors and limits of cumulative incidences.

    Attributes
    ----------
    variance
        ``"counting"``: from the counting processes, as ``cmprsk::cuminc``. ``"jackknife"``: from what each patient adds (infinitesimal
        jackknife), as ``survfit`` for several states.
    confidence
        Scale of the limits: ``"log-log"`` (stays within 0 and 1 by itself), ``"log"`` or ``"plain"``.
    level
        Coverage of the limits.
    """

    variance: str = "counting"
    confidence: str = "log-log"
    level: float = 0.95

    def __post_init__(self) -> None:
        check_one_of(self.variance, VARIANCES, parameter="variance", caller="cumulative_incidence")
        check_one_of(self.confidence, CONFIDENCE, parameter="confidence", caller="cumulative_incidence")
        check_between(self.level, parameter="level", caller="cumulative_incidence", minimum=0.01, maximum=0.9999)


def cumulative_incidence(
    patients: xr.Dataset,
    *,
    duration: str,
    cause: str,
    group: str | None = None,
    entry: str | None = None,
    censored: str | float | None = 0,
    options: IncidenceOptions = IncidenceOptions(),
) -> xr.Dataset:
    """Share of patients whom each of several causes has ended, over time.

    Aalen and Johansen's estimate [1]_: at a time with ``d`` events of a cause among ``n`` at risk its share rises by ``S(t-) d / n``, ``S``
    being the share without any event. One minus a Kaplan-Meier curve that censors the other causes is larger, and no share of patients.
    Numbers are those of ``cmprsk::cuminc``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, cause
        Variables: end of follow-up in any unit, and what ended it (labels or codes).
    group
        Variable that splits the patients; everybody is in the group ``all`` unless given.
    entry
        Variable with the time at which the patient came under observation (left truncation). A patient is at risk at ``t`` when
        ``entry < t <= duration``.
    censored
        Value of ``cause`` that stands for censored; None if nobody was.
    options
        Errors and limits.

    Returns
    -------
    Dataset over ``(group, cause, time)``, with ``time`` the union of all ends of follow-up: ``incidence_share`` with
    ``incidence_standard_error``, ``incidence_lower``, ``incidence_upper``, and ``incidence_events`` (patients); over ``(group, time)``
    ``incidence_event_free``, ``incidence_at_risk``, ``incidence_censored``; ``incidence_patients`` over ``group`` and
    ``incidence_event_total`` over ``(group, cause)``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a duration, a cause or a group is missing or impossible; variable and patients are named.
    ParameterError
        If no patient has the value for censored.
    TooFewEventsError
        If all patients are censored.

    Notes
    -----
    Passes over the counts: 0. Limits on the scales ``"log"`` and ``"log-log"`` are not numbers before the first event of the cause.

    References
    ----------
    .. [1] Aalen OO, Johansen S (1978). An empirical transition matrix for non-homogeneous Markov chains. Scand J Stat 5:141-150.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "months": ("patient", [1.0, 2.0, 3.0, 4.0]),
    ...     "ended": ("patient", ["relapse", "censored", "death", "relapse"]),
    ... })
    >>> result = cumulative_incidence(patients, duration="months", cause="ended", censored="censored")
    >>> result["incidence_share"].sel(group="all", cause="relapse").values
    array([0.25 , 0.25 , 0.25 , 0.625])
    """
    found = check_causes(
        patients, duration=duration, cause=cause, censored=censored, entry=entry, caller="cumulative_incidence"
    )
    codes, labels = check_groups(patients, group, caller="cumulative_incidence")
    times = np.unique(found.outcome.duration)
    curves = [_curves(found, np.flatnonzero(codes == code), times, options) for code in range(len(labels))]
    return make_result(
        RESULT,
        {f"incidence_{name}": np.stack([curve[name] for curve in curves]) for name in curves[0]},
        analysis="cumulative_incidence",
        parameters={
            "duration": duration,
            "cause": cause,
            "group": group,
            "entry": entry,
            "censored": censored,
            "options": asdict(options),
        },
        coordinates={"group": labels, "cause": found.causes, "time": times},
    )


def _curves(found: CompetingOutcome, rows: Vector, times: Vector, options: IncidenceOptions) -> dict[str, Any]:
    # By time, so that sums do not depend on the order of the patients.
    order = rows[np.lexsort((found.outcome.entry[rows], found.cause[rows], found.outcome.duration[rows]))]
    entry, duration, cause = found.outcome.entry[order], found.outcome.duration[order], found.cause[order]
    table = cause_table(entry, duration, cause, times, len(found.causes))
    free, shares = incidence(table)
    if options.variance == "counting":
        variances = counting_variance(table, free, shares)
    else:
        ones = np.ones(order.size)
        variances = jackknife_variances(entry, duration, cause, ones, times, len(found.causes), 0.0)[0][1:]
    known = shares > 0
    relative = np.where(known, variances / np.where(known, shares, 1.0) ** 2, np.nan)
    lower, upper = survival_limits(shares, relative, confidence=options.confidence, level=options.level)
    beyond = times > duration[-1]
    values = {"share": shares, "standard_error": np.sqrt(variances), "lower": lower, "upper": upper, "event_free": free}
    return {
        **{name: np.where(beyond, np.nan, value) for name, value in values.items()},
        "events": table.events,
        "at_risk": table.at_risk,
        "censored": table.censored,
        "patients": np.int64(rows.size),
        "event_total": table.events.sum(axis=1),
    }
