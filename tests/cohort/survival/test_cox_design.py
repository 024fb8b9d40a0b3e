"""Covariates as columns."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.cohort.survival.cox_design import coded_matrix, labeled_strata, model_design
from chemores_dask.errors import InputError, ParameterError
from tests.cohort.survival.cox_cases import some_patients


def test_model_design__knows_which_terms_belong_together():
    rng = np.random.default_rng(0)
    patients = some_patients(stage=rng.choice(["I", "II", "III"], 60))
    design = model_design(patients, ["stage", "age", "died"], splines={"age": 4}, caller="test")
    assert design.terms == ["stage[II]", "stage[III]", "age", "age'", "age''", "died"]
    assert design.owner.tolist() == [0, 0, 1, 1, 1, 2]
    assert design.curved(1).tolist() == [3, 4]
    assert not design.curved(0).size
    assert not design.curved(2).size
    again = coded_matrix(patients, design.coded(), design.covariates, caller="test")
    np.testing.assert_array_equal(again, design.matrix)


@pytest.mark.parametrize(
    ("splines", "error", "words"),
    [
        ({"sex": 3}, ParameterError, "'sex' is text"),
        ({"weight": 3}, ParameterError, "Not among them: weight"),
        ({"grade": 4}, InputError, "needs 4 different knots"),
        ({"flat": 3}, InputError, "needs 3 different knots"),
    ],
)
def test_model_design__refuses_splines_without_a_meaning(splines, error, words):
    patients = some_patients(grade=np.arange(60) % 3, flat=np.full(60, 2.0))
    with pytest.raises(error, match=words):
        model_design(patients, ["age", "sex", "grade", "flat"], splines=splines, caller="test")


def test_labeled_strata__names_crossed_variables():
    patients = xr.Dataset({"sex": ("patient", ["F", "M", "F"]), "site": ("patient", [2, 1, 1])})
    codes, labels = labeled_strata(patients, ["sex", "site"], caller="test")
    assert [labels[code] for code in codes] == ["F, 2", "M, 1", "F, 1"]
    assert labeled_strata(patients, "sex", caller="test")[1] == ["F", "M"]
    codes, labels = labeled_strata(patients, None, caller="test")
    assert labels == ["all"]
    assert codes.tolist() == [0, 0, 0]
