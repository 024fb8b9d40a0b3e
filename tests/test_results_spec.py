"""Results hold what was declared, and say what it means."""

from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ParameterError, VariableSpecError
from chemores_dask.results_spec import Variable, check_result, declare, make_result

SPEC = declare(
    Variable("gene_mean", ("gene",), "f", unit="counts", doc="over all cells"),
    Variable("gene_status", ("gene",), "i", flags=("ok", "constant")),
    Variable("gene_label", ("gene",), "U", optional=True),
    Variable("model_patients", (), "i", unit="patients", optional=True),
)
VALUES = {"gene_mean": np.array([1.0, 2.0]), "gene_status": np.array([0, 1])}


def build(values, **attributes):
    return make_result(
        SPEC,
        values,
        analysis="example",
        parameters={"genes": 2},
        coordinates={"gene": ["A", "B"]},
        attributes=attributes,
    )


def test_variable__refuses_an_unknown_kind():
    with pytest.raises(VariableSpecError, match=r"must be one of f, i, b, U. Got 'x' for 'gene_mean'"):
        Variable("gene_mean", ("gene",), "x")


def test_declare__refuses_repeated_names():
    with pytest.raises(VariableSpecError, match="unique names"):
        declare(Variable("a", (), "f"), Variable("a", ("gene",), "f"))


def test_declare__finds_variables_by_name():
    assert SPEC.by_name["gene_mean"].unit == "counts"
    assert list(SPEC.by_name) == ["gene_mean", "gene_status", "gene_label", "model_patients"]


def test_make_result__carries_units_meanings_and_parameters():
    result = build(VALUES, seed=7)
    assert result["gene_mean"].attrs == {"units": "counts", "long_name": "over all cells"}
    assert result["gene_status"].attrs == {"units": "1", "flag_values": [0, 1], "flag_meanings": "ok constant"}
    assert (result.attrs["analysis"], json.loads(result.attrs["parameters"]), result.attrs["seed"]) == (
        "example",
        {"genes": 2},
        7,
    )
    assert result["gene"].to_numpy().tolist() == ["A", "B"]


def test_make_result__keeps_lazy_arrays_lazy():
    result = build({**VALUES, "gene_mean": da.ones(2, chunks=1)})
    assert isinstance(result["gene_mean"].data, da.Array)


def test_make_result__takes_numbers_lists_and_text():
    result = build(
        {"gene_mean": [1.0, 2.0], "gene_status": [0, 1], "gene_label": np.array(["x", "long"]), "model_patients": 3}
    )
    assert result["gene_label"].dtype == object
    assert result["model_patients"].item() == 3


def test_make_result__takes_unsigned_and_narrow_integers():
    assert build({**VALUES, "gene_status": np.array([0, 1], dtype=np.uint8)})["gene_status"].dtype == np.uint8


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({**VALUES, "gene_other": np.zeros(2)}, "'gene_other' is not declared by example"),
        ({"gene_mean": VALUES["gene_mean"]}, "missing: .'gene_status'"),
        ({**VALUES, "gene_mean": np.zeros((2, 2))}, "Found an array of shape"),
        ({**VALUES, "gene_mean": np.array([1, 2])}, "must run over .'gene',. and be float"),
        ({**VALUES, "gene_status": np.array([0.0, 1.0])}, "be integer"),
        ({**VALUES, "gene_status": np.array([True, False])}, "be integer"),
        ({**VALUES, "gene_label": np.array([1, 2])}, "be text"),
    ],
)
def test_make_result__refuses_what_was_not_declared(values, text):
    with pytest.raises(VariableSpecError, match=text):
        build(values)


def test_make_result__refuses_parameters_that_are_not_plain():
    with pytest.raises(ParameterError, match="plain values"):
        make_result(SPEC, VALUES, analysis="example", parameters={"genes": {1, 2}}, coordinates={})


def test_make_result__refuses_coordinates_of_another_length():
    with pytest.raises(ValueError, match="gene"):
        make_result(SPEC, VALUES, analysis="example", parameters={}, coordinates={"gene": ["A"]})


def test_check_result__names_what_is_amiss():
    check_result(SPEC, build(VALUES))
    with pytest.raises(VariableSpecError, match=r"Undeclared: \['extra'\]; missing: \['gene_mean'\]"):
        check_result(SPEC, build(VALUES).drop_vars("gene_mean").assign(extra=1.0))
    turned = xr.Dataset({"gene_mean": ("cell", [1.0]), "gene_status": ("gene", [1])})
    with pytest.raises(VariableSpecError, match=r"Found dimensions .'cell'"):
        check_result(SPEC, turned)
