"""The look of all figures."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb

from chemores_dask.figures.style import PALETTE, category_colors, dress, head, message_figure, new_figure, spread_labels
from tests.figures.drawn import outside, overlaps, png_of, said


def test_new_figure__leaves_global_settings_alone():
    before = dict(mpl.rcParams)
    figure = new_figure()
    dress(figure.add_subplot(), x="Counts", y="Cells", grid="both")
    png_of(figure)
    assert dict(mpl.rcParams) == before


def test_palette__differs_in_lightness_or_hue_for_protan_eyes():
    # Protanopia: what is left of a color is about its green and blue.
    seen = np.array([to_rgb(color)[1:] for color in PALETTE])
    distance = np.abs(seen[:, None] - seen[None]).sum(axis=2) + np.eye(len(seen))
    assert distance.min() > 0.05


def test_category_colors__are_distinct_for_many_categories():
    assert category_colors(3) == list(PALETTE[:3])
    assert len(set(category_colors(40))) == 40


def test_head__grows_the_figure_and_breaks_long_lines():
    figure = new_figure(height=3)
    figure.add_subplot()
    head(figure, "Claim", note="one two three " * 40)
    assert figure.get_figheight() > 3.5
    assert not outside(figure)
    assert not overlaps(figure)


def test_message_figure__says_it():
    assert "nothing to draw" in said(message_figure("There is nothing to draw."))


def test_spread_labels__keeps_gaps_and_order():
    wanted = np.array([0.3, 0.0, 0.31, 0.29, 5.0])
    placed = spread_labels(wanted, gap=0.1)
    assert np.diff(np.sort(placed)).min() >= 0.1 - 1e-9
    assert np.array_equal(np.argsort(placed), np.argsort(wanted))
    assert placed[-1] == 5.0


def test_spread_labels__takes_none_and_one():
    assert spread_labels([], gap=1.0).shape == (0,)
    assert spread_labels([2.0], gap=1.0).tolist() == [2.0]
