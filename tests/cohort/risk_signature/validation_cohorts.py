"""A cohort with follow-up in whole months, tied risks, and a signature of one gene that gives these risks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cohort.risk_signature.validate_risk import ValidationOptions, validate_risk

FOLDER = Path(__file__).parent / "expected"
OUTCOME = {"duration": "months", "event": "event"}
HORIZONS = [6, 12, 24]


def cohort():
    table = pd.read_csv(FOLDER / "validation_cohort.csv")
    expression = np.column_stack([table["risk"], np.sin(np.arange(len(table))), np.cos(np.arange(len(table)))])
    return xr.Dataset(
        {
            "expression": (("patient", "gene"), expression),
            "months": ("patient", table["months"].to_numpy()),
            "event": ("patient", table["event"].to_numpy()),
            "risk": ("patient", table["risk"].to_numpy()),
            "high": ("patient", (table["risk"] > 0.5).to_numpy()),
        },
        coords={"patient": table["patient"].to_numpy().astype(object), "gene": ["A", "B", "C"]},
    )


def signature(weights=(1.0,), *, baseline=True, cutoff=0.5, scale=1):
    genes = ["A", "B", "C", "D"][: len(weights)]
    found = xr.Dataset(
        {
            "risk_signature_weight": ("gene", np.array(weights)),
            "risk_signature_center": ("gene", np.zeros(len(genes))),
            "risk_signature_scale": ("gene", np.ones(len(genes))),
            "risk_signature_cutoff": cutoff,
            "risk_signature_cutoff_scale": scale,
            "risk_signature_score_mean": 0.0,
            "risk_signature_score_deviation": 1.0,
        },
        coords={"gene": genes},
    )
    if not baseline:
        return found
    times = np.arange(1.0, 61.0)
    return found.assign(risk_signature_baseline_hazard=("time", 0.05 * times)).assign_coords(time=times)


QUICK = ValidationOptions(draws=20, points=10)


def validated(patients=None, *, options=QUICK, horizons=HORIZONS, **changed):
    asked = {"signature": signature(), **OUTCOME, **changed}
    return validate_risk(
        cohort() if patients is None else patients, **asked, horizons=horizons, options=options, seed=3
    )
