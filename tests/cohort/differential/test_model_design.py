"""Designs without the levels of patients, against the whole ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.design_formula import design_of
from chemores_dask.cohort.differential.model_design import contrast_weights, model_design
from chemores_dask.errors import InputError, ParameterError

TABLE = pd.DataFrame(
    {
        "patient": np.repeat([f"P{n}" for n in range(5)], 2),
        "stage": ["a", "b"] * 5,
        "batch": ["x", "x", "x", "y", "y", "y", "x", "x", "y", "x"],
        "arm": np.repeat(["one", "two", "one", "two", "two"], 2),
        "dose": [0.0, 1.0, 0.0, 3.0, 0.0, 2.0, 0.0, 2.0, 0.0, 5.0],
    }
)


def _model(formula, contrast, table=TABLE):
    return model_design(design_of(table, formula, caller="test"), table["patient"].to_numpy(), contrast, caller="test")


@pytest.mark.parametrize(
    ("formula", "contrast"),
    [
        ("~ patient + stage", "stage[T.b]"),
        ("~ 0 + patient + stage", "stage[T.b]"),
        ("~ 0 + stage + patient", {"stage[b]": 1, "stage[a]": -1}),
        ("~ patient + stage + batch", "batch[T.y]"),
        ("~ patient + dose + batch", {"dose": 2.0, "batch[T.y]": -1}),
    ],
)
def test_model_design__gives_the_contrast_of_the_whole_design(formula, contrast):
    design = design_of(TABLE, formula, caller="test")
    model = _model(formula, contrast)
    assert model.groups == 5
    assert model.leveled
    y = np.random.default_rng(1).normal(size=10)
    weights = contrast_weights(contrast, design.columns, caller="test")
    expected = weights @ np.linalg.lstsq(design.matrix, y, rcond=None)[0]
    own = np.column_stack([np.eye(5)[model.group], model.columns])
    found = model.contrast @ np.linalg.lstsq(own, y, rcond=None)[0][5:]
    assert found == pytest.approx(expected, rel=1e-9)
    hat = design.matrix @ np.linalg.pinv(design.matrix)
    assert model.leverage == pytest.approx(np.diag(hat).max(), rel=1e-9)


@pytest.mark.parametrize(
    ("formula", "contrast"),
    [("~ stage + batch", "stage[T.b]"), ("~ patient + stage", "patient[T.P3]"), ("~ arm + stage", "arm[T.two]")],
)
def test_model_design__keeps_designs_whole_that_have_no_levels_or_compare_patients(formula, contrast):
    model = _model(formula, contrast)
    assert model.groups == 0
    assert model.columns.shape[1] == model.rank
    assert model.leveled == formula.startswith("~ patient")


@pytest.mark.parametrize("contrast", ["stage[T.b]", {"stage[T.b]": 1.0, "batch[T.y]": -2.0}])
def test_model_design__null_columns_are_those_where_the_contrast_is_zero(contrast):
    model = _model("~ patient + stage + batch", contrast)
    coefficients = np.linalg.lstsq(model.columns, model.null_columns, rcond=None)[0]
    np.testing.assert_allclose(model.contrast @ coefficients, 0, atol=1e-12)
    assert np.linalg.matrix_rank(model.null_columns) == model.columns.shape[1] - 1


def test_model_design__compares_patients_with_samples_on_both_sides():
    table = TABLE.drop(index=[3, 6])
    model = _model("~ patient + stage", "stage[T.b]", table)
    assert (model.patients, model.compared) == (5, 3)
    assert _model("~ arm + stage", "arm[T.two]").compared == 0


def test_model_design__needs_residual_degrees_of_freedom():
    with pytest.raises(InputError, match="2 samples and 2 columns"):
        _model("~ stage", "stage[T.b]", TABLE.iloc[:2])


def test_model_design__of_many_patients_is_quick():
    patients = 600
    table = pd.DataFrame({"patient": np.repeat([f"P{n}" for n in range(patients)], 2), "stage": ["a", "b"] * patients})
    model = _model("~ patient + stage", "stage[T.b]", table)
    assert model.columns.shape == (2 * patients, 1)
    assert model.rank == patients + 1
    assert model.leverage == pytest.approx(0.5 + 0.5 / patients)


@pytest.mark.parametrize(
    ("contrast", "words"),
    [
        ("stage", r"Did you mean stage\[T.b\]"),
        ({"stage[T.b]": 1, "sex": 1}, "Not there: sex"),
        ([1.0, 2.0], "one weight for each of the 6 columns"),
        ([0.0] * 6, "not all zero"),
        ({"stage[T.b]": np.nan}, "finite"),
    ],
)
def test_contrast_weights__says_what_is_wrong(contrast, words):
    with pytest.raises(ParameterError, match=words):
        _model("~ patient + stage", contrast)
