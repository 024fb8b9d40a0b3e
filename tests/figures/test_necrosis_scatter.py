"""The picture of score and necrosis."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.necrosis_scatter import necrosis_scatter
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_response import necrosis_result


def test_necrosis_scatter__draws_good_and_poor_responders():
    result = necrosis_result()
    figure = necrosis_scatter(result)
    (good,), (poor,), (cut,) = (by_name(figure, name) for name in ("good", "poor", "cut"))
    percent = result["necrosis_percent"].values
    assert np.array_equal(good.get_ydata(), percent[percent >= 75])
    assert np.array_equal(poor.get_xdata(), result["necrosis_score"].values[percent < 75])
    assert set(cut.get_ydata()) == {75.0}


def test_necrosis_scatter__states_n_tests_and_grades():
    result = necrosis_result()
    words = said(necrosis_scatter(result))
    for expected in ("n = 38 of 40 patients", "2 no known necrosis", "Spearman", "Pearson", "odds ratio", "from 75 %"):
        assert expected in words
    for grade, count in zip(("I", "II", "III", "IV"), result["necrosis_grade_patients"].values, strict=True):
        assert f"Huvos {grade}, n = {count}" in words


def test_necrosis_scatter__says_why_there_is_no_odds_ratio():
    result = necrosis_result()
    result["necrosis_odds_ratio"][:] = np.nan
    result["necrosis_status"][:] = 1
    result.attrs["note"] = "5 events for 2 coefficients"
    words = said(necrosis_scatter(result))
    assert "no odds ratio (separated)" in words
    assert "5 events for 2 coefficients" in words


def test_necrosis_scatter__says_that_there_is_nobody():
    assert "no patients" in said(necrosis_scatter(necrosis_result().isel(patient=[])))
