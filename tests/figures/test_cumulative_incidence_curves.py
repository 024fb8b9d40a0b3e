"""The picture of competing causes."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.survival.cumulative_incidence import IncidenceOptions, cumulative_incidence
from chemores_dask.cohort.survival.gray_tests import gray_test
from chemores_dask.figures.cumulative_incidence_curves import cumulative_incidence_curves
from tests.cohort.survival.curve_cases import curve_patients, patients_of
from tests.figures.drawn import by_name, outside, overlaps, said

OUTCOME = {"duration": "time", "cause": "cause", "censored": 0}


@pytest.fixture(scope="module")
def incidence():
    return cumulative_incidence(curve_patients(), **OUTCOME, group="arm", options=IncidenceOptions(level=0.9))


def test_cumulative_incidence_curves__draw_each_cause_and_group(incidence):
    figure = cumulative_incidence_curves(incidence)
    curves = by_name(figure, "curve")
    assert len(curves) == 9
    shares = incidence["incidence_share"].transpose("cause", "group", "time").values.reshape(9, -1)
    for curve, share in zip(curves, shares, strict=True):
        assert curve.get_drawstyle() == "steps-post"
        assert np.array_equal(curve.get_ydata(), [0, *share[np.isfinite(share)]])


def test_cumulative_incidence_curves__state_patients_events_and_tests(incidence):
    gray = gray_test(curve_patients(), **OUTCOME, group="arm")
    figure = cumulative_incidence_curves(
        incidence, gray=gray, labels={"1": "relapse", "c": "high risk"}, time_label="Months"
    )
    words = said(figure)
    assert "160 patients, 137 events" in words
    assert "relapse: 82 events, Gray's test P = 0.080" in words
    assert "Gray's test of n = 160 patients" in words
    assert "Bands: 90% confidence limits" in words
    assert "high risk" in words
    assert not outside(figure)
    assert not overlaps(figure)


def test_cumulative_incidence_curves__count_the_patients_at_risk(incidence):
    figure = cumulative_incidence_curves(incidence)
    counted = [text.get_text() for text in by_name(figure, "at risk") if text.get_position()[0] == 0]
    assert counted == ["75", "53", "32"] * 3


def test_cumulative_incidence_curves__name_causes_without_a_panel():
    rng = np.random.default_rng(1)
    patients = patients_of(time=rng.integers(1, 20, 60), cause=np.arange(60) % 7)
    figure = cumulative_incidence_curves(cumulative_incidence(patients, **OUTCOME))
    assert len(by_name(figure, "curve")) == 4
    assert "Not drawn: 5; 6." in said(figure)


def test_cumulative_incidence_curves__draw_one_patient_and_none(incidence):
    one = cumulative_incidence(patients_of(time=[3.0], cause=[1]), duration="time", cause="cause", censored=None)
    assert "1 patients, 1 events" in said(cumulative_incidence_curves(one))
    assert "no patients" in said(cumulative_incidence_curves(incidence.isel(time=[])))
