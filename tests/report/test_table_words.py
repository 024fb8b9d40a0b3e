"""Words and values of tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.report.table_words import headings, p_notes, patients_of, remark, value_text, words_of
from tests.figures.examples_of_results import composition_result, log_rank_result, markers_result, scan_result


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("cox_p_value", 3.21e-5, "3.2e-05"),
        ("cox_q_value", np.nan, "not available"),
        ("composition_share_before", 0.014, "1.4 %"),
        ("composition_share_t_statistic", 8.5, "8.5"),
        ("composition_share_t_p_value", 0.04, "0.040"),
        ("cube_cells", np.int32(12345), "12,345"),
        ("cell_keep", np.True_, "yes"),
        ("cox_coefficient", -0.5, "−0.5"),
        ("label", "<b>", "<b>"),
    ],
)
def test_value_text__knows_the_kind_by_name_and_type(name, value, text):
    assert value_text(xr.DataArray(value, name=name)) == text
    assert value_text(xr.DataArray([value], name=name), 0) == text


def test_value_text__spells_out_flags():
    status = scan_result()["cox_status"]
    assert value_text(status, 0) == "ok"
    assert value_text(status, 100) == "constant"
    assert value_text(status.copy(data=np.full(500, 9)), 0) == "9"


def test_headings__drop_the_shared_beginning():
    assert headings(["km_median", "km_median_lower"]) == ["Median", "Median lower"]
    assert headings(["cox_p_value"]) == ["P value, cox"]
    assert headings(["cox_p_value", "cox_q_value"]) == ["P value", "Q value"]
    assert headings(["a_x_lower", "a_x_upper"]) == ["X lower", "X upper"]
    assert headings(["a_t_p_value", "a_sign_flip_p_value"]) == ["P value, t", "P value, sign flip"]
    assert headings([]) == []


def test_patients_of__finds_n():
    assert patients_of(log_rank_result()) == "n = 120 patients"
    assert patients_of(composition_result()) == "n = 10 patients"
    scan = scan_result()
    scan["cox_patients"][3] = 150
    assert patients_of(scan) == "n = 150 to 200 patients"
    assert "not recorded" in patients_of(xr.Dataset({"x_p_value": ((), 0.5)}))


def test_p_notes__say_that_tests_over_cells_are_descriptive():
    markers = markers_result().isel(group=1)
    markers["marker_p_value"] = ("gene", np.ones(40), {"long_name": "two-sided"})
    assert p_notes(markers, ["marker_p_value"]) == [
        "n = 1,201 cells of 2 patients.",
        "P value: Wilcoxon rank-sum test over cells, two-sided.",
        "Cells of one patient are not independent.",
    ]
    # Patients of several groups of cells are not added up.
    assert patients_of(markers_result()) == "n = 1 to 3 patients"


def test_p_notes__say_n_and_test():
    assert p_notes(log_rank_result(), ["log_rank_p_value"]) == ["n = 120 patients.", "P value: log-rank test."]
    assert p_notes(log_rank_result(), ["log_rank_statistic"]) == []
    unknown = xr.Dataset({"x_p_value": ((), 0.5, {"long_name": "two-sided"})})
    assert p_notes(unknown, ["x_p_value"]) == ["The number of patients is not recorded.", "P value: two-sided."]


def test_remark__prefers_the_name_of_the_test():
    assert remark(composition_result()["composition_t_p_value"]).startswith("paired t test")
    assert remark(xr.DataArray(1, attrs={"long_name": "what it is"})) == "what it is"


def test_words_of__keeps_p_a_capital():
    assert words_of("cox_p_value") == "cox P value"
    assert words_of("gene") == "gene"
