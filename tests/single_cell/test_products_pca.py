"""Components without some folds: equal to a fit to the cells that are left."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import InputError, MissingVariableError, ParameterError
from chemores_dask.single_cell.gene_products import gene_products
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.products_pca import pca_of_products
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.stream import as_rows

CELLS, GENES = 400, 60
PAIRS = {
    "refit_loadings": "pca_loadings",
    "refit_variance": "pca_variance",
    "refit_variance_ratio": "pca_variance_ratio",
    "refit_gene_mean": "pca_gene_mean",
    "refit_gene_scale": "pca_gene_scale",
}


@pytest.fixture
def cells():
    generator = np.random.default_rng(8)
    state = generator.integers(0, 4, CELLS)
    means = generator.gamma(0.6, 2.0, (4, GENES))
    counts = generator.poisson(means[state])
    counts[:, 7] = 0
    obs = pd.DataFrame({"patient": np.sort(generator.integers(0, 6, CELLS))}, index=[f"c{i}" for i in range(CELLS)])
    var = pd.DataFrame(index=[f"g{i}" for i in range(GENES)])
    raw = anndata.AnnData(as_rows(sp.csr_matrix(counts.astype(np.int32)), rows_per_block=37), obs=obs, var=var)
    return log_normalize(raw)


@pytest.fixture
def products(cells):
    return gene_products(cells, fold="patient")


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("without", [[], [0], [2, 5], [0, 1, 2, 3, 4]])
def test_pca_of_products__equals_a_refit_to_1e_10(cells, products, without, scale):
    found = pca_of_products(products, components=8, without=without, scale=scale)
    kept = cells[~cells.obs["patient"].isin(without).to_numpy()].copy()
    refit = pca(kept, components=8, scale=scale)
    assert found["refit_cells"].item() == kept.n_obs
    for name, other in PAIRS.items():
        np.testing.assert_allclose(found[name], refit[other], rtol=1e-10, atol=1e-10, err_msg=name)
    scores = project_cells(
        kept, loadings=found["refit_loadings"], gene_mean=found["refit_gene_mean"], gene_scale=found["refit_gene_scale"]
    )
    np.testing.assert_allclose(scores["projected_scores"], refit["pca_scores"], atol=1e-10)


def test_pca_of_products__takes_folds_by_name(products):
    named = products.assign_coords(fold=[f"P{fold}" for fold in products["fold"].to_numpy()])
    found = pca_of_products(named, components=3, without=["P2"])
    assert found.drop_attrs().identical(pca_of_products(products, components=3, without=[2]).drop_attrs())


def test_pca_of_products__refuses_what_cannot_work(cells, products):
    with pytest.raises(ParameterError, match="Not found: 17; present: 0, 1, 2"):
        pca_of_products(products, components=2, without=[17])
    with pytest.raises(ParameterError, match="list of folds"):
        pca_of_products(products, components=2, without="0")
    with pytest.raises(InputError, match=r"at least 2 cells\. 0 are left"):
        pca_of_products(products, components=2, without=range(6))
    with pytest.raises(ParameterError, match="at most 60"):
        pca_of_products(products, components=61)
    with pytest.raises(MissingVariableError):
        pca_of_products(products.drop_vars("products_gram"), components=2)
