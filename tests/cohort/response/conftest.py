"""Patients with responses, and what R says about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

EXPECTED = Path(__file__).parent / "expected"


@pytest.fixture(scope="session")
def table():
    """Simulated patients: score, another score, a probability, age, sex, response and necrosis, with gaps."""
    return pd.read_csv(EXPECTED / "patients.csv", keep_default_na=True)


@pytest.fixture
def cohort(table):
    """The same as a Dataset."""
    return xr.Dataset.from_dataframe(table.set_index("patient"))


@pytest.fixture(scope="session")
def r_values():
    """Values of R 4.2.2 with MASS 7.3.58.2, pROC 1.18.0, coin 1.4.2, brglm2 0.9, ordinal 2022.11.16, rms 6.5.0, by name.

    Numbered names are vectors: ``r("polr.coef")``.
    """
    read = pd.read_csv(EXPECTED / "r_values.csv").set_index("quantity")["value"]

    def find(name):
        several = [
            value for key, value in read.items() if key.rpartition(".")[0] == name and key.rpartition(".")[2].isdigit()
        ]
        return np.array(several) if several else float(read[name])

    return find


@pytest.fixture
def patients_of():
    """Make a Dataset over ``patient`` of some columns."""

    def make(**columns):
        variables = {name: ("patient", np.asarray(values)) for name, values in columns.items()}
        n = len(next(iter(columns.values())))
        return xr.Dataset(variables, coords={"patient": [f"P{number}" for number in range(n)]})

    return make
