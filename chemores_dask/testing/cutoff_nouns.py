"""Calls of the analyses of cut-offs and landmarks, on tiny patients."""

from __future__ import annotations

import numpy as np
import xarray as xr

from chemores_dask.cohort.survival.apply_cutoff import apply_cutoff
from chemores_dask.cohort.survival.landmark_cohort import landmark_cohort
from chemores_dask.cohort.survival.survival_cutoff import CutoffOptions, survival_cutoff


def tiny_survival_cutoff(patients: xr.Dataset) -> xr.Dataset:
    """A cut-off of the age."""
    options = CutoffOptions(minimum_share=0.2, scale="zscore", draws=999)
    return survival_cutoff(patients, duration="months", event="event", score="age", options=options, seed=3)


def tiny_apply_cutoff(patients: xr.Dataset) -> xr.Dataset:
    """The cut-off of the age, applied to the same patients."""
    return apply_cutoff(patients, cutoff=tiny_survival_cutoff(patients), score="age")


def tiny_landmark_cohort(patients: xr.Dataset) -> xr.Dataset:
    """Half of the patients exposed at half of their follow-up."""
    half = patients["months"].values / 2
    exposed = patients.assign(treated=("patient", np.where(np.arange(half.size) % 2 == 0, half, np.nan)))
    return landmark_cohort(
        exposed, duration="months", event="event", landmark=6.0, exposure_time="treated", clock="origin"
    )
