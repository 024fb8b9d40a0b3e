"""The map of cells."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures import embedding_map as module
from chemores_dask.figures.embedding_map import embedding_map
from tests.figures.drawn import said
from tests.figures.examples_of_results import cube_result, pca_result, score_result, states_result


def points(figure):
    return figure.axes[0].collections[0]


def test_embedding_map__draws_every_cell_once():
    result = pca_result(2, 50)
    drawn = points(embedding_map(result)).get_offsets()
    expected = result["pca_scores"].values[:, :2]
    assert np.array_equal(np.unique(drawn, axis=0), np.unique(expected, axis=0))


def test_embedding_map__points_are_rasterized_and_counted():
    figure = embedding_map(pca_result(2, 50), color="stage", cube=cube_result(2))
    assert points(figure).get_rasterized()
    assert "relapse  (50)" in said(figure)
    assert "100 cells" in said(figure)


def test_embedding_map__colors_follow_cells_in_another_order():
    scores, result = score_result(2, 50), pca_result(2, 50)
    shuffled = scores.isel(cell=np.random.default_rng(1).permutation(100))["cell_score"].isel(gene_set=0)
    drawn = points(embedding_map(result, color=shuffled))
    order = np.argsort(drawn.get_offsets()[:, 0])
    expected = np.argsort(result["pca_scores"].values[:, 0])
    assert np.array_equal(np.asarray(drawn.get_array())[order], scores["cell_score"].values[expected, 0])


def test_embedding_map__names_the_score_and_its_unit():
    figure = embedding_map(pca_result(2, 50), color=score_result(2, 50)["cell_score"].isel(gene_set=0))
    assert "Cells by stemness score" in said(figure)
    assert "Stemness score (log expression)" in said(figure)


def test_embedding_map__takes_states():
    assert "stem_like" in said(embedding_map(pca_result(), color=states_result()["cell_state"]))


def test_embedding_map__thins_many_cells_and_says_so(monkeypatch):
    monkeypatch.setattr(module, "MOST_POINTS", 30)
    figure = embedding_map(pca_result(2, 50))
    assert len(points(figure).get_offsets()) == 30
    assert "30 of 100 cells, evenly chosen" in said(figure)


def test_embedding_map__refuses_colors_over_something_else():
    with pytest.raises(ParameterError, match="select"):
        embedding_map(pca_result(2, 50), color=score_result(2, 50)["cell_score"])
    with pytest.raises(MissingVariableError, match="stage"):
        embedding_map(pca_result(2, 50), color="stage")


def test_embedding_map__says_that_one_component_is_no_map():
    assert "two components" in said(embedding_map(pca_result(2, 5, 1)))


def test_embedding_map__shows_constant_and_missing_scores():
    color = score_result(2, 50)["cell_score"].isel(gene_set=0) * np.nan
    assert "Component 1" in said(embedding_map(pca_result(2, 50), color=color))


def test_embedding_map__paints_rare_labels_on_top():
    result, states = pca_result(2, 50), np.array(["other"] * 95 + ["stem_like"] * 5, dtype=object)
    color = xr.DataArray(states, dims="cell", coords={"cell": result["cell"].values}, name="cell_state")
    colors = points(embedding_map(result, color=color)).get_facecolors()
    assert len(np.unique(colors[-5:], axis=0)) == 1
    assert not np.array_equal(colors[-1], colors[0])
