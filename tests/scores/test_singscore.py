"""singscore: against the definition by brute force, and values worked by hand."""

from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr
from scipy.stats import rankdata

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import check_result
from chemores_dask.scores.singscore import RESULT, singscore
from chemores_dask.stream import as_rows

NAMES = [f"G{gene}" for gene in range(90)]
SETS = GeneSets(
    (
        GeneSet("up", tuple(NAMES[:12])),
        GeneSet("down", (), tuple(NAMES[20:50])),
        GeneSet("both", tuple(NAMES[5:9]), tuple(NAMES[70:])),
    )
)


@pytest.fixture
def matrix():
    """Rows by genes, half of them zero."""
    return np.random.default_rng(31).poisson(0.7, (14, 90)).astype(float)


def cells_of(matrix):
    obs = pd.DataFrame(index=[f"cell{cell}" for cell in range(len(matrix))])
    return anndata.AnnData(sp.csr_matrix(matrix), obs=obs, var=pd.DataFrame(index=NAMES[: matrix.shape[1]]))


def cohort(matrix):
    coords = {"patient": [f"P{patient}" for patient in range(len(matrix))], "gene": NAMES[: matrix.shape[1]]}
    return xr.Dataset({"expression": (("patient", "gene"), matrix)}, coords=coords)


def centered(values, inside):
    """Mean rank of a set between the means that its extreme positions have, by writing these positions out."""
    size, genes = inside.sum(), len(values)
    least, greatest = np.arange(1, size + 1).mean(), np.arange(genes - size + 1, genes + 1).mean()
    return (values[inside].mean() - least) / (greatest - least) - 0.5


def by_definition(row, gene_set):
    ranks = rankdata(row, method="min")
    score = 0.0
    for side, of_side in ((gene_set.up, ranks), (gene_set.down, len(row) - ranks + 1)):
        if side:
            score += centered(of_side, np.isin(NAMES[: len(row)], side))
    return score


def test_singscore__follows_the_definition(matrix):
    expected = [[by_definition(row, gene_set) for gene_set in SETS] for row in matrix]
    patients, cells = singscore(cohort(matrix), SETS), singscore(cells_of(matrix), SETS)
    check_result(RESULT, patients)
    check_result(RESULT, cells)
    np.testing.assert_allclose(patients["patient_score"], expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(cells["cell_score"], expected, rtol=0, atol=1e-13)
    assert isinstance(cells["cell_score"].data, da.Array)


def test_singscore__hand_worked():
    # Ranks of A to F: 1 1 3 4 5 6 (the lowest of tied ranks). Up B, E: mean 3 between 1.5 and 5.5; down F: 6 becomes 1, the least.
    row = np.array([[0.0, 0.0, 1.0, 2.0, 3.0, 7.0]])
    sets = GeneSets((GeneSet("up", ("G1", "G4")), GeneSet("both", ("G1", "G4"), ("G5",))))
    np.testing.assert_allclose(singscore(cohort(row), sets)["patient_score"], [[-0.125, -0.625]])


def test_singscore__reaches_its_bounds():
    row = np.arange(90.0)[None, :]
    sets = GeneSets((GeneSet("top", tuple(NAMES[-7:])), GeneSet("both", tuple(NAMES[-7:]), tuple(NAMES[:9]))))
    np.testing.assert_allclose(singscore(cohort(row), sets)["patient_score"], [[0.5, 1.0]])
    np.testing.assert_allclose(singscore(cohort(-row), sets)["patient_score"], [[-0.5, -1.0]])


def test_singscore__of_a_row_hangs_on_that_row_only(matrix):
    whole = singscore(cells_of(matrix), SETS)["cell_score"].to_numpy()
    alone = singscore(cells_of(matrix[4:5]), SETS)["cell_score"].to_numpy()
    np.testing.assert_array_equal(alone, whole[4:5])
    cells = cells_of(np.log1p(matrix))
    cells.X = as_rows(cells.X, rows_per_block=5)
    np.testing.assert_array_equal(singscore(cells, SETS)["cell_score"], whole)
    order = np.random.default_rng(1).permutation(90)
    np.testing.assert_allclose(singscore(cells_of(matrix)[:, order].copy(), SETS)["cell_score"], whole, atol=1e-14)


def test_singscore__refuses_what_it_cannot_use(matrix):
    with pytest.warns(MissingGenesWarning, match="1 of 2 genes"):
        assert singscore(cohort(matrix), GeneSets.from_mapping({"set": ["G1", "PHEX"]}))["score_genes"].item() == 1
    with pytest.raises(GeneMismatchError, match="Found 1 of 2"):
        singscore(cohort(matrix), GeneSets.from_mapping({"set": ["G1", "PHEX"]}), minimum_share=0.8)
    with pytest.raises(GeneMismatchError, match="holds all 90 genes"):
        singscore(cohort(matrix), GeneSets.from_mapping({"all": NAMES}))
    with pytest.raises(InputError, match="has weights"):
        singscore(cohort(matrix), GeneSets((GeneSet.from_weights("set", {"G1": 2.0}),)))
    matrix[3, 80] = np.nan
    with pytest.raises(InputError, match=r"1 of 14 patients \(P3\) and 1 of 90 genes \(G80\)"):
        singscore(cohort(matrix), SETS)


def test_singscore__of_rows_without_expression_is_the_least():
    found = singscore(cells_of(np.zeros((2, 90))), SETS)["cell_score"]
    least = [(1 - 6.5) / 78 - 0.5, (90 - 15.5) / 60 - 0.5]
    np.testing.assert_allclose(found[0, :2], least)
