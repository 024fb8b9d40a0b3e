from __future__ import annotations

import os
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask import metering
from chemores_dask.errors import ChecksumError, FormatError, InputError
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.store import datasets
from chemores_dask.store.cells import open_cells
from chemores_dask.store.datasets import chunk_shape, read_dataset, write_dataset
from chemores_dask.store.layout import group_attributes, is_complete_group
from tests.store.sources import all_counts, file_digests, make_blocks, write_stream


def example():
    """Every kind of variable, over every number of dimensions."""
    return xr.Dataset(
        {
            "whole": (
                "gene",
                np.array([1, -2, 3], dtype="i4"),
                {"units": "1", "flag_values": [0, 1], "flag_meanings": "ok no"},
            ),
            "large": ("gene", np.array([2**63, 0, 1], dtype="u8")),
            "small": ("gene", np.array([1, 2, 3], dtype="u1")),
            "real": (("gene", "component"), np.array([[0.1, np.nan], [np.inf, -0.0], [1e-300, 2.0]])),
            "single": ("gene", np.array([0.1, 0.2, 0.3], dtype="f4")),
            "yes": ("gene", np.array([True, False, True])),
            "text": ("gene", np.array(["a", "", "größer; <b>"], dtype=object)),
            "gaps": ("gene", np.array(["missing", np.nan, "x"], dtype=object)),
            "scalar": ((), 0.25, {"units": "log hazard ratio"}),
            "flag": ((), True),
            "count": ((), np.int64(7)),
            "word": ((), "median"),
            "cube": (("gene", "component", "state"), np.arange(12).reshape(3, 2, 2)),
            "none": ("nothing", np.empty(0)),
        },
        coords={
            "gene": ["CD44", "KLF2", "MCL1"],
            "state": ["other", "stem_like"],
            "gene_id": ("gene", ["E1", "E2", "E3"]),
            "year": 2024,
        },
        attrs={"analysis": "pca", "parameters": '{"components":2}', "limits": [1.5, 2.5]},
    )


def same(found, wanted):
    xr.testing.assert_identical(found.load(), wanted)
    for name in wanted.variables:
        kind = wanted[name].dtype.kind
        assert found[name].dtype == (object if kind in "OUT" else wanted[name].dtype), name
        assert found[name].attrs == wanted[name].attrs
        assert list(found[name].attrs) == list(wanted[name].attrs)


def test_write_dataset__gives_back_types_values_and_attributes(tmp_path):
    wanted = example()
    write_dataset(wanted, tmp_path / "g", attributes={"step": "pca"})
    found = read_dataset(tmp_path / "g")
    same(found, wanted)
    assert list(found.data_vars) == list(wanted.data_vars)
    assert group_attributes(tmp_path / "g")["step"] == "pca"


def test_write_dataset__is_read_by_xarray_itself(tmp_path):
    wanted = example().drop_vars(["gaps"])
    write_dataset(wanted, tmp_path / "g", attributes={})
    found = xr.open_zarr(tmp_path / "g", consolidated=False).load()
    assert set(found.coords) == set(wanted.coords) - {"year"} | ({"year"} & set(found.coords))
    for name in wanted.data_vars:
        assert found[name].dims == wanted[name].dims
        values = found[name].values
        if wanted[name].dtype.kind in "OU":
            assert values.astype(object).tolist() == wanted[name].values.astype(object).tolist()
        else:
            np.testing.assert_array_equal(values, wanted[name].values)


def test_write_dataset__keeps_the_flags_of_a_status(tmp_path):
    spec = declare(Variable("scan_status", ("gene",), "i", flags=("ok", "constant")))
    result = make_result(
        spec, {"scan_status": np.array([0, 1])}, analysis="scan", parameters={"a": 1}, coordinates={"gene": ["x", "y"]}
    )
    write_dataset(result, tmp_path / "g", attributes={})
    found = read_dataset(tmp_path / "g")
    assert found["scan_status"].attrs["flag_values"] == [0, 1]
    assert found["scan_status"].attrs["flag_meanings"] == "ok constant"
    assert found["scan_status"].attrs["units"] == "1"


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_write_dataset__writes_lazy_variables_on_a_fixed_grid(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(datasets, "RESULT_ROWS", 7)
    values = np.random.default_rng(0).random((23, 2))
    eager = xr.Dataset({"score": (("cell", "gene_set"), values), "name": ("cell", [f"n{n}" for n in range(23)])})
    write_dataset(eager, tmp_path / "eager", attributes={})
    lazy = xr.Dataset(
        {
            "score": (("cell", "gene_set"), da.from_array(values, chunks=(rows, 1))),
            "name": ("cell", da.from_array(eager["name"].values, chunks=rows)),
        }
    )
    write_dataset(lazy, tmp_path / "lazy", attributes={})
    assert file_digests(tmp_path / "lazy") == file_digests(tmp_path / "eager")
    xr.testing.assert_identical(read_dataset(tmp_path / "lazy"), eager)


def test_write_dataset__shares_the_reads_of_lazy_variables(tmp_path):
    blocks = make_blocks()
    cells = open_cells(write_stream(tmp_path / "c.zarr", blocks), rows_per_block=10)
    totals = cells.X.map_blocks(_totals, dtype=np.int64, chunks=(cells.X.chunks[0], (1,)), meta=np.empty((0, 1), int))
    found = cells.X.map_blocks(_detected, dtype=np.int64, chunks=(cells.X.chunks[0], (1,)), meta=np.empty((0, 1), int))
    lazy = xr.Dataset({"cell_total": ("cell", totals[:, 0]), "cell_detected": ("cell", found[:, 0]), "eager": ((), 1)})
    before = metering.snapshot()
    write_dataset(lazy, tmp_path / "g", attributes={})
    spent = metering.difference(before, metering.snapshot())
    assert spent["rows_decoded"] == 54
    assert spent["tasks"] > 0
    result = read_dataset(tmp_path / "g")
    assert np.array_equal(result["cell_total"], all_counts(blocks).sum(axis=1))
    assert np.array_equal(result["cell_detected"], (all_counts(blocks) > 0).sum(axis=1))


def _totals(block):
    return np.asarray(block.sum(axis=1)).astype(np.int64)


def _detected(block):
    return np.diff(block.indptr).astype(np.int64)[:, None]


def test_read_dataset__opens_large_variables_lazily(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "LAZY_BYTES", 100)
    monkeypatch.setattr(datasets, "RESULT_ROWS", 8)
    wanted = xr.Dataset({"score": (("cell", "k"), np.random.default_rng(0).random((30, 3)))})
    write_dataset(wanted, tmp_path / "g", attributes={})
    found = read_dataset(tmp_path / "g")
    assert found["score"].chunks[0] == (8, 8, 8, 6)
    xr.testing.assert_identical(found.compute(), wanted)


def test_write_dataset__marks_complete_last(tmp_path):
    wanted = example()
    wanted["broken"] = ("gene", da.map_blocks(_broken, dtype=float, chunks=((3,),)))
    with pytest.raises(ZeroDivisionError):
        write_dataset(wanted, tmp_path / "g", attributes={})
    assert not is_complete_group(tmp_path / "g")
    write_dataset(example(), tmp_path / "g", attributes={})
    assert "broken" not in read_dataset(tmp_path / "g")


def _broken(block_id=None):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array(["2024-01-01"], dtype="M8[ns]"), "datetime64"),
        (np.array([1 + 1j]), "complex"),
        (np.array([True, "a"], dtype=object), "bool, str"),
    ],
)
def test_write_dataset__refuses_types_it_cannot_keep(tmp_path, values, found):
    with pytest.raises(InputError, match=found):
        write_dataset(xr.Dataset({"when": ("n", values)}), tmp_path / "g", attributes={})
    assert not (tmp_path / "g").exists()


def test_write_dataset__refuses_lazy_text_with_gaps(tmp_path):
    lazy = xr.Dataset({"state": ("cell", da.from_array(np.array(["a", None], dtype=object), chunks=1))})
    with pytest.raises(InputError, match="no gaps"):
        write_dataset(lazy, tmp_path / "g", attributes={})


def test_write_dataset__keeps_gaps_of_every_kind(tmp_path):
    gaps = np.array(["a", None, np.nan, pd.NA, "missing", "<missing>"], dtype=object)
    write_dataset(xr.Dataset({"stage": ("patient", gaps)}), tmp_path / "g", attributes={})
    found = read_dataset(tmp_path / "g")["stage"]
    assert pd.isna(found.values).tolist() == [False, True, True, True, False, False]
    assert found.values[[0, 4, 5]].tolist() == ["a", "missing", "<missing>"]
    assert found.attrs == {}


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "lost"])
@pytest.mark.parametrize("name", ["real", "text", "scalar", "gene"])
def test_read_dataset__finds_damage(tmp_path, damage, name):
    write_dataset(example(), tmp_path / "g", attributes={})
    (file,) = [file for file in (tmp_path / "g" / name).rglob("*") if file.is_file() and file.name != "zarr.json"]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "lost":
        file.unlink()
    else:
        file.write_bytes({"flip": content, "cut": content[: len(content) // 2], "empty": b""}[damage])
    with pytest.raises(ChecksumError, match=name):
        read_dataset(tmp_path / "g")


def test_read_dataset__refuses_other_groups(tmp_path):
    xr.Dataset({"a": ("x", [1])}).to_zarr(tmp_path / "g", zarr_format=3, consolidated=False)
    with pytest.raises(FormatError, match="list of variables"):
        read_dataset(tmp_path / "g")


@pytest.mark.parametrize(
    "shape", [(), (0,), (5,), (10**6,), (10**6, 50), (3000, 10, 30_000), (1, 10**9), (10, 0, 3), (70_000, 2)]
)
def test_chunk_shape__stays_within_its_limits(shape):
    chunks = chunk_shape(shape, 8)
    assert len(chunks) == len(shape)
    assert all(1 <= chunk <= max(size, 1) for chunk, size in zip(chunks, shape, strict=True))
    assert np.prod(chunks, dtype=float) * 8 <= datasets.RESULT_CHUNK_BYTES
    assert not shape or chunks[0] <= datasets.RESULT_ROWS


class Killed(BaseException):
    """The process ends here."""


def ends_after(monkeypatch, changes):
    """Let so many files be renamed or removed, and none after these."""
    left = [changes]

    def counted(change):
        def called(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return change(*arguments, **options)

        return called

    for owner, name in ((os, "replace"), (Path, "replace"), (Path, "unlink")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))


@pytest.mark.parametrize("second", [None, 8, 16, 24])
def test_write_dataset__that_was_killed_anywhere_is_finished_by_the_next_call(tmp_path, monkeypatch, second):
    table = xr.Dataset({"a": ("term", np.arange(3.0)), "b": ("term", np.array(["x", "y", "z"], dtype=object))})
    first = 0
    while True:
        folder = tmp_path / f"group{first}"
        finished = True
        for changes, attributes in (
            (first, {"finished": "1", "seconds": 1.0}),
            (second, {"finished": "2", "host": "b"}),
        ):
            if changes is not None:
                with monkeypatch.context() as patched:
                    ends_after(patched, changes)
                    try:
                        write_dataset(table, folder, attributes=attributes, go_on=True)
                    except Killed:
                        finished = False
        if not is_complete_group(folder):
            write_dataset(table, folder, attributes={"finished": "3"}, go_on=True)
            assert not {"seconds", "host"} & set(group_attributes(folder))
        assert read_dataset(folder).identical(table)
        if finished or first > 60:
            break
        first += 1
    assert first > 10 or second is not None
