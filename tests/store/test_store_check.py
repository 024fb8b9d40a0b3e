from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ChecksumError
from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.results import write_result
from chemores_dask.store.store_check import damaged_datasets, verify_store
from chemores_dask.testing.nouns import tiny_cells


@pytest.fixture
def store(tmp_path):
    path = write_cells(tiny_cells(), tmp_path / "cohort.zarr")
    result = xr.Dataset({"score": ("cell", np.arange(30.0))}, attrs={"analysis": "quality"})
    write_result(result, path, step="quality", fingerprint="aa")
    return path


def change(file, edit):
    described = json.loads(file.read_text())
    edit(described)
    file.write_text(json.dumps(described))


def test_verify_store__finds_nothing_in_a_whole_store(store):
    assert verify_store(store) == []


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("cells/X/data/zarr.json", lambda d: d.update(shape=[d["shape"][0] - 1])),
        ("cells/X/zarr.json", lambda d: d["attributes"]["shape"].__setitem__(0, 95)),
        ("cells/zarr.json", lambda d: d["attributes"].update(cells=95)),
        ("cells/zarr.json", lambda d: d["attributes"].update(content="0" * 16)),
        ("cells/obs/zarr.json", lambda d: d["attributes"]["column-order"].remove("patient")),
        ("cells/obs/zarr.json", lambda d: d["attributes"].update({"_index": "patient"})),
    ],
    ids=["length", "shape", "cells", "content", "column", "index"],
)
def test_verify_store__finds_descriptions_that_say_something_else(store, name, edit):
    change(store / name, edit)
    assert [damage.file for damage in verify_store(store)] == [store / name]
    with pytest.raises(ChecksumError, match=name):
        open_cells(store)


def test_verify_store__allows_columns_added_later(store):
    change(store / "cells" / "obs" / "zarr.json", lambda d: d["attributes"]["column-order"].append("added"))
    assert verify_store(store) == []


def test_damaged_datasets__names_results_whose_descriptions_or_chunks_changed(store):
    folder = store / "results" / "quality" / "aa"
    assert damaged_datasets(store) == []
    change(folder / "score" / "zarr.json", lambda d: d.update(shape=[29]))
    (found,) = damaged_datasets(store)
    assert found.file == folder / "zarr.json"
    assert "score" in found.reason
    change(folder / "zarr.json", lambda d: d["attributes"].pop("complete"))
    assert damaged_datasets(store) == []
