"""Rows of expression: cells and patients look alike. What is refused is tested on every score, in the battery."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.errors import InputError
from chemores_dask.memory import memory_budget
from chemores_dask.randomness import cell_keys
from chemores_dask.scores.expression_rows import expression_rows
from tests.held_memory import budget_with_room

MATRIX = np.array([[1.0, 0.0, -2.0], [0.0, 3.0, 0.0]])


def patients_of(matrix=MATRIX, **options):
    patients = xr.Dataset(
        {"expression": (("patient", "gene"), matrix)}, coords={"patient": ["P1", "P2"], "gene": ["A", "B", "C"]}
    )
    return patients.chunk(options) if options else patients


def test_expression_rows__of_patients_are_those_of_cells():
    cells = anndata.AnnData(MATRIX, obs=pd.DataFrame(index=["P1", "P2"]), var=pd.DataFrame(index=["A", "B", "C"]))
    tables = {
        "cells": cells,
        "patients": patients_of(),
        "turned": patients_of().transpose("gene", "patient"),
        "lazy": patients_of(gene=1, patient=1),
    }
    for name, table in tables.items():
        found = expression_rows(table, caller="test")
        blocks = [found.rows.blocks[number].compute() for number in range(found.rows.numblocks[0])]
        np.testing.assert_array_equal(np.vstack([np.asarray(block.todense()) if hasattr(block, "todense") else block
                                                 for block in blocks]), MATRIX)  # fmt: skip
        assert found.genes.tolist() == ["A", "B", "C"]
        assert found.places == {"A": 0, "B": 1, "C": 2}
        assert found.names.tolist() == ["P1", "P2"]
        assert (found.dimension, found.of_cells) == (("cell", True) if name == "cells" else ("patient", False))
        np.testing.assert_array_equal(found.keys, cell_keys(["P1", "P2"]))
        assert found.plan.blocks == found.rows.numblocks[0]


def test_expression_rows__take_the_keys_that_cells_have():
    obs = pd.DataFrame({"cell_key": np.array([7, 2**63], dtype=np.uint64)}, index=["a", "b"])
    found = expression_rows(anndata.AnnData(MATRIX, obs=obs), caller="test")
    assert found.keys.tolist() == [7, 2**63]


def test_expression_rows__refuse_expression_that_is_no_number():
    with pytest.raises(InputError, match="must hold real numbers"):
        expression_rows(patients_of(MATRIX.astype(complex)), caller="test")
    with pytest.raises(InputError, match=r"test needs cells as AnnData\. Got DataFrame"):
        expression_rows(pd.DataFrame(MATRIX), caller="test")
    with pytest.raises(InputError, match="needs a matrix"):
        expression_rows(anndata.AnnData(obs=pd.DataFrame(index=["a"])), caller="test")


def test_expression_rows__promise_within_the_budget():
    with memory_budget(budget_with_room("2GB")):
        assert expression_rows(patients_of(gene=2), caller="test").plan.fits
