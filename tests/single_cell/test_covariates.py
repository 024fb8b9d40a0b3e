"""Covariates and what components had of them: against regressions written out."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.single_cell.covariates import covariate_correlations, read_covariates
from chemores_dask.single_cell.pca import pca


@pytest.fixture(scope="module")
def cells():
    generator = np.random.default_rng(2)
    cycle = generator.normal(size=150)
    histone = 0.6 * cycle + generator.normal(size=150)
    batch = np.where(generator.random(150) < 0.3, "A", "B")
    matrix = generator.poisson(1.0, size=(150, 25)).astype(float)
    matrix[:, :8] += np.maximum(1.5 * cycle[:, None], 0)
    matrix[:, 8:12] += (batch == "A")[:, None]
    obs = pd.DataFrame(
        {"cycle": cycle, "histone": histone, "batch": batch}, index=[f"c{place}" for place in range(150)]
    )
    obs["constant"] = 2.0
    return anndata.AnnData(sp.csr_matrix(np.log1p(matrix)), obs=obs)


def indicator_table(cells):
    return {
        "cycle": cells.obs["cycle"].to_numpy(),
        "histone": cells.obs["histone"].to_numpy(),
        "batch: A": (cells.obs["batch"] == "A").to_numpy().astype(float),
        "batch: B": (cells.obs["batch"] == "B").to_numpy().astype(float),
    }


@pytest.mark.parametrize("scale", [False, True])
def test_pca__reports_correlations_before_and_after_regression(cells, scale):
    result = pca(cells, components=4, regress=["cycle", "histone", "batch"], scale=scale)
    wanted = indicator_table(cells)
    assert result["covariate"].values.tolist() == list(wanted)
    weights = result["pca_loadings"].values / result["pca_gene_scale"].values[:, None]
    unregressed, scores = cells.X.toarray() @ weights, result["pca_scores"].values
    for name, values in wanted.items():
        before = [np.corrcoef(unregressed[:, place], values)[0, 1] for place in range(4)]
        np.testing.assert_allclose(result["pca_covariate_correlation"].sel(covariate=name), before, atol=1e-10)
        after = [np.corrcoef(scores[:, place], values)[0, 1] for place in range(4)]
        np.testing.assert_allclose(after, 0.0, atol=1e-10)
        np.testing.assert_allclose(result["pca_regressed_correlation"].sel(covariate=name), 0.0, atol=1e-10)


def test_pca__has_no_correlations_without_covariates(cells):
    result = pca(cells, components=2)
    assert "covariate" not in result.dims
    assert "pca_regressed_correlation" not in result


def test_pca__says_how_much_of_the_cycle_a_component_would_have_held(cells):
    plain = pca(cells, components=1)["pca_scores"].values[:, 0]
    regressed = pca(cells, components=1, regress=["cycle"])
    assert abs(np.corrcoef(plain, cells.obs["cycle"])[0, 1]) > 0.7
    assert abs(float(regressed["pca_covariate_correlation"].max())) <= 1.0


def test_read_covariates__spans_them_once(cells):
    found = read_covariates(cells.obs, ["cycle", "batch", "constant", "cycle"])
    assert [found.names[place] for place in found.order] == ["cycle", "batch: A", "batch: B", "constant"]
    assert found.basis.shape == (150, 3)
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(3), atol=1e-12)
    constant = np.full(150, 150**-0.5)
    np.testing.assert_allclose(found.basis @ (found.basis.T @ constant), constant, atol=1e-12)


def test_read_covariates__of_none_is_the_constant(cells):
    found = read_covariates(cells.obs, ())
    assert found.names == ()
    assert found.basis.shape == (150, 1)
    np.testing.assert_allclose(found.basis, 150**-0.5)


def test_covariate_correlations__of_what_never_varies_are_0(cells):
    found = read_covariates(cells.obs, ["constant", "cycle"])
    products = found.basis.T @ np.random.default_rng(0).normal(size=(150, 2))
    correlations = covariate_correlations(found, products, np.array([1.0, 0.0]))
    assert correlations.before[:, 0].tolist() == [0.0, 0.0]
    assert (np.abs(correlations.before) <= 1 + 1e-12).all()
    assert np.isfinite(correlations.after).all()


def test_read_covariates__refuses_what_it_cannot_regress(cells):
    with pytest.raises(ParameterError, match=r"pass \['cycle'\]"):
        read_covariates(cells.obs, "cycle")
    with pytest.raises(MissingVariableError, match="phase"):
        read_covariates(cells.obs, ["phase"])
    with pytest.raises(InputError, match="missing or infinite in 1 of 150"):
        read_covariates(cells.obs.assign(cycle=[np.nan, *cells.obs["cycle"][1:]]), ["cycle"])
