"""What a map draws."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.map_coordinates import axis_label, drawn_points, map_coordinates
from tests.figures.examples_of_results import pca_result, quality_result, umap_result


def test_map_coordinates__finds_the_usual_ones():
    assert map_coordinates(pca_result()).name == "pca_scores"
    assert map_coordinates(umap_result()).name == "umap_coordinates"
    with pytest.raises(MissingVariableError, match="coordinates"):
        map_coordinates(quality_result())


def test_drawn_points__are_the_first_two_columns():
    scores = pca_result(2, 10)["pca_scores"]
    lazy = scores.copy(data=da.from_array(scores.values, chunks=(7, 3)))
    assert np.array_equal(drawn_points(lazy), scores.values[:, :2])


def test_axis_label__says_the_share_of_the_variance():
    result = pca_result(2, 10)
    assert axis_label(result, result["pca_scores"], 0) == "Component 1 (8.2 % of the variance)"
    assert axis_label(result.drop_vars("pca_variance_ratio"), result["pca_scores"], 1) == "Component 2"
    other = xr.DataArray(np.zeros((3, 2)), dims=("cell", "latent"), name="scvi_latent")
    assert axis_label(result, other, 1) == "Scvi latent 2"
