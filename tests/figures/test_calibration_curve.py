"""The picture of calibration."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.calibration_curve import calibration_curve
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_response import performance_result, separated_result


def test_calibration_curve__draws_bins_with_limits():
    result = performance_result()
    figure = calibration_curve(result)
    (curve,) = by_name(figure, "curve")
    assert np.array_equal(curve.get_xdata(), result["performance_bin_predicted"].values)
    assert np.array_equal(curve.get_ydata(), result["performance_bin_observed"].values)
    limits = np.array([line.get_ydata() for line in by_name(figure, "limits")])
    assert np.array_equal(limits[:, 1], result["performance_bin_observed_upper"].values)


def test_calibration_curve__draws_how_probabilities_are_spread():
    result = performance_result()
    figure = calibration_curve(result)
    positive, negative = (by_name(figure, name)[0].get_data().values for name in ("positive", "negative"))
    assert positive.sum() == int(result["performance_positive_patients"])
    assert positive.sum() - negative.sum() == int(result["performance_patients"])


def test_calibration_curve__states_n_and_tests():
    words = said(calibration_curve(performance_result()))
    for expected in ("n = 37 patients", "Slope 1", "Brier score", "Spiegelhalter's test: P =", "optimistic"):
        assert expected in words


def test_calibration_curve__says_that_there_are_no_probabilities():
    assert "no finite estimates" in said(calibration_curve(separated_result()))
