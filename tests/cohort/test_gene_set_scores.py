"""Mean z-scores: hand-worked values, missing and constant genes."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import zscore

from chemores_dask.cohort.gene_set_scores import RESULT, mean_zscore
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, MissingVariableError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import check_result

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
    assert result["patient_score_genes"].values.tolist() == [3, 1]
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
    assert result["patient_score_genes"].item() == 2
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
