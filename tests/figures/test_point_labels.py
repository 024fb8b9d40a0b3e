"""Names beside points."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.figures.point_labels import label_groups, label_points
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


def group_axes(points):
    figure = new_figure()
    axes = figure.add_subplot()
    axes.plot(*points.T, ".")
    axes.margins(0.2)
    return axes


@pytest.mark.parametrize("many", [30, 30_000])
def test_label_groups__names_groups_in_their_middle_even_rare_ones(many):
    draws = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [many, many, many // 15])
    points = draws.normal(size=(len(codes), 2)) + 9 * np.array([[0, 0], [1, 0], [0, 1]])[codes]
    if many == 30:
        points, codes = np.vstack([points, points[:20] + 30]), np.append(codes, [3] * 20)
    axes = group_axes(points)
    written = label_groups(axes, ["a", "b", "c", "d"], points=points, codes=codes)
    # Of 30 cells a group of two is too few to say that its middle is its own.
    assert set(written) == set("abd" if many == 30 else "abc")
    assert not overlaps(axes.figure)


def test_label_groups__leaves_out_groups_that_lie_everywhere():
    draws = np.random.default_rng(0)
    points, codes = draws.normal(size=(900, 2)), draws.integers(0, 3, 900)
    assert label_groups(group_axes(points), list("abc"), points=points, codes=codes) == []


def test_label_groups__leaves_out_groups_in_several_places():
    draws = np.random.default_rng(0)
    places = np.array([[0, 0], [9, 0], [0, 9], [9, 9], [4.5, 4.5]])
    points = np.vstack([draws.normal(place, 0.3, size=(40, 2)) for place in places])
    codes = np.repeat([0, 1, 0, 1, 0], 40)
    assert label_groups(group_axes(points), ["a", "b"], points=points, codes=codes) == []


def test_label_groups__moves_a_name_aside_rather_than_over_another():
    places = np.array([[0.0, 0.0], [0.06, 0.0]])
    points = np.vstack(
        [np.random.default_rng(0).normal(place, 0.01, size=(60, 2)) for place in places]
        + [-np.ones((1, 2)), np.ones((1, 2))]
    )
    codes = np.repeat([0, 1, 2], [60, 60, 2])
    axes = group_axes(points)
    assert label_groups(axes, ["first", "second", "third"], points=points, codes=codes) == ["first", "second"]
    assert not overlaps(axes.figure)
