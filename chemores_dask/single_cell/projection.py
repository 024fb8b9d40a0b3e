"""Cells in the coordinates of components that other cells defined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import GeneMismatchError, ParameterError
from chemores_dask.kernels.chosen_columns import DROPPED
from chemores_dask.kernels.cross_products import BASIS, ProjectionBlock
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, planned_rows
from chemores_dask.stream import map_rows
from chemores_dask.stream.selection import select_columns

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable(
        "projected_scores",
        ("cell", "component"),
        "f",
        unit="log expression",
        doc="lazy; without unit where genes were scaled",
    ),
)


def project_cells(
    cells: AnnData,
    *,
    loadings: xr.DataArray,
    gene_mean: xr.DataArray,
    gene_scale: xr.DataArray | None = None,
) -> xr.Dataset:
    """Scores of cells on given components: ``(x - mean) / scale`` times the loadings.

    With the loadings of :func:`pca_of_products` without a fold, these are the scores of patients that had no part in the fit.

    Parameters
    ----------
    cells
        Log-normalized cells, with all genes of the components.
    loadings
        Over ``gene`` and ``component``: ``pca_loadings`` (of a fit without covariates) or ``refit_loadings``.
    gene_mean
        Over ``gene``, of the same fit.
    gene_scale
        Over ``gene``, of the same fit; 1 unless given.

    Returns
    -------
    Dataset over ``cell`` and ``component``: ``projected_scores``, lazy.

    Raises
    ------
    GeneMismatchError
        If the cells lack a gene of the components.
    ParameterError
        If the components do not run over ``gene`` and ``component``, the genes of the arguments differ, or a number is not finite.

    Notes
    -----
    Passes over the counts: 0 computed, 1 lazy.

    References
    ----------
    Jolliffe IT (2002). Principal Component Analysis, 2nd edition. Springer, New York.
    """
    check_cells(cells, caller="project_cells")
    positions, order = _placed_genes(cells, loadings)
    names = loadings["gene"].to_numpy()
    mean = _of_genes(gene_mean, names, parameter="gene_mean")[order]
    scale = np.ones(len(names)) if gene_scale is None else _of_genes(gene_scale, names, parameter="gene_scale")[order]
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        message = (
            "Means and scales of genes must be finite for project_cells, and scales above 0. Some are not; pass those of the same result, "
            "and leave 'gene_scale' out where genes were not scaled."
        )
        raise ParameterError(message)
    weights: Matrix = loadings.to_numpy().astype(np.float64)[order] / scale[:, None]
    rows, _ = planned_rows(cells, caller="project_cells")
    projection = ProjectionBlock(np.ascontiguousarray(weights), (mean @ weights)[None, :])
    scores = map_rows(
        select_columns(rows, positions),
        projection,
        columns={BASIS: np.ones(cells.n_obs)},
        width=weights.shape[1],
        dtype=np.float64,
    )
    return make_result(
        RESULT,
        {"projected_scores": scores},
        analysis="project_cells",
        parameters={"components": weights.shape[1], "genes": len(names)},
        coordinates={"cell": cells.obs_names.to_numpy(), "component": loadings["component"].to_numpy()},
    )


def _placed_genes(cells: AnnData, loadings: xr.DataArray) -> tuple[Vector, Vector]:
    if (
        not isinstance(loadings, xr.DataArray)
        or loadings.dims != ("gene", "component")
        or "gene" not in loadings.coords
    ):
        message = (
            "The 'loadings' parameter of project_cells must run over gene and component, with the names of the genes. "
            f"Got {getattr(loadings, 'dims', type(loadings).__name__)}; pass result['pca_loadings']."
        )
        raise ParameterError(message)
    names = loadings["gene"].to_numpy()
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice) or not np.isfinite(loadings.to_numpy()).all():
        found = f"Twice there: {listed(twice)}" if len(twice) else "Some are NaN or infinite"
        message = (
            "The 'loadings' parameter of project_cells must have every gene once, and finite numbers. "
            f"{found}; pass result['pca_loadings'] as it is."
        )
        raise ParameterError(message)
    places = cells.var_names.get_indexer(names)
    if (places < 0).any():
        message = f"Cells must have all genes of the components. Not found: {listed(names[places < 0])}; give the cells these genes."
        raise GeneMismatchError(message)
    order = np.argsort(places, kind="stable")
    positions = np.full(cells.n_vars, DROPPED, dtype=np.int32)
    positions[places[order]] = np.arange(len(names), dtype=np.int32)
    return positions, order


def _of_genes(values: xr.DataArray, names: Vector, *, parameter: str) -> Vector:
    if not isinstance(values, xr.DataArray) or values.dims != ("gene",) or list(values["gene"].values) != list(names):
        message = (
            f"The {parameter!r} parameter of project_cells must run over the genes of the loadings, in their order. "
            f"Got dimensions {getattr(values, 'dims', 'without names')} of other genes; pass that of the same result."
        )
        raise ParameterError(message)
    return values.to_numpy().astype(np.float64)
