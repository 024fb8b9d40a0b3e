"""The log-rank test between groups of patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.checks import check_between
from chemores_dask.cohort.outcome import check_groups, check_outcome, check_strata
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.logrank import log_rank_sums, log_rank_test
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("log_rank_statistic", (), "f", unit="chi-square"),
    Variable("log_rank_degrees_of_freedom", (), "i"),
    Variable("log_rank_p_value", (), "f", doc="from the chi-square distribution"),
    Variable("log_rank_patients", ("group",), "i", unit="patients"),
    Variable("log_rank_observed", ("group",), "f", unit="events", doc="weighted if rho is not 0"),
    Variable(
        "log_rank_expected", ("group",), "f", unit="events", doc="if survival did not differ; weighted if rho is not 0"
    ),
)


def log_rank(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    group: str,
    strata: str | Sequence[str] | None = None,
    rho: float = 0.0,
) -> xr.Dataset:
    """Test whether survival differs between groups.

    Observed events of each group are compared with those expected if all groups had the same hazard, over all times of all strata [1]_;
    the statistic is ``(O - E)' V^- (O - E)`` with the hypergeometric variance ``V``. Numbers are those of R's ``survdiff``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    group
        Variable with two or more values.
    strata
        Variable or variables: patients are compared only with those of the same stratum.
    rho
        Every time weighs ``S(t-)^rho`` [2]_: 0 is the log-rank test, 1 gives weight to early events.

    Returns
    -------
    Dataset with the numbers ``log_rank_statistic``, ``log_rank_degrees_of_freedom``, ``log_rank_p_value``, and over ``group``
    ``log_rank_patients``, ``log_rank_observed``, ``log_rank_expected``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If there is one group only, or an outcome or a group is missing or impossible.
    TooFewEventsError
        If nobody had the event, or all events fell where one group only was at risk.

    Notes
    -----
    Passes over the counts: 0.

    References
    ----------
    .. [1] Mantel N (1966). Evaluation of survival data and two new rank order statistics. Cancer Chemotherapy Reports 50:163-170.
    .. [2] Harrington DP, Fleming TR (1982). A class of rank test procedures for censored survival data. Biometrika 69:553-566.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "months": ("patient", [1.0, 2.0, 3.0, 4.0]),
    ...     "died": ("patient", [True, True, True, True]),
    ...     "arm": ("patient", ["a", "a", "b", "b"]),
    ... })
    >>> result = log_rank(patients, duration="months", event="died", group="arm")
    >>> round(float(result["log_rank_statistic"]), 4)
    2.8824
    """
    check_between(rho, parameter="rho", caller="log_rank", minimum=0.0)
    outcome = check_outcome(patients, duration=duration, event=event, caller="log_rank")
    codes, labels = check_groups(patients, group, caller="log_rank")
    if len(labels) < 2:
        message = f"log_rank needs at least two groups. {group!r} is {labels[0]!r} for all {codes.size} patients."
        raise InputError(message)
    if not outcome.event.any():
        message = (
            f"log_rank needs events. {event!r} is false for all {codes.size} patients; is it coded the other way round?"
        )
        raise TooFewEventsError(message)
    stratum = check_strata(patients, strata, caller="log_rank")
    order = np.lexsort((outcome.duration, stratum))
    observed, expected, variance = log_rank_sums(
        outcome.duration[order], outcome.event[order], codes[order], stratum[order], len(labels), float(rho)
    )
    statistic, degrees, p_value = log_rank_test(observed, expected, variance)
    if degrees == 0:
        message = (
            "log_rank needs a time at which patients of two groups are at risk and somebody has the event. Found none among "
            f"{outcome.event.sum()} events; use fewer strata, or compare groups that were followed at the same time."
        )
        raise TooFewEventsError(message)
    return make_result(
        RESULT,
        {
            "log_rank_statistic": statistic,
            "log_rank_degrees_of_freedom": degrees,
            "log_rank_p_value": p_value,
            "log_rank_patients": np.bincount(codes, minlength=len(labels)),
            "log_rank_observed": observed,
            "log_rank_expected": expected,
        },
        analysis="log_rank",
        parameters={"duration": duration, "event": event, "group": group, "strata": strata, "rho": rho},
        coordinates={"group": labels},
    )
