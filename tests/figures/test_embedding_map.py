"""The map of cells."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures import embedding_map as module
from chemores_dask.figures.embedding_map import embedding_map
from chemores_dask.figures.style import PALETTE
from tests.figures.drawn import outside, overlaps, said
from tests.figures.examples_of_results import (
    cube_result,
    leiden_result,
    pca_result,
    score_result,
    states_result,
    umap_result,
)


def points(figure):
    return figure.axes[0].collections[0]


def image(figure):
    return figure.axes[0].images[0]


def test_embedding_map__draws_every_cell_once():
    result = pca_result(2, 50)
    drawn = points(embedding_map(result)).get_offsets()
    expected = result["pca_scores"].values[:, :2]
    assert np.array_equal(np.unique(drawn, axis=0), np.unique(expected, axis=0))


def test_embedding_map__points_are_rasterized_and_counted():
    figure = embedding_map(pca_result(2, 50), color="stage", cube=cube_result(2))
    assert points(figure).get_rasterized()
    assert "relapse  (50)" in said(figure)
    assert "100 cells; one point is one cell" in said(figure)


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


def test_embedding_map__draws_maps_with_the_numbers_of_clusters_in_their_middle():
    result, clusters = umap_result(), leiden_result()
    figure = embedding_map(result, color=clusters["cell_cluster"])
    assert "UMAP 1" in said(figure)
    written = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert set(written) == {"0", "1", "2", "3", "4"}
    for cluster in range(5):
        mine = result["umap_coordinates"].values[clusters["cell_cluster"].values == cluster]
        np.testing.assert_allclose(written[str(cluster)], np.median(mine, axis=0), atol=0.01)


def test_embedding_map__does_not_name_labels_that_lie_everywhere():
    assert not embedding_map(umap_result(), color="sample").axes[0].texts


def test_embedding_map__many_cells_are_an_image_that_says_what_colors_mean(monkeypatch):
    monkeypatch.setattr(module, "MOST_POINTS", 30)
    figure = embedding_map(umap_result(2, 50), color=leiden_result(2, 50)["cell_cluster"])
    assert not figure.axes[0].collections
    assert "100 cells. Where cells of several labels lie in one place their colors mix" in " ".join(
        said(figure).split()
    )
    left, right, bottom, top = image(figure).get_extent()
    coordinates = umap_result(2, 50)["umap_coordinates"].values
    assert left < coordinates[:, 0].min() < coordinates[:, 0].max() < right
    assert bottom < coordinates[:, 1].min() < coordinates[:, 1].max() < top
    assert not overlaps(figure)
    assert not outside(figure)


def test_embedding_map__places_of_an_image_have_the_color_of_their_cells(monkeypatch):
    monkeypatch.setattr(module, "MOST_POINTS", 30)
    result, clusters = umap_result(), leiden_result()["cell_cluster"]
    drawn = image(embedding_map(result, color=clusters))
    pixels = np.asarray(drawn.get_array())
    left, right, bottom, top = drawn.get_extent()
    place = result["umap_coordinates"].values
    column = ((place[:, 0] - left) / (right - left) * pixels.shape[1]).astype(int)
    row = ((place[:, 1] - bottom) / (top - bottom) * pixels.shape[0]).astype(int)
    found = pixels[row, column]
    expected = 255 * np.array([to_rgb(PALETTE[cluster]) for cluster in clusters.values])
    assert (found[:, 3] > 0).all()
    assert (np.abs(found[:, :3] - expected).max(axis=1) < 3).mean() > 0.99


def test_embedding_map__many_numbers_are_means(monkeypatch):
    monkeypatch.setattr(module, "MOST_POINTS", 30)
    result = umap_result(2, 50)
    values = xr.DataArray(np.full(100, 3.5), dims="cell", coords={"cell": result["cell"].values}, name="cell_score")
    values[3] = np.nan
    figure = embedding_map(result, color=values)
    shown = np.asarray(image(figure).get_array())
    assert set(shown[np.isfinite(shown)]) == {3.5}
    assert "mean of its cells" in said(figure)


def test_embedding_map__takes_named_coordinates():
    result = pca_result(2, 20)
    other = result.assign(scvi_latent=(("cell", "latent"), result["pca_scores"].values[:, 2:5]))
    figure = embedding_map(other, coordinates="scvi_latent")
    assert "Scvi latent 1" in said(figure)
    with pytest.raises(MissingVariableError, match="The result has: pca_scores"):
        embedding_map(result, coordinates="umap_coordinates")


def test_embedding_map__says_how_many_cells_have_no_place():
    result = umap_result(2, 50)
    result["umap_coordinates"][:10] = np.nan
    assert "90 cells of 100; the others have no place" in said(embedding_map(result))
    result["umap_coordinates"][:] = np.nan
    assert "None of 100 cells" in said(embedding_map(result))


def test_embedding_map__refuses_colors_over_something_else():
    with pytest.raises(ParameterError, match="select"):
        embedding_map(pca_result(2, 50), color=score_result(2, 50)["cell_score"])
    with pytest.raises(MissingVariableError, match="stage"):
        embedding_map(pca_result(2, 50), color="stage")


def test_embedding_map__says_that_one_component_is_no_map():
    assert "two components" in said(embedding_map(pca_result(2, 5, 1)))


@pytest.mark.parametrize("most", [30, 40_000])
def test_embedding_map__shows_constant_and_missing_scores(monkeypatch, most):
    monkeypatch.setattr(module, "MOST_POINTS", most)
    color = score_result(2, 50)["cell_score"].isel(gene_set=0) * np.nan
    assert "Component 1" in said(embedding_map(pca_result(2, 50), color=color))


def test_embedding_map__paints_rare_labels_on_top():
    result, states = pca_result(2, 150), np.array(["other"] * 297 + ["stem_like"] * 3, dtype=object)
    color = xr.DataArray(states, dims="cell", coords={"cell": result["cell"].values}, name="cell_state")
    colors = points(embedding_map(result, color=color)).get_facecolors()
    assert len(np.unique(colors[-3:], axis=0)) == 1
    assert not np.array_equal(colors[-1], colors[0])


def test_embedding_map__leaves_results_alone():
    result, color = umap_result(2, 20), leiden_result(2, 20)["cell_cluster"]
    before, colors = result.copy(deep=True), color.copy(deep=True)
    embedding_map(result, color=color)
    assert result.identical(before)
    assert color.identical(colors)
