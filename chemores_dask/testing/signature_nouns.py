"""Calls of the analyses that make and apply risk signatures."""

from __future__ import annotations

import xarray as xr

from chemores_dask.cohort.risk_signature.gene_set_signature import freeze_gene_set
from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.cohort.risk_signature.signature_fit import SignatureOptions, fit_risk_signature
from chemores_dask.cohort.risk_signature.stability_selection import StabilityOptions, stability_selection
from chemores_dask.gene_sets import GeneSets


def tiny_risk_signature(patients: xr.Dataset) -> xr.Dataset:
    """A signature of the tiny patients."""
    options = SignatureOptions(
        alphas=(1.0, 0.5), penalties=12, folds=3, outer_folds=2, cutoff_scale="zscore", cutoff=0.0
    )
    return fit_risk_signature(patients, duration="months", event="event", covariates=["age"], options=options, seed=3)


def tiny_predicted_risk(patients: xr.Dataset) -> xr.Dataset:
    """The tiny patients scored by two genes."""
    signature = xr.Dataset(
        {
            "risk_signature_weight": ("gene", [0.7, -0.2]),
            "risk_signature_center": ("gene", [5.0, 5.0]),
            "risk_signature_scale": ("gene", [1.0, 1.0]),
            "risk_signature_cutoff": 0.5,
            "risk_signature_cutoff_scale": 0,
            "risk_signature_score_mean": 0.0,
            "risk_signature_score_deviation": 0.7,
        },
        coords={"gene": ["GENE001", "GENE003"]},
    )
    return predict_risk(patients, signature=signature)


def tiny_frozen_set(patients: xr.Dataset) -> xr.Dataset:
    """Two genes as a signature that travels."""
    return freeze_gene_set(patients, GeneSets.from_mapping({"program": ["GENE001", "GENE003"]}))


def tiny_stability(patients: xr.Dataset) -> xr.Dataset:
    """Genes that halves of the tiny patients choose."""
    return stability_selection(
        patients, duration="months", event="event", options=StabilityOptions(resamples=20, genes=2), seed=3
    )


SIGNATURES = {
    "fit_risk_signature": (fit_risk_signature, tiny_risk_signature),
    "freeze_gene_set": (freeze_gene_set, tiny_frozen_set),
    "predict_risk": (predict_risk, tiny_predicted_risk),
    "stability_selection": (stability_selection, tiny_stability),
}
"""Function and call of each, by its name in the catalogue."""
