"""Survival of new patients by a Cox model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, check_variables, listed
from chemores_dask.cohort.outcome import patient_names
from chemores_dask.cohort.survival.cox_design import coded_matrix, labeled_strata
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.product_limit import CONFIDENCE, survival_limits
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

_OVER = ("patient", "time")
_STEP_VARIABLES = ("time", "stratum", "hazard", "variance")
RESULT = declare(
    Variable("cox_prediction_survival", _OVER, "f", doc="share expected to live beyond the time"),
    Variable("cox_prediction_lower", _OVER, "f", doc="lower limit of survival"),
    Variable("cox_prediction_upper", _OVER, "f", doc="upper limit of survival"),
    Variable("cox_prediction_standard_error", _OVER, "f", doc="of survival"),
    Variable("cox_prediction_log_hazard_ratio", ("patient",), "f", doc="against the mean covariates of the model"),
    Variable("cox_prediction_log_hazard_ratio_standard_error", ("patient",), "f"),
    Variable("cox_prediction_stratum", ("patient",), "U", doc="whose baseline hazard is used"),
)


@dataclass(frozen=True)
class _Model:
    covariates: list[str]
    strata: str | list[str] | None
    design: str
    coefficient: Vector
    mean: Vector
    covariance: Matrix
    labels: list[str]
    follow_up: Vector
    time: Vector
    stratum: Vector
    hazard: Vector
    variance: Vector
    shift: Matrix


def cox_prediction(
    patients: xr.Dataset,
    *,
    model: xr.Dataset,
    times: Sequence[float],
    confidence: str = "log",
    level: float = 0.95,
) -> xr.Dataset:
    """Survival of patients by a Cox model of others, with limits.

    ``S(t) = exp(-H(t) exp(b'(x - m)))`` with the cumulative baseline hazard ``H`` at the mean covariates ``m`` of the model. Its variance
    has a part from the baseline hazard and a part from the coefficients [1]_; numbers are those of R's ``survfit`` of a ``coxph``.

    Parameters
    ----------
    patients
        Variables over ``patient``: the covariates and the strata of the model.
    model
        Result of ``cox_model``, of the same or of other patients.
    times
        Times in the unit of the model, 0 or above.
    confidence
        Scale of the limits: ``"log"`` (the default of ``survfit``), ``"log-log"`` (stays within 0 and 1 by itself) or ``"plain"``.
    level
        Coverage of the limits.

    Returns
    -------
    Dataset over ``(patient, time)``: ``cox_prediction_survival`` with ``_lower``, ``_upper`` and ``_standard_error``, not a number beyond
    the follow-up of the patient's stratum. Over ``patient``: ``cox_prediction_log_hazard_ratio`` with its standard error, and
    ``cox_prediction_stratum``.

    Raises
    ------
    MissingVariableError
        If a covariate or a stratum is absent.
    InputError
        If a value is missing, a level or a stratum is unknown to the model, or a coefficient of the model was not found.

    Notes
    -----
    Passes over the counts: 0. Standard errors are robust where those of the model are. Limits are those of the expected survival of such
    patients, not of one patient's life.

    References
    ----------
    .. [1] Tsiatis AA (1981). A large sample study of Cox's regression model. Annals of Statistics 9:93-108.
    """
    check_one_of(confidence, CONFIDENCE, parameter="confidence", caller="cox_prediction")
    check_between(level, parameter="level", caller="cox_prediction", minimum=0.01, maximum=0.9999)
    moments = _checked_times(times)
    known = _read_model(model)
    names = patient_names(patients, caller="cox_prediction")
    apart = coded_matrix(patients, known.design, known.covariates, caller="cox_prediction") - known.mean
    labels, place = _strata(patients, known, names)
    predictor = apart @ known.coefficient
    with np.errstate(over="ignore", invalid="ignore"):
        hazard, variance = _hazards(known, apart, place, moments)
        ratio = np.exp(predictor)[:, None]
        survival, log_variance = np.exp(-hazard * ratio), variance * ratio**2
        error = survival * np.sqrt(log_variance)
    limits = survival_limits(survival.ravel(), log_variance.ravel(), confidence=confidence, level=level)
    # Before the first event nobody is expected to have it.
    lower, upper = (np.where(hazard == 0, 1.0, limit.reshape(survival.shape)) for limit in limits)
    return make_result(
        RESULT,
        {
            "cox_prediction_survival": survival,
            "cox_prediction_lower": lower,
            "cox_prediction_upper": upper,
            "cox_prediction_standard_error": error,
            "cox_prediction_log_hazard_ratio": predictor,
            "cox_prediction_log_hazard_ratio_standard_error": np.sqrt(
                np.einsum("ij,jk,ik->i", apart, known.covariance, apart)
            ),
            "cox_prediction_stratum": np.array(labels, dtype=object),
        },
        analysis="cox_prediction",
        parameters={
            "times": [float(time) for time in moments],
            "confidence": confidence,
            "level": level,
            "model": json.loads(model.attrs["parameters"]),
        },
        coordinates={"patient": names, "time": moments},
        attributes={
            "model_patients": int(model["cox_model_patients"]),
            "model_events": int(model["cox_model_events"]),
        },
    )


def _checked_times(times: Sequence[float]) -> Vector:
    moments = np.atleast_1d(np.asarray(times, dtype=float))
    if moments.ndim != 1 or not moments.size or not (np.isfinite(moments) & (moments >= 0)).all():
        message = f"The 'times' parameter of cox_prediction must be numbers, 0 or above. Got {times!r}."
        raise ParameterError(message)
    return np.unique(moments)


def _read_model(model: xr.Dataset) -> _Model:
    what, caller = "the model", "cox_prediction"
    check_variables(model, ["cox_model_coefficient", "cox_model_mean"], dims=("term",), what=what, caller=caller)
    steps = [f"cox_model_baseline_{name}" for name in _STEP_VARIABLES]
    check_variables(model, steps, dims=("step",), what=what, caller=caller)
    others = ("cox_model_baseline_shift", "cox_model_covariance", "cox_model_stratum_follow_up")
    names = ("cox_model_coefficient", "cox_model_mean", *steps, *others)
    values = dict(zip(names, compute(*(model[name].data for name in names)), strict=True))
    coefficient = np.asarray(values["cox_model_coefficient"])
    if not np.isfinite(coefficient).all():
        missing = [str(term) for term, b in zip(model["term"].values, coefficient, strict=True) if not np.isfinite(b)]
        message = (
            f"cox_prediction needs every coefficient of the model. Not found: {listed(missing)}; leave these covariates out, or fit with "
            "Firth's penalty: ModelOptions(firth=True), or --firth."
        )
        raise InputError(message)
    parameters = json.loads(model.attrs["parameters"])
    return _Model(
        covariates=list(parameters["covariates"]),
        strata=parameters["strata"],
        design=str(model.attrs["design"]),
        coefficient=coefficient,
        mean=np.asarray(values["cox_model_mean"]),
        covariance=np.asarray(values["cox_model_covariance"]),
        labels=[str(label) for label in model["stratum"].values],
        follow_up=np.asarray(values["cox_model_stratum_follow_up"]),
        time=np.asarray(values["cox_model_baseline_time"]),
        stratum=np.asarray(values["cox_model_baseline_stratum"]).astype(str),
        hazard=np.asarray(values["cox_model_baseline_hazard"]),
        variance=np.asarray(values["cox_model_baseline_variance"]),
        shift=np.asarray(values["cox_model_baseline_shift"]),
    )


def _strata(patients: xr.Dataset, known: _Model, names: Vector) -> tuple[list[str], Vector]:
    codes, labels = labeled_strata(patients, known.strata, caller="cox_prediction")
    unknown = [label for label in labels if label not in known.labels]
    if unknown:
        of = [names[i] for i in np.flatnonzero(np.isin(np.array(labels, dtype=object)[codes], unknown))]
        message = (
            f"Patients of cox_prediction must belong to strata of the model: {listed(known.labels)}. Found {listed(unknown)} "
            f"(patients {listed(of)}); leave these patients out, or fit without strata."
        )
        raise InputError(message)
    place = np.array([known.labels.index(label) for label in labels])[codes]
    return [known.labels[i] for i in place], place


def _hazards(known: _Model, apart: Matrix, place: Vector, moments: Vector) -> tuple[Matrix, Matrix]:
    # Cumulative hazard at the mean covariates, and the variance of it with the patient's own distance to them.
    shape = (apart.shape[0], moments.size)
    hazard, variance = np.full(shape, np.nan), np.full(shape, np.nan)
    for number in np.unique(place):
        rows = np.flatnonzero(place == number)
        own = known.stratum == known.labels[number]
        step = np.searchsorted(known.time[own], moments, side="right")
        total = np.concatenate([[0.0], known.hazard[own]])[step]
        spread = np.concatenate([[0.0], known.variance[own]])[step]
        shift = np.vstack([np.zeros((1, known.mean.size)), known.shift[own]])[step]
        reach = total[None, :, None] * apart[rows][:, None, :] - shift[None]
        followed = moments <= known.follow_up[number]
        hazard[rows] = np.where(followed, total, np.nan)
        variance[rows] = np.where(
            followed, spread + np.einsum("itj,jk,itk->it", reach, known.covariance, reach), np.nan
        )
    return hazard, variance
