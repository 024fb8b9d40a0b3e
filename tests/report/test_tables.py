"""Results as tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.report.tables import TableRequest, read_request, result_tables, table_element
from tests.figures.examples_of_results import (
    composition_result,
    cube_result,
    log_rank_result,
    neighbors_result,
    scan_result,
    survival_result,
)
from tests.report.page_reading import read_page


def shown(result, **table):
    return read_page(result_tables(result, read_request({"step": "s", **table})))


def test_result_tables__sort_and_cut():
    scan = scan_result()
    page = shown(scan, variables=["cox_p_value"], sort="cox_p_value", rows=3)
    best = [str(scan["gene"].values[place]) for place in np.argsort(scan["cox_p_value"].values)[:3]]
    assert [text for text in page.texts if text in set(scan["gene"].values)] == best
    assert "First 3 of 500, by cox P value." in page.text


def test_result_tables__descend_with_missing_values_last():
    result = xr.Dataset({"v": ("gene", [1.0, np.nan, 3.0])}, coords={"gene": ["a", "b", "c"]})
    page = shown(result, variables=["v"], sort="v", descending=True)
    assert [text for text in page.texts if text in "abc"] == ["c", "a", "b"]


def test_result_tables__put_patients_beside_every_p():
    page = shown(scan_result(), variables=["cox_p_value"], rows=2)
    assert "Patients" in page.text
    assert "n = 200 patients." in page.text
    assert "P value: Wald test, two-sided." in page.text
    test = shown(log_rank_result(), variables=["log_rank_p_value"])
    assert "n = 120 patients." in test.text
    assert "log-rank test" in test.text


def test_result_tables__mix_dimensions_in_tables_of_their_own():
    page = shown(composition_result())
    assert page.tags.count("table") == 2
    assert "6.6e-05" in page.text


def test_result_tables__leave_out_edges_unless_asked_for():
    page = shown(neighbors_result())
    assert "0.962" in page.text
    assert "onnectivity" not in page.text
    assert "Connectivity weight" in shown(neighbors_result(), variables=["connectivity_weight"]).text


def test_result_tables__show_a_matrix():
    cube = cube_result()
    page = shown(cube, variables=["cube_cells"], rows=4)
    assert f"{int(cube['cube_cells'].values[0, 0]):,}" in page.texts
    assert "First 4 of 6 by 2." in page.text
    assert "stem_like" in page.texts


def test_result_tables__select_one_label():
    page = shown(cube_result(), variables=["cube_cells"], select={"state": "stem_like"})
    assert "other" not in page.texts
    assert page.tags.count("tr") == 7


def test_result_tables__show_columns_that_are_coordinates():
    assert "relapse" in shown(cube_result(), variables=["stage"]).texts


def test_result_tables__call_groups_by_their_variable():
    curves = survival_result(("False", "True"))
    page = shown(curves, variables=["km_patients"])
    assert page.texts[0] == "Score high"
    assert [text for text in page.texts if text in {"no", "yes", "True", "False"}] == ["no", "yes"]


def test_result_tables__escape_names():
    cube = cube_result().assign_coords(state=["<script>", "&"], sample=[f"<i>{n}" for n in range(6)])
    page = shown(cube, variables=["cube_cells"], caption="<b>")
    assert "script" not in page.tags
    assert "<script>" in page.texts
    assert "i" not in page.tags


def test_result_tables__say_that_there_are_no_rows():
    assert "There are no rows." in shown(scan_result().isel(gene=[])).text


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ({"variables": ["cox_p"]}, MissingVariableError, "'cox_p' is not among them"),
        ({"sort": "p"}, MissingVariableError, "'p' is not among them"),
        ({"select": {"gene": "NONE"}}, ParameterError, "must name a label"),
        ({"select": {"drug": "x"}}, ParameterError, "must name a label"),
    ],
)
def test_result_tables__refuse_what_is_not_there(table, error, match):
    with pytest.raises(error, match=match):
        result_tables(scan_result(), read_request({"step": "s", **table}))


def test_result_tables__refuse_three_dimensions():
    result = xr.Dataset({"v": (("a", "b", "c"), np.zeros((2, 2, 2)))})
    with pytest.raises(ParameterError, match="at most two dimensions"):
        result_tables(result, TableRequest("s"))


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({}, "must name its step"),
        ({"step": "s", "columns": []}, "takes: step"),
        ({"step": "s", "variables": "v"}, "must be a list"),
        ({"step": "s", "select": "v"}, "must be a table"),
        ({"step": "s", "rows": 0}, "from 1 on"),
        ({"step": "s", "rows": True}, "from 1 on"),
    ],
)
def test_read_request__refuses(table, match):
    with pytest.raises(ParameterError, match=match):
        read_request(table)


def test_table_element__marks_numbers_and_totals():
    page = read_page(table_element(["a", "b"], [["x", "1"], ["sum", "2"]], numbers=(1,), total=True))
    assert page.values("class") == ["scroll", "number", "number", "total", "number"]
    assert page.values("scope") == ["col", "col", "row", "row"]
