"""Calls of the analyses that belong to a Cox model, on tiny patients."""

from __future__ import annotations

import xarray as xr

from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.cohort.survival.cox_prediction import cox_prediction
from chemores_dask.cohort.survival.model_residuals import cox_residuals
from chemores_dask.cohort.survival.proportional_hazards import proportional_hazards
from chemores_dask.cohort.survival.risk_concordance import ConcordanceOptions, concordance

SPLINE = ModelOptions(splines={"age": 3})


def tiny_cox_model(patients: xr.Dataset) -> xr.Dataset:
    """A spline of the age, and the arm."""
    return cox_model(patients, duration="months", event="event", covariates=["age", "arm"], options=SPLINE)


def tiny_cox_prediction(patients: xr.Dataset) -> xr.Dataset:
    """Survival of the same patients."""
    model = cox_model(patients, duration="months", event="event", covariates=["age"], strata="arm")
    return cox_prediction(patients, model=model, times=[6.0, 12.0])


def tiny_cox_residuals(patients: xr.Dataset) -> xr.Dataset:
    """Of the model with age and arm."""
    return cox_residuals(patients, duration="months", event="event", covariates=["age", "arm"])


def tiny_proportional_hazards(patients: xr.Dataset) -> xr.Dataset:
    """Of the model with age and arm."""
    return proportional_hazards(patients, duration="months", event="event", covariates=["age", "arm"])


def tiny_concordance(patients: xr.Dataset) -> xr.Dataset:
    """Of the age."""
    return concordance(
        patients, duration="months", event="event", risk="age", options=ConcordanceOptions(method="uno", until=20.0)
    )
