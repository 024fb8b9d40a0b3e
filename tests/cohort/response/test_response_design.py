"""Covariates by formula, from patients who have them all."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.response.response_design import covariate_table, response_design
from chemores_dask.errors import InputError, MissingVariableError


@pytest.fixture
def patients(patients_of):
    return patients_of(
        age=[1.0, 2.0, np.nan, 4.0, 5.0],
        sex=np.array(["f", "m", "f", "unknown", "m"], dtype=object),
        arm=np.array(["a", "", "b", None, "a"], dtype=object),
        flat=np.ones(5),
    )


def test_covariate_table__knows_who_has_them_all(patients):
    table, complete = covariate_table(patients, "~ age + sex", unknown=("Unknown",), caller="test")
    assert complete.tolist() == [True, True, False, False, True]
    assert table.index.tolist() == [f"P{number}" for number in range(5)]
    assert covariate_table(patients, "~ arm", unknown=(), caller="test")[1].tolist() == [True, False, True, False, True]


def test_response_design__leaves_the_intercept_out(patients):
    table, complete = covariate_table(patients, "~ age + sex", unknown=("Unknown",), caller="test")
    matrix, terms = response_design(table[complete], "~ age + sex", caller="test")
    assert terms == ["age", "sex[T.m]"]
    assert matrix.tolist() == [[1, 0], [2, 1], [5, 1]]


@pytest.mark.parametrize(
    ("formula", "error", "match"),
    [
        ("~ agee", MissingVariableError, "present: .*age, sex|names agee"),
        ("~ 1", InputError, "at least one covariate"),
        ("~ flat", InputError, "flat"),
        ("~ 0 + sex", InputError, "intercept of its own"),
        ("~ age + I(2 * age)", InputError, "2 age"),
        ("age ~ sex", InputError, "right side only"),
        ("~ age +", InputError, "formula"),
    ],
)
def test_response_design__explains_what_it_refuses(patients, formula, error, match):
    def design():
        table, complete = covariate_table(patients, formula, unknown=("Unknown",), caller="test")
        return response_design(table[complete], formula, caller="test")

    with pytest.raises(error, match=match):
        design()
