"""Parts of pictures of curves over time."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from chemores_dask.figures.followed_curves import (
    FollowedCurve,
    draw_curve,
    frame_curves,
    time_label_of,
    write_labels,
    write_table,
)
from tests.figures.drawn import by_name, texts_of

CURVE = FollowedCurve(
    label="high",
    color="#0072b2",
    line="-",
    time=np.array([0.0, 1, 3]),
    share=np.array([0.0, 0.0, 0.4]),
    lower=np.array([0.0, np.nan, 0.2]),
    upper=np.array([0.0, np.nan, 0.6]),
    at_risk=np.array([5, 5, 3]),
    censored=np.array([0, 2, 0]),
    patients=5,
    events=2,
)


def test_draw_curve__steps_marks_and_bands():
    figure = Figure()
    axes = figure.subplots()
    draw_curve(axes, CURVE, band=True)
    assert by_name(figure, "curve")[0].get_ydata().tolist() == [0, 0, 0.4]
    assert by_name(figure, "censored")[0].get_xdata().tolist() == [1]
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(0.6)


def test_write_table__counts_patients_at_the_ticks():
    figure = Figure()
    upper, table = figure.subplots(2, 1, sharex=True)
    draw_curve(upper, CURVE, band=False)
    last, ticks = frame_curves(upper, [CURVE], y="Share")
    assert last == 3
    assert 0 in ticks
    write_labels(upper, [CURVE], last)
    write_table(table, [CURVE], ticks=[0, 2, 4], time_label="Months")
    assert [text.get_text() for text in by_name(figure, "at risk")] == ["5", "3", "0"]
    assert {"high", "Months", "Patients at risk", "Share"} <= set(texts_of(figure))


@pytest.mark.parametrize(("name", "label"), [("time", "Time"), ("months_alive", "Time (months alive)")])
def test_time_label_of__names_the_duration(name, label):
    assert time_label_of({"duration": name}) == label
