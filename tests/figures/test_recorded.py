"""What results say about themselves."""

from __future__ import annotations

import math

import xarray as xr

from chemores_dask.figures.recorded import labels_along, number_of, recorded_level, recorded_parameters


def test_recorded_parameters__reads_json_and_survives_none():
    assert recorded_parameters(xr.Dataset(attrs={"parameters": '{"a": 1}'})) == {"a": 1}
    assert recorded_parameters(xr.Dataset()) == {}
    assert recorded_parameters(xr.Dataset(attrs={"parameters": "[1]"})) == {}


def test_labels_along__counts_where_there_are_no_labels():
    assert labels_along(xr.Dataset({"v": ("gene", [5, 6])}), "gene") == ["0", "1"]


def test_number_of__is_not_a_number_where_absent():
    assert number_of(xr.Dataset({"v": ((), 2)}), "v") == 2
    assert math.isnan(number_of(xr.Dataset(), "v"))


def test_recorded_level__is_found_alone_or_among_options():
    assert recorded_level(xr.Dataset(attrs={"parameters": '{"level": 0.9}'})) == 0.9
    assert recorded_level(xr.Dataset(attrs={"parameters": '{"options": {"level": 0.8}}'})) == 0.8
    assert recorded_level(xr.Dataset(attrs={"parameters": '{"options": null}'})) == 0.95
