"""Residuals of a Cox model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.cohort.survival.cox_fit import CoxFit, check_whole, fit_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.kernels.cox_residuals import deviance_residuals, martingale_residuals, schoenfeld_residuals
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

_PATIENT_TERM, _EVENT_TERM = ("patient", "term"), ("event", "term")
RESULT = declare(
    Variable("cox_residual_martingale", ("patient",), "f", unit="events", doc="events minus those expected"),
    Variable("cox_residual_deviance", ("patient",), "f", doc="martingale residuals, nearer to a normal distribution"),
    Variable("cox_residual_score", _PATIENT_TERM, "f", doc="what the patient adds to the slope of the likelihood"),
    Variable(
        "cox_residual_dfbeta",
        _PATIENT_TERM,
        "f",
        unit="log hazard ratio per unit of the covariate",
        doc="about what the coefficient falls by without the patient",
    ),
    Variable(
        "cox_residual_schoenfeld",
        _EVENT_TERM,
        "f",
        unit="unit of the covariate",
        doc="covariates of those with the event minus the mean of those at risk",
    ),
    Variable("cox_residual_time", ("event",), "f", unit="time", doc="of the event"),
    Variable("cox_residual_stratum", ("event",), "U"),
)


def cox_residuals(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    covariates: Sequence[str],
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
) -> xr.Dataset:
    """Residuals of a Cox model: martingale, deviance, score, dfbeta and Schoenfeld.

    Parameters
    ----------
    patients, duration, event, covariates, strata, entry, options
        As for ``cox_model``, which is fitted anew.

    Returns
    -------
    Dataset over ``patient``: ``cox_residual_martingale``, ``cox_residual_deviance``; over ``(patient, term)``: ``cox_residual_score``,
    ``cox_residual_dfbeta``; over ``(event, term)``, by stratum and rising time: ``cox_residual_schoenfeld``, with ``cox_residual_time`` and
    ``cox_residual_stratum``. The coordinate ``event`` holds the names of the patients who had it.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or a coefficient is infinite.
    TooFewEventsError
        If there are not more events than coefficients.

    Notes
    -----
    Passes over the counts: 0. As in R, only dfbeta is multiplied by the patients' weights.

    References
    ----------
    .. [1] Therneau TM, Grambsch PM, Fleming TR (1990). Martingale-based residuals for survival models. Biometrika 77:147-160.
    .. [2] Schoenfeld D (1982). Partial residuals for the proportional hazards regression model. Biometrika 69:239-241.
    """
    fit = fit_model(
        patients,
        duration=duration,
        event=event,
        covariates=covariates,
        strata=strata,
        entry=entry,
        options=options,
        caller="cox_residuals",
    )
    check_whole(fit, caller="cox_residuals")
    steps = fit.steps()
    martingale, score = martingale_residuals(fit.coefficients, fit.columns, fit.risk, steps)
    change = fit.risk.weight[:, None] * score @ fit.covariance
    died, schoenfeld = schoenfeld_residuals(fit.columns, fit.risk, steps)
    rows = fit.order[died]
    by_time = event_order(fit, rows)
    rows = rows[by_time]
    return make_result(
        RESULT,
        {
            "cox_residual_martingale": fit.in_patient_order(martingale),
            "cox_residual_deviance": fit.in_patient_order(deviance_residuals(martingale, fit.risk.event)),
            "cox_residual_score": fit.in_patient_order(score * fit.spread),
            "cox_residual_dfbeta": fit.in_patient_order(change / fit.spread),
            "cox_residual_schoenfeld": (schoenfeld * fit.spread)[by_time],
            "cox_residual_time": fit.outcome.duration[rows],
            "cox_residual_stratum": np.array(fit.strata, dtype=object)[fit.stratum[rows]],
        },
        analysis="cox_residuals",
        parameters={
            "duration": duration,
            "event": event,
            "covariates": list(covariates),
            "strata": strata if strata is None or isinstance(strata, str) else list(strata),
            "entry": entry,
            "options": options.plain(),
        },
        coordinates={
            "patient": fit.outcome.patients,
            "event": fit.outcome.patients[rows],
            "term": fit.design.terms,
        },
    )


def event_order(fit: CoxFit, rows: Vector) -> Vector:
    """Put patients with the event by stratum, time and place.

    Parameters
    ----------
    fit
        Their model.
    rows
        Positions of the patients.
    """
    return np.lexsort((rows, fit.outcome.duration[rows], fit.stratum[rows]))
