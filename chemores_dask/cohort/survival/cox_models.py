"""Cox regression of survival on several covariates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from lifelines import CoxPHFitter
from lifelines.exceptions import ApproximationWarning, ConvergenceError, StatisticalWarning
from lifelines.exceptions import ConvergenceWarning as LifelinesConvergenceWarning
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, listed
from chemores_dask.cohort.outcome import Outcome, check_outcome, check_strata, design_matrix
from chemores_dask.errors import ConvergenceWarning, InputError, TooFewEventsError
from chemores_dask.kernels.concordance import concordance_counts
from chemores_dask.kernels.cox import (
    NOT_CONVERGED,
    OK,
    RUNAWAY_STEP,
    SEPARATED,
    SPREAD_TOLERANCE,
    cox_terms,
    fit_cox,
    inverse_information,
    risk_order,
    standardize,
)
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

EVENTS_PER_TERM = 10
"""Below this many events per coefficient, estimates and limits of a Cox model are unreliable (Peduzzi et al. 1995)."""

MAX_ITERATIONS = 100
COLLINEAR_TOLERANCE = 1e-10
LIFELINES_OPTIONS = {"precision": 1e-9, "r_precision": 1e-12, "max_steps": 200}

_TERM = ("term",)
RESULT = declare(
    Variable("cox_model_coefficient", _TERM, "f", unit="log hazard ratio per unit of the covariate"),
    Variable("cox_model_standard_error", _TERM, "f", unit="log hazard ratio"),
    Variable("cox_model_hazard_ratio", _TERM, "f"),
    Variable("cox_model_hazard_ratio_lower", _TERM, "f"),
    Variable("cox_model_hazard_ratio_upper", _TERM, "f"),
    Variable("cox_model_z", _TERM, "f", doc="coefficient over its standard error"),
    Variable("cox_model_p_value", _TERM, "f", doc="two-sided Wald"),
    Variable("cox_model_status", _TERM, "i", flags=("ok", "separated", "not_converged")),
    Variable("cox_model_patients", (), "i", unit="patients"),
    Variable("cox_model_events", (), "i", unit="patients"),
    Variable("cox_model_log_likelihood", (), "f", unit="log partial likelihood"),
    Variable("cox_model_log_likelihood_null", (), "f", unit="log partial likelihood", doc="with all coefficients 0"),
    Variable("cox_model_degrees_of_freedom", (), "i", doc="of the three tests of the whole model"),
    Variable("cox_model_likelihood_ratio_statistic", (), "f", unit="chi-square"),
    Variable("cox_model_likelihood_ratio_p_value", (), "f"),
    Variable("cox_model_wald_statistic", (), "f", unit="chi-square"),
    Variable("cox_model_wald_p_value", (), "f"),
    Variable("cox_model_score_statistic", (), "f", unit="chi-square"),
    Variable("cox_model_score_p_value", (), "f"),
    Variable("cox_model_concordance", (), "f", doc="Harrell's, of pairs within a stratum"),
)


@dataclass(frozen=True)
class _Fit:
    # Coefficients and covariance on the scale of the covariates as given.
    coefficients: Vector
    covariance: Matrix
    log_likelihood: float
    null: float
    score: float
    status: Vector


def cox_model(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    covariates: Sequence[str],
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    ties: str = "efron",
    level: float = 0.95,
) -> xr.Dataset:
    """Cox regression of survival on several covariates.

    Fits ``h(t) = h0(t) exp(b'x)`` by the partial likelihood [1]_ with Efron's treatment of ties. ``lifelines`` finds the coefficients;
    Newton steps on the same likelihood then take them to full precision, so that they equal those of R's ``coxph``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, event
        Variables: end of follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    covariates
        Variables. Numbers and booleans are one term each; text becomes an indicator ``name[level]`` for every level but the first in
        alphabetical order.
    strata
        Variable or variables: every stratum has a baseline hazard of its own.
    entry
        Variable with the time at which the patient came under observation (left truncation).
    ties
        ``"efron"``; no other treatment is offered.
    level
        Coverage of the limits of the hazard ratios.

    Returns
    -------
    Dataset over ``term``: ``cox_model_coefficient``, ``cox_model_standard_error`` (log hazard ratio per unit of the covariate),
    ``cox_model_hazard_ratio`` with ``_lower`` and ``_upper``, ``cox_model_z``, ``cox_model_p_value`` (Wald), ``cox_model_status``. Numbers:
    patients, events, log-likelihoods, likelihood-ratio, Wald and score tests of the whole model, concordance. The attribute
    ``events_per_term`` is the number of events per coefficient, ``note`` says so if it is below 10.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or covariates are constant or collinear.
    TooFewEventsError
        If there are not more events than coefficients.

    Warns
    -----
    ConvergenceWarning
        If a covariate separates those who have the event from those who outlive them: its likelihood rises without end. Its coefficient is
        not a number and its status says ``separated``; the likelihood-ratio test stays valid.

    Notes
    -----
    Passes over the counts: 0. Covariates are centered and scaled before fitting.

    References
    ----------
    .. [1] Cox DR (1972). Regression models and life-tables. JRSS B 34:187-220.
    .. [2] Efron B (1977). The efficiency of Cox's likelihood function for censored data. JASA 72:557-565.
    .. [3] Peduzzi P et al. (1995). Importance of events per independent variable in proportional hazards regression analysis II.
       J Clin Epidemiol 48:1503-1510.
    """
    check_one_of(ties, ("efron",), parameter="ties", caller="cox_model")
    check_between(level, parameter="level", caller="cox_model", minimum=0.01, maximum=0.9999)
    outcome = check_outcome(patients, duration=duration, event=event, entry=entry, caller="cox_model")
    matrix, terms = design_matrix(patients, covariates, caller="cox_model")
    stratum = check_strata(patients, strata, caller="cox_model")
    _check_events(outcome, terms, event=event)
    _check_design(matrix, terms, stratum)
    fit = _fit(matrix, outcome, stratum, terms)
    events = int(outcome.event.sum())
    counts = concordance_counts(
        matrix @ np.nan_to_num(fit.coefficients), outcome.duration, outcome.event, outcome.entry, stratum
    )
    agreeing = (counts[0] + counts[2] / 2) / counts.sum() if counts.sum() else np.nan
    return make_result(
        RESULT,
        {
            **_term_values(fit, level=level),
            **_model_values(fit),
            "cox_model_patients": outcome.duration.size,
            "cox_model_events": events,
            "cox_model_concordance": agreeing if (fit.status == OK).all() else np.nan,
        },
        analysis="cox_model",
        parameters={
            "duration": duration,
            "event": event,
            "covariates": list(covariates),
            "strata": strata,
            "entry": entry,
            "ties": ties,
            "level": level,
        },
        coordinates={"term": terms},
        attributes=_attributes(events, len(terms)),
    )


def _attributes(events: int, terms: int) -> dict[str, object]:
    attributes: dict[str, object] = {"events_per_term": events / terms}
    if events < EVENTS_PER_TERM * terms:
        attributes["note"] = (
            f"{events} events for {terms} coefficients: fewer than {EVENTS_PER_TERM} events per coefficient, so that estimates and "
            "limits are unreliable."
        )
    return attributes


def _check_events(outcome: Outcome, terms: list[str], *, event: str) -> None:
    events = int(outcome.event.sum())
    if not terms:
        message = "cox_model needs at least one covariate. Got none; name some variables over 'patient'."
        raise InputError(message)
    if events <= len(terms):
        message = (
            f"cox_model needs more events than coefficients. Found {events} with {event!r} among {outcome.event.size} patients, for "
            f"{len(terms)} coefficients ({listed(terms)}); leave covariates out."
        )
        raise TooFewEventsError(message)


def _check_design(matrix: Matrix, terms: list[str], stratum: Vector) -> None:
    scaled, _, spread = standardize(matrix)
    constant = [term for term, value in zip(terms, spread, strict=True) if value == 0]
    if constant:
        message = f"Covariates of cox_model must vary between patients. Constant: {listed(constant)}; leave them out."
        raise InputError(message)
    sizes = np.bincount(stratum)
    within = np.column_stack(
        [scaled[:, j] - (np.bincount(stratum, scaled[:, j]) / sizes)[stratum] for j in range(len(terms))]
    )
    for j, term in enumerate(terms):
        rest = within[:, j]
        if (rest**2).mean() > COLLINEAR_TOLERANCE and j:
            rest = rest - within[:, :j] @ np.linalg.lstsq(within[:, :j], rest, rcond=None)[0]
        if (rest**2).mean() <= COLLINEAR_TOLERANCE:
            message = (
                f"Covariates of cox_model must not be determined by each other or by the strata. {term!r} follows from the strata and "
                f"{listed(terms[:j])}; leave one out."
            )
            raise InputError(message)


def _fit(matrix: Matrix, outcome: Outcome, stratum: Vector, terms: list[str]) -> _Fit:
    scaled, _, spread = standardize(matrix)
    start = _lifelines_coefficients(scaled, outcome, stratum)
    order, risk = risk_order(outcome.duration, outcome.event, outcome.entry, stratum)
    design = np.ascontiguousarray(scaled[order])
    slope, information, inverse = np.zeros(len(terms)), np.zeros((len(terms),) * 2), np.zeros((len(terms),) * 2)
    null = cox_terms(np.zeros(len(terms)), design, risk, True, slope, information)
    flat = np.diag(information) <= SPREAD_TOLERANCE * outcome.event.sum()
    if flat.any() or not inverse_information(information, inverse):
        found = [term for term, still in zip(terms, flat, strict=True) if still] or terms
        message = (
            "Covariates of cox_model must vary, each in its own way, between patients who are at risk together when an event "
            f"happens. Not so: {listed(found)}; leave one out."
        )
        raise InputError(message)
    score = float(slope @ inverse @ slope)
    coefficients, covariance, log_likelihood, step, code = fit_cox(design, risk, True, start, MAX_ITERATIONS)
    if code not in (OK, NOT_CONVERGED):
        # Start again from 0, so that the answer does not depend on where another program gave up.
        coefficients, covariance, log_likelihood, step, code = fit_cox(
            design, risk, True, np.zeros(len(terms)), MAX_ITERATIONS
        )
    status = np.zeros(len(terms), dtype=np.int64)
    if code == NOT_CONVERGED:
        status[:] = 2
        _warn(f"Newton's method did not converge in {MAX_ITERATIONS} steps; the coefficients are left out.")
    elif code == SEPARATED:
        runs = np.abs(step) > RUNAWAY_STEP * np.maximum(1.0, np.abs(coefficients))
        status[runs] = 1
        ways = [f"{terms[j]} (to {'plus' if step[j] > 0 else 'minus'} infinity)" for j in np.flatnonzero(runs)]
        _warn(
            f"The likelihood rises without end in: {listed(ways)}. These covariates separate patients with the event from those who "
            "outlive them; their coefficients are left out. Use the likelihood-ratio test, or merge levels."
        )
    coefficients = np.where(status == OK, coefficients / spread, np.nan)
    covariance = np.where((status == OK) & (status == OK)[:, None], covariance / np.outer(spread, spread), np.nan)
    return _Fit(coefficients, covariance, float(log_likelihood), float(null), score, status)


def _warn(message: str) -> None:
    warnings.warn(message, ConvergenceWarning, stacklevel=4)


def _lifelines_coefficients(scaled: Matrix, outcome: Outcome, stratum: Vector) -> Vector:
    columns = [f"x{j}" for j in range(scaled.shape[1])]
    table = pd.DataFrame(scaled, columns=columns)
    table["duration"], table["event"], table["stratum"] = outcome.duration, outcome.event, stratum
    late = np.isfinite(outcome.entry).any()
    if late:
        table["entry"] = outcome.entry
    stratified = stratum.max() > 0
    if not stratified:
        table = table.drop(columns="stratum")
    with warnings.catch_warnings():
        # Its remarks on scaling, separation and pandas are about its own way there; ours are made from the final fit.
        for category in (
            ApproximationWarning,
            StatisticalWarning,
            LifelinesConvergenceWarning,
            RuntimeWarning,
            FutureWarning,
        ):
            warnings.simplefilter("ignore", category=category)
        try:
            fitter = CoxPHFitter().fit(
                table,
                "duration",
                "event",
                strata=["stratum"] if stratified else None,
                entry_col="entry" if late else None,
                fit_options=LIFELINES_OPTIONS,
            )
        except ConvergenceError:
            return np.zeros(len(columns))
    return np.asarray(fitter.params_.loc[columns], dtype=float)


def _term_values(fit: _Fit, *, level: float) -> dict[str, object]:
    error = np.sqrt(np.diag(fit.covariance))
    z = fit.coefficients / error
    reach = ndtri(0.5 + level / 2) * error
    with np.errstate(over="ignore"):
        return {
            "cox_model_coefficient": fit.coefficients,
            "cox_model_standard_error": error,
            "cox_model_hazard_ratio": np.exp(fit.coefficients),
            "cox_model_hazard_ratio_lower": np.exp(fit.coefficients - reach),
            "cox_model_hazard_ratio_upper": np.exp(fit.coefficients + reach),
            "cox_model_z": z,
            "cox_model_p_value": 2 * ndtr(-np.abs(z)),
            "cox_model_status": fit.status,
        }


def _model_values(fit: _Fit) -> dict[str, object]:
    degrees = fit.coefficients.size
    wald = np.nan
    if (fit.status == OK).all():
        # In units of standard errors, so that covariates of very different scale do not spoil the inverse.
        error = np.sqrt(np.diag(fit.covariance))
        z = fit.coefficients / error
        wald = float(z @ np.linalg.solve(fit.covariance / np.outer(error, error), z))
    ratio = 2 * (fit.log_likelihood - fit.null)
    return {
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
