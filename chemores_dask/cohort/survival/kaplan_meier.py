"""Kaplan-Meier curves with limits, medians and restricted means."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome
from chemores_dask.cohort.survival.restricted_means import check_horizon
from chemores_dask.kernels.competing_curves import jackknife_variances
from chemores_dask.kernels.product_limit import (
    CONFIDENCE,
    median_time,
    product_limit,
    restricted_mean,
    risk_table,
    survival_limits,
    weighted_table,
)
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

_CURVE = ("group", "time")
RESULT = declare(
    Variable("km_survival", _CURVE, "f", doc="share alive after the time; not a number beyond the group's follow-up"),
    Variable("km_standard_error", _CURVE, "f", doc="Greenwood's standard error of survival"),
    Variable("km_lower", _CURVE, "f", doc="lower limit of survival"),
    Variable("km_upper", _CURVE, "f", doc="upper limit of survival"),
    Variable("km_at_risk", _CURVE, "i", unit="patients", doc="in follow-up just before the time"),
    Variable("km_events", _CURVE, "i", unit="patients", doc="with the event at the time"),
    Variable("km_censored", _CURVE, "i", unit="patients", doc="lost to follow-up at the time"),
    Variable("km_weighted_at_risk", _CURVE, "f", unit="weights", doc="of those in follow-up", optional=True),
    Variable("km_weighted_events", _CURVE, "f", unit="weights", doc="of those with the event", optional=True),
    Variable("km_patients", ("group",), "i", unit="patients"),
    Variable("km_event_total", ("group",), "i", unit="patients", doc="with the event at any time"),
    Variable("km_median", ("group",), "f", unit="time", doc="not a number where survival stays above one half"),
    Variable("km_median_lower", ("group",), "f", unit="time"),
    Variable(
        "km_median_upper", ("group",), "f", unit="time", doc="not a number where the upper limit stays above one half"
    ),
    Variable("km_restricted_mean", ("group",), "f", unit="time", doc="mean time lived up to km_restrict"),
    Variable("km_restricted_mean_standard_error", ("group",), "f", unit="time"),
    Variable("km_restrict", (), "f", unit="time", doc="end of the restricted mean"),
)


@dataclass(frozen=True)
class CurveOptions:
    """Limits, weights and the restricted mean of a Kaplan-Meier curve.

    Attributes
    ----------
    confidence
        Scale of the limits: ``"log"`` (the default of ``survfit``), ``"log-log"`` (stays within 0 and 1 by itself; usual in clinical
        papers) or ``"plain"``.
    level
        Coverage of the limits.
    restrict
        Time up to which the restricted mean is taken: by default the longest time that every group was followed for.
    weights
        Variable with how often each patient counts, above 0. Whole weights are so many equal patients; with others, such as the inverse
        of a probability of selection, errors are those of the infinitesimal jackknife, as in ``survfit``.
    """

    confidence: str = "log"
    level: float = 0.95
    restrict: float | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        check_one_of(self.confidence, CONFIDENCE, parameter="confidence", caller="kaplan_meier")
        check_between(self.level, parameter="level", caller="kaplan_meier", minimum=0.01, maximum=0.9999)


def kaplan_meier(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    group: str | None = None,
    entry: str | None = None,
    options: CurveOptions = CurveOptions(),
) -> xr.Dataset:
    """Kaplan-Meier curves of groups of patients.

    Survival falls by ``1 - d/n`` at each time with ``d`` events among ``n`` at risk [1]_; the variance of its logarithm is Greenwood's sum
    of ``d / (n (n - d))``. Numbers, limits, medians and restricted means are those of R's ``survfit``.

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
    options
        Limits, weights and the end of the restricted mean.

    Returns
    -------
    Dataset over ``(group, time)``, with ``time`` the union of all ends of follow-up: ``km_survival``, ``km_standard_error``, ``km_lower``,
    ``km_upper`` (shares), ``km_at_risk``, ``km_events``, ``km_censored`` (patients). Over ``group``: ``km_patients``, ``km_event_total``,
    ``km_median`` with ``km_median_lower`` and ``km_median_upper``, ``km_restricted_mean`` with
    ``km_restricted_mean_standard_error`` (in the unit of ``duration``). ``km_restrict`` is a number. With weights also
    ``km_weighted_at_risk`` and ``km_weighted_events``; the others stay numbers of patients.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome or a group is missing or impossible; variable and patients are named.
    ParameterError
        If ``restrict`` lies beyond the follow-up of a group that has survivors.

    Notes
    -----
    Passes over the counts: 0. A duration of 0 is allowed, as in R: the patient is at risk at time 0 only. Limits are not a number where
    survival is 0 and, for log-log, where it is 1.

    References
    ----------
    .. [1] Kaplan EL, Meier P (1958). Nonparametric estimation from incomplete observations. JASA 53:457-481.

    Examples
    --------
    >>> patients = xr.Dataset({"months": ("patient", [1.0, 2.0, 3.0, 4.0]), "died": ("patient", [True, False, True, True])})
    >>> kaplan_meier(patients, duration="months", event="died")["km_survival"].values
    array([[0.75 , 0.75 , 0.375, 0.   ]])
    """
    outcome = check_outcome(
        patients, duration=duration, event=event, entry=entry, weights=options.weights, caller="kaplan_meier"
    )
    codes, labels = check_groups(patients, group, caller="kaplan_meier")
    members = [np.flatnonzero(codes == code) for code in range(len(labels))]
    until = check_horizon(outcome, members, labels, options.restrict, parameter="restrict", caller="kaplan_meier")
    times = np.unique(outcome.duration)
    curves = [_curve(outcome, rows, times, options=options, restrict=until) for rows in members]
    values: dict[str, object] = {name: np.stack([curve[name] for curve in curves]) for name in curves[0]}
    values["km_restrict"] = until
    return make_result(
        RESULT,
        values,
        analysis="kaplan_meier",
        parameters={"duration": duration, "event": event, "group": group, "entry": entry, "options": asdict(options)},
        coordinates={"group": labels, "time": times},
    )


def _curve(outcome: Outcome, rows: Vector, times: Vector, *, options: CurveOptions, restrict: float) -> dict[str, Any]:
    order = rows[np.argsort(outcome.duration[rows], kind="stable")]
    at_risk, events, censored = risk_table(
        np.sort(outcome.entry[rows]), outcome.duration[order], outcome.event[order], times
    )
    counts, weighted = (at_risk, events), {}
    if options.weights is not None:
        counts = weighted_table(
            outcome.entry[order], outcome.duration[order], outcome.event[order], outcome.weight[order], times
        )
        weighted = {"km_weighted_at_risk": counts[0], "km_weighted_events": counts[1]}
    survival, log_variance = product_limit(*counts)
    mean, variance = restricted_mean(times, survival, *counts, restrict)
    if (outcome.weight % 1 != 0).any():
        log_variance, variance = _jackknife(outcome, order, times, survival, restrict)
    beyond = times > outcome.duration[order[-1]]
    lower, upper = survival_limits(survival, log_variance, confidence=options.confidence, level=options.level)
    known = survival > 0
    error = np.where(known, survival * np.sqrt(np.where(known, log_variance, 0.0)), np.nan)
    for curve in (survival, error, lower, upper):
        curve[beyond] = np.nan
    return {
        "km_survival": survival,
        **weighted,
        "km_standard_error": error,
        "km_lower": lower,
        "km_upper": upper,
        "km_at_risk": at_risk,
        "km_events": events,
        "km_censored": censored,
        "km_patients": rows.size,
        "km_event_total": int(outcome.event[rows].sum()),
        "km_median": median_time(times, survival),
        "km_median_lower": median_time(times, lower),
        "km_median_upper": median_time(times, upper),
        "km_restricted_mean": mean,
        "km_restricted_mean_standard_error": float(np.sqrt(variance)),
    }


def _jackknife(
    outcome: Outcome, order: Vector, times: Vector, survival: Vector, restrict: float
) -> tuple[Vector, float]:
    cause = outcome.event[order].astype(np.int64)
    variances, means = jackknife_variances(
        outcome.entry[order], outcome.duration[order], cause, outcome.weight[order], times, 1, restrict
    )
    alive = survival > 0
    return np.where(alive, variances[0] / np.where(alive, survival, 1.0) ** 2, np.inf), float(means[0])
