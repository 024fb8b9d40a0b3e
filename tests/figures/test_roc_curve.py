"""The picture of a ROC curve."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.roc_curve import optimism_line, patients_line, roc_curve
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_response import performance_result


def test_roc_curve__draws_the_curve_and_the_cutoff():
    result = performance_result()
    figure = roc_curve(result)
    (curve,), (cutoff,) = by_name(figure, "curve"), by_name(figure, "cutoff")
    assert np.array_equal(curve.get_xdata(), 1 - result["performance_roc_specificity"].values)
    assert np.array_equal(curve.get_ydata(), result["performance_roc_sensitivity"].values)
    assert cutoff.get_ydata()[0] == float(result["performance_sensitivity"])


def test_roc_curve__states_n_limits_and_tests():
    result = performance_result()
    words = said(roc_curve(result))
    for expected in (
        f"n = {int(result['performance_patients'])} patients",
        "with M3",
        "95% limits (DeLong)",
        "Wilcoxon rank-sum test: P =",
        "DeLong's test of the difference: P =",
        "Youden's index in the same",
        "optimistic",
    ):
        assert expected in words


def test_roc_curve__says_that_one_patient_gives_no_limits():
    result = performance_result()
    result["performance_auroc_lower"] = np.nan
    assert "No limits" in said(roc_curve(result))


def test_patients_line__counts_training_patients():
    result = performance_result()
    result["performance_training_patients"] = 21
    assert "learned in 21 others" in patients_line(result)


def test_optimism_line__is_empty_without_a_note():
    result = performance_result()
    assert optimism_line(result)[0].endswith("the model of the probabilities.")
    del result.attrs["note"]
    assert optimism_line(result) == []
