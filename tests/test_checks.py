"""Checks of arguments: what passes, what does not, and what the message says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.checks import (
    check_between,
    check_columns,
    check_edges,
    check_one_of,
    check_variables,
    listed,
    reason_text,
    rows_of_edges,
)
from chemores_dask.errors import InputError, MissingVariableError, ParameterError


def test_listed__cuts_long_lists():
    assert listed([]) == "none"
    assert listed(["a", 2]) == "a, 2"
    assert listed(range(12)).endswith("10, 11")
    assert listed(range(15)).endswith("10, 11 … and 3 more")
    assert listed(name for name in "ab") == "a, b"


def test_reason_text__is_one_line_without_codes_for_terminals():
    assert reason_text(ValueError("Misplaced.\n\n~ a \u29db\x1b[1;31m+\x1b[0m\u29da.")) == "Misplaced. ~ a +"
    assert reason_text(ValueError()) == "ValueError"


def test_check_one_of__names_the_options():
    check_one_of("log", ("log", "plain"), parameter="confidence", caller="kaplan_meier")
    with pytest.raises(
        ParameterError, match=r"'confidence' parameter of kaplan_meier must be one of: log, plain. Got 'exact'"
    ):
        check_one_of("exact", ("log", "plain"), parameter="confidence", caller="kaplan_meier")


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_check_between__allows_the_limits(value):
    check_between(value, parameter="share", caller="f", minimum=0, maximum=1)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf, -np.inf])
def test_check_between__refuses_what_lies_outside_and_what_is_no_number(value):
    with pytest.raises(ParameterError, match="'share' parameter of f must be at least 0 and at most 1"):
        check_between(value, parameter="share", caller="f", minimum=0, maximum=1)


def test_check_between__knows_one_sided_limits():
    check_between(1e300, parameter="n", caller="f", minimum=0)
    check_between(-1e300, parameter="n", caller="f", maximum=0)
    check_between(np.nan, parameter="n", caller="f")
    with pytest.raises(ParameterError, match=r"must be at least 1. Got 0"):
        check_between(0, parameter="n", caller="f", minimum=1)
    with pytest.raises(ParameterError, match=r"must be at most 1. Got 2"):
        check_between(2, parameter="n", caller="f", maximum=1)


def test_check_columns__names_what_is_missing_and_what_is_there():
    frame = pd.DataFrame({"sample": ["a"], "patient": ["p"]})
    check_columns(frame, ["sample"], what="obs", caller="f")
    check_columns(frame, [], what="obs", caller="f")
    with pytest.raises(MissingVariableError, match=r"f needs the columns stage in obs. Present: sample, patient"):
        check_columns(frame, ["sample", "stage"], what="obs", caller="f")


def test_check_variables__wants_name_and_dimensions():
    dataset = xr.Dataset(
        {"age": ("patient", [1.0]), "expression": (("patient", "gene"), [[1.0]])}, coords={"patient": ["p"]}
    )
    check_variables(dataset, ["age", "patient"], dims=("patient",), what="patients", caller="f")
    with pytest.raises(MissingVariableError, match=r"'sex' over \(patient\) in patients; it is absent.*Present.*age"):
        check_variables(dataset, ["age", "sex"], dims=("patient",), what="patients", caller="f")
    with pytest.raises(MissingVariableError, match=r"it runs over \('patient', 'gene'\)"):
        check_variables(dataset, ["expression"], dims=("patient",), what="patients", caller="f")
    with pytest.raises(MissingVariableError, match=r"Present over .gene, patient.: none"):
        check_variables(dataset, ["expression"], dims=("gene", "patient"), what="patients", caller="f")


def test_check_edges__wants_an_edge_to_the_nearest_neighbor():
    cells = 30
    nearest = (np.arange(cells) + 1) % cells
    offset, edges = np.arange(cells + 1), nearest
    assert np.array_equal(rows_of_edges(cells), np.arange(cells))
    check_edges(nearest, offset=offset, edges=edges, caller="leiden")
    few_apart = np.where(np.arange(cells) < 10, 0, nearest)
    check_edges(few_apart, offset=offset, edges=edges, caller="leiden")
    with pytest.raises(
        InputError, match=r"leiden needs a graph.*Of 30 cells looked at, 30 have no edge.*another order"
    ):
        check_edges(nearest[::-1], offset=offset, edges=edges, caller="leiden")
