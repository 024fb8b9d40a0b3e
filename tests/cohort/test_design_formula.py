"""Designs against formulaic and patsy-like tables written by hand; what is wrong with a formula is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.design_formula import design_of, with_patients_as_labels
from chemores_dask.errors import InputError, MissingVariableError


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "patient": ["P1", "P1", "P2", "P2", "P3", "P3"],
            "stage": ["diagnosis", "relapse"] * 3,
            "batch": ["A", "A", "B", "B", "B", "B"],
            "age": [3.0, 4.0, 9.0, 10.0, 5.0, 7.0],
        },
        index=[f"S{n}" for n in range(6)],
    )


def test_design_of__a_paired_design_has_patients_and_stage(table):
    design = design_of(table, "~ patient + stage", caller="test")
    assert design.columns == ("Intercept", "patient[T.P2]", "patient[T.P3]", "stage[T.relapse]")
    np.testing.assert_array_equal(design.matrix[3], [1, 1, 0, 1])
    assert design.matrix.flags.c_contiguous


def test_design_of__takes_numbers_references_and_transformations(table):
    design = design_of(table, "~ np.log(age) + C(stage, contr.treatment('relapse'))", caller="test")
    np.testing.assert_allclose(design.matrix[:, 1], np.log(table["age"]))
    np.testing.assert_array_equal(design.matrix[:, 2], [1, 0] * 3)


def test_design_of__drops_categories_without_samples(table):
    table["stage"] = pd.Categorical(table["stage"], categories=["relapse", "diagnosis", "remission"])
    assert design_of(table, "~ stage", caller="test").columns == ("Intercept", "stage[T.diagnosis]")


@pytest.mark.parametrize(
    ("formula", "equation"),
    [
        ("~ patient + batch", r"batch\[T.B\] = patient\[T.P2\] \+ patient\[T.P3\]"),
        ("~ 1 + age + {2 * age}", "= 2 age"),
    ],
)
def test_design_of__names_what_an_aliased_column_equals(table, formula, equation):
    with pytest.raises(InputError, match=equation):
        design_of(table, formula, caller="test")


def test_design_of__names_a_missing_column_and_those_present(table):
    with pytest.raises(MissingVariableError, match="names sex; present: patient, stage, batch, age"):
        design_of(table, "~ stage + sex", caller="test")


def test_design_of__sees_columns_only(table):
    sex = table["age"]
    assert sex.size
    with pytest.raises(MissingVariableError, match="sex"):
        design_of(table, "~ sex", caller="test")


@pytest.mark.parametrize("value", [np.nan, None])
def test_design_of__names_samples_with_missing_values(table, value):
    table["age"] = table["age"].astype(object)
    table.loc["S3", "age"] = value
    with pytest.raises(InputError, match="Missing in 1 of 6: S3"):
        design_of(table, "~ age", caller="test")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("", "must be a text"),
        ("~ stage +", "must be one that formulaic reads"),
        ("age ~ stage", "right side only"),
        ("~ 0", "at least one column"),
        ("~ np.log(stage)", "cannot be evaluated"),
        ("~ np.log(age - 3)", "must be finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_design_of__says_what_is_wrong_with_a_formula(table, formula, words):
    with pytest.raises(InputError, match=words) as caught:
        design_of(table, formula, caller="test")
    assert "\x1b" not in str(caught.value)
    assert "\u29db" not in str(caught.value)


def test_design_of__takes_an_empty_text_for_a_missing_value():
    table = pd.DataFrame({"stage": ["a", "b", "", "b"]}, index=list("wxyz"))
    with pytest.raises(InputError, match=r"Every sample of test must have a value of 'stage'. Missing in 1 of 4: y"):
        design_of(table, "~ stage", caller="test")


def test_design_of__refuses_fractions_written_as_text():
    table = pd.DataFrame({"age": ["1", "4.5", "3", "4.5"], "batch": ["1", "2", "1", "2"]})
    with pytest.raises(InputError, match=r"'age' holds text such as 1, 4.5, 3.*convert it, or write C\(age\)"):
        design_of(table, "~ age", caller="test")
    assert design_of(table, "~ C(age)", caller="test").matrix.shape == (4, 3)
    assert design_of(table, "~ batch", caller="test").columns == ("Intercept", "batch[T.2]")


def test_with_patients_as_labels__names_patients_that_are_numbers():
    table = pd.DataFrame({"patient": [7, 7, 9, 9], "stage": ["a", "b", "a", "b"]})
    assert with_patients_as_labels(table, None, np.arange(4)) is table
    named = with_patients_as_labels(table, "patient", np.array(["7", "7", "9", "9"]))
    assert design_of(named, "~ patient + stage", caller="test").columns[1] == "patient[T.9]"
    assert table["patient"].tolist() == [7, 7, 9, 9]
