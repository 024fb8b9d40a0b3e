"""What every analysis promises, checked on every analysis."""

from __future__ import annotations

import inspect
import re

import dask
import numpy as np
import pytest
import xarray as xr

from chemores_dask import metering
from chemores_dask.results_spec import check_result
from chemores_dask.store.results import open_result, write_result
from chemores_dask.testing.examples import EXAMPLES, ON_CELLS, ON_PATIENTS, make_noun, ragged_cells
from chemores_dask.testing.nouns import CELLS, tiny_cells
from chemores_dask.workflow.catalogue import CATALOGUE

by_name = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
on_cells = pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e.noun == ON_CELLS], ids=lambda example: example.name
)
PASSES = re.compile(r"Passes over the counts: (\d+)(?: computed, (\d+) lazy)?")


def assert_same_bits(first: xr.Dataset, second: xr.Dataset) -> None:
    assert set(first.data_vars) == set(second.data_vars)
    for name in first.data_vars:
        left, right = first[name].values, second[name].values
        assert left.dtype == right.dtype, name
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name


def assert_close(first: xr.Dataset, second: xr.Dataset, tolerance: float) -> None:
    if tolerance == 0.0:
        assert_same_bits(first, second)
        return
    for name in first.data_vars:
        left, right = first[name].values, second[name].values
        if left.dtype.kind == "f":
            np.testing.assert_allclose(right, left, rtol=tolerance, atol=tolerance, err_msg=str(name))
        else:
            assert np.array_equal(left, right), name


def content(noun: object) -> dict[str, object]:
    if isinstance(noun, xr.Dataset):
        return {str(name): np.array(noun[name].values) for name in noun.variables}
    return {"X": noun.X.compute().toarray(), "obs": noun.obs.to_csv(), "var": noun.var.to_csv(), "uns": str(noun.uns)}


def test_examples__cover_the_catalogue():
    assert {example.name for example in EXAMPLES} == set(CATALOGUE)


@by_name
def test_analysis__declares_what_it_returns(example):
    result = example.call(make_noun(example))
    check_result(example.spec, result)
    assert result.attrs["analysis"] == example.name
    assert result.attrs["parameters"].startswith("{")
    for name in result.data_vars:
        assert result[name].attrs["units"]


@by_name
def test_analysis__leaves_its_input_alone(example):
    noun = make_noun(example, size=7 if example.noun != "result" else None)
    before = content(noun)
    example.call(noun).compute()
    after = content(noun)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


@pytest.mark.parametrize("size", [1, 7, 40])
@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.noun != "result"], ids=lambda example: example.name)
def test_analysis__does_not_depend_on_blocks(example, size):
    whole = example.call(make_noun(example)).compute()
    cut = example.call(make_noun(example, size=size)).compute()
    assert_close(whole, cut, example.tolerance)


@on_cells
def test_analysis__accepts_ragged_and_empty_blocks(example):
    whole = example.call(tiny_cells()).compute()
    ragged = example.call(ragged_cells()).compute()
    assert_close(whole, ragged, example.tolerance)


@by_name
def test_analysis__has_the_same_bits_for_any_number_of_workers(example):
    results = []
    for scheduler in ({"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 4}):
        with dask.config.set(**scheduler):
            results.append(example.call(make_noun(example, size=7)).compute())
    assert_same_bits(*results)


@on_cells
def test_analysis__makes_as_many_passes_as_it_says(example):
    said = PASSES.search(inspect.getdoc(example.function) or "")
    assert said, "the docstring states 'Passes over the counts: N[ computed, M lazy]'"
    cells = tiny_cells(rows_per_block=16)
    start = metering.snapshot().get(metering.ROWS_DECODED, 0)
    result = example.call(cells)
    called = metering.snapshot().get(metering.ROWS_DECODED, 0)
    result.compute()
    finished = metering.snapshot().get(metering.ROWS_DECODED, 0)
    assert (called - start) / CELLS == int(said[1])
    assert (finished - called) / CELLS == int(said[2] or 0)


@on_cells
def test_analysis__follows_the_order_of_the_cells(example):
    order = np.random.default_rng(5).permutation(CELLS)
    straight = example.call(tiny_cells()).compute()
    shuffled = example.call(tiny_cells(order=order)).compute()
    for name in straight.data_vars:
        left, right = straight[name], shuffled[name]
        if "cell" in left.dims:
            right = right.sel(cell=left["cell"].values)
        if left.dtype.kind == "f":
            np.testing.assert_allclose(right.values, left.values, rtol=1e-7, atol=1e-8, err_msg=str(name))
        else:
            assert np.array_equal(left.values, right.values), name


@by_name
def test_analysis__survives_the_store(example, tmp_path):
    result = example.call(make_noun(example, size=7))
    write_result(result, tmp_path / "cohort.zarr", step=example.name, fingerprint="0123456789ab")
    found = open_result(tmp_path / "cohort.zarr", step=example.name, fingerprint="0123456789ab").compute()
    assert_same_bits(example.call(make_noun(example, size=7)).compute(), found)
    for name in found.data_vars:
        assert found[name].attrs["units"] == result[name].attrs["units"]
        assert list(np.atleast_1d(found[name].attrs.get("flag_values", []))) == list(
            np.atleast_1d(result[name].attrs.get("flag_values", []))
        )


@by_name
def test_analysis__explains_itself(example):
    documentation = inspect.getdoc(example.function) or ""
    for heading in ("Parameters", "Returns", "Notes", "References"):
        assert f"{heading}\n{'-' * len(heading)}" in documentation, heading
    for parameter in inspect.signature(example.function).parameters:
        assert re.search(rf"^[\w, ]*\b{parameter}\b[\w, ]*$", documentation, re.MULTILINE), parameter
    for variable in example.spec.variables:
        stem = variable.name.split("_")[0]
        assert stem in documentation


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.noun == ON_PATIENTS], ids=lambda example: example.name)
def test_analysis_of_patients__states_how_many(example):
    result = example.call(make_noun(example))
    stated = [name for name in result.variables if "patient" in str(name)]
    assert stated, "patients are the replicates: their number belongs to the result"
