"""Mean time lived up to a horizon, compared between groups."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome
from chemores_dask.errors import ParameterError
from chemores_dask.kernels.multiple_testing import holm
from chemores_dask.kernels.product_limit import product_limit, risk_table
from chemores_dask.kernels.product_limit import restricted_mean as area_under
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

_GROUP, _PAIR = ("group",), ("pair",)
RESULT = declare(
    Variable("restricted_mean_horizon", (), "f", unit="time", doc="up to which the means are taken"),
    Variable("restricted_mean_time", _GROUP, "f", unit="time", doc="mean time lived up to the horizon"),
    Variable("restricted_mean_standard_error", _GROUP, "f", unit="time"),
    Variable("restricted_mean_lower", _GROUP, "f", unit="time", doc="lower limit"),
    Variable("restricted_mean_upper", _GROUP, "f", unit="time", doc="upper limit"),
    Variable("restricted_mean_patients", _GROUP, "i", unit="patients"),
    Variable("restricted_mean_event_total", _GROUP, "i", unit="patients", doc="with the event up to the horizon"),
    Variable("restricted_mean_pair_patients", _PAIR, "i", unit="patients", doc="of both groups", optional=True),
    Variable("restricted_mean_difference", _PAIR, "f", unit="time", doc="minus the reference", optional=True),
    Variable("restricted_mean_difference_standard_error", _PAIR, "f", unit="time", optional=True),
    Variable("restricted_mean_difference_lower", _PAIR, "f", unit="time", doc="lower limit", optional=True),
    Variable("restricted_mean_difference_upper", _PAIR, "f", unit="time", doc="upper limit", optional=True),
    Variable("restricted_mean_difference_p_value", _PAIR, "f", doc="normal test, two-sided", optional=True),
    Variable("restricted_mean_difference_holm_p_value", _PAIR, "f", doc="Holm over the pairs", optional=True),
    Variable("restricted_mean_ratio", _PAIR, "f", doc="over the mean of the reference", optional=True),
    Variable("restricted_mean_ratio_lower", _PAIR, "f", doc="lower limit", optional=True),
    Variable("restricted_mean_ratio_upper", _PAIR, "f", doc="upper limit", optional=True),
    Variable("restricted_mean_ratio_p_value", _PAIR, "f", doc="normal test of its logarithm, two-sided", optional=True),
)


def restricted_mean(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    group: str | None = None,
    entry: str | None = None,
    horizon: float | None = None,
    reference: str | None = None,
    level: float = 0.95,
) -> xr.Dataset:
    """Mean time lived up to a horizon, and its difference and ratio between groups.

    The area under the Kaplan-Meier curve up to the horizon [1]_, an effect in units of time that needs no proportional hazards. Means and
    errors are those of R's ``survfit`` (``rmean``); differences and ratios (on the logarithm) follow ``survRM2``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    group
        Variable that splits the patients; everybody is in the group ``all`` unless given.
    entry
        Variable with the time at which the patient came under observation (left truncation).
    horizon
        Time up to which the means are taken: by default the longest time that every group was followed for. Choose it before looking.
    reference
        Label of the group that all others are compared with; by default every pair of groups is compared, later with earlier label.
    level
        Coverage of all limits.

    Returns
    -------
    Dataset with ``restricted_mean_horizon``; over ``group`` ``restricted_mean_time`` with ``restricted_mean_standard_error`` and limits,
    ``restricted_mean_patients``, ``restricted_mean_event_total``; with two groups or more, over ``pair``,
    ``restricted_mean_difference`` and ``restricted_mean_ratio`` with limits and P, and Holm's P over the pairs.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If an outcome or a group is missing or impossible; variable and patients are named.
    ParameterError
        If ``horizon`` lies beyond the follow-up of a group that has survivors, or ``reference`` is no group.

    Notes
    -----
    Passes over the counts: 0. A mean without events before the horizon has no error, and no test. A time at which all who are at risk have
    the event adds nothing to the variance.

    References
    ----------
    .. [1] Royston P, Parmar MKB (2013). Restricted mean survival time: an alternative to the hazard ratio. BMC Med Res Methodol 13:152.
    .. [2] Uno H, et al. (2014). Moving beyond the hazard ratio in quantifying the between-group difference. JCO 32:2380-2385.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "months": ("patient", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ...     "died": ("patient", [True, True, False, True, False, True]),
    ...     "arm": ("patient", ["a", "a", "a", "b", "b", "b"]),
    ... })
    >>> result = restricted_mean(patients, duration="months", event="died", group="arm", horizon=3.0)
    >>> result["restricted_mean_time"].values, result["restricted_mean_difference"].values
    (array([2., 3.]), array([1.]))
    """
    check_between(level, parameter="level", caller="restricted_mean", minimum=0.01, maximum=0.9999)
    outcome = check_outcome(patients, duration=duration, event=event, entry=entry, caller="restricted_mean")
    codes, labels = check_groups(patients, group, caller="restricted_mean")
    members = [np.flatnonzero(codes == code) for code in range(len(labels))]
    until = check_horizon(outcome, members, labels, horizon, parameter="horizon", caller="restricted_mean")
    found = np.array([_mean_and_variance(outcome, rows, until) for rows in members])
    pairs = _pairs(labels, reference)
    counts = np.array([rows.size for rows in members])
    half = ndtri(0.5 + level / 2) * np.sqrt(found[:, 1])
    compared = _pair_values(found, pairs, counts, level=level) if pairs else {}
    return make_result(
        RESULT,
        {
            "restricted_mean_horizon": until,
            "restricted_mean_time": found[:, 0],
            "restricted_mean_standard_error": np.sqrt(found[:, 1]),
            "restricted_mean_lower": found[:, 0] - half,
            "restricted_mean_upper": found[:, 0] + half,
            "restricted_mean_patients": counts,
            "restricted_mean_event_total": [
                int((outcome.event & (outcome.duration <= until))[rows].sum()) for rows in members
            ],
            **compared,
        },
        analysis="restricted_mean",
        parameters={
            "duration": duration,
            "event": event,
            "group": group,
            "entry": entry,
            "horizon": horizon,
            "reference": reference,
            "level": level,
        },
        coordinates={"group": labels}
        | ({"pair": [f"{labels[second]} vs {labels[first]}" for first, second in pairs]} if pairs else {}),
    )


def check_horizon(
    outcome: Outcome, members: list[Vector], labels: list[str], horizon: float | None, *, parameter: str, caller: str
) -> float:
    """Refuse a horizon at which the curve of a group is not known.

    Parameters
    ----------
    outcome, members, labels
        Follow-up, the rows of each group and its label.
    horizon
        The horizon; None takes the longest time that every group was followed for.
    parameter, caller
        Names, for messages.

    Returns
    -------
    The horizon.

    Raises
    ------
    ParameterError
        Naming the groups whose follow-up ends earlier with survivors.
    """
    ends = np.array([outcome.duration[rows].max() for rows in members])
    if horizon is None:
        return float(ends.min())
    check_between(horizon, parameter=parameter, caller=caller, minimum=np.finfo(float).tiny)
    # Beyond its follow-up a curve is known only if nobody was left: all who were still there at the end had the event.
    short = [
        f"{label} ({end:g})"
        for label, end, rows in zip(labels, ends, members, strict=True)
        if end < horizon and not outcome.event[rows][outcome.duration[rows] == end].all()
    ]
    if short:
        message = (
            f"The '{parameter}' parameter of {caller} must not exceed the follow-up of any group. Got {horizon:g}; "
            f"follow-up ends earlier in: {listed(short)}. Lower {parameter}, or leave it out."
        )
        raise ParameterError(message)
    return float(horizon)


def _mean_and_variance(outcome: Outcome, rows: Vector, until: float) -> tuple[float, float]:
    order = rows[np.argsort(outcome.duration[rows], kind="stable")]
    times = np.unique(outcome.duration[rows])
    at_risk, events, _ = risk_table(np.sort(outcome.entry[rows]), outcome.duration[order], outcome.event[order], times)
    survival, _ = product_limit(at_risk, events)
    return area_under(times, survival, at_risk, events, until)


def _pairs(labels: list[str], reference: str | None) -> list[tuple[int, int]]:
    if reference is None:
        return [(first, second) for first in range(len(labels)) for second in range(first + 1, len(labels))]
    if str(reference) not in labels:
        message = f"The 'reference' parameter of restricted_mean must be a group. Got {reference!r}; groups: {listed(labels)}."
        raise ParameterError(message)
    first = labels.index(str(reference))
    return [(first, second) for second in range(len(labels)) if second != first]


def _pair_values(found: np.ndarray, pairs: list[tuple[int, int]], counts: Vector, *, level: float) -> dict[str, object]:
    first, second = np.array(pairs).T
    mean, variance = found.T
    z = ndtri(0.5 + level / 2)
    difference, error = mean[second] - mean[first], np.sqrt(variance[first] + variance[second])
    known = (mean[first] > 0) & (mean[second] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(known, mean[second] / mean[first], np.nan)
        relative = np.sqrt(variance[first] / mean[first] ** 2 + variance[second] / mean[second] ** 2)
        p_value = np.where(error > 0, 2 * ndtr(-np.abs(difference) / error), np.nan)
        ratio_p_value = np.where(relative > 0, 2 * ndtr(-np.abs(np.log(ratio)) / relative), np.nan)
    return {
        "restricted_mean_pair_patients": counts[first] + counts[second],
        "restricted_mean_difference": difference,
        "restricted_mean_difference_standard_error": error,
        "restricted_mean_difference_lower": difference - z * error,
        "restricted_mean_difference_upper": difference + z * error,
        "restricted_mean_difference_p_value": p_value,
        "restricted_mean_difference_holm_p_value": holm(p_value),
        "restricted_mean_ratio": ratio,
        "restricted_mean_ratio_lower": ratio * np.exp(-z * relative),
        "restricted_mean_ratio_upper": ratio * np.exp(z * relative),
        "restricted_mean_ratio_p_value": ratio_p_value,
    }
