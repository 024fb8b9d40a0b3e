"""Names beside points."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.point_labels import label_points
from chemores_dask.figures.style import new_figure
from tests.figures.drawn import overlaps


def test_label_points__never_overlap_even_in_a_crowd():
    figure = new_figure()
    axes = figure.add_subplot()
    draws = np.random.default_rng(1)
    x, y = draws.normal(0, 0.05, size=(2, 60))
    axes.plot(x, y, ".")
    axes.set_xlim(-1, 1)
    axes.set_ylim(-1, 1)
    written = label_points(axes, [f"GENE{number}" for number in range(60)], x=x, y=y)
    assert 5 <= len(written) < 60
    assert written[0] == "GENE0"
    assert not overlaps(figure)


def test_label_points__takes_no_points():
    figure = new_figure()
    assert label_points(figure.add_subplot(), [], x=[], y=[]) == []
