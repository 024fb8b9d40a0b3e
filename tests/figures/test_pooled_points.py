"""The picture of pooled cells, and the label on it."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.figures.pooled_points import pooled_points
from tests.figures import composition_results as results
from tests.figures.drawn import by_name, outside, overlaps, said


def test_pooled_points__draws_ratios_and_ranges():
    pooled = results.pooled_result()
    figure = pooled_points(pooled)
    points = by_name(figure, "called") + by_name(figure, "point")
    drawn = {line.get_ydata()[0]: line.get_xdata()[0] for line in points}
    np.testing.assert_allclose([drawn[row] for row in range(5)], pooled["pooled_log2_difference"].values[0])
    assert len(by_name(figure, "called")) == int(pooled["pooled_called"].sum())
    assert len(by_name(figure, "range")) == 5


def test_pooled_points__says_that_it_is_no_inference():
    words = said(pooled_points(results.pooled_result()))
    for expected in (
        "reproduction, not inference",
        "take cells as their n",
        "880 cells of 8 patients",
        "5,200 cells of 8 patients",
        "P, exchange",
        "P, hypergeometric",
        "more than 0.25 doublings",
    ):
        assert expected in words


def test_pooled_points__draws_infinite_ratios_as_arrows():
    pooled = results.pooled_result()
    pooled["pooled_log2_difference"][0, 0] = np.inf
    pooled["pooled_log2_difference_upper"][0, 0] = np.inf
    figure = pooled_points(pooled, pair="relapse vs diagnosis")
    arrows = [line for line in by_name(figure, "called") + by_name(figure, "point") if line.get_marker() == ">"]
    assert [line.get_xdata()[0] for line in arrows] == [10.0]
    assert not outside(figure)


def test_pooled_points__stays_readable_with_many_long_states():
    states = tuple(f"a state with a rather long name, number {number}" for number in range(24))
    figure = pooled_points(results.pooled_result(states))
    assert not overlaps(figure)
    assert not outside(figure)


def test_pooled_points__refuses_a_pair_that_is_not_there():
    with pytest.raises(ParameterError, match="one of: relapse vs diagnosis"):
        pooled_points(results.pooled_result(), pair="b vs a")
    nothing = results.pooled_result()
    nothing["pooled_log2_difference"][:] = np.nan
    assert "No state has cells" in said(pooled_points(nothing))
