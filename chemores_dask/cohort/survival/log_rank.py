"""Log-rank tests between groups of patients: weighted, within strata, pair by pair, as a trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, listed
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome, check_strata
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.kernels.logrank import log_rank_sums, log_rank_test, log_rank_trend
from chemores_dask.kernels.multiple_testing import holm
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

WEIGHTINGS = {
    "log_rank": "log-rank test",
    "peto_peto": "Peto-Peto test",
    "gehan": "Gehan-Wilcoxon test",
    "tarone_ware": "Tarone-Ware test",
    "fleming_harrington": "Fleming-Harrington test",
}
"""Names of the tests by the weighting."""

_GROUP, _PAIR = ("group",), ("pair",)
RESULT = declare(
    Variable("log_rank_statistic", (), "f", unit="chi-square"),
    Variable("log_rank_degrees_of_freedom", (), "i"),
    Variable("log_rank_p_value", (), "f", doc="from the chi-square distribution"),
    Variable("log_rank_patients", _GROUP, "i", unit="patients"),
    Variable("log_rank_event_total", _GROUP, "i", unit="patients", doc="with the event"),
    Variable("log_rank_observed", _GROUP, "f", unit="events", doc="weighted unless the weighting is log_rank"),
    Variable(
        "log_rank_expected",
        _GROUP,
        "f",
        unit="events",
        doc="if survival did not differ; weighted unless the weighting is log_rank",
    ),
    Variable("log_rank_pair_patients", _PAIR, "i", unit="patients", doc="of both groups", optional=True),
    Variable("log_rank_pair_statistic", _PAIR, "f", unit="chi-square", optional=True),
    Variable("log_rank_pair_p_value", _PAIR, "f", doc="from the chi-square distribution", optional=True),
    Variable("log_rank_pair_holm_p_value", _PAIR, "f", doc="Holm over all pairs", optional=True),
    Variable(
        "log_rank_trend_statistic",
        (),
        "f",
        unit="standard deviations",
        doc="above 0 where later groups have more events than expected",
        optional=True,
    ),
    Variable("log_rank_trend_p_value", (), "f", doc="trend over the ordered groups, two-sided", optional=True),
)


@dataclass(frozen=True)
class RankTestOptions:
    """How the times of a log-rank test weigh, and in which order its groups stand.

    Attributes
    ----------
    weighting
        Weight of a time ``t`` with ``n`` at risk, ``S`` being the pooled survival of the stratum: ``"log_rank"`` 1, ``"peto_peto"``
        ``S(t-)``, ``"gehan"`` ``n``, ``"tarone_ware"`` the root of ``n``, ``"fleming_harrington"`` ``S(t-)^rho (1 - S(t-))^gamma``.
    rho, gamma
        Exponents of ``"fleming_harrington"``: ``rho`` gives weight to early differences, ``gamma`` to late ones.
    order
        Labels of all groups, lowest first, for a test of trend with the scores 0, 1, 2, …; no such test unless given.
    """

    weighting: str = "log_rank"
    rho: float = 0.0
    gamma: float = 0.0
    order: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_one_of(self.weighting, WEIGHTINGS, parameter="weighting", caller="log_rank")
        for name in ("rho", "gamma"):
            value = getattr(self, name)
            check_between(value, parameter=name, caller="log_rank", minimum=0.0)
            if value and self.weighting != "fleming_harrington":
                message = (
                    f"The '{name}' parameter of log_rank belongs to the weighting 'fleming_harrington'. Got {value:g} with the weighting "
                    f"{self.weighting!r}."
                )
                raise ParameterError(message)

    @property
    def exponents(self) -> Vector:
        """Exponents of the number at risk, the survival and its complement in the weight of a time."""
        powers = {
            "log_rank": (0.0, 0.0, 0.0),
            "peto_peto": (0.0, 1.0, 0.0),
            "gehan": (1.0, 0.0, 0.0),
            "tarone_ware": (0.5, 0.0, 0.0),
            "fleming_harrington": (0.0, float(self.rho), float(self.gamma)),
        }
        return np.array(powers[self.weighting])


def log_rank(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    group: str,
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    options: RankTestOptions = RankTestOptions(),
) -> xr.Dataset:
    """Test whether survival differs between groups.

    Observed events of each group are compared with those expected if all groups had the same hazard, over all times of all strata [1]_;
    the statistic is ``(O - E)' V^- (O - E)`` with the hypergeometric variance ``V``. Numbers are those of R's ``survdiff``, whose ``rho``
    is that of the weighting ``"fleming_harrington"`` [2]_.

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
    entry
        Variable with the time at which the patient came under observation (left truncation). A patient is at risk at ``t`` when
        ``entry < t <= duration``.
    options
        Weighting of the times, and the order of the groups for a test of trend [3]_.

    Returns
    -------
    Dataset with the numbers ``log_rank_statistic``, ``log_rank_degrees_of_freedom``, ``log_rank_p_value``, and over ``group``
    ``log_rank_patients``, ``log_rank_event_total``, ``log_rank_observed``, ``log_rank_expected``. With more than two groups, over
    ``pair``: ``log_rank_pair_patients``, ``log_rank_pair_statistic``, ``log_rank_pair_p_value`` and, adjusted by Holm over all pairs,
    ``log_rank_pair_holm_p_value``; each pair from its own patients only. With an order, ``log_rank_trend_statistic`` and
    ``log_rank_trend_p_value``. The attribute ``test`` names the test.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If there is one group only, or an outcome or a group is missing or impossible.
    ParameterError
        If ``order`` does not name every group once.
    TooFewEventsError
        If nobody had the event, or all events fell where one group only was at risk.

    Notes
    -----
    Passes over the counts: 0. The pair of two groups that are never at risk together has no P value, and none of the Holm values.

    References
    ----------
    .. [1] Mantel N (1966). Evaluation of survival data and two new rank order statistics. Cancer Chemotherapy Reports 50:163-170.
    .. [2] Harrington DP, Fleming TR (1982). A class of rank test procedures for censored survival data. Biometrika 69:553-566.
    .. [3] Tarone RE (1975). Tests for trend in life table analysis. Biometrika 62:679-690.

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
    outcome = check_outcome(patients, duration=duration, event=event, entry=entry, caller="log_rank")
    codes, labels = check_groups(patients, group, caller="log_rank")
    _check_comparison(outcome, labels, event=event, group=group)
    scores = None if options.order is None else _scores(options.order, labels)
    stratum = check_strata(patients, strata, caller="log_rank")
    sums = _sums(outcome, np.arange(codes.size), codes, stratum, len(labels), options)
    statistic, degrees, p_value = log_rank_test(*sums)
    if degrees == 0:
        message = (
            "log_rank needs a time that counts at which patients of two groups are at risk and somebody has the event. Found none among "
            f"{outcome.event.sum()} events; use fewer strata, or compare groups that were followed at the same time."
        )
        raise TooFewEventsError(message)
    pairs = list(combinations(range(len(labels)), 2)) if len(labels) > 2 else []
    trend = {} if scores is None else dict(zip(("statistic", "p_value"), log_rank_trend(*sums, scores), strict=True))
    return make_result(
        RESULT,
        {
            "log_rank_statistic": statistic,
            "log_rank_degrees_of_freedom": degrees,
            "log_rank_p_value": p_value,
            "log_rank_patients": np.bincount(codes, minlength=len(labels)),
            "log_rank_event_total": np.bincount(codes[outcome.event], minlength=len(labels)),
            "log_rank_observed": sums[0],
            "log_rank_expected": sums[1],
            **{f"log_rank_trend_{name}": value for name, value in trend.items()},
            **(_pair_values(outcome, codes, stratum, pairs, options) if pairs else {}),
        },
        analysis="log_rank",
        parameters={
            "duration": duration,
            "event": event,
            "group": group,
            "strata": strata,
            "entry": entry,
            "options": asdict(options),
        },
        coordinates={"group": labels}
        | ({"pair": [f"{labels[second]} vs {labels[first]}" for first, second in pairs]} if pairs else {}),
        attributes={"test": _name_of(options, strata)}
        | ({"family": f"all {len(pairs)} pairs of groups"} if pairs else {}),
    )


def _name_of(options: RankTestOptions, strata: str | Sequence[str] | None) -> str:
    name = WEIGHTINGS[options.weighting]
    if options.weighting == "fleming_harrington":
        name += f" (rho {options.rho:g}, gamma {options.gamma:g})"
    return f"stratified {name}" if strata else name


def _check_comparison(outcome: Outcome, labels: list[str], *, event: str, group: str) -> None:
    if len(labels) < 2:
        message = (
            f"log_rank needs at least two groups. {group!r} is {labels[0]!r} for all {outcome.duration.size} patients."
        )
        raise InputError(message)
    if not outcome.event.any():
        message = f"log_rank needs events. {event!r} is false for all {outcome.duration.size} patients; is it coded the other way round?"
        raise TooFewEventsError(message)


def _scores(order: Sequence[str], labels: list[str]) -> Vector:
    named = [str(label) for label in order] if not isinstance(order, str) else [order]
    if sorted(named) != sorted(labels):
        message = f"The 'order' parameter of log_rank must name every group once. Got {listed(named)}; groups: {listed(labels)}."
        raise ParameterError(message)
    return np.array([named.index(label) for label in labels], dtype=float)


def _sums(
    outcome: Outcome, rows: Vector, codes: Vector, stratum: Vector, groups: int, options: RankTestOptions
) -> tuple[Vector, Vector, Matrix]:
    order = rows[np.lexsort((outcome.duration[rows], stratum[rows]))]
    return log_rank_sums(
        outcome.entry[order],
        outcome.duration[order],
        outcome.event[order],
        codes[order],
        stratum[order],
        groups,
        options.exponents,
    )


def _pair_values(
    outcome: Outcome, codes: Vector, stratum: Vector, pairs: list[tuple[int, int]], options: RankTestOptions
) -> dict[str, object]:
    found = []
    for first, second in pairs:
        rows = np.flatnonzero((codes == first) | (codes == second))
        sums = _sums(outcome, rows, (codes == second).astype(np.int64), stratum, 2, options)
        statistic, _, p_value = log_rank_test(*sums)
        found.append((rows.size, statistic, p_value))
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return {
        "log_rank_pair_patients": columns[0],
        "log_rank_pair_statistic": columns[1],
        "log_rank_pair_p_value": columns[2],
        "log_rank_pair_holm_p_value": holm(columns[2]),
    }
