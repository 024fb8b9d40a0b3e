"""A tiny frozen signature and tiny studies, and calls of the analyses that validate and pool on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from chemores_dask.cohort.risk_signature.leave_one_gene import leave_one_gene_out
from chemores_dask.cohort.risk_signature.random_signatures import RandomSignatureOptions, random_signatures
from chemores_dask.cohort.risk_signature.validate_risk import ValidationOptions, validate_risk
from chemores_dask.cohort.survival.meta_analysis import meta_analysis

OUTCOME = {"duration": "months", "event": "event"}


def tiny_signature() -> xr.Dataset:
    """A signature of three genes of the tiny patients, with a baseline hazard."""
    times = np.arange(1.0, 41.0)
    return xr.Dataset(
        {
            "risk_signature_weight": ("gene", np.array([0.8, -0.2, 0.1])),
            "risk_signature_center": ("gene", np.full(3, 5.0)),
            "risk_signature_scale": ("gene", np.ones(3)),
            "risk_signature_cutoff": 0.5,
            "risk_signature_cutoff_scale": 0,
            "risk_signature_score_mean": 0.0,
            "risk_signature_score_deviation": 0.8,
            "risk_signature_baseline_hazard": ("time", 0.05 * times),
        },
        coords={"gene": ["GENE001", "GENE004", "GENE007"], "time": times},
    )


def tiny_studies() -> xr.Dataset:
    """Hazard ratios of three studies."""
    return xr.Dataset(
        {
            "ratio": ("study", np.array([2.4, 2.1, 1.1])),
            "low": ("study", np.array([1.2, 1.1, 0.6])),
            "high": ("study", np.array([4.8, 4.0, 2.0])),
            "patients": ("study", np.array([70, 87, 120])),
            "events": ("study", np.array([32, 37, 40])),
        },
        coords={"study": ["PKPH", "TARGET", "third"]},
    )


def tiny_validation(patients: xr.Dataset) -> xr.Dataset:
    """The signature held against the survival of the tiny patients."""
    options = ValidationOptions(draws=60, points=10, groups=3)
    return validate_risk(patients, signature=tiny_signature(), **OUTCOME, horizons=[10, 20], options=options, seed=3)


def tiny_random_signatures(patients: xr.Dataset) -> xr.Dataset:
    """The signature among random ones."""
    options = RandomSignatureOptions(draws=60, bins=2)
    return random_signatures(patients, signature=tiny_signature(), **OUTCOME, options=options, seed=3)


def tiny_leave_one_gene_out(patients: xr.Dataset) -> xr.Dataset:
    """The signature without each of its genes."""
    return leave_one_gene_out(patients, signature=tiny_signature(), **OUTCOME)


def tiny_meta_analysis(studies: xr.Dataset) -> xr.Dataset:
    """The studies pooled."""
    return meta_analysis(studies, estimate="ratio", limits=["low", "high"], patients="patients", events="events")


VALIDATION: dict[str, tuple[Callable[..., xr.Dataset], Callable[[xr.Dataset], xr.Dataset]]] = {
    "validate_risk": (validate_risk, tiny_validation),
    "random_signatures": (random_signatures, tiny_random_signatures),
    "leave_one_gene_out": (leave_one_gene_out, tiny_leave_one_gene_out),
}
"""Analyses of patients, and a call of each."""
