"""Samples and columns of cells."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.cell_labels import align_cells, even_order, ordered_labels, sample_column, samples_of
from tests.figures.examples_of_results import cube_result, score_result


def test_samples_of__reads_names_up_to_the_first_colon():
    cells = xr.Dataset(coords={"cell": ["a:x:1", "b:y"]})
    assert samples_of(cells).tolist() == ["a", "b"]


def test_samples_of__prefers_the_coordinate():
    cells = xr.Dataset(coords={"cell": ["a:1"], "sample": ("cell", ["other"])})
    assert samples_of(cells).tolist() == ["other"]


def test_samples_of__refuses_names_without_sample():
    with pytest.raises(MissingVariableError, match="sample:barcode"):
        samples_of(xr.Dataset(coords={"cell": ["AAAC-1"]}))


def test_sample_column__looks_up_the_cube():
    stages = sample_column(score_result(), "stage", cube=cube_result())
    assert set(stages) == {"diagnosis", "relapse"}
    assert (stages == "relapse").sum() == 900


def test_sample_column__names_samples_that_the_cube_lacks():
    stages = sample_column(score_result(), "stage", cube=cube_result(2))
    assert (stages == "unknown").sum() == 1200


@pytest.mark.parametrize("cube", [None, cube_result()])
def test_sample_column__says_what_is_missing(cube):
    with pytest.raises(MissingVariableError, match="site"):
        sample_column(score_result(), "site", cube=cube)


def test_align_cells__matches_names_in_any_order():
    values = xr.DataArray([1.0, 2.0, 3.0], dims="cell", coords={"cell": ["a:3", "a:1", "a:2"]}, name="v")
    wanted = xr.Dataset(coords={"cell": ["a:1", "a:3"]})
    assert align_cells(values, wanted).tolist() == [2.0, 1.0]
    with pytest.raises(MissingVariableError, match="a:9"):
        align_cells(values, xr.Dataset(coords={"cell": ["a:9"]}))


def test_ordered_labels__keeps_the_preferred_order():
    assert ordered_labels(np.array(["b", "a", "c"]), order=np.array(["c", "x", "c"])) == ["c", "a", "b"]


def test_even_order__is_a_permutation_whose_beginnings_are_even():
    order = even_order(10_000)
    assert np.array_equal(np.sort(order), np.arange(10_000))
    assert np.histogram(order[:1000], bins=10, range=(0, 10_000))[0].min() >= 90
