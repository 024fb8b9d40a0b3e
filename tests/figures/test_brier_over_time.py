"""The picture of the Brier score over time."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.brier_over_time import brier_over_time
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_validation import bare_validation_result, validation_result


def test_brier_over_time__draws_predictions_and_null():
    result = validation_result()
    figure = brier_over_time(result)
    for name, variable in (("curve", "validation_curve_brier"), ("null", "validation_curve_brier_null")):
        (line,) = by_name(figure, name)
        assert np.array_equal(line.get_ydata(), result[variable].values)
    marks = by_name(figure, "horizon")
    assert [mark.get_ydata()[0] for mark in marks] == result["validation_brier"].values.tolist()


def test_brier_over_time__says_whether_predictions_are_better():
    result = validation_result()
    assert "less error than Kaplan-Meier" in said(brier_over_time(result))
    assert "n = 159 patients, 93 events" in said(brier_over_time(result))
    result["validation_integrated_prediction_accuracy"][...] = -0.25
    assert "25 % more error than Kaplan-Meier" in said(brier_over_time(result))
    assert "no survival" in said(brier_over_time(bare_validation_result()))
