"""Strips of what components hold of covariates."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import MissingVariableError
from chemores_dask.figures.covariate_strips import covariate_strips
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import pca_result
from tests.figures.examples_of_states import dependence_result, regressed_result


@pytest.mark.parametrize("name", ["dependence_correlation", "dependence_share"])
def test_covariate_strips__color_what_was_measured(name):
    result = dependence_result()
    (mesh,) = by_name(covariate_strips(result), name)
    values = np.ma.filled(np.ma.masked_invalid(mesh.get_array()), np.nan).reshape(2, 6)
    np.testing.assert_allclose(values, result[name].values.T)


def test_covariate_strips__say_what_depends_most():
    text = said(covariate_strips(dependence_result()))
    assert "Component 2 depends most: cycle holds" in text
    assert "n = 300 cells" in text


def test_covariate_strips__show_correlations_before_and_after():
    figure = covariate_strips(regressed_result())
    assert len(by_name(figure, "pca_covariate_correlation")) == len(by_name(figure, "pca_regressed_correlation")) == 1
    assert "After regression no component correlates with a covariate" in said(figure)
    assert "by more than" not in said(figure)
    assert "−0.00" not in said(figure)
    assert "by more than 0.2" in said(covariate_strips(regressed_result(0.2)))


def test_covariate_strips__show_thirty_components_at_most():
    (mesh,) = by_name(covariate_strips(dependence_result(50)), "dependence_share")
    assert mesh.get_array().size == 60


def test_covariate_strips__need_covariates():
    with pytest.raises(MissingVariableError, match="nothing was regressed out"):
        covariate_strips(pca_result())
