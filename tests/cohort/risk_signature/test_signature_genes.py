"""Weights and rows of genes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.risk_signature.signature_genes import gene_rows, measured_at_all, signature_weights
from chemores_dask.errors import InputError, MissingVariableError


def patients_of(values, dims=("patient", "gene")):
    return xr.Dataset({"expression": (dims, values)}, coords={"gene": ["a", "b", "c"]})


def test_gene_rows__take_both_orders_and_chunks():
    values = np.arange(12.0).reshape(4, 3)
    for patients in (patients_of(values), patients_of(values.T, ("gene", "patient")), patients_of(values).chunk(2)):
        rows = gene_rows(patients, "expression", caller="x")
        assert rows.dims == ("gene", "patient")
        assert rows.data.chunks[1] == (4,)
        np.testing.assert_array_equal(rows.values, values.T)


def test_measured_at_all__finds_patients_without_a_value():
    values = np.ones((4, 3))
    values[1] = np.nan
    values[2, :2] = np.nan
    found = measured_at_all(gene_rows(patients_of(values), "expression", caller="x"))
    assert found.tolist() == [True, False, True, True]


def test_gene_rows__refuse_what_is_no_expression():
    with pytest.raises(MissingVariableError, match="'counts'"):
        gene_rows(patients_of(np.ones((4, 3))), "counts", caller="x")
    with pytest.raises(InputError, match="real numbers"):
        gene_rows(patients_of(np.full((4, 3), "a")), "expression", caller="x")
    with pytest.raises(InputError, match="more than once: a"):
        gene_rows(patients_of(np.ones((4, 3))).assign_coords(gene=["a", "a", "b"]), "expression", caller="x")


def test_signature_weights__are_read_as_they_are():
    found = xr.Dataset({"risk_signature_weight": ("gene", [1.0, -2.0])}, coords={"gene": ["a", "b"]})
    genes, weights = signature_weights(found, caller="x")
    assert (genes.tolist(), weights.tolist()) == (["a", "b"], [1, -2])
    with pytest.raises(InputError, match="Found 0 genes"):
        signature_weights(found.isel(gene=[]), caller="x")
