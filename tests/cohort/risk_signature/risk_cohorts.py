"""Cohorts with follow-up and expression for the tests of signatures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.cohort.risk_signature.training_cohort import TrainingCohort, read_training


def risk_cohort(seed=0, *, patients=80, genes=12, effect=1.0, start=0):
    """Patients whose genes 0 and 1 shorten and lengthen survival."""
    rng = np.random.default_rng(seed)
    x = rng.normal(6.0, 1.5, size=(patients, genes))
    hazard = np.exp(effect * ((x[:, 0] - 6) - (x[:, 1] - 6)) / 1.5)
    time, censored = rng.exponential(12 / hazard), rng.uniform(4, 40, size=patients)
    return xr.Dataset(
        {
            "expression": (("patient", "gene"), x),
            "months": ("patient", np.ceil(np.minimum(time, censored))),
            "event": ("patient", time <= censored),
            "age": ("patient", rng.normal(12, 4, size=patients)),
            "site": ("patient", np.array([f"S{number % 4}" for number in range(patients)], dtype=object)),
        },
        coords={
            "patient": [f"P{number + start:03d}" for number in range(patients)],
            "gene": [f"G{number:02d}" for number in range(genes)],
        },
    )


def training_of(dataset=None, **names):
    """What the fitting functions take."""
    patients = risk_cohort() if dataset is None else dataset
    strata, cohort, factor = (names.get(name) for name in ("strata", "cohort", "factor"))
    return read_training(
        patients,
        outcome=("months", "event"),
        expression="expression",
        covariates=names.get("covariates", ()),
        columns=(strata, cohort, factor),
        caller="test",
    )


def glmnet_training():
    """The cohort of the expected values, in the order of the file."""
    table = pd.read_csv(Path(__file__).parent / "expected" / "glmnet_input.csv")
    return TrainingCohort(
        np.array([f"P{number:02d}" for number in range(60)], dtype=object),
        table["time"].to_numpy(),
        table["event"].to_numpy() == 1,
        np.zeros(60, dtype=np.int64),
        np.full(60, "", dtype=object),
        np.ascontiguousarray(table.iloc[:, 4:].to_numpy().T),
        (),
        np.array(table.columns[4:], dtype=object),
        np.ones(25),
    )
