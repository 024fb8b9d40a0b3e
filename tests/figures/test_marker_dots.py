"""The picture of markers."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.marker_dots import LARGEST_DOT, marker_dots
from tests.figures.drawn import said, texts_of
from tests.figures.examples_of_results import markers_result


def dots_of(figure):
    return next(each for axes in figure.axes for each in axes.collections if each.get_gid() == "dots")


def test_marker_dots__draws_shares_and_means_of_the_foremost_genes():
    markers = markers_result()
    dots = dots_of(marker_dots(markers, genes=2))
    names = ["G0", "G1", "G3", "G4", "G6", "G7"]
    shown = markers.sel(gene=names)
    np.testing.assert_allclose(dots.get_sizes(), LARGEST_DOT * shown["marker_share"].values.ravel())
    mean = shown["marker_mean"].values
    np.testing.assert_allclose(dots.get_array(), (mean / mean.max(axis=0)).ravel())


def test_marker_dots__names_genes_groups_and_their_sizes():
    figure = marker_dots(markers_result(), genes=1)
    texts = texts_of(figure)
    assert {"G0", "G3", "G6", "0  (1,200 cells, 1 patient)", "2  (1,202 cells, 3 patients)"} <= set(texts)
    assert "G1" not in texts
    words = said(figure).replace("\n", " ")
    assert "Descriptive: cells of one patient are not independent" in words
    assert "7 cells without a group are left out" in words
    alone = markers_result().drop_vars(["marker_patients", "marker_unlabeled"])
    assert "0  (1,200 cells)" in texts_of(marker_dots(alone))


def test_marker_dots__draws_a_gene_of_two_groups_once():
    markers = markers_result()
    markers["marker_rank"][1] = markers["marker_rank"][0]
    markers["marker_statistic"][1] = markers["marker_statistic"][0]
    assert len(dots_of(marker_dots(markers, genes=3)).get_sizes()) == 3 * 6


def test_marker_dots__takes_fewer_genes_of_many_groups():
    dots = dots_of(marker_dots(markers_result(30, 100), genes=5))
    assert len(dots.get_sizes()) == 30 * 60


def test_marker_dots__says_that_there_is_nothing_to_draw():
    markers = markers_result()
    markers["marker_statistic"][:] = 0.0
    assert "nothing to draw" in said(marker_dots(markers))


def test_marker_dots__refuses_other_results():
    with pytest.raises(MissingVariableError, match="marker_rank"):
        marker_dots(markers_result().drop_vars("marker_rank"))
    with pytest.raises(ParameterError, match="at least 1"):
        marker_dots(markers_result(), genes=0)
