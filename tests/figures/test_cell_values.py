"""Labels or numbers of cells."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import ParameterError
from chemores_dask.figures.cell_values import CellLabels, cell_values, name_of_color, name_with_unit
from tests.figures.examples_of_results import cube_result, leiden_result, pca_result, score_result, umap_result


def over_cells(result, values, name="cell_value", **attributes):
    return xr.DataArray(values, dims="cell", coords={"cell": result["cell"].values}, name=name, attrs=attributes)


def test_cell_values__numbers_of_clusters_are_labels_in_order():
    found = cell_values(umap_result(clusters=12), leiden_result(clusters=12)["cell_cluster"])
    assert found.labels == [str(number) for number in range(12)]
    assert np.array_equal(found.codes, leiden_result(clusters=12)["cell_cluster"].values)
    assert found.counts.sum() == 1800


def test_cell_values__yes_and_no_and_statuses_are_labels():
    result = pca_result(2, 3)
    yes = cell_values(result, over_cells(result, np.array([True, False, True, True, False, True])))
    assert (yes.labels, yes.counts.tolist()) == (["yes", "no"], [4, 2])
    status = over_cells(result, np.array([2, 0, 0, 2, 2, 0]), flag_meanings="fine odd wrong", flag_values=[0, 1, 2])
    found = cell_values(result, status)
    assert (found.labels, found.codes.tolist()) == (["fine", "wrong"], [1, 0, 0, 1, 1, 0])


def test_cell_values__other_numbers_are_numbers():
    result = pca_result(2, 3)
    assert cell_values(result, over_cells(result, np.arange(6))).tolist() == [0, 1, 2, 3, 4, 5]


def test_cell_values__columns_of_samples_follow_the_order_of_the_cube():
    found = cell_values(pca_result(2, 3), "stage", cube=cube_result(2))
    assert isinstance(found, CellLabels)
    assert found.labels == ["diagnosis", "relapse"]
    assert found.codes.tolist() == [0, 0, 0, 1, 1, 1]


def test_cell_values__refuses_what_does_not_run_over_cells():
    with pytest.raises(ParameterError, match="select"):
        cell_values(pca_result(2, 3), score_result(2, 3)["cell_score"])


def test_name_of_color__is_in_words():
    score = score_result(2, 3)["cell_score"].isel(gene_set=0)
    assert name_of_color(score) == "stemness score"
    assert name_of_color("tumor_site") == "tumor site"


def test_name_with_unit__has_the_unit():
    score = score_result(2, 3)["cell_score"].isel(gene_set=0)
    assert name_with_unit(score) == "Stemness score (log expression)"
    assert name_with_unit("stage") == "Stage"
