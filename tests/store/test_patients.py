from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
import zarr

from chemores_dask.errors import IncompleteStoreError, InputError, ParameterError, StoreNotFoundError
from chemores_dask.store.cells import open_cells
from chemores_dask.store.layout import writable_root
from chemores_dask.store.patients import check_plain_name, list_cohorts, open_patients, write_patients


@pytest.fixture
def patients():
    return xr.Dataset(
        {
            "expression": (("patient", "gene"), np.array([[1.5, np.nan], [0.0, 2.0]]), {"units": "log2(TPM + 1)"}),
            "os_months": ("patient", [12.0, 3.5]),
            "os_event": ("patient", [True, False]),
            "stage": ("patient", np.array(["IV", np.nan], dtype=object)),
            "age": ("patient", [4, 15]),
        },
        coords={"patient": ["p1", "p2"], "gene": ["CD44", "MCL1"]},
    )


def test_write_patients__is_opened_as_it_was(tmp_path, patients):
    store = write_patients(patients, tmp_path / "my cohort.zarr", cohort="bulk")
    found = open_patients(store, cohort="bulk")
    xr.testing.assert_identical(found, patients)
    assert found["os_event"].dtype == bool
    assert found["age"].dtype == np.int64


def test_write_patients__stands_beside_cells_and_replaces_its_like(tmp_path, patients):
    store = write_patients(patients, tmp_path / "c.zarr", cohort="bulk")
    write_patients(patients, store, cohort="TARGET-ALL.2")
    write_patients(patients.isel(patient=[0]), store, cohort="bulk")
    assert list_cohorts(store) == ["TARGET-ALL.2", "bulk"]
    assert open_patients(store, cohort="bulk").sizes["patient"] == 1
    with pytest.raises(StoreNotFoundError, match="must hold cells"):
        open_cells(store)


def test_open_patients__says_what_is_there(tmp_path, patients):
    store = write_patients(patients, tmp_path / "c.zarr", cohort="bulk")
    with pytest.raises(StoreNotFoundError, match=r"'bulc'\. Present: bulk"):
        open_patients(store, cohort="bulc")


def test_open_patients__refuses_a_torn_cohort(tmp_path):
    root = writable_root(tmp_path / "c.zarr")
    zarr.create_group(root / "patients" / "bulk", zarr_format=3)
    assert list_cohorts(root) == []
    with pytest.raises(IncompleteStoreError, match="cut short"):
        open_patients(root, cohort="bulk")


def test_list_cohorts__is_empty_without_patients(tmp_path):
    assert list_cohorts(writable_root(tmp_path / "c.zarr")) == []


def test_write_patients__needs_patients(tmp_path, patients):
    with pytest.raises(InputError, match="dimension 'patient'"):
        write_patients(patients.rename(patient="subject"), tmp_path / "c.zarr", cohort="bulk")


def test_check_plain_name__takes_usual_names_only():
    check_plain_name("GSE181157_v2.1", parameter="cohort", caller="test")
    with pytest.raises(ParameterError, match="'cohort' parameter of test"):
        check_plain_name("a b", parameter="cohort", caller="test")
