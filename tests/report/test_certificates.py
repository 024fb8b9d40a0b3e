"""How good a result is, in words."""

from __future__ import annotations

import xarray as xr

from chemores_dask.report.certificates import certificate_of
from tests.figures.examples_of_results import neighbors_result, pca_result, umap_result


def test_certificate_of__says_recall_with_its_interval_and_queries():
    assert certificate_of(neighbors_result()) == (
        "it found 0.962 (0.958 to 0.966) of the 15 nearest neighbors of each cell, by exact search for 1,000 cells"
    )


def test_certificate_of__says_that_neighbors_are_exact():
    exact = neighbors_result().assign(neighbor_recall=1.0, neighbor_recall_queries=0)
    assert certificate_of(exact) == "the 15 nearest neighbors of each cell are exact"


def test_certificate_of__says_how_far_a_map_can_be_trusted():
    assert certificate_of(umap_result()) == (
        "the map has a trustworthiness of 0.963 (0.961 to 0.965), laid out from 360 landmarks, measured on 1,000 cells"
    )
    whole = umap_result()
    whole["umap_landmark"][:] = True
    whole = whole.assign(umap_trustworthiness_lower=0.963, umap_trustworthiness_upper=0.963)
    assert "of 0.963, laid out from all cells" in certificate_of(whole)


def test_certificate_of__says_nothing_of_other_results():
    assert certificate_of(pca_result()) == ""
    assert certificate_of(xr.Dataset()) == ""
    assert certificate_of(None) == ""
