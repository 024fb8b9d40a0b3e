"""Principal components without some of the patients, from products of genes that were kept fold by fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.checks import check_variables, check_whole, listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.cross_products import CrossProductSums
from chemores_dask.kernels.gram import matrix_triangle
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.pca import fit_components

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable(
        "refit_loadings",
        ("gene", "component"),
        "f",
        unit="1",
        doc="orthonormal; the largest of each component is positive",
    ),
    Variable("refit_variance", ("component",), "f", unit="squared unit of the scores"),
    Variable("refit_variance_ratio", ("component",), "f", unit="1", doc="share of the variance of all genes used"),
    Variable("refit_gene_mean", ("gene",), "f", unit="log expression"),
    Variable("refit_gene_scale", ("gene",), "f", unit="log expression", doc="1 unless scaled"),
    Variable("refit_cells", (), "i", unit="cells"),
)


PRODUCTS = {
    "products_cells": ("fold",),
    "products_sum": ("fold", "gene"),
    "products_gram": ("fold", "gene", "other_gene"),
}


def pca_of_products(
    products: xr.Dataset, *, components: int = 50, without: Sequence[object] = (), scale: bool = False
) -> xr.Dataset:
    """Components of the cells of some folds, from the products kept by :func:`gene_products`.

    The products of the other folds are added up and decomposed as in :func:`pca`; nothing is subtracted, so that leaving a large fold
    out costs no digits.

    Parameters
    ----------
    products
        Of :func:`gene_products`.
    components
        Number of components.
    without
        Folds to leave out; none unless given.
    scale
        Divide each gene by its standard deviation among the cells that are left.

    Returns
    -------
    Dataset over ``gene`` and ``component``: ``refit_loadings``, ``refit_variance``, ``refit_variance_ratio``, ``refit_gene_mean``,
    ``refit_gene_scale``, and ``refit_cells``. :func:`project_cells` gives the scores, also of cells that were left out.

    Raises
    ------
    MissingVariableError
        If the products are not those of :func:`gene_products`.
    ParameterError
        If a fold is not known, or there are more components than the data have directions.
    InputError
        If fewer than two cells are left.

    Notes
    -----
    Passes over the counts: 0. Equal to :func:`pca` of the cells that are left to about 1e-10.

    References
    ----------
    Jolliffe IT (2002). Principal Component Analysis, 2nd edition. Springer, New York.
    """
    for name, dims in PRODUCTS.items():
        check_variables(products, [name], dims=dims, what="products", caller="pca_of_products")
    kept = _kept_folds(products, without)
    cells = int(products["products_cells"].to_numpy()[kept].sum())
    if cells < 2:
        message = f"pca_of_products needs at least 2 cells. {cells} are left; leave fewer folds out."
        raise InputError(message)
    genes = products.sizes["gene"]
    check_whole(components, parameter="components", caller="pca_of_products", minimum=1, maximum=min(cells - 1, genes))
    gram = np.zeros((genes, genes))
    sums = np.zeros(genes)
    for fold in np.flatnonzero(kept):
        gram += products["products_gram"][fold].to_numpy()
        sums += products["products_sum"][fold].to_numpy()
    found = CrossProductSums(matrix_triangle(gram), (sums * cells**-0.5)[None, :], sums, cells)
    fit = fit_components(found, components=components, scale=scale)
    return make_result(
        RESULT,
        {
            "refit_loadings": fit.loadings,
            "refit_variance": fit.variance,
            "refit_variance_ratio": fit.variance_ratio,
            "refit_gene_mean": sums / cells,
            "refit_gene_scale": fit.gene_scale,
            "refit_cells": np.int64(cells),
        },
        analysis="pca_of_products",
        parameters={"components": components, "without": [_plain(fold) for fold in without], "scale": scale},
        coordinates={"gene": products["gene"].to_numpy(), "component": np.arange(1, components + 1)},
    )


def _kept_folds(products: xr.Dataset, without: Sequence[object]) -> np.ndarray:
    if isinstance(without, str):
        message = (
            f"The 'without' parameter of pca_of_products must be a list of folds. Got {without!r}; pass [{without!r}]."
        )
        raise ParameterError(message)
    folds = [_plain(fold) for fold in products["fold"].to_numpy()]
    left_out = [_plain(fold) for fold in without]
    unknown = [fold for fold in left_out if fold not in folds]
    if unknown:
        message = f"Folds to leave out must be among those of the products. Not found: {listed(unknown)}; present: {listed(folds)}."
        raise ParameterError(message)
    return np.array([fold not in left_out for fold in folds])


def _plain(fold: object) -> object:
    return fold.item() if isinstance(fold, np.generic) else fold
