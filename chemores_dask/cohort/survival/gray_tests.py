"""Gray's test of cumulative incidence between groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.checks import check_between
from chemores_dask.cohort.outcome import check_groups, check_strata
from chemores_dask.cohort.survival.competing_outcome import check_causes
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.gray_statistic import CENSORED, OF_INTEREST, OTHER, gray_sums
from chemores_dask.kernels.logrank import log_rank_test
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

_CAUSE, _BOTH = ("cause",), ("cause", "group")
RESULT = declare(
    Variable("gray_statistic", _CAUSE, "f", unit="chi-square"),
    Variable("gray_degrees_of_freedom", _CAUSE, "i"),
    Variable("gray_p_value", _CAUSE, "f", doc="from the chi-square distribution"),
    Variable("gray_patients", ("group",), "i", unit="patients"),
    Variable("gray_event_total", _BOTH, "i", unit="patients", doc="ended by the cause"),
    Variable(
        "gray_excess",
        _BOTH,
        "f",
        unit="events",
        doc="beyond those expected if incidence did not differ; weighted if rho is not 0",
    ),
)


def gray_test(
    patients: xr.Dataset,
    *,
    duration: str,
    cause: str,
    group: str,
    strata: str | Sequence[str] | None = None,
    censored: str | float | None = 0,
    rho: float = 0.0,
) -> xr.Dataset:
    """Test, for each of several causes, whether its cumulative incidence differs between groups.

    The log-rank test for shares of patients in the presence of other causes [1]_; numbers are those of ``cmprsk::cuminc``. A log-rank
    test that censors the other causes compares hazards instead, and answers another question.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, cause
        Variables: end of follow-up in any unit, and what ended it (labels or codes).
    group
        Variable with two or more values.
    strata
        Variable or variables: patients are compared only with those of the same stratum.
    censored
        Value of ``cause`` that stands for censored; None if nobody was.
    rho
        Every time weighs ``(1 - F(t-))^rho``, ``F`` being the pooled incidence: above 0 gives weight to early events.

    Returns
    -------
    Dataset over ``cause``: ``gray_statistic``, ``gray_degrees_of_freedom``, ``gray_p_value``; ``gray_patients`` over ``group``;
    ``gray_event_total`` and ``gray_excess`` over ``(cause, group)``. The attribute ``test`` names the test.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If there is one group only, or a duration, a cause or a group is missing or impossible.
    ParameterError
        If no patient has the value for censored.
    TooFewEventsError
        If all patients are censored, or all events of all causes fell where one group only was at risk.

    Notes
    -----
    Passes over the counts: 0. P values are those of one cause each, not adjusted for the number of causes. A cause whose events all fell
    where one group only was at risk has none.

    References
    ----------
    .. [1] Gray RJ (1988). A class of K-sample tests for comparing the cumulative incidence of a competing risk. Ann Stat 16:1141-1154.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "months": ("patient", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ...     "ended": ("patient", ["relapse", "relapse", "death", "censored", "death", "relapse"]),
    ...     "arm": ("patient", ["a", "a", "a", "b", "b", "b"]),
    ... })
    >>> result = gray_test(patients, duration="months", cause="ended", group="arm", censored="censored")
    >>> dict(zip(result["cause"].values.tolist(), result["gray_p_value"].values.round(4).tolist()))
    {'death': 0.3827, 'relapse': 0.1184}
    """
    check_between(rho, parameter="rho", caller="gray_test", minimum=0.0)
    found = check_causes(patients, duration=duration, cause=cause, censored=censored, entry=None, caller="gray_test")
    codes, labels = check_groups(patients, group, caller="gray_test")
    if len(labels) < 2:
        message = f"gray_test needs at least two groups. {group!r} is {labels[0]!r} for all {codes.size} patients."
        raise InputError(message)
    stratum = check_strata(patients, strata, caller="gray_test")
    order = np.lexsort((found.outcome.duration, stratum))
    tests, excess, totals = [], [], []
    for code in range(1, len(found.causes) + 1):
        own = found.cause == code
        ending = np.where(own, OF_INTEREST, np.where(found.cause == 0, CENSORED, OTHER))
        difference, variance = gray_sums(
            found.outcome.duration[order], ending[order], codes[order], stratum[order], len(labels), float(rho)
        )
        tests.append(log_rank_test(difference, np.zeros(len(labels)), variance))
        excess.append(difference)
        totals.append(np.bincount(codes[own], minlength=len(labels)))
    if not any(degrees for _, degrees, _ in tests):
        message = (
            "gray_test needs a time at which patients of two groups are at risk and somebody has an event. Found none among "
            f"{found.outcome.event.sum()} events; use fewer strata, or compare groups that were followed at the same time."
        )
        raise TooFewEventsError(message)
    statistic, degrees, p_value = zip(*tests, strict=True)
    return make_result(
        RESULT,
        {
            "gray_statistic": list(statistic),
            "gray_degrees_of_freedom": list(degrees),
            "gray_p_value": list(p_value),
            "gray_patients": np.bincount(codes, minlength=len(labels)),
            "gray_event_total": np.stack(totals),
            "gray_excess": np.stack(excess),
        },
        analysis="gray_test",
        parameters={
            "duration": duration,
            "cause": cause,
            "group": group,
            "strata": strata,
            "censored": censored,
            "rho": rho,
        },
        coordinates={"group": labels, "cause": found.causes},
        attributes={"test": ("stratified " if strata else "") + "Gray's test" + (f" (rho {rho:g})" if rho else "")},
    )
