"""Held against glmnet 4.1.6 (R 4.2.2) on a small cohort of whole months and a constant gene (V25).

``glmnet(x, Surv(time, event), family = "cox", thresh = 1e-15, ...)``: ``plain`` nlambda 40, lambda 15; ``factor`` alpha 0.7, nlambda 20,
penalty.factor 0 twice, 1 ten times, 2 twelve times and 1, lambda 10; ``strata`` stratifySurv(y, stratum), nlambda 20, lambda 10.
glmnet spaces penalties in single precision (1e-7), and its stratified models, fitted by another program, stop at slopes of 3e-5 where ours
have 4e-8.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.cohort.risk_signature.penalty_path import (
    PathSettings,
    added_deviance,
    first_genes,
    fit_path,
    left_out_deviance,
    refit,
)
from chemores_dask.cohort.risk_signature.training_cohort import cox_deviance
from chemores_dask.errors import InputError
from tests.cohort.risk_signature.risk_cohorts import glmnet_training, training_of

EXPECTED = Path(__file__).parent / "expected"
LASSO = PathSettings(1.0, 20, None, scaled=True)


def expected_case(name):
    table = pd.read_csv(EXPECTED / "glmnet_coefficients.csv").set_index("case").loc[name]
    return float(table["lambda"].iloc[0]), table["b"].to_numpy()


@pytest.mark.parametrize(("name", "alpha", "place"), [("plain", 1.0, 14), ("factor", 0.7, 9), ("strata", 1.0, 9)])
def test_fit_path__equals_glmnet(name, alpha, place):
    training = glmnet_training()
    if name == "factor":
        factor = np.array([0, 0, *([1] * 10), *([2] * 12), 1], dtype=float)
        training = replace(training, factor=factor)
    if name == "strata":
        training = replace(training, stratum=np.arange(60) % 2)
    penalty, coefficients = expected_case(name)
    path = fit_path(training, PathSettings(alpha, 40 if name == "plain" else 20, None, scaled=True))
    assert path.penalties[place] == pytest.approx(penalty, rel=1e-6)
    assert np.abs(path.coefficients[place] - coefficients).max() < (5e-4 if name == "strata" else 1e-5)


def test_fit_path__ends_where_glmnet_ends():
    expected = pd.read_csv(EXPECTED / "glmnet_path.csv")
    path = fit_path(glmnet_training(), PathSettings(1.0, 40, None, scaled=True))
    assert path.penalties == pytest.approx(expected["l"].to_numpy(), rel=1e-6)
    assert path.deviance_ratio == pytest.approx(expected["d"].to_numpy(), abs=1e-6)
    assert (path.coefficients != 0).sum(axis=1).tolist() == expected["df"].tolist()


def test_fit_path__does_not_depend_on_the_unit_of_a_gene():
    training = training_of()
    other = replace(training, columns=training.columns * np.linspace(1e-3, 1e3, 12)[:, None] + 1e4)
    first, second = (fit_path(each, LASSO) for each in (training, other))
    assert second.coefficients * np.linspace(1e-3, 1e3, 12) == pytest.approx(first.coefficients, abs=1e-5)


def test_fit_path__refuses_free_columns_that_separate():
    training = training_of()
    separating = np.argsort(np.argsort(-training.duration)).astype(float)
    columns = np.concatenate([separating[None] * 10, training.columns[1:]])
    factor = np.where(np.arange(12) == 0, 0.0, 1.0)
    single = replace(training, columns=columns, factor=factor, event=np.ones_like(training.event))
    single = replace(single, duration=np.arange(80.0)[np.argsort(np.argsort(single.duration, kind="stable"))] + 1)
    single = replace(single, columns=np.concatenate([-single.duration[None], columns[1:]]))
    with pytest.raises(InputError, match="not penalized must give a Cox model"):
        fit_path(single, LASSO)


def test_fit_path__refuses_genes_of_which_none_varies():
    training = training_of()
    with pytest.raises(InputError, match="a gene that varies"):
        fit_path(replace(training, columns=np.ones_like(training.columns)), LASSO)


def test_left_out_deviance__adds_up_the_likelihood_of_all_less_that_of_the_others():
    training = training_of()
    left_out = np.arange(80) % 5 == 0
    penalties = fit_path(training, LASSO).penalties[:8]
    found = left_out_deviance(training, left_out, LASSO, penalties)
    kept = training.part(~left_out)
    coefficients = fit_path(kept, LASSO, penalties).coefficients[7]
    exponents = coefficients @ training.columns
    by_hand = cox_deviance(training, exponents) - cox_deviance(kept, exponents[~left_out])
    assert found[7] == pytest.approx(by_hand, rel=1e-12)
    assert found[0] == pytest.approx(added_deviance(training, left_out, np.zeros(12)), rel=0.1)


def test_first_genes__are_those_that_enter_first_with_their_signs():
    signs = first_genes(training_of(), LASSO, 2)
    assert np.flatnonzero(signs).tolist() == [0, 1]
    assert signs[:2].tolist() == [1, -1]
    assert np.count_nonzero(first_genes(training_of(), LASSO, 5)) == 5


def test_refit__is_the_model_without_a_penalty():
    training = training_of()
    chosen = np.arange(12) < 2
    found = refit(training, chosen)
    assert (found[2:] == 0).all()
    step = np.zeros(12)
    for place in (0, 1):
        step[:] = 0
        step[place] = 1e-4
        lower, upper = (cox_deviance(training, (found + sign * step) @ training.columns) for sign in (-1, 1))
        assert (upper - lower) / 2e-4 == pytest.approx(0, abs=1e-3)


def test_refit__refuses_genes_that_separate():
    training = training_of()
    time = np.arange(80.0) + 1
    ordered = replace(training, duration=time, event=np.ones(80, dtype=bool), columns=-np.stack([time] * 12))
    with pytest.raises(InputError, match="do not separate"):
        refit(ordered, np.arange(12) == 0)
