"""Expression of the genes of sets: what is read, how it spreads, and what is refused."""

from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import InputError
from chemores_dask.gene_sets import GeneSet
from chemores_dask.scores.expression_rows import expression_rows
from chemores_dask.scores.set_expression import (
    genes_of,
    patients_expression,
    spread_of_cells,
    spread_of_patients,
    weighted_sums_of_cells,
    weighted_sums_of_patients,
)
from chemores_dask.stream import as_rows

GENES = ["A", "B", "C", "D"]
COLUMNS = np.array([0, 2, 3])


@pytest.fixture
def matrix():
    matrix = np.random.default_rng(9).normal(3, 1, (20, 4))
    matrix[:, 3] = 7.3
    matrix[::3, 0] = 0.0
    return matrix


def cells_of(matrix, size=6):
    return anndata.AnnData(as_rows(sp.csr_matrix(matrix), rows_per_block=size), var=pd.DataFrame(index=GENES))


def cohort(data):
    coords = {"patient": [f"P{i}" for i in range(20)], "gene": GENES}
    return xr.Dataset({"expression": (("patient", "gene"), data)}, coords=coords)


def test_genes_of__are_in_the_order_of_the_columns(matrix):
    found = expression_rows(cells_of(matrix), caller="score")
    assert genes_of([GeneSet("first", ("D", "A")), GeneSet("second", ("C",), ("A",))], found) == ("A", "C", "D")


def test_patients_expression__reads_chosen_genes_only(matrix):
    def refuse(block):
        message = "a gene that nobody asked for was read"
        raise AssertionError(message)

    parts = [da.from_array(matrix[:, [gene]]) for gene in range(4)]
    parts[1] = da.map_blocks(refuse, parts[1], dtype=float, meta=np.empty((0, 0)))
    patients = cohort(da.concatenate(parts, axis=1))
    found = expression_rows(patients, caller="score")
    read = patients_expression(patients, found, COLUMNS, expression="expression", caller="score")
    np.testing.assert_array_equal(read, matrix[:, COLUMNS])


def test_patients_expression__names_what_is_not_known(matrix):
    matrix[4, 2], matrix[5, 2], matrix[1, 1] = np.nan, 1e101, np.nan
    patients = cohort(matrix)
    found = expression_rows(patients, caller="score")
    with pytest.raises(InputError, match=r"in score. Not so for: C, in 2 of 20 patients \(P4, P5;"):
        patients_expression(patients, found, COLUMNS, expression="expression", caller="score")


@pytest.mark.parametrize("size", [1, 6, 20])
def test_spread__of_cells_and_patients_agree(matrix, size):
    of_patients = spread_of_patients(matrix[:, COLUMNS])
    found = expression_rows(cells_of(matrix, size), caller="score")
    of_cells = spread_of_cells(found, COLUMNS, caller="score")
    np.testing.assert_allclose(of_patients.mean, matrix[:, COLUMNS].mean(axis=0))
    np.testing.assert_allclose(of_patients.deviation[:2], matrix[:, [0, 2]].std(axis=0, ddof=1))
    np.testing.assert_allclose(of_cells.mean, of_patients.mean, rtol=1e-13)
    np.testing.assert_allclose(of_cells.deviation, of_patients.deviation, rtol=1e-12, atol=1e-13)
    assert of_cells.varies.tolist() == of_patients.varies.tolist() == [True, True, False]


@pytest.mark.parametrize("wrong", [np.nan, -np.inf, 1e200])
def test_spread_of_cells__names_what_is_not_known(matrix, wrong):
    matrix[7, 2] = wrong
    found = expression_rows(cells_of(matrix), caller="score")
    with pytest.raises(InputError, match=r"in score\. Not so for: C "):
        spread_of_cells(found, COLUMNS, caller="score")
    assert spread_of_cells(found, np.array([0]), caller="score").varies.all()


def test_weighted_sums__of_cells_and_patients_agree(matrix):
    weights = np.array([[1.0, 0.0], [0.0, -2.0], [0.5, 0.5]])
    expected = matrix[:, COLUMNS] @ weights
    np.testing.assert_allclose(weighted_sums_of_patients(matrix[:, COLUMNS], weights), expected, rtol=1e-13)
    found = expression_rows(cells_of(matrix), caller="score")
    options = {"sets": ("first", "second"), "caller": "score"}
    sums = weighted_sums_of_cells(found, COLUMNS, weights, np.array([1.0, 2.0]), **options)
    np.testing.assert_allclose(sums, expected + np.array([1.0, 2.0]), rtol=1e-13)
    matrix[3, 2] = np.nan
    broken = expression_rows(cells_of(matrix), caller="score")
    with pytest.raises(InputError, match=r"in score\. Not so for genes of: second, in 1 of 6 cells"):
        weighted_sums_of_cells(broken, COLUMNS, weights, np.zeros(2), **options).compute()
