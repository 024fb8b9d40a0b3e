"""Mean z-scores: hand-worked values, missing and constant genes."""

from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr
from scipy.stats import zscore

from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, MissingVariableError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import check_result
from chemores_dask.scores.mean_zscore import RESULT, mean_zscore
from chemores_dask.stream import as_rows

GENES = ["CD44", "BCL2", "MCL1", "E2F1", "ACTB"]


@pytest.fixture
def patients():
    matrix = np.random.default_rng(0).normal(8, 2, (9, 5))
    matrix[:, 4] = 5.1
    names = [f"p{i}" for i in range(9)]
    return xr.Dataset({"expression": (("patient", "gene"), matrix)}, coords={"patient": names, "gene": GENES})


def _sets(**genes):
    return GeneSets.from_mapping(genes)


def test_mean_zscore__is_the_mean_of_up_minus_the_mean_of_down(patients):
    sets = GeneSets((GeneSet("stemness", ("CD44", "BCL2"), ("E2F1",)), GeneSet("cycle", (), ("E2F1",))))
    result = mean_zscore(patients, sets)
    check_result(RESULT, result)
    z = zscore(patients["expression"].values[:, :4], axis=0, ddof=1)
    np.testing.assert_allclose(result["patient_score"].sel(gene_set="stemness"), z[:, :2].mean(axis=1) - z[:, 3])
    np.testing.assert_allclose(result["patient_score"].sel(gene_set="cycle"), -z[:, 3])
    assert result["score_genes"].values.tolist() == [3, 1]
    assert result["patient"].values.tolist() == patients["patient"].values.tolist()


def test_mean_zscore__calls_high_what_is_above_the_median(patients):
    result = mean_zscore(patients, _sets(stemness=["CD44"]))
    score = result["patient_score"].values[:, 0]
    assert result["patient_score_high"].values[:, 0].tolist() == (score > np.median(score)).tolist()
    assert int(result["patient_score_high"].sum()) == 4
    tied = patients.copy(deep=True)
    tied["expression"][:, 0] = [1, 1, 1, 1, 1, 1, 2, 2, 0]
    assert int(mean_zscore(tied, _sets(stemness=["CD44"]))["patient_score_high"].sum()) == 2


def test_mean_zscore__weighs_genes_that_have_weights(patients):
    weighted = GeneSets((GeneSet("risk", ("CD44",), ("BCL2",), {"CD44": 2.0, "BCL2": -0.5}),))
    z = zscore(patients["expression"].values[:, :2], axis=0, ddof=1)
    np.testing.assert_allclose(
        mean_zscore(patients, weighted)["patient_score"][:, 0], (2 * z[:, 0] - 0.5 * z[:, 1]) / 2.5
    )
    useless = GeneSets((GeneSet("risk", ("CD44",), (), {"XIST": 1.0}),))
    with pytest.raises(GeneMismatchError, match=r"needs weights"):
        mean_zscore(patients, useless)


def test_mean_zscore__leaves_out_missing_and_constant_genes_with_a_warning(patients):
    with pytest.warns(MissingGenesWarning, match=r"not in the data.*MIR181A1HG"):
        result = mean_zscore(patients, _sets(resistance=["CD44", "BCL2", "MIR181A1HG"]))
    assert result["score_genes"].item() == 2
    with pytest.warns(MissingGenesWarning, match=r"the same in all patients.*ACTB"):
        constant = mean_zscore(patients, _sets(resistance=["CD44", "BCL2", "ACTB"]))
    np.testing.assert_array_equal(constant["patient_score"], result["patient_score"])


def test_mean_zscore__refuses_sets_that_were_hardly_measured(patients):
    with pytest.raises(GeneMismatchError, match=r"At least 50%.*'resistance'"):
        mean_zscore(patients, _sets(resistance=["CD44", "PHEX", "ADIRF"]))
    with pytest.raises(GeneMismatchError, match=r"must vary between patients. 0 of 1"):
        mean_zscore(patients, _sets(house=["ACTB"]))


def test_mean_zscore__does_not_care_for_blocks_order_or_shift(patients):
    sets = _sets(stemness=["CD44", "BCL2"])
    whole = mean_zscore(patients, sets)
    xr.testing.assert_identical(whole, mean_zscore(patients.chunk({"gene": 1, "patient": 4}), sets))
    xr.testing.assert_identical(whole, mean_zscore(patients.transpose("gene", "patient"), sets))
    shifted = mean_zscore(patients.assign(expression=patients["expression"] * 3 + 1e6), sets)
    np.testing.assert_allclose(shifted["patient_score"], whole["patient_score"], atol=1e-7)


def test_mean_zscore__gives_the_scale_of_the_genes(patients):
    result = mean_zscore(patients, _sets(stemness=["BCL2", "CD44", "MCL1"]))
    assert result["gene"].values.tolist() == ["CD44", "BCL2", "MCL1"]
    expression = patients["expression"][:, :3]
    np.testing.assert_allclose(result["zscore_mean"], expression.mean("patient"))
    np.testing.assert_allclose(result["zscore_deviation"], expression.std("patient", ddof=1))


@pytest.mark.parametrize("size", [1, 4, 9])
def test_mean_zscore__of_cells_is_that_of_patients_with_the_same_expression(patients, size):
    sets = GeneSets(
        (
            GeneSet("stemness", ("CD44", "BCL2"), ("E2F1",)),
            GeneSet("risk", ("MCL1",), ("BCL2",), {"MCL1": 2.0, "BCL2": -0.5}),
        )
    )
    patients["expression"][4] = 0.0
    cells = anndata.AnnData(
        as_rows(patients["expression"].to_numpy(), rows_per_block=size), var=pd.DataFrame(index=GENES)
    )
    found = mean_zscore(cells, sets)
    check_result(RESULT, found)
    assert isinstance(found["cell_score"].data, da.Array)
    expected = mean_zscore(patients, sets)
    np.testing.assert_allclose(found["cell_score"], expected["patient_score"], rtol=0, atol=1e-12)
    for name in ("zscore_mean", "zscore_deviation", "score_genes"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


def test_mean_zscore__of_cells_leaves_out_constant_genes_and_names_unknown_ones(patients):
    matrix = patients["expression"].to_numpy()
    cells = anndata.AnnData(sp.csr_matrix(matrix), var=pd.DataFrame(index=GENES))
    with pytest.warns(MissingGenesWarning, match=r"the same in all cells.*ACTB"):
        assert mean_zscore(cells, _sets(resistance=["CD44", "ACTB"]))["score_genes"].item() == 1
    with pytest.raises(GeneMismatchError, match=r"must vary between cells. 0 of 1"):
        mean_zscore(cells, _sets(house=["ACTB"]))
    with pytest.raises(InputError, match=r"at least 2 cells.*Found 1"):
        mean_zscore(cells[:1].copy(), _sets(stemness=["CD44"]))
    for wrong in (np.nan, np.inf, 1e200):
        broken = matrix.copy()
        broken[2, 1] = wrong
        cells = anndata.AnnData(sp.csr_matrix(broken), var=pd.DataFrame(index=GENES))
        with pytest.raises(InputError, match=r"known and finite in mean_zscore. Not so for: BCL2"):
            mean_zscore(cells, _sets(stemness=["CD44", "BCL2"]))
        assert np.isfinite(mean_zscore(cells, _sets(stemness=["CD44", "MCL1"]))["cell_score"]).all()


def test_mean_zscore__of_a_set_does_not_hang_on_other_sets(patients):
    alone = mean_zscore(patients, _sets(second=["E2F1", "BCL2"]))["patient_score"][:, 0]
    both = mean_zscore(patients, _sets(first=["MCL1", "CD44", "E2F1"], second=["E2F1", "BCL2"]))["patient_score"][:, 1]
    np.testing.assert_array_equal(alone, both)


def test_mean_zscore__refuses_unusable_expression(patients):
    sets = _sets(stemness=["CD44", "BCL2"])
    with pytest.raises(MissingVariableError, match=r"'tpm'"):
        mean_zscore(patients, sets, expression="tpm")
    with pytest.raises(InputError, match=r"at least 2 patients.*Found 1"):
        mean_zscore(patients.isel(patient=[0]), sets)
    with pytest.raises(InputError, match=r"Found more than once: CD44"):
        mean_zscore(patients.assign_coords(gene=["CD44", "CD44", "MCL1", "E2F1", "ACTB"]), sets)
    with pytest.raises(InputError, match=r"Every patient must occur once.*p0"):
        mean_zscore(patients.isel(patient=[0, 0, 1]), sets)
    for wrong in (np.nan, np.inf):
        broken = patients.copy(deep=True)
        broken["expression"][2, 1] = wrong
        with pytest.raises(InputError, match=r"known and finite in mean_zscore. Not so for: BCL2"):
            mean_zscore(broken, sets)
        assert np.isfinite(mean_zscore(broken, _sets(stemness=["CD44", "MCL1"]))["patient_score"]).all()
