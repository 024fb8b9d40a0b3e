"""The picture of a Cox model."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.forest import forest
from chemores_dask.testing import response_nouns
from chemores_dask.testing.nouns import tiny_patients
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import cox_model_result


def test_forest__draws_ratios_and_limits():
    model = cox_model_result()
    figure = forest(model)
    assert figure.axes[0].get_xscale() == "log"
    ratios = [line.get_xdata()[0] for line in by_name(figure, "ratio")]
    assert np.array_equal(ratios, model["cox_model_hazard_ratio"].values)
    limits = np.array([line.get_xdata() for line in by_name(figure, "limits")])
    assert np.allclose(limits[:, 0], model["cox_model_hazard_ratio_lower"].values)
    assert np.allclose(limits[:, 1], model["cox_model_hazard_ratio_upper"].values)


def test_forest__says_n_events_and_p():
    words = said(forest(cox_model_result(), labels={"score": "score per SD"}))
    for expected in ("n = 120 patients, 57 events", "3.2e-04", "1.32 to 2.57", "score per SD", "Concordance 0.68"):
        assert expected in words


def test_forest__draws_runaway_and_missing_ratios():
    model = cox_model_result()
    model["cox_model_hazard_ratio"][0] = 1e9
    model["cox_model_hazard_ratio_lower"][0] = 0.0
    model["cox_model_hazard_ratio_upper"][0] = np.inf
    model["cox_model_hazard_ratio"][1] = np.nan
    model["cox_model_hazard_ratio_lower"][1] = np.nan
    words = said(forest(model))
    assert "not estimated" in words
    assert "0 to ∞" in words


def test_forest__shows_the_warning_of_the_model():
    model = cox_model_result()
    model.attrs["note"] = "12 events for 3 coefficients"
    assert "12 events for 3 coefficients" in said(forest(model))


def test_forest__draws_odds_ratios_of_a_response():
    model = response_nouns.tiny_ordinal_regression(tiny_patients())
    figure = forest(model)
    assert [line.get_xdata()[0] for line in by_name(figure, "ratio")] == model["ordinal_odds_ratio"].values.tolist()
    words = said(figure)
    assert f"Proportional odds model: n = {int(model['ordinal_patients'])} patients" in words
    assert "Brant" in words
    assert "Odds ratio of a higher response" in words


def test_forest__draws_odds_ratios_of_a_good_response():
    model = response_nouns.tiny_necrosis_association(tiny_patients())
    words = said(forest(model))
    assert f"n = {int(model['necrosis_logistic_patients'])} patients" in words
    assert "Odds ratio of a good response" in words


def test_forest__names_what_it_needs():
    with pytest.raises(MissingVariableError, match=r"one of cox_model_hazard_ratio, ordinal_odds_ratio"):
        forest(cox_model_result()[["cox_model_patients"]])


def test_forest__says_that_there_are_no_terms():
    assert "no terms" in said(forest(cox_model_result().isel(term=[])))
