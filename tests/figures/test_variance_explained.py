"""The picture of components."""

from __future__ import annotations

import numpy as np

from chemores_dask.figures.variance_explained import variance_explained
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import pca_result


def test_variance_explained__draws_each_and_the_sum():
    result = pca_result()
    figure = variance_explained(result)
    ratio = result["pca_variance_ratio"].values
    assert np.array_equal(by_name(figure, "single")[0].get_ydata(), ratio)
    assert np.allclose(by_name(figure, "together")[0].get_ydata(), np.cumsum(ratio))
    assert "20 components explain 31 % of the variance" in said(figure)


def test_variance_explained__takes_one_and_none():
    assert "1 component explains" in said(variance_explained(pca_result().isel(component=[0])))
    assert "no components" in said(variance_explained(pca_result().isel(component=[])))
