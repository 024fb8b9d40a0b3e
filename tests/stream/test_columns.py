"""The same kernel along one dimension."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ParameterError
from chemores_dask.stream.columns import scan_columns


def mean_and_size(matrix, weight):
    assert matrix.flags.c_contiguous
    assert matrix.dtype == np.float64
    return matrix @ weight, np.full(len(matrix), matrix.shape[1])


def total(matrix):
    return (matrix.sum(axis=1),)


def patients(chunks=None):
    values = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    dataset = xr.Dataset({"expression": (("patient", "gene"), values)})
    return dataset if chunks is None else dataset.chunk({"gene": chunks})


@pytest.mark.parametrize("chunks", [None, 1, 7, 30])
def test_scan_columns__gives_the_same_for_any_chunks(chunks):
    weight = np.arange(12.0)
    found = scan_columns(
        patients(chunks),
        mean_and_size,
        variable="expression",
        over="gene",
        outputs={"mean": "f8", "size": "i8"},
        shared=[weight],
    )
    expected = weight @ patients()["expression"].values.astype(np.float64)
    assert found["mean"].dims == ("gene",)
    np.testing.assert_allclose(found["mean"].values, expected, rtol=1e-12)
    assert (found["size"] == 12).all()
    assert (found["mean"].chunks is None) == (chunks is None)


def test_scan_columns__takes_either_order_of_dimensions_and_one_output():
    over_patient = scan_columns(patients(), total, variable="expression", over="patient", outputs={"total": "f8"})
    np.testing.assert_allclose(over_patient["total"], patients()["expression"].sum("gene"), rtol=1e-5)


def test_scan_columns__takes_no_columns():
    empty = patients().isel(gene=slice(0, 0))
    assert scan_columns(empty, total, variable="expression", over="gene", outputs={"total": "f8"})["total"].size == 0


def test_scan_columns__refuses_a_dimension_that_is_not_there():
    with pytest.raises(ParameterError, match="patient, gene"):
        scan_columns(patients(), total, variable="expression", over="drug", outputs={"total": "f8"})
