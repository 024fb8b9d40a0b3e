from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.formula.api import ols

from chemores_dask.auditor.formula_columns import formula_columns, formula_variables
from chemores_dask.errors import InputError, MissingVariableError
from tests.auditor.designs import clean_samples

SAMPLES = clean_samples()


def test_formula_columns__span_what_statsmodels_spans():
    table = SAMPLES.assign(age=np.arange(len(SAMPLES)) ** 1.5, y=np.random.default_rng(1).normal(size=len(SAMPLES)))
    matrix, columns = formula_columns(table, "~ patient + stage + age")
    model = ols("y ~ patient + stage + age", data=table)
    assert matrix.shape == model.exog.shape
    ours, theirs = (sm.OLS(table["y"], exog).fit().fittedvalues for exog in (matrix, model.exog))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert columns[0] == "Intercept"
    assert "stage[T.relapse]" in columns


def test_formula_columns__treat_categories_as_text():
    table = SAMPLES.assign(stage=pd.Categorical(SAMPLES["stage"], categories=["relapse", "diagnosis", "never"]))
    assert formula_columns(table, "~ stage")[1] == ("Intercept", "stage[T.relapse]")


@pytest.mark.parametrize(
    ("formula", "error", "match"),
    [
        ("~ patient + stadium", MissingVariableError, r"needs the columns stadium in the table of samples"),
        ("~ patient +", InputError, r"must be one that formulaic reads"),
        ("cells ~ stage", InputError, r"must have a right side only"),
        ("~ age", InputError, r"'age' of '~ age' is missing in 1 of 16"),
        ("~ np.log(cells)", InputError, r"cannot be evaluated|must give finite columns"),
    ],
)
def test_formula_columns__refuse_formulas_that_cannot_be_built(formula, error, match):
    table = SAMPLES.assign(age=[np.nan, *range(15)], cells=0)
    with pytest.raises(error, match=match) as caught:
        formula_columns(table, formula)
    assert "\x1b" not in str(caught.value)


def test_formula_variables__are_whole_names():
    assert formula_variables("~ outpatient + stage") == {"outpatient", "stage"}
