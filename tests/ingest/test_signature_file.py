"""Tests of frozen signatures as files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import FormatError, StoreNotFoundError
from chemores_dask.ingest.signature_file import NUMBERS, OVER_GENES, read_signature, write_signature


@pytest.fixture
def signature():
    rng = np.random.default_rng(2)
    over_genes = {name: ("gene", rng.normal(size=3)) for name in OVER_GENES}
    numbers = {name: rng.normal() for name in NUMBERS} | {"risk_signature_cutoff_scale": 1}
    return xr.Dataset(
        {**over_genes, **numbers, "risk_signature_baseline_hazard": ("time", np.cumsum(rng.random(4)))},
        coords={"gene": ["CD44", "KLF2", "É"], "time": [0.1, 1 / 3, 2.0, 7.5]},
        attrs={"parameters": json.dumps({"seed": 1})},
    )


def test_signature_file__keeps_every_bit(signature, tmp_path):
    found = read_signature(write_signature(signature, tmp_path / "s.json", unit="years"))
    xr.testing.assert_identical(found.drop_attrs(), signature.drop_attrs())
    assert found["risk_signature_cutoff_scale"].dtype.kind == "i"
    assert found.attrs["time_unit"] == "years"


def test_signature_file__holds_a_signature_without_genes(signature, tmp_path):
    empty = signature.isel(gene=slice(0, 0))
    assert read_signature(write_signature(empty, tmp_path / "s.json", unit="")).sizes["gene"] == 0


def test_read_signature__refuses_anything_else(signature, tmp_path):
    path = write_signature(signature, tmp_path / "s.json", unit="")
    held = json.loads(path.read_text())
    for change, said in (
        ({"kind": "other"}, "as chemores survival signature writes it"),
        ({"version": 2}, "Found version 2"),
        ({"variables": {}}, "Missing: risk_signature_weight"),
        ({"gene": ["CD44"]}, "as many weights as genes"),
    ):
        path.write_text(json.dumps(held | change))
        with pytest.raises(FormatError, match=said):
            read_signature(path)
    for text in ("[]", "gene,weight\n"):
        path.write_text(text)
        with pytest.raises(FormatError, match="must be a frozen signature"):
            read_signature(path)
    with pytest.raises(StoreNotFoundError):
        read_signature(tmp_path / "none.json")
