"""How well risk scores order patients by survival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome, check_strata, design_matrix
from chemores_dask.errors import InputError, ParameterError, TooFewEventsError
from chemores_dask.kernels.concordance import concordance_pairs, concordance_summary, unseen_weights
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

METHODS = ("harrell", "uno")

_SCORE = ("score",)
RESULT = declare(
    Variable(
        "concordance_value", _SCORE, "f", doc="share of pairs in which the higher score lives shorter, ties by halves"
    ),
    Variable("concordance_standard_error", _SCORE, "f", doc="infinitesimal jackknife"),
    Variable("concordance_lower", _SCORE, "f"),
    Variable("concordance_upper", _SCORE, "f"),
    Variable("concordance_p_value", _SCORE, "f", doc="two-sided, against one half"),
    Variable("concordance_concordant", _SCORE, "f", unit="pairs", doc="weighted"),
    Variable("concordance_discordant", _SCORE, "f", unit="pairs", doc="weighted"),
    Variable("concordance_tied", _SCORE, "f", unit="pairs", doc="with equal scores, weighted"),
    Variable("concordance_difference", _SCORE, "f", doc="to the first score"),
    Variable("concordance_difference_standard_error", _SCORE, "f", doc="of scores of the same patients"),
    Variable("concordance_difference_p_value", _SCORE, "f", doc="two-sided; not a number for the first score"),
    Variable("concordance_patients", (), "i", unit="patients"),
    Variable("concordance_events", (), "i", unit="patients"),
)


@dataclass(frozen=True)
class ConcordanceOptions:
    """How pairs of patients are counted.

    Attributes
    ----------
    method
        ``"harrell"``: every pair whose order is known counts alike. ``"uno"``: deaths count by one over the squared chance of not being
        censored before, so that the value does not depend on how patients were censored.
    until
        Deaths after this time do not count; all do unless given.
    weights
        Variable with the weight of each patient, above 0.
    cluster
        Variable: patients of the same cluster are not independent.
    level
        Coverage of limits.
    """

    method: str = "harrell"
    until: float | None = None
    weights: str | None = None
    cluster: str | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        check_one_of(self.method, METHODS, parameter="method", caller="ConcordanceOptions")
        check_between(self.level, parameter="level", caller="ConcordanceOptions", minimum=0.01, maximum=0.9999)
        if self.until is not None:
            check_between(self.until, parameter="until", caller="ConcordanceOptions", minimum=np.finfo(float).tiny)


def concordance(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    risk: str | Sequence[str],
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    options: ConcordanceOptions = ConcordanceOptions(),
) -> xr.Dataset:
    """Concordance of risk scores with survival, and differences between scores.

    Numbers are those of R's ``concordance``: Harrell's with ``timewt="n"`` [1]_, Uno's with ``timewt="n/G2"`` [2]_.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    risk
        Variable or variables, higher for a shorter life.
    strata
        Variable or variables: only patients of the same stratum are compared.
    entry
        Variable with the time at which the patient came under observation (left truncation); with Harrell's only.
    options
        Method, last time, weights, clusters, level of limits.

    Returns
    -------
    Dataset over ``score``: ``concordance_value`` with standard error, limits and P, the pairs by kind, and ``concordance_difference`` to
    the first score with its standard error and P. Numbers: patients, events.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or no pair can be compared.
    ParameterError
        If Uno's is asked for with late entry.
    TooFewEventsError
        If nobody had the event.

    Notes
    -----
    Passes over the counts: 0. Time grows with the number of events times the number of patients. Uno's standard error takes the weights as
    known, as R does. A score that was learned in the same patients looks better than it is.

    References
    ----------
    .. [1] Harrell FE, Lee KL, Mark DB (1996). Multivariable prognostic models. Statistics in Medicine 15:361-387.
    .. [2] Uno H et al. (2011). On the C-statistics for evaluating overall adequacy of risk prediction procedures with censored survival
       data. Statistics in Medicine 30:1105-1117.

    Examples
    --------
    >>> patients = xr.Dataset({
    ...     "months": ("patient", [1.0, 2.0, 3.0, 4.0]),
    ...     "died": ("patient", [True, True, True, False]),
    ...     "score": ("patient", [4.0, 2.0, 3.0, 1.0]),
    ... })
    >>> float(concordance(patients, duration="months", event="died", risk="score")["concordance_value"][0].round(4))
    0.8333
    """
    caller = "concordance"
    if options.method == "uno" and entry is not None:
        message = (
            "Uno's concordance is not defined for late entry. Got an entry; leave it out, or take the method 'harrell'."
        )
        raise ParameterError(message)
    outcome = check_outcome(
        patients, duration=duration, event=event, entry=entry, weights=options.weights, caller=caller
    )
    names = [risk] if isinstance(risk, str) else list(risk)
    scores, terms = design_matrix(patients, names, caller=caller)
    if terms != names or not names:
        message = f"The risk of {caller} must be a numeric variable, or several. Got {risk!r}."
        raise InputError(message)
    stratum = check_strata(patients, strata, caller=caller)
    cluster = np.arange(stratum.size)
    if options.cluster is not None:
        cluster = check_groups(patients, options.cluster, caller=caller)[0]
    if not outcome.event.any():
        message = f"{caller} needs events. {event!r} is false for all {stratum.size} patients; is it coded the other way round?"
        raise TooFewEventsError(message)
    return make_result(
        RESULT,
        _values(scores, outcome, (stratum, cluster), options),
        analysis="concordance",
        parameters={
            "duration": duration,
            "event": event,
            "risk": names,
            "strata": strata if strata is None or isinstance(strata, str) else list(strata),
            "entry": entry,
            "level": options.level,
            "options": {
                "method": options.method,
                "until": options.until,
                "weights": options.weights,
                "cluster": options.cluster,
            },
        },
        coordinates={"score": names},
    )


def _values(
    scores: np.ndarray, outcome: Outcome, groups: tuple[Vector, Vector], options: ConcordanceOptions
) -> dict[str, object]:
    stratum, cluster = groups
    death_weight = np.ones(stratum.size)
    if options.method == "uno":
        death_weight = unseen_weights(outcome.duration, outcome.event, stratum, outcome.weight)
    if options.until is not None:
        death_weight = np.where(outcome.duration > options.until, 0.0, death_weight)
    counts, values, changes = [], [], []
    for column in scores.T:
        found, pairs = concordance_pairs(
            np.ascontiguousarray(column),
            outcome.duration,
            outcome.event,
            outcome.entry,
            stratum,
            outcome.weight,
            death_weight,
        )
        share, influence = concordance_summary(found, pairs, outcome.weight)
        counts.append(found)
        values.append(share)
        changes.append(np.bincount(cluster, influence))
    if not np.isfinite(values).all():
        message = (
            "concordance needs a pair of patients one of whom has the event while the other, of the same stratum, is at risk and lives on. "
            "Found none; use fewer strata, or a later 'until'."
        )
        raise InputError(message)
    value, change, pair = np.array(values), np.array(changes), np.array(counts)
    error = np.sqrt((change**2).sum(axis=1))
    apart_error = np.sqrt(((change - change[0]) ** 2).sum(axis=1))
    reach = ndtri(0.5 + options.level / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * ndtr(-np.abs(value - 0.5) / error)
        apart_p_value = 2 * ndtr(-np.abs(value - value[0]) / apart_error)
    return {
        "concordance_value": value,
        "concordance_standard_error": error,
        "concordance_lower": np.maximum(value - reach, 0.0),
        "concordance_upper": np.minimum(value + reach, 1.0),
        "concordance_p_value": p_value,
        "concordance_concordant": pair[:, 0],
        "concordance_discordant": pair[:, 1],
        "concordance_tied": pair[:, 2],
        "concordance_difference": value - value[0],
        "concordance_difference_standard_error": apart_error,
        "concordance_difference_p_value": apart_p_value,
        "concordance_patients": stratum.size,
        "concordance_events": int(outcome.event.sum()),
    }
