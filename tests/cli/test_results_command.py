from __future__ import annotations

import xarray as xr

from chemores_dask.store.patients import write_patients
from chemores_dask.store.results import write_result
from chemores_dask.store.withdrawal import withdraw_patients


def test_results__says_how_to_make_some(chemores, finished_store, capsys):
    assert chemores("results", finished_store) == 0
    assert "chemores run" in capsys.readouterr().out


def test_results__lists_complete_and_torn_ones(chemores, capsys, tmp_path):
    store = tmp_path / "s.zarr"
    result = xr.Dataset({"a": ("gene", [1.0])})
    write_result(result, store, step="first", fingerprint="abc", attributes={"analysis": "pca", "finished": "2026"})
    write_result(result, store, step="second", fingerprint="def")
    (store / "results" / "second" / "def" / "zarr.json").unlink()
    assert chemores("results", store) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["first", "abc", "complete", "pca", "2026"]
    assert "cut short" in lines[2]


def test_results__says_what_is_out_of_date(chemores, capsys, tmp_path):
    store = tmp_path / "s.zarr"
    write_patients(xr.Dataset({"age": ("patient", [1, 2])}, coords={"patient": ["a", "b"]}), store, cohort="bulk")
    write_result(xr.Dataset({"a": ("gene", [1.0])}), store, step="first", fingerprint="abc")
    withdraw_patients(store, patients=["a"])
    assert chemores("results", store) == 0
    assert "out of date: consent was withdrawn" in " ".join(capsys.readouterr().out.split())
