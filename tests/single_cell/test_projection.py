"""Projected cells: the scores of the fit for its own cells, dense algebra for others."""

from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import GeneMismatchError, ParameterError
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.stream import as_rows


@pytest.fixture
def cells():
    generator = np.random.default_rng(8)
    matrix = generator.poisson(0.8, (90, 25)) * generator.random((90, 25))
    obs, var = pd.DataFrame(index=[f"c{i}" for i in range(90)]), pd.DataFrame(index=[f"g{i}" for i in range(25)])
    return anndata.AnnData(sp.csr_matrix(matrix), obs=obs, var=var)


def arguments(fit):
    return {"loadings": fit["pca_loadings"], "gene_mean": fit["pca_gene_mean"], "gene_scale": fit["pca_gene_scale"]}


@pytest.mark.parametrize("scale", [False, True])
def test_project_cells__gives_the_scores_of_the_fit(cells, scale):
    fit = pca(cells, components=4, genes=[f"g{i}" for i in range(0, 25, 2)], scale=scale)
    cells.X = as_rows(cells.X, rows_per_block=17)
    found = project_cells(cells, **arguments(fit))
    assert isinstance(found["projected_scores"].data, da.Array)
    np.testing.assert_allclose(found["projected_scores"], fit["pca_scores"], atol=1e-12)


def test_project_cells__finds_genes_by_name(cells):
    fit = pca(cells, components=4)
    order = np.random.default_rng(0).permutation(25)
    shuffled = cells[:, order].copy()
    np.testing.assert_allclose(
        project_cells(shuffled, **arguments(fit))["projected_scores"], fit["pca_scores"], atol=1e-12
    )
    turned = fit.isel(gene=order)
    np.testing.assert_allclose(
        project_cells(cells, **arguments(turned))["projected_scores"], fit["pca_scores"], atol=1e-12
    )


def test_project_cells__subtracts_the_mean_of_the_fit(cells):
    fit = pca(cells[:40].copy(), components=3)
    found = project_cells(cells[40:].copy(), loadings=fit["pca_loadings"], gene_mean=fit["pca_gene_mean"])
    expected = (cells.X[40:].toarray() - fit["pca_gene_mean"].to_numpy()) @ fit["pca_loadings"].to_numpy()
    np.testing.assert_allclose(found["projected_scores"], expected, atol=1e-12)
    assert project_cells(cells[:0].copy(), **arguments(fit))["projected_scores"].shape == (0, 3)


def test_project_cells__refuses_other_genes(cells):
    fit = pca(cells, components=3)
    with pytest.raises(GeneMismatchError, match="Not found: g3"):
        project_cells(cells[:, np.arange(25) != 3].copy(), **arguments(fit))
    with pytest.raises(ParameterError, match="'gene_mean' parameter of project_cells must run over the genes"):
        project_cells(cells, loadings=fit["pca_loadings"], gene_mean=fit["pca_gene_mean"][::-1])
    with pytest.raises(ParameterError, match="must run over gene and component"):
        project_cells(cells, loadings=fit["pca_loadings"].to_numpy(), gene_mean=fit["pca_gene_mean"])


def test_project_cells__refuses_genes_that_are_there_twice_and_what_is_not_finite(cells):
    fit = pca(cells, components=3)
    twice = fit.isel(gene=[0, 1, 1])
    with pytest.raises(ParameterError, match="Twice there: g1"):
        project_cells(cells, **arguments(twice))
    with pytest.raises(ParameterError, match="NaN or infinite"):
        project_cells(cells, **{**arguments(fit), "loadings": fit["pca_loadings"] * np.nan})
    for name, wrong in (("gene_mean", np.nan), ("gene_scale", 0.0), ("gene_scale", np.inf)):
        with pytest.raises(ParameterError, match="scales above 0"):
            project_cells(cells, **{**arguments(fit), name: fit["pca_gene_mean"] * 0 + wrong})
