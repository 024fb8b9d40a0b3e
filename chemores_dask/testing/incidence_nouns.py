"""Tiny patients whose follow-up ends in one of two causes, and calls of the analyses of curves on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from chemores_dask.cohort.survival.cumulative_incidence import cumulative_incidence
from chemores_dask.cohort.survival.fine_gray_model import fine_gray
from chemores_dask.cohort.survival.gray_tests import gray_test
from chemores_dask.cohort.survival.nelson_aalen import nelson_aalen
from chemores_dask.cohort.survival.restricted_means import restricted_mean


def with_causes(patients: xr.Dataset) -> xr.Dataset:
    """The tiny patients with what ended their follow-up: every third event is a death, the others relapses.

    Parameters
    ----------
    patients
        Of :func:`~chemores_dask.testing.nouns.tiny_patients`.

    Returns
    -------
    Dataset with ``ended`` over ``patient``.
    """
    event = patients["event"].values
    death = event & (np.cumsum(event) % 3 == 0)
    return patients.assign(
        ended=("patient", np.where(death, "death", np.where(event, "relapse", "censored")).astype(object))
    )


def tiny_nelson_aalen(patients: xr.Dataset) -> xr.Dataset:
    """Cumulative hazards by arm."""
    return nelson_aalen(patients, duration="months", event="event", group="arm", ties="efron")


def tiny_restricted_mean(patients: xr.Dataset) -> xr.Dataset:
    """Restricted means by arm."""
    return restricted_mean(patients, duration="months", event="event", group="arm")


def tiny_cumulative_incidence(patients: xr.Dataset) -> xr.Dataset:
    """Incidence of relapse and of death by arm."""
    return cumulative_incidence(
        with_causes(patients), duration="months", cause="ended", group="arm", censored="censored"
    )


def tiny_gray_test(patients: xr.Dataset) -> xr.Dataset:
    """Gray's test between arms."""
    return gray_test(with_causes(patients), duration="months", cause="ended", group="arm", censored="censored")


def tiny_fine_gray(patients: xr.Dataset) -> xr.Dataset:
    """Incidence of relapse modeled by age and arm."""
    return fine_gray(
        with_causes(patients),
        duration="months",
        cause="ended",
        of_interest="relapse",
        covariates=["age", "arm"],
        censored="censored",
    )


INCIDENCE: dict[str, tuple[Callable[..., xr.Dataset], Callable[[xr.Dataset], xr.Dataset]]] = {
    "nelson_aalen": (nelson_aalen, tiny_nelson_aalen),
    "restricted_mean": (restricted_mean, tiny_restricted_mean),
    "cumulative_incidence": (cumulative_incidence, tiny_cumulative_incidence),
    "gray_test": (gray_test, tiny_gray_test),
    "fine_gray": (fine_gray, tiny_fine_gray),
}
"""Analyses of curves and competing causes with a call of each on the tiny patients."""
