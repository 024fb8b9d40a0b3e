"""Tests of bringing patients into a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.errors import InputError
from chemores_dask.ingest.bulk_tables import BulkTable
from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.patient_cohort import ingest_patients, patients_dataset
from chemores_dask.ingest.patient_identifiers import match_identifiers
from chemores_dask.store.patients import open_patients


def test_ingest_patients__keeps_real_values(reference_folder: Path, tmp_path: Path) -> None:
    folder = reference_folder / "data" / "cohorts" / "converted"
    meaning = ClinicalColumns(durations=("efs.time",), events=("efs.censor",))
    clinical, expression = folder / "GRIN2_TALL_clin.csv.gz", folder / "GRIN2_TALL_expr_417x264.csv.gz"
    path = ingest_patients(
        tmp_path / "s.zarr", cohort="tall", clinical=clinical, expression=expression, columns=meaning
    )
    patients = open_patients(path, cohort="tall")
    table = pd.read_csv(expression, index_col=0).set_index("gene")
    clinic = pd.read_csv(clinical).set_index("ID")
    assert dict(patients.sizes) == {"patient": 264, "gene": 417}
    order = patients["patient"].to_numpy()
    assert np.array_equal(patients["expression"].to_numpy(), table[order].T.to_numpy())
    assert np.array_equal(patients["efs.time"].to_numpy(), clinic.loc[order, "efs.time"].to_numpy(), equal_nan=True)
    assert patients["efs.censor"].dtype == bool
    assert patients.attrs["patients_without_expression"] == ["PATGXS"]


def test_ingest_patients__works_without_expression(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("patient,time,event,response\np1,1,1,M1\np2,2,0,\n")
    path = ingest_patients(tmp_path / "s.zarr", cohort="bulk", clinical=tmp_path / "c.csv")
    patients = open_patients(path, cohort="bulk")
    assert patients["event"].to_numpy().tolist() == [True, False]
    assert patients["response"].to_numpy().tolist() == ["M1", ""]


def test_patients_dataset__refuses_tables_without_common_patients() -> None:
    bulk = BulkTable(
        pd.DataFrame([[1.0]], index=["p9"], columns=["A"]),
        np.array([""]),
        "genes x patients",
        match_identifiers([], []),
    )
    with pytest.raises(InputError, match="None is"):
        patients_dataset(pd.DataFrame({"age": [1.0]}, index=["p1"]), bulk)


def test_ingest_patients__keeps_the_names_of_those_left_out(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("patient,time,event\np1,1,1\np2,,\np3,3,0\n")
    (tmp_path / "e.csv").write_text("gene,p1,p2\nCD44,1,2\n")
    columns = ClinicalColumns(durations=("time",), events=("event",), required=("time",))
    path = ingest_patients(
        tmp_path / "s.zarr", cohort="bulk", clinical=tmp_path / "c.csv", expression=tmp_path / "e.csv", columns=columns
    )
    patients = open_patients(path, cohort="bulk")
    assert patients["patient"].to_numpy().tolist() == ["p1"]
    assert patients.attrs["patients_without_required"] == ["p2"]
    assert patients.attrs["patients_without_expression"] == ["p3"]
