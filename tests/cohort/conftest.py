"""Real cohorts as patients Datasets."""

from __future__ import annotations

import pandas as pd
import pytest
import xarray as xr


@pytest.fixture(scope="session")
def leukemia(reference_folder) -> xr.Dataset:
    """The T-ALL cohort: clinical columns of 265 patients, as published."""
    folder = reference_folder / "data" / "cohorts" / "converted"
    table = pd.read_csv(folder / "GRIN2_TALL_clin.csv.gz", index_col="ID").drop(columns="Unnamed: 0")
    columns = {name: ("patient", table[name].to_numpy()) for name in table}
    return xr.Dataset(columns, coords={"patient": table.index.to_numpy()})


@pytest.fixture(scope="session")
def leukemia_expression(reference_folder, leukemia) -> xr.Dataset:
    """The T-ALL patients with known event-free survival and expression of 417 genes."""
    folder = reference_folder / "data" / "cohorts" / "converted"
    table = pd.read_csv(folder / "GRIN2_TALL_expr_417x264.csv.gz", index_col="gene").drop(columns="Unnamed: 0")
    known = leukemia.dropna("patient", subset=["efs.time", "efs.censor"])
    both = [name for name in known["patient"].values if name in table.columns]
    chosen = known.sel(patient=both)
    chosen["expression"] = (("patient", "gene"), table[both].to_numpy().T)
    return chosen.assign_coords(gene=table.index.to_numpy())
