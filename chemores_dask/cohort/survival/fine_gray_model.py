"""Fine and Gray's regression of the cumulative incidence of one cause."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.cohort.survival.competing_outcome import check_causes
from chemores_dask.cohort.survival.cox_checks import check_design, check_events, check_information
from chemores_dask.cohort.survival.cox_design import model_design
from chemores_dask.errors import ConvergenceWarning
from chemores_dask.kernels.cox import standardize
from chemores_dask.kernels.newton import OK, SEPARATED, STATUS_FLAGS, maximize
from chemores_dask.kernels.subdistribution import (
    CENSORED,
    OF_INTEREST,
    OTHER,
    score_residuals,
    subdistribution_risk,
    subdistribution_terms,
)
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

EVENTS_PER_TERM = 10

_TERM = ("term",)
RESULT = declare(
    Variable("fine_gray_coefficient", _TERM, "f", unit="log subdistribution hazard ratio", doc="per unit of the term"),
    Variable("fine_gray_standard_error", _TERM, "f", unit="log subdistribution hazard ratio", doc="robust"),
    Variable("fine_gray_hazard_ratio", _TERM, "f", doc="of the subdistribution"),
    Variable("fine_gray_hazard_ratio_lower", _TERM, "f", doc="lower limit"),
    Variable("fine_gray_hazard_ratio_upper", _TERM, "f", doc="upper limit"),
    Variable("fine_gray_z", _TERM, "f"),
    Variable("fine_gray_p_value", _TERM, "f", doc="Wald test, two-sided"),
    Variable("fine_gray_status", _TERM, "i", flags=STATUS_FLAGS),
    Variable("fine_gray_patients", (), "i", unit="patients"),
    Variable("fine_gray_events", (), "i", unit="patients", doc="ended by the cause of interest"),
    Variable("fine_gray_other_events", (), "i", unit="patients", doc="ended by another cause"),
    Variable("fine_gray_log_likelihood", (), "f", doc="of the weighted partial likelihood"),
    Variable("fine_gray_log_likelihood_null", (), "f", doc="of the weighted partial likelihood, all coefficients 0"),
    Variable("fine_gray_wald_statistic", (), "f", unit="chi-square", doc="of the whole model, robust"),
    Variable("fine_gray_wald_p_value", (), "f", doc="Wald test of the whole model, robust"),
)


@dataclass(frozen=True)
class _Fit:
    # Coefficients and covariance on the scale of the covariates as given.
    coefficients: Vector
    covariance: Matrix
    log_likelihood: float
    null: float
    status: Vector


def fine_gray(
    patients: xr.Dataset,
    *,
    duration: str,
    cause: str,
    of_interest: str | float,
    covariates: Sequence[str],
    censored: str | float | None = 0,
    level: float = 0.95,
) -> xr.Dataset:
    """Regression of the cumulative incidence of one cause on several covariates.

    A proportional model for the hazard of the subdistribution, ``-d log(1 - F(t))`` [1]_: patients whom another cause has ended stay in
    the risk set with the weight ``G(t-) / G(T-)``, ``G`` being the Kaplan-Meier curve of the censoring; ties are Breslow's. Errors are
    robust and count in that ``G`` is estimated. Numbers are those of ``cmprsk::crr``.

    Parameters
    ----------
    patients
        Variables over ``patient``.
    duration, cause
        Variables: end of follow-up in any unit, and what ended it (labels or codes).
    of_interest
        Value of ``cause`` whose incidence is modeled.
    covariates
        Variables. Numbers and booleans are one term each; text becomes an indicator ``name[level]`` for every level but the first in
        alphabetical order.
    censored
        Value of ``cause`` that stands for censored; None if nobody was.
    level
        Coverage of the limits of the hazard ratios.

    Returns
    -------
    Dataset over ``term``: ``fine_gray_coefficient``, ``fine_gray_standard_error``, ``fine_gray_hazard_ratio`` with ``_lower`` and
    ``_upper``, ``fine_gray_z``, ``fine_gray_p_value``, ``fine_gray_status``. Numbers: patients, events of interest and others,
    log-likelihoods of the weighted partial likelihood, Wald test of the whole model. The attribute ``note`` says so if there are fewer
    than 10 events of interest per coefficient.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or covariates are constant or collinear.
    ParameterError
        If no patient has the value for censored, or ``of_interest`` is no cause.
    TooFewEventsError
        If there are not more events of interest than coefficients.

    Warns
    -----
    ConvergenceWarning
        If a covariate separates the patients: its coefficient is not a number and its status says ``separated``.

    Notes
    -----
    Passes over the counts: 0. A ratio above 1 says that more patients are ended by the cause, be it because it comes sooner or because
    others come later; for the mechanism fit ``cox_model`` to the cause, censoring the others, and report both. The likelihood is that
    of weighted risk sets, so that twice its logarithm has no chi-square distribution: the test of the whole model is Wald's. Patients
    censored at time 0 are at risk up to it, as with all times shifted by a constant; ``crr`` without a shift gives other values there.

    References
    ----------
    .. [1] Fine JP, Gray RJ (1999). A proportional hazards model for the subdistribution of a competing risk. JASA 94:496-509.
    .. [2] Latouche A et al. (2013). A competing risks analysis should report results on all cause-specific hazards and cumulative
       incidence functions. J Clin Epidemiol 66:648-653.
    """
    check_between(level, parameter="level", caller="fine_gray", minimum=0.01, maximum=0.9999)
    found = check_causes(patients, duration=duration, cause=cause, censored=censored, entry=None, caller="fine_gray")
    own = found.cause == found.code_of(of_interest, parameter="of_interest", caller="fine_gray")
    design = model_design(patients, covariates, splines={}, caller="fine_gray")
    check_events(replace(found.outcome, event=own), design.terms, event=f"{cause} = {of_interest}", caller="fine_gray")
    check_design(design, np.zeros(own.size, dtype=np.int64), caller="fine_gray")
    ending = np.where(own, OF_INTEREST, np.where(found.cause == 0, CENSORED, OTHER))
    fit = _fit(design.matrix, found.outcome.duration, ending, design.terms)
    events = int(own.sum())
    notes = {}
    if events < EVENTS_PER_TERM * len(design.terms):
        notes["note"] = (
            f"{events} events of interest for {len(design.terms)} coefficients: fewer than {EVENTS_PER_TERM} per coefficient, so that "
            "estimates and limits are unreliable."
        )
    return make_result(
        RESULT,
        {
            **_term_values(fit, level=level),
            **_model_values(fit),
            "fine_gray_patients": own.size,
            "fine_gray_events": events,
            "fine_gray_other_events": int((ending == OTHER).sum()),
        },
        analysis="fine_gray",
        parameters={
            "duration": duration,
            "cause": cause,
            "of_interest": of_interest,
            "covariates": list(covariates),
            "censored": censored,
            "level": level,
        },
        coordinates={"term": design.terms},
        attributes=notes,
    )


def _fit(matrix: Matrix, duration: Vector, ending: Vector, terms: list[str]) -> _Fit:
    scaled, _, spread = standardize(matrix)
    risk, order, _ = subdistribution_risk(duration, ending)
    design = np.ascontiguousarray(scaled[order])
    start = np.zeros(len(terms))
    null, _, information = subdistribution_terms(start, design, risk)
    check_information(information, terms, events=float((ending == OF_INTEREST).sum()), caller="fine_gray")
    found = maximize(lambda place: subdistribution_terms(place, design, risk), start)
    status = np.full(len(terms), found.status, dtype=np.int64)
    if found.status == SEPARATED:
        status = np.where(found.runaway, SEPARATED, OK)
        ways = [
            f"{terms[j]} (to {'plus' if found.place[j] > 0 else 'minus'} infinity)"
            for j in np.flatnonzero(found.runaway)
        ]
        _warn(
            f"The likelihood of fine_gray rises without end in: {listed(ways)}. These covariates separate patients whom the cause ends "
            "from the others; all coefficients are left out. Leave these covariates out, or merge levels."
        )
    elif found.status != OK:
        _warn("Newton's method did not converge in fine_gray; the coefficients are left out.")
    coefficients, covariance = found.place, found.covariance
    if found.status == OK:
        residuals = score_residuals(found.place, design, risk)
        covariance = covariance @ (residuals.T @ residuals) @ covariance
    else:
        coefficients = np.full(len(terms), np.nan)
    return _Fit(coefficients / spread, covariance / np.outer(spread, spread), found.value, null, status)


def _warn(message: str) -> None:
    warnings.warn(message, ConvergenceWarning, stacklevel=4)


def _term_values(fit: _Fit, *, level: float) -> dict[str, object]:
    error = np.sqrt(np.diag(fit.covariance))
    z = fit.coefficients / error
    reach = ndtri(0.5 + level / 2) * error
    with np.errstate(over="ignore"):
        return {
            "fine_gray_coefficient": fit.coefficients,
            "fine_gray_standard_error": error,
            "fine_gray_hazard_ratio": np.exp(fit.coefficients),
            "fine_gray_hazard_ratio_lower": np.exp(fit.coefficients - reach),
            "fine_gray_hazard_ratio_upper": np.exp(fit.coefficients + reach),
            "fine_gray_z": z,
            "fine_gray_p_value": 2 * ndtr(-np.abs(z)),
            "fine_gray_status": fit.status,
        }


def _model_values(fit: _Fit) -> dict[str, object]:
    wald = np.nan
    if (fit.status == OK).all():
        # In units of standard errors, so that covariates of very different scale do not spoil the inverse.
        error = np.sqrt(np.diag(fit.covariance))
        z = fit.coefficients / error
        wald = float(z @ np.linalg.solve(fit.covariance / np.outer(error, error), z))
    return {
        "fine_gray_log_likelihood": fit.log_likelihood,
        "fine_gray_log_likelihood_null": fit.null,
        "fine_gray_wald_statistic": wald,
        "fine_gray_wald_p_value": float(chdtrc(fit.coefficients.size, wald)) if np.isfinite(wald) else np.nan,
    }
