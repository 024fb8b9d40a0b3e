"""The picture of a threshold."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.number_text import number_text
from chemores_dask.figures.score_threshold import score_threshold
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_states import jenks_result, mixture_result


def test_score_threshold__draws_every_cell_and_the_cut():
    breaks = jenks_result()
    figure = score_threshold(breaks)
    (steps,) = by_name(figure, "histogram")
    assert steps.get_data().values.sum() == int(breaks["jenks_cells"])
    (line,) = by_name(figure, "threshold")
    assert line.get_xdata()[0] == float(breaks["jenks_threshold"])
    chosen = breaks["jenks_chosen_breaks"].values
    assert len(by_name(figure, "break")) == np.isfinite(chosen).sum() - 1
    assert number_text(float(breaks["jenks_threshold"])) in said(figure)


def test_score_threshold__says_how_many_patients_and_how_sure():
    breaks = jenks_result()
    text = said(score_threshold(breaks))
    assert f"n = {int(breaks['jenks_patients'])} patients" in text
    assert number_text(float(breaks["jenks_threshold_lower"])) in text
    assert "choose as many classes" in text
    (band,) = by_name(score_threshold(breaks), "interval")
    limits = band.get_extents() if hasattr(band, "get_extents") else band.get_bbox()
    assert limits is not None
    alone = score_threshold(jenks_result(patients=False))
    assert not by_name(alone, "interval")
    assert "cells are no replicates" in said(alone)


def test_score_threshold__marks_the_elbow():
    breaks = jenks_result()
    figure = score_threshold(breaks)
    (curve,) = by_name(figure, "elbow")
    np.testing.assert_array_equal(curve.get_ydata(), breaks["jenks_within_share"])
    (chosen,) = by_name(figure, "chosen")
    assert chosen.get_xdata()[0] == int(breaks["jenks_classes"])
    assert f"{int(breaks['jenks_classes'])} classes" in said(figure)


def test_score_threshold__draws_both_gaussians_to_scale():
    breaks, mixture = jenks_result(), mixture_result()
    figure = score_threshold(breaks, mixture=mixture)
    curves = by_name(figure, "gaussian")
    areas = [np.trapezoid(curve.get_ydata(), curve.get_xdata()) for curve in curves]
    whole = float(breaks["jenks_cells"]) * float(breaks["jenks_bin_width"])
    np.testing.assert_allclose(np.array(areas) / whole, mixture["mixture_weight"], atol=0.03)
    assert len(by_name(figure, "crossing")) == 1


def test_score_threshold__says_that_one_gaussian_is_enough():
    values = np.random.default_rng(5).normal(size=1800)
    figure = score_threshold(jenks_result(), mixture=mixture_result(values))
    assert not by_name(figure, "crossing")
    assert "one Gaussian fits no worse; no threshold" in said(figure)


def test_score_threshold__needs_breaks():
    with pytest.raises(MissingVariableError, match="jenks_bin_cells"):
        score_threshold(mixture_result())
