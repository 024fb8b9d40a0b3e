"""Runs on a store whose patients come and go."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.store.cells import open_cells
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.patients import write_patients
from chemores_dask.store.results import list_results
from chemores_dask.store.withdrawal import withdraw_patients
from chemores_dask.testing.nouns import tiny_cells, tiny_patients
from chemores_dask.workflow.runner import open_run_results, plan_run, run_pipeline


def computed(record, store):
    return {name: result.compute() for name, result in open_run_results(record, store).items()}


@pytest.mark.parametrize("patient", ["P0", "P5"])
def test_run_pipeline__after_a_withdrawal_equals_a_store_that_never_had_the_patient(read, store, tmp_path, patient):
    run_pipeline(read(), store, out=tmp_path / "before")
    report = withdraw_patients(store, patients=[patient])
    assert report.cells == 16
    planned = {step.step.name: step for step in plan_run(read(), store)}
    assert [name for name, step in planned.items() if step.done] == ["model"]
    stale = {entry.step: bool(entry.stale) for entry in list_results(store)}
    assert stale.pop("model") is False
    assert all(stale.values())
    record = run_pipeline(read(), store, out=tmp_path / "after")
    assert [step.name for step in record.steps if step.reused] == ["model"]
    others = np.flatnonzero(tiny_cells().obs["patient"].to_numpy() != patient)
    never = tmp_path / "never.zarr"
    write_cells(tiny_cells(order=others), never)
    write_patients(tiny_patients(), never, cohort="trial")
    expected = run_pipeline(read(), never, out=tmp_path / "never")
    assert open_cells(store).uns["content"] == open_cells(never).uns["content"]
    assert [step.fingerprint for step in record.steps] == [step.fingerprint for step in expected.steps]
    left, right = computed(record, store), computed(expected, never)
    for name, result in left.items():
        xr.testing.assert_identical(result, right[name])


def test_run_pipeline__does_not_reuse_what_is_out_of_date(read, store, tmp_path):
    first = run_pipeline(read(), store, out=tmp_path / "out")
    names = tiny_patients()["patient"].values
    withdraw_patients(store, patients=[str(names[3])])
    again = run_pipeline(read(), store, out=tmp_path / "out")
    assert [step.name for step in again.steps if not step.reused] == ["model"]
    # The same cohort comes back: its old result has the right address, but is marked.
    write_patients(tiny_patients(), store, cohort="trial")
    planned = {step.step.name: step for step in plan_run(read(), store)}
    assert planned["model"].fingerprint == first.steps[-1].fingerprint
    assert planned["model"].reason.startswith("out of date: consent was withdrawn")
    record = run_pipeline(read(), store, out=tmp_path / "out")
    assert [step.name for step in record.steps if not step.reused] == ["model"]
    xr.testing.assert_identical(computed(record, store)["model"], computed(record, store)["model"])
    assert not [
        entry for entry in list_results(store) if entry.fingerprint == first.steps[-1].fingerprint and entry.stale
    ]
