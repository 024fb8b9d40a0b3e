"""The picture of survival."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.figures.survival_curves import survival_curves
from tests.figures.drawn import by_name, said, texts_of
from tests.figures.examples_of_results import cox_model_result, log_rank_result, survival_result


def test_survival_curves__draw_the_steps():
    result = survival_result()
    figure = survival_curves(result)
    for place, curve in enumerate(by_name(figure, "curve")):
        assert curve.get_xdata()[0] == 0
        assert curve.get_ydata()[0] == 1
        assert np.array_equal(curve.get_ydata()[1:], result["km_survival"].values[place])
        assert curve.get_drawstyle() == "steps-post"


def test_survival_curves__mark_the_censored():
    result = survival_result(("all",))
    (marks,) = by_name(survival_curves(result), "censored")
    assert np.array_equal(marks.get_xdata(), result["time"].values[result["km_censored"].values[0] > 0])
    without = survival_curves(result.drop_vars("km_censored"))
    assert np.array_equal(by_name(without, "censored")[0].get_xdata(), marks.get_xdata())


def test_survival_curves__count_the_patients_at_risk():
    figure = survival_curves(survival_result(("all",)))
    numbers = {text.get_position()[0]: text.get_text() for text in by_name(figure, "at risk")}
    assert numbers == {0: "60", 10: "51", 20: "41", 30: "31", 40: "21", 50: "11", 60: "1"}


def test_survival_curves__state_tests_with_n():
    figure = survival_curves(
        survival_result(), log_rank=log_rank_result(), cox=cox_model_result(("score",)), labels={"high": "high score"}
    )
    words = said(figure)
    assert "Log-rank test: P = 0.0032 (n = 120 patients)" in words
    assert "Hazard ratio of score: 1.84 (95% limits 1.32 to 2.57); Wald P = 3.2e-04 (n = 120 patients)" in words
    assert "120 patients, 50 events" in words
    assert "high score 60 (30); low 60 (20)" in words
    assert "Time (months)" in words


def test_survival_curves__survive_no_events_and_no_p():
    figure = survival_curves(survival_result(events=False), log_rank=log_rank_result(np.nan))
    assert "No events" in said(figure)
    assert "P not available" in said(figure)


@pytest.mark.parametrize("patients", [1, 2])
def test_survival_curves__draw_a_handful_of_patients(patients):
    figure = survival_curves(survival_result(("all",), patients))
    assert f"{patients} patient" in said(figure)


def test_survival_curves__end_where_follow_up_ends():
    result = survival_result()
    result["km_survival"][0, 30:] = np.nan
    result["km_at_risk"][0, 30:] = 0
    assert by_name(survival_curves(result), "curve")[0].get_xdata()[-1] == 30
    assert "0" in texts_of(survival_curves(result))


def test_survival_curves__say_that_there_are_no_patients():
    assert "no patients" in said(survival_curves(survival_result().isel(time=[])))
