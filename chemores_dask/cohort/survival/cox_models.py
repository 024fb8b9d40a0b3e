"""Cox regression of survival on several covariates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.survival.cox_fit import CoxFit, fit_model, without_terms
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.kernels.baseline_hazard import moment_places
from chemores_dask.kernels.concordance import concordance_pairs, concordance_summary
from chemores_dask.kernels.cox import OK
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 2

EVENTS_PER_TERM = 10
"""Below this many events per coefficient, estimates and limits of a Cox model are unreliable (Peduzzi et al. 1995)."""

_TERM, _COVARIATE, _STEP = ("term",), ("covariate",), ("step",)
_LOG_HAZARD = "log hazard ratio per unit of the covariate"
RESULT = declare(
    Variable("cox_model_coefficient", _TERM, "f", unit=_LOG_HAZARD),
    Variable("cox_model_standard_error", _TERM, "f", unit=_LOG_HAZARD, doc="model-based"),
    Variable(
        "cox_model_robust_standard_error",
        _TERM,
        "f",
        unit=_LOG_HAZARD,
        doc="Lin and Wei's, summed by cluster",
        optional=True,
    ),
    Variable("cox_model_hazard_ratio", _TERM, "f"),
    Variable("cox_model_hazard_ratio_lower", _TERM, "f"),
    Variable("cox_model_hazard_ratio_upper", _TERM, "f"),
    Variable("cox_model_z", _TERM, "f", doc="coefficient over its standard error (the robust one where there is one)"),
    Variable("cox_model_p_value", _TERM, "f", doc="two-sided Wald"),
    Variable("cox_model_status", _TERM, "i", flags=("ok", "separated", "not_converged")),
    Variable("cox_model_mean", _TERM, "f", unit="unit of the covariate", doc="where the baseline hazard is taken"),
    Variable(
        "cox_model_covariance",
        ("term", "other_term"),
        "f",
        doc="of the coefficients (the robust one where there is one)",
    ),
    Variable("cox_model_covariate_degrees_of_freedom", _COVARIATE, "i"),
    Variable("cox_model_covariate_wald_p_value", _COVARIATE, "f", doc="of all terms of the covariate together"),
    Variable("cox_model_covariate_likelihood_ratio_p_value", _COVARIATE, "f", doc="against the model without it"),
    Variable("cox_model_nonlinear_degrees_of_freedom", _COVARIATE, "i", doc="0 for covariates that are no splines"),
    Variable("cox_model_nonlinear_wald_p_value", _COVARIATE, "f", doc="of the bends of a spline"),
    Variable("cox_model_nonlinear_likelihood_ratio_p_value", _COVARIATE, "f", doc="against a straight line"),
    Variable("cox_model_baseline_time", _STEP, "f", unit="time", doc="of events, by stratum and rising"),
    Variable("cox_model_baseline_stratum", _STEP, "U", doc="the stratum it belongs to"),
    Variable("cox_model_baseline_hazard", _STEP, "f", doc="cumulative hazard at the mean covariates"),
    Variable("cox_model_baseline_variance", _STEP, "f", doc="of that hazard, coefficients taken as known"),
    Variable(
        "cox_model_baseline_shift", ("step", "term"), "f", doc="integral of mean covariates at risk over the hazard"
    ),
    Variable("cox_model_stratum_patients", ("stratum",), "i", unit="patients"),
    Variable("cox_model_stratum_events", ("stratum",), "i", unit="patients"),
    Variable("cox_model_stratum_follow_up", ("stratum",), "f", unit="time", doc="longest duration"),
    Variable("cox_model_patients", (), "i", unit="patients"),
    Variable("cox_model_events", (), "i", unit="patients"),
    Variable("cox_model_clusters", (), "i", unit="clusters", optional=True),
    Variable("cox_model_log_likelihood", (), "f", unit="log partial likelihood", doc="without Firth's penalty"),
    Variable("cox_model_log_likelihood_null", (), "f", unit="log partial likelihood", doc="with all coefficients 0"),
    Variable("cox_model_degrees_of_freedom", (), "i", doc="of the three tests of the whole model"),
    Variable("cox_model_likelihood_ratio_statistic", (), "f", unit="chi-square", doc="penalized with Firth's penalty"),
    Variable("cox_model_likelihood_ratio_p_value", (), "f"),
    Variable("cox_model_wald_statistic", (), "f", unit="chi-square"),
    Variable("cox_model_wald_p_value", (), "f"),
    Variable("cox_model_score_statistic", (), "f", unit="chi-square"),
    Variable("cox_model_score_p_value", (), "f"),
    Variable("cox_model_robust_score_statistic", (), "f", unit="chi-square", optional=True),
    Variable("cox_model_robust_score_p_value", (), "f", optional=True),
    Variable("cox_model_concordance", (), "f", doc="Harrell's, of pairs within a stratum"),
    Variable("cox_model_concordance_standard_error", (), "f", doc="infinitesimal jackknife"),
)


def cox_model(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    covariates: Sequence[str],
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
) -> xr.Dataset:
    """Cox regression of survival on several covariates.

    Fits ``h(t) = h0(t) exp(b'x)`` by the partial likelihood [1]_, with Efron's [2]_ or Breslow's treatment of ties, late entry, strata,
    weights, robust errors [3]_, restricted cubic splines and Firth's penalty [4]_. Numbers are those of R's ``coxph``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    covariates
        Variables. Numbers and booleans are one term each; text becomes an indicator ``name[level]`` for every level but the first in
        alphabetical order; a spline has the terms ``name``, ``name'``, ``name''``.
    strata
        Variable or variables: every stratum has a baseline hazard of its own.
    entry
        Variable with the time at which the patient came under observation (left truncation).
    options
        Ties, weights, clusters, splines, Firth's penalty, level of limits.

    Returns
    -------
    Dataset over ``term``: ``cox_model_coefficient``, ``cox_model_standard_error`` (log hazard ratio per unit of the covariate),
    ``cox_model_robust_standard_error`` where errors are robust (limits and P are then of these), ``cox_model_hazard_ratio`` with ``_lower``
    and ``_upper``, ``cox_model_z``, ``cox_model_p_value`` (Wald), ``cox_model_status``, ``cox_model_mean``; over ``(term, other_term)``
    ``cox_model_covariance``. Over ``covariate``: Wald and likelihood-ratio P of all its terms, and of the bends of a spline. Over ``step``
    (times with events, stratum after stratum): the cumulative baseline hazard at the mean covariates, and what limits of predictions need.
    Over ``stratum``: patients, events, follow-up. Numbers: patients, events, log-likelihoods, likelihood-ratio, Wald and score tests of the
    whole model, concordance with its standard error. The attribute ``events_per_term`` is the number of events per coefficient, ``note``
    says so if it is below 10; ``design`` says how covariates become terms.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or covariates are constant or collinear (R leaves such coefficients out without a word).
    ParameterError
        If an option cannot be.
    TooFewEventsError
        If there are not more events than coefficients.

    Warns
    -----
    ConvergenceWarning
        If a covariate separates those who have the event from those who outlive them: its likelihood rises without end. Its coefficient is
        not a number and its status says ``separated``; the likelihood-ratio test stays valid. Firth's penalty gives an estimate.

    Notes
    -----
    Passes over the counts: 0. Covariates are centered and scaled before fitting. Likelihood-ratio and score tests take patients as
    independent also where there are clusters; the Wald tests and ``cox_model_robust_score_p_value`` do not.

    References
    ----------
    .. [1] Cox DR (1972). Regression models and life-tables. JRSS B 34:187-220.
    .. [2] Efron B (1977). The efficiency of Cox's likelihood function for censored data. JASA 72:557-565.
    .. [3] Lin DY, Wei LJ (1989). The robust inference for the Cox proportional hazards model. JASA 84:1074-1078.
    .. [4] Heinze G, Schemper M (2001). A solution to the problem of monotone likelihood in Cox regression. Biometrics 57:114-119.
    .. [5] Peduzzi P et al. (1995). Importance of events per independent variable in proportional hazards regression analysis II.
       J Clin Epidemiol 48:1503-1510.
    """
    fit = fit_model(
        patients,
        duration=duration,
        event=event,
        covariates=covariates,
        strata=strata,
        entry=entry,
        options=options,
        caller="cox_model",
    )
    return make_result(
        RESULT,
        {
            **_term_values(fit, level=options.level),
            **_covariate_values(fit),
            **_baseline_values(fit),
            **_model_values(fit),
            **_concordance_values(fit),
        },
        analysis="cox_model",
        parameters={
            "duration": duration,
            "event": event,
            "covariates": list(covariates),
            "strata": strata if strata is None or isinstance(strata, str) else list(strata),
            "entry": entry,
            "level": options.level,
            "options": options.plain(),
        },
        coordinates={
            "term": fit.design.terms,
            "other_term": fit.design.terms,
            "covariate": fit.design.covariates,
            "stratum": fit.strata,
        },
        attributes=_attributes(fit),
    )


def _attributes(fit: CoxFit) -> dict[str, object]:
    events, terms = fit.events, len(fit.design.terms)
    attributes: dict[str, object] = {"events_per_term": events / terms, "design": fit.design.coded()}
    if events < EVENTS_PER_TERM * terms:
        attributes["note"] = (
            f"{events} events for {terms} coefficients: fewer than {EVENTS_PER_TERM} events per coefficient, so that estimates and "
            "limits are unreliable."
        )
    return attributes


def _known(fit: CoxFit) -> tuple[Vector, Matrix]:
    """Coefficients and their covariance per unit of the covariates, not a number where the likelihood has no maximum."""
    known = fit.status == OK
    coefficients = np.where(known, fit.coefficients / fit.spread, np.nan)
    covariance = fit.used_covariance / np.outer(fit.spread, fit.spread)
    return coefficients, np.where(np.logical_and.outer(known, known), covariance, np.nan)


def _term_values(fit: CoxFit, *, level: float) -> dict[str, object]:
    coefficients, covariance = _known(fit)
    error = np.sqrt(np.diag(covariance))
    z = coefficients / error
    reach = ndtri(0.5 + level / 2) * error
    values: dict[str, object] = {}
    if fit.robust:
        values["cox_model_robust_standard_error"] = error
        error = np.where(fit.status == OK, np.sqrt(np.diag(fit.covariance)) / fit.spread, np.nan)
    with np.errstate(over="ignore"):
        return values | {
            "cox_model_coefficient": coefficients,
            "cox_model_standard_error": error,
            "cox_model_hazard_ratio": np.exp(coefficients),
            "cox_model_hazard_ratio_lower": np.exp(coefficients - reach),
            "cox_model_hazard_ratio_upper": np.exp(coefficients + reach),
            "cox_model_z": z,
            "cox_model_p_value": 2 * ndtr(-np.abs(z)),
            "cox_model_status": fit.status,
            "cox_model_mean": fit.center,
            "cox_model_covariance": covariance,
        }


def _covariate_values(fit: CoxFit) -> dict[str, object]:
    rows = []
    for covariate in range(len(fit.design.covariates)):
        own, bends = np.flatnonzero(fit.design.owner == covariate), fit.design.curved(covariate)
        tests = [value for places in (own, bends) for value in _tests_of(fit, places)]
        rows.append((own.size, *tests[:2], bends.size, *tests[2:]))
    names = [
        f"{kind}_{quantity}"
        for kind in ("covariate", "nonlinear")
        for quantity in ("degrees_of_freedom", "wald_p_value", "likelihood_ratio_p_value")
    ]
    return {
        f"cox_model_{name}": np.array(column, dtype=np.int64 if name.endswith("freedom") else float)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def _tests_of(fit: CoxFit, places: Vector) -> tuple[float, float]:
    # Wald and likelihood-ratio P of some terms.
    if not places.size:
        return float("nan"), float("nan")
    wald = _wald(fit, places) if (fit.status[places] == OK).all() else float("nan")
    ratio = 2 * (fit.objective - without_terms(fit, places))
    return float(chdtrc(places.size, wald)), float(chdtrc(places.size, max(ratio, 0.0)))


def _wald(fit: CoxFit, places: Vector) -> float:
    # In units of standard errors, so that clusters of little information do not spoil the inverse.
    covariance = fit.used_covariance[np.ix_(places, places)]
    error = np.sqrt(np.diag(covariance))
    z = fit.coefficients[places] / error
    scaled = covariance / np.outer(error, error)
    if np.linalg.matrix_rank(scaled, hermitian=True) < places.size:
        return float("nan")
    return float(z @ np.linalg.solve(scaled, z))


def _baseline_values(fit: CoxFit) -> dict[str, object]:
    steps = fit.steps()
    time, stratum = moment_places(fit.risk, fit.stratum[fit.order])
    values = {
        "cox_model_baseline_hazard": steps.hazard,
        "cox_model_baseline_variance": steps.variance,
        "cox_model_baseline_shift": steps.hazard_mean * fit.spread,
    }
    order = np.lexsort((time, stratum))
    for name, growth in values.items():
        total = np.cumsum(growth[order], axis=0)
        # Every stratum starts from 0 again.
        opens = np.flatnonzero(np.diff(stratum[order], prepend=-1))
        for start, stop in zip(opens, np.append(opens[1:], order.size), strict=True):
            total[start:stop] = np.cumsum(growth[order][start:stop], axis=0)
        values[name] = total if fit.whole else np.full_like(total, np.nan)
    count = len(fit.strata)
    follow_up = np.zeros(count)
    np.maximum.at(follow_up, fit.stratum, fit.outcome.duration)
    return values | {
        "cox_model_baseline_time": time[order],
        "cox_model_baseline_stratum": np.array(fit.strata, dtype=object)[stratum[order]],
        "cox_model_stratum_patients": np.bincount(fit.stratum, minlength=count),
        "cox_model_stratum_events": np.bincount(fit.stratum[fit.outcome.event], minlength=count),
        "cox_model_stratum_follow_up": follow_up,
    }


def _model_values(fit: CoxFit) -> dict[str, object]:
    degrees = fit.coefficients.size
    wald = _wald(fit, np.arange(degrees)) if fit.whole else float("nan")
    ratio = 2 * (fit.objective - fit.objective_null)
    values: dict[str, object] = {
        "cox_model_patients": fit.outcome.duration.size,
        "cox_model_events": fit.events,
        "cox_model_log_likelihood": fit.log_likelihood,
        "cox_model_log_likelihood_null": fit.null,
        "cox_model_degrees_of_freedom": degrees,
        "cox_model_likelihood_ratio_statistic": ratio,
        "cox_model_likelihood_ratio_p_value": float(chdtrc(degrees, max(ratio, 0.0))),
        "cox_model_wald_statistic": wald,
        "cox_model_wald_p_value": float(chdtrc(degrees, wald)),
        "cox_model_score_statistic": fit.score,
        "cox_model_score_p_value": float(chdtrc(degrees, fit.score)),
    }
    if fit.robust_score is not None:
        values["cox_model_robust_score_statistic"] = fit.robust_score
        values["cox_model_robust_score_p_value"] = float(chdtrc(degrees, fit.robust_score))
        values["cox_model_clusters"] = int(np.unique(fit.cluster).size)
    return values


def _concordance_values(fit: CoxFit) -> dict[str, object]:
    if not fit.whole:
        return {"cox_model_concordance": np.nan, "cox_model_concordance_standard_error": np.nan}
    # Column by column: a product of matrices may round equal rows in different ways, and break ties.
    score = fit.in_patient_order((fit.columns * fit.coefficients).sum(axis=1))
    outcome = fit.outcome
    pairs = concordance_pairs(
        score, outcome.duration, outcome.event, outcome.entry, fit.stratum, outcome.weight, np.ones(score.size)
    )
    value, influence = concordance_summary(*pairs, outcome.weight)
    error = np.sqrt((np.bincount(fit.cluster, influence) ** 2).sum())
    return {"cox_model_concordance": value, "cox_model_concordance_standard_error": error}
