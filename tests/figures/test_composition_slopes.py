"""The picture of paired shares."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.composition_slopes import composition_slopes
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import composition_result


def test_composition_slopes__draws_a_line_per_patient():
    result = composition_result()
    lines = by_name(composition_slopes(result), "patient")
    drawn = np.array([line.get_ydata() for line in lines])
    assert np.array_equal(drawn[:, 0], result["composition_share_before"].values)
    assert np.array_equal(drawn[:, 1], result["composition_share_after"].values)


def test_composition_slopes__states_n_tests_and_the_least_p():
    words = said(composition_slopes(composition_result()))
    for expected in (
        "n = 10 patients",
        "Paired t test of the logit difference: P = 6.6e-05",
        "Wilcoxon signed rank test: P = 0.0039",
        "Smallest P that 10 patients can reach in the exact tests: 0.0020",
        "Share of stem_like cells",
        "diagnosis",
        "relapse",
    ):
        assert expected in words


def test_composition_slopes__leaves_out_unpaired_patients():
    result = composition_result()
    result["composition_share_after"][0] = np.nan
    figure = composition_slopes(result)
    assert len(by_name(figure, "patient")) == 9
    assert "n = 9 patients" in said(figure)


def test_composition_slopes__draws_one_patient_and_says_nan():
    result = composition_result(1)
    result["composition_t_p_value"] = np.nan
    words = said(composition_slopes(result))
    assert "n = 1 patient;" in words
    assert "P not available" in words
    assert "1 patient can reach in the exact tests: 1.0" in words


def test_composition_slopes__says_that_nobody_is_paired():
    assert "No patient" in said(composition_slopes(composition_result().isel(patient=[])))


def test_composition_slopes__says_where_log_odds_err():
    result = composition_result()
    result.attrs["log_odds_caution"] = "Tests of the log odds err."
    assert "Tests of the log odds err." in said(composition_slopes(result))
    assert "err" not in said(composition_slopes(composition_result()))
