"""The variables that all scores share."""

from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import Variable
from chemores_dask.scores.expression_rows import expression_rows
from chemores_dask.scores.score_table import columns_of, declare_scores, make_scores, measured_sets, plain_gene_sets

GENES = ["A", "B", "C"]
SETS = GeneSets((GeneSet("first", ("A",), ("C",)), GeneSet("second", ("B", "A"))))
SCORES = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])


@pytest.fixture
def cells():
    names = pd.DataFrame(index=["a", "b", "c"])
    return expression_rows(anndata.AnnData(np.eye(3), obs=names, var=pd.DataFrame(index=GENES)), caller="test")


@pytest.fixture
def patients():
    table = xr.Dataset({"expression": (("patient", "gene"), np.eye(3))}, {"patient": ["a", "b", "c"], "gene": GENES})
    return expression_rows(table, caller="test")


def made(found, scores, **options):
    spec = declare_scores(*options.pop("variables", ()), unit="1")
    return make_scores(
        spec, found, SETS, scores, score_genes=[2, 1], analysis="test", parameters={"seed": 3}, **options
    )


def test_make_scores__keeps_those_of_cells_lazy(cells):
    result = made(cells, da.from_array(SCORES))
    assert set(result.data_vars) == {"cell_score", "score_genes", "score_genes_missing"}
    assert isinstance(result["cell_score"].data, da.Array)
    assert result["cell_score"].dims == ("cell", "gene_set")
    assert result["score_genes"].values.tolist() == [2, 1]
    assert result["score_genes_missing"].values.tolist() == [0, 1]
    assert result["gene_set"].values.tolist() == ["first", "second"]
    assert '"seed":3' in result.attrs["parameters"]
    assert '"down":["C"]' in result.attrs["parameters"]


def test_make_scores__cuts_those_of_patients_at_the_median(patients):
    result = made(patients, da.from_array(SCORES))
    np.testing.assert_array_equal(result["patient_score"], SCORES)
    assert result["patient_score_median"].values.tolist() == [2.0, 5.0]
    # A score equal to the median is not high.
    assert result["patient_score_high"].values.tolist() == [[False, False], [False, False], [True, False]]
    further = Variable("own", ("gene_set",), "f")
    assert made(patients, SCORES, variables=[further], further={"own": [0.5, 1.0]})["own"].values.tolist() == [0.5, 1.0]


def test_measured_sets__restrict_and_refuse(cells):
    assert measured_sets(SETS, cells, minimum_share=0.5, caller="test") == list(SETS)
    some = GeneSets((GeneSet("some", ("A", "X")),))
    with pytest.warns(MissingGenesWarning, match="1 of 2"):
        assert measured_sets(some, cells, minimum_share=0.5, caller="test")[0].up == ("A",)
    with pytest.raises(GeneMismatchError, match="At least 60%"):
        measured_sets(some, cells, minimum_share=0.6, caller="test")
    with pytest.raises(InputError, match="test needs gene sets"):
        measured_sets(GeneSets(()), cells, minimum_share=0.5, caller="test")
    weighted = GeneSets((GeneSet("risk", ("A",), weights={"A": 2.0}),))
    with pytest.raises(InputError, match=r"Every gene counts the same in test\. 'risk' has weights"):
        measured_sets(weighted, cells, minimum_share=0.5, caller="test")
    assert measured_sets(weighted, cells, minimum_share=0.5, caller="test", weighted=True) == list(weighted)


def test_columns_of__follow_the_names(cells):
    assert columns_of(("C", "A"), cells).tolist() == [2, 0]
    assert columns_of((), cells).dtype == np.int64


def test_plain_gene_sets__hold_what_a_score_depends_on():
    assert plain_gene_sets(SETS)["first"] == {"up": ("A",), "down": ("C",), "weights": {}}
