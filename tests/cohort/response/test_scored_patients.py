"""Scores and responses as they come in clinical tables."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chemores_dask.cohort.response.scored_patients import (
    count_flow,
    events_note,
    flow_values,
    label_text,
    read_labels,
    read_measurement,
    read_ordered,
)
from chemores_dask.errors import FewEventsWarning, InputError, MissingVariableError


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, np.nan, 3.0]),
        np.array([1.5, None, 3.0], dtype=object),
        pd.array([1.5, pd.NA, 3.0], dtype="Float64"),
    ],
)
def test_read_measurement__takes_numbers_of_any_type(values):
    patients = xr.Dataset({"score": ("patient", values)})
    np.testing.assert_array_equal(read_measurement(patients, "score", caller="test"), [1.5, np.nan, 3.0])


def test_read_measurement__names_what_is_wrong(patients_of):
    patients = patients_of(text=["a", "b"], endless=[1.0, np.inf])
    with pytest.raises(InputError, match="Found a, b"):
        read_measurement(patients, "text", caller="test")
    with pytest.raises(InputError, match="Not so for P1"):
        read_measurement(patients, "endless", caller="test")
    with pytest.raises(MissingVariableError, match="text, endless"):
        read_measurement(patients, "scor", caller="test")


def test_read_labels__empties_what_is_not_known(patients_of):
    patients = patients_of(response=np.array(["M1", "unknown", None, "", " M2 ", np.nan, "NA"], dtype=object))
    found = read_labels(patients, "response", unknown=("Unknown", "NA"), caller="test")
    assert found.tolist() == ["M1", "", "", "", "M2", "", ""]


def test_read_ordered__numbers_responses_in_the_order_given(patients_of):
    patients = patients_of(response=np.array(["M3", "M1", "Unknown", "M2"], dtype=object))
    codes, labels = read_ordered(patients, "response", order=["M1", "M2", "M3"], unknown=("Unknown",), caller="test")
    assert (codes.tolist(), labels) == ([2, 0, -1, 1], ["M1", "M2", "M3"])
    codes, labels = read_ordered(patients_of(r=[2.0, 1.0, np.nan]), "r", order=[1, 2], unknown=(), caller="test")
    assert (codes.tolist(), labels) == ([1, 0, -1], ["1", "2"])


@pytest.mark.parametrize(
    ("order", "match"),
    [
        (["M1", "M2"], "also holds: M3, Unknown"),
        (["M1", "M1"], "two or more different responses"),
        ("M1", "two or more different responses"),
        (["M1"], "two or more different responses"),
    ],
)
def test_read_ordered__refuses_labels_that_nobody_explained(patients_of, order, match):
    patients = patients_of(response=np.array(["M3", "M1", "Unknown", "M2"], dtype=object))
    with pytest.raises(InputError, match=match):
        read_ordered(patients, "response", order=order, unknown=(), caller="test")


def test_label_text__writes_whole_numbers_plainly():
    assert [label_text(value) for value in (1.0, 1, True, 1.5, " x ")] == ["1", "1", "True", "1.5", "x"]


def test_count_flow__adds_up_and_compares_scores():
    score = np.array([1.0, 2.0, np.nan, 8.0, 9.0, np.nan])
    found = count_flow(score, np.array([True, True, True, False, False, False]))
    assert (found.total, found.without_score, found.without_response, found.used) == (6, 2, 2, 2)
    assert (found.missing_auroc, found.missing_p_value) == (1.0, pytest.approx(1 / 3))
    nobody = count_flow(score, np.ones(6, dtype=bool))
    assert np.isnan([nobody.missing_auroc, nobody.missing_p_value]).all()
    assert set(flow_values(found, "x")) == {
        "x_patients",
        "x_patients_total",
        "x_patients_without_score",
        "x_patients_without_response",
        "x_missing_auroc",
        "x_missing_p_value",
    }


def test_events_note__warns_below_ten_events_per_coefficient():
    with pytest.warns(FewEventsWarning, match="19 events .* for 2 coefficients"):
        found = events_note(19, 2, caller="test")
    assert found["events_per_term"] == 9.5
    assert "unreliable" in found["note"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert events_note(20, 2, caller="test") == {"events_per_term": 10.0}
