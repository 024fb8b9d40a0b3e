from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from chemores_dask.errors import IncompleteResultError, InputError, ParameterError, StoreNotFoundError
from chemores_dask.store.layout import GROUP_FILE
from chemores_dask.store.results import ResultEntry, is_complete, list_results, open_result, write_result


@pytest.fixture
def result():
    return xr.Dataset(
        {"cox_p_value": ("gene", [0.5, np.nan])}, coords={"gene": ["a", "b"]}, attrs={"analysis": "cox_scan"}
    )


def test_write_result__is_opened_as_it_was(tmp_path, result):
    store = tmp_path / "a store.zarr"
    attributes = {"parameters": {"seed": 7, "genes": None}, "seconds": 1.5, "versions": {"numpy": "2"}}
    group = write_result(result, store, step="scan", fingerprint="0123abcd", attributes=attributes)
    assert group == store / "results" / "scan" / "0123abcd"
    xr.testing.assert_identical(open_result(store, step="scan", fingerprint="0123abcd"), result)
    assert list_results(store) == [ResultEntry("scan", "0123abcd", True, attributes)]
    written = json.loads((group / GROUP_FILE).read_text())["attributes"]
    assert written["complete"] is True
    assert written["step"] == "scan"
    assert written["fingerprint"] == "0123abcd"


def test_list_results__orders_by_step_and_shows_torn_ones(tmp_path, result):
    for step, fingerprint in (("km", "b"), ("km", "a"), ("cox", "c")):
        write_result(result, tmp_path, step=step, fingerprint=fingerprint)
    file = tmp_path / "results" / "km" / "a" / GROUP_FILE
    torn = json.loads(file.read_text())
    del torn["attributes"]["complete"]
    file.write_text(json.dumps(torn))
    entries = list_results(tmp_path)
    assert [(entry.step, entry.fingerprint, entry.complete) for entry in entries] == [
        ("cox", "c", True),
        ("km", "a", False),
        ("km", "b", True),
    ]
    with pytest.raises(IncompleteResultError, match="goes on from what is finished"):
        open_result(tmp_path, step="km", fingerprint="a")
    write_result(result, tmp_path, step="km", fingerprint="a")
    assert is_complete(tmp_path, step="km", fingerprint="a")


def test_is_complete__is_false_where_nothing_is(tmp_path, result):
    assert not is_complete(tmp_path / "absent", step="a", fingerprint="b")
    write_result(result, tmp_path, step="a", fingerprint="b")
    assert is_complete(tmp_path, step="a", fingerprint="b")
    assert not is_complete(tmp_path, step="a", fingerprint="c")


def test_open_result__lists_what_is_there(tmp_path, result):
    with pytest.raises(StoreNotFoundError, match="Found nothing"):
        open_result(tmp_path / "absent", step="a", fingerprint="b")
    write_result(result, tmp_path, step="a", fingerprint="b")
    with pytest.raises(StoreNotFoundError, match="Present: a/b"):
        open_result(tmp_path, step="a", fingerprint="c")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "with space"])
def test_write_result__refuses_names_that_are_no_folders(tmp_path, result, name):
    with pytest.raises(ParameterError, match="letter or digit"):
        write_result(result, tmp_path, step=name, fingerprint="a")
    with pytest.raises(ParameterError, match="letter or digit"):
        write_result(result, tmp_path, step="a", fingerprint=name)


def test_write_result__refuses_attributes_that_json_lacks(tmp_path, result):
    with pytest.raises(InputError):
        write_result(result, tmp_path, step="a", fingerprint="b", attributes={"function": object()})
    assert not is_complete(tmp_path, step="a", fingerprint="b")


def test_write_result__leaves_a_full_disk_incomplete(tmp_path, result, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("chemores_dask.store.datasets.open_array", full)
        with pytest.raises(OSError, match="No space left"):
            write_result(result, tmp_path, step="a", fingerprint="b")
    assert not is_complete(tmp_path, step="a", fingerprint="b")
    assert [entry.complete for entry in list_results(tmp_path)] == [False]
    write_result(result, tmp_path, step="a", fingerprint="b")
    assert is_complete(tmp_path, step="a", fingerprint="b")


@pytest.mark.cluster
def test_write_result__writes_lazy_variables_under_distributed(tmp_path):
    values = np.random.default_rng(2).random((100, 3))
    lazy = xr.Dataset({"score": (("cell", "k"), da.from_array(values, chunks=(13, 3))), "n": ((), 5)})
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        write_result(lazy, tmp_path, step="score", fingerprint="a")
    found = open_result(tmp_path, step="score", fingerprint="a")
    assert np.array_equal(found["score"], values)
