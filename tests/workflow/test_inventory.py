from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import StoreNotFoundError
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.patients import write_patients
from chemores_dask.testing.nouns import CELLS, GENES, PATIENTS, tiny_cells, tiny_counts, tiny_patients
from chemores_dask.workflow.inventory import dataset_checksum, take_inventory


def test_take_inventory__counts_what_is_there(store):
    inventory = take_inventory(store)
    assert (inventory.cells, inventory.genes, inventory.samples, inventory.patients) == (CELLS, GENES, 12, 6)
    assert inventory.nonzeros == tiny_counts().nnz
    assert sum(inventory.sample_cells.values()) == CELLS
    assert inventory.cohorts == {"trial": PATIENTS}
    assert set(inventory.checksums) == {"cells", "patients/trial"}
    assert inventory.results == ()


def test_take_inventory__needs_no_cells(tmp_path):
    write_patients(tiny_patients(), tmp_path / "s.zarr", cohort="a")
    inventory = take_inventory(tmp_path / "s.zarr")
    assert (inventory.cells, inventory.samples, set(inventory.checksums)) == (0, 0, {"patients/a"})


def test_take_inventory__names_a_store_that_is_not_there(tmp_path):
    with pytest.raises(StoreNotFoundError, match=r"none.zarr"):
        take_inventory(tmp_path / "none.zarr")


def test_take_inventory__checksum_tells_a_changed_column(store, tmp_path):
    cells = tiny_cells()
    cells.obs["stage"] = "relapse"
    other = tmp_path / "other.zarr"
    write_cells(cells, other)
    assert take_inventory(other).checksums["cells"] != take_inventory(store).checksums["cells"]


def test_take_inventory__checksum_is_that_of_equal_cells(store, tmp_path):
    write_cells(tiny_cells(rows_per_block=7), tmp_path / "again.zarr")
    assert take_inventory(tmp_path / "again.zarr").checksums["cells"] == take_inventory(store).checksums["cells"]


def test_dataset_checksum__does_not_depend_on_chunks():
    assert dataset_checksum(tiny_patients(genes_per_chunk=5)) == dataset_checksum(tiny_patients())


@pytest.mark.parametrize("variable", ["expression", "months", "event", "arm"])
def test_dataset_checksum__tells_one_changed_value(variable):
    changed = tiny_patients().copy(deep=True)
    values = changed[variable].values
    first = (0,) * values.ndim
    values[first] = not values[first] if values.dtype.kind == "b" else values[first] * 2
    assert dataset_checksum(changed) != dataset_checksum(tiny_patients())


def test_dataset_checksum__tells_labels_and_scalars():
    first = xr.Dataset({"a": ((), 1.0)}, coords={"gene": ["A", "B"]})
    assert dataset_checksum(first) != dataset_checksum(first.assign_coords(gene=["A", "C"]))
    assert dataset_checksum(first) != dataset_checksum(first.assign(a=np.float64(2)))
