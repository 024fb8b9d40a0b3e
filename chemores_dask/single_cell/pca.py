"""Principal components of cells, with covariates regressed out and nothing densified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
import xarray as xr
from anndata import AnnData
from scipy.linalg import eigh

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_whole, listed
from chemores_dask.errors import GeneMismatchError, InputError, ParameterError
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.chosen_columns import DROPPED
from chemores_dask.kernels.cross_products import (
    BASIS,
    CrossProductBlock,
    CrossProductSums,
    ProjectionBlock,
    merge_cross_products,
)
from chemores_dask.kernels.gram import triangle_size, whole_matrix
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, planned_rows
from chemores_dask.single_cell.covariates import covariate_correlations, read_covariates
from chemores_dask.stream import compute, map_rows, reduce_rows
from chemores_dask.stream.selection import select_columns
from chemores_dask.stream.staging import stage_rows

ALGORITHM_REVISION = 3

RESULT = declare(
    Variable(
        "pca_scores",
        ("cell", "component"),
        "f",
        unit="log expression",
        doc="lazy; without unit where genes were scaled",
    ),
    Variable(
        "pca_loadings",
        ("gene", "component"),
        "f",
        unit="1",
        doc="orthonormal; the largest of each component is positive",
    ),
    Variable("pca_variance", ("component",), "f", unit="squared unit of the scores"),
    Variable("pca_variance_ratio", ("component",), "f", unit="1", doc="share of the variance of all genes used"),
    Variable("pca_gene_mean", ("gene",), "f", unit="log expression", doc="before regression"),
    Variable(
        "pca_gene_scale", ("gene",), "f", unit="log expression", doc="what residuals were divided by; 1 unless scaled"
    ),
    Variable(
        "pca_covariate_correlation",
        ("component", "covariate"),
        "f",
        doc="of expression along each component, had nothing been regressed out",
        optional=True,
    ),
    Variable(
        "pca_regressed_correlation",
        ("component", "covariate"),
        "f",
        doc="of the scores, after regression",
        optional=True,
    ),
)

CONSTANT = 1e-12
"""A gene counts as constant when less than this share of its sum of squares is left after regression."""

TIE = 1e-9
"""Loadings count as equally large within this share, so that a sign does not hang on rounding."""


def pca(
    cells: AnnData,
    *,
    components: int = 50,
    genes: Sequence[str] | Vector | None = None,
    regress: Sequence[str] = (),
    scale: bool = False,
) -> xr.Dataset:
    """Principal components, exact, from sums over cells.

    With log expression ``X`` and covariates ``Z`` (a constant among them), the cross-products of the residuals are
    ``C = X'X - X'Z (Z'Z)^+ Z'X``. Their eigenvectors are the loadings ``V``, and ``(X - Z (Z'Z)^+ Z'X) V`` are the scores [1]_.
    Centering and regression happen in these small matrices; cells stay sparse.

    Parameters
    ----------
    cells
        Log-normalized cells.
    components
        Number of components: at most one less than there are cells (less the independent covariates), and at most the number
        of genes.
    genes
        Genes to use: names in any order, or a boolean for each gene (``gene_variable`` of :func:`variable_genes`); all genes
        unless given.
    regress
        Columns of ``obs`` to regress out: numbers as they are, text and categories as one indicator for each value. Constant
        columns and columns that follow from others change nothing.
    scale
        Divide the residuals of each gene by their standard deviation; genes without variance are left as they are.

    Returns
    -------
    Dataset over ``cell``, ``gene`` (those used, in the order of the cells' genes) and ``component`` (1, 2, …): ``pca_scores``
    (lazy), ``pca_loadings``, ``pca_variance`` (denominator ``cells - 1``), ``pca_variance_ratio``, ``pca_gene_mean``,
    ``pca_gene_scale``. With ``regress``, over ``component`` and ``covariate`` (numbers by the name of the column, text as
    ``"column: value"``): ``pca_covariate_correlation``, the correlation that the component would have with the covariate had nothing been
    regressed out, and ``pca_regressed_correlation``, what is left of it.

    Raises
    ------
    MissingVariableError
        If ``obs`` lacks a column to regress out.
    GeneMismatchError
        If a gene is not among those of the cells.
    ParameterError
        If there are more components than the data have directions.
    InputError
        If expression or a covariate is missing or infinite, or there are fewer than two cells.
    BlockTooLargeError
        If the genes by genes matrices do not fit into memory.
    StagingSpaceError
        If the values of the chosen genes do not fit on the disk.

    Notes
    -----
    Passes over the counts: 1 computed. One over the staged genes, lazy: the values of the chosen genes are kept in files from the pass
    over the counts until the result is gone (:func:`~chemores_dask.stream.staging.staging_folder` says where), unless the matrix is in
    memory. Sums and scores are float64 throughout. The sign of a component makes its largest loading positive (the first of equals).
    Seurat also clips scaled values at 10, which has no exact form in sums and is left out. Both correlations follow from the sums.
    Regression is linear: it leaves no correlation, but what depends on a covariate along a curve stays
    (:func:`covariate_dependence` shows it).

    Scores become columns with ``cells.obs = cells.obs.assign(s=cycle["cell_cycle_s"].values)``, in a pipeline with
    ``join = [{ from = "cycle.cell_cycle_s", as = "s" }]``; then ``regress = ["s"]``.

    References
    ----------
    .. [1] Jolliffe IT (2002). Principal Component Analysis, 2nd edition. Springer, New York.

    Examples
    --------
    >>> import anndata, numpy as np
    >>> cells = anndata.AnnData(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]))
    >>> abs(pca(cells, components=1)["pca_scores"].values.ravel()).round(6).tolist()
    [2.0, 0.0, 2.0]
    """
    check_cells(cells, caller="pca")
    positions, names = chosen_genes(cells, genes, caller="pca")
    _check_components(components, cells=cells.n_obs, genes=len(names))
    covariates = read_covariates(cells.obs, regress)
    basis = covariates.basis
    _check_directions(components, cells=cells.n_obs, rank=basis.shape[1], regress=regress)
    rows, _ = planned_rows(cells, caller="pca", state_bytes=state_bytes(len(names), basis=basis.shape[1]))
    chosen = select_columns(rows, positions)
    # A matrix in memory is as near as a file would be.
    staged = stage_rows(chosen, store=cells.uns.get("store")) if isinstance(cells.X, da.Array) else None
    reduction = Reduction(block=CrossProductBlock(), merge=merge_cross_products)
    (sums,) = compute(reduce_rows(chosen if staged is None else staged.passing, reduction, columns={BASIS: basis}))
    fit = fit_components(sums, components=components, scale=scale)
    weights = fit.loadings / fit.gene_scale[:, None]
    products = sums.basis_products @ weights
    projection = ProjectionBlock(weights, products)
    again = chosen if staged is None else staged.complete()
    scores = map_rows(again, projection, columns={BASIS: basis}, width=components, dtype=np.float64)
    coordinates = {"cell": cells.obs_names.to_numpy(), "gene": names, "component": np.arange(1, components + 1)}
    further = {}
    if covariates.names:
        found = covariate_correlations(covariates, products, fit.variance * (sums.rows - 1))
        order = list(covariates.order)
        further = {
            "pca_covariate_correlation": found.before[:, order],
            "pca_regressed_correlation": found.after[:, order],
        }
        coordinates["covariate"] = np.array(covariates.names, dtype=object)[order]
    return make_result(
        RESULT,
        {
            "pca_scores": scores,
            "pca_loadings": fit.loadings,
            "pca_variance": fit.variance,
            "pca_variance_ratio": fit.variance_ratio,
            "pca_gene_mean": sums.column_sums / sums.rows,
            "pca_gene_scale": fit.gene_scale,
            **further,
        },
        analysis="pca",
        parameters={"components": components, "genes": len(names), "regress": list(regress), "scale": scale},
        coordinates=coordinates,
    )


def state_bytes(genes: int, *, basis: int = 1) -> int:
    """Bytes that the sums over one block take, and as much again while they are made.

    Parameters
    ----------
    genes
        Genes used.
    basis
        Directions to take out.
    """
    return 8 * (triangle_size(genes) + genes * (basis + 1))


@dataclass(frozen=True)
class Fit:
    """Components of a covariance matrix.

    Attributes
    ----------
    loadings
        Genes by components.
    variance, variance_ratio
        Of each component.
    gene_scale
        What residuals were divided by; 1 unless scaled.
    """

    loadings: Matrix
    variance: Vector
    variance_ratio: Vector
    gene_scale: Vector


def fit_components(sums: CrossProductSums, *, components: int, scale: bool) -> Fit:
    """Eigenvectors of the cross-products of residuals.

    Parameters
    ----------
    sums
        Over all cells.
    components
        How many.
    scale
        Whether residuals are divided by their standard deviation.

    Raises
    ------
    InputError
        If sums are not finite.
    """
    gram = whole_matrix(sums.triangle, len(sums.column_sums))
    # One thread, because the bits of a product depend on the number of threads that share it.
    with single_blas_thread():
        if not np.isfinite(sums.triangle).all():
            message = (
                "Expression must be finite, and so must its squares. Found missing, infinite or huge values; "
                "pass log-normalized cells."
            )
            raise InputError(message)
        residual = gram - sums.basis_products.T @ sums.basis_products
        total = np.diag(gram)
        left = np.diag(residual)
        constant = left <= CONSTANT * total
        residual[constant, :] = 0.0
        residual[:, constant] = 0.0
        gene_scale = np.ones(len(total))
        if scale:
            gene_scale[~constant] = np.sqrt(left[~constant] / (sums.rows - 1))
        covariance = residual / (sums.rows - 1) / gene_scale[:, None] / gene_scale[None, :]
        size = len(covariance)
        values, vectors = eigh(covariance, subset_by_index=[size - components, size - 1], check_finite=False)
    variance = np.maximum(values[::-1], 0.0)
    everything = np.trace(covariance)
    ratio = variance / everything if everything > 0 else np.zeros(components)
    return Fit(_with_fixed_signs(vectors[:, ::-1]), variance, ratio, gene_scale)


def _with_fixed_signs(loadings: Matrix) -> Matrix:
    sizes = np.abs(loadings)
    largest = np.argmax(sizes >= (1 - TIE) * sizes.max(axis=0), axis=0)
    signs = np.where(loadings[largest, np.arange(loadings.shape[1])] < 0, -1.0, 1.0)
    return np.ascontiguousarray(loadings * signs)


def chosen_genes(cells: AnnData, genes: Sequence[str] | Vector | None, *, caller: str) -> tuple[Vector, Vector]:
    """Which genes an analysis uses.

    Parameters
    ----------
    cells
        The cells.
    genes
        Names in any order, a boolean for each gene, or None for all.
    caller
        The analysis, for messages.

    Returns
    -------
    For each gene of the cells its number among those chosen, or -1; and the names of those chosen, in the order of the cells' genes.

    Raises
    ------
    GeneMismatchError
        If a gene is not among those of the cells.
    ParameterError
        If none is chosen, or booleans do not fit the genes.
    """
    names = cells.var_names
    if genes is None:
        chosen = np.ones(len(names), dtype=bool)
    elif isinstance(genes, str):
        message = f"The 'genes' parameter of {caller} must be a list of names. Got {genes!r}; pass [{genes!r}]."
        raise ParameterError(message)
    elif np.asarray(genes).dtype == bool:
        chosen = np.asarray(genes)
        if chosen.shape != (len(names),):
            message = (
                f"A boolean 'genes' parameter of {caller} must have one entry for each of the {len(names)} genes. "
                f"Got shape {chosen.shape}."
            )
            raise ParameterError(message)
    else:
        wanted = [str(gene) for gene in np.asarray(genes)]
        unknown = [gene for gene in wanted if gene not in names]
        if unknown:
            message = f"The genes of {caller} must be in the cells. Not found: {listed(unknown)}. Pass names of var."
            raise GeneMismatchError(message)
        chosen = np.asarray(names.isin(wanted))
    if not chosen.any():
        message = f"{caller} needs at least one gene. Got none; check 'genes'."
        raise ParameterError(message)
    positions = np.full(len(names), DROPPED, dtype=np.int32)
    positions[chosen] = np.arange(chosen.sum(), dtype=np.int32)
    return positions, names.to_numpy()[chosen]


def _check_components(components: int, *, cells: int, genes: int) -> None:
    if cells < 2:
        message = f"pca needs at least 2 cells. Got {cells}."
        raise InputError(message)
    check_whole(components, parameter="components", caller="pca", minimum=1, maximum=min(cells - 1, genes))


def _check_directions(components: int, *, cells: int, rank: int, regress: Sequence[str]) -> None:
    if components > cells - rank:
        message = (
            f"The 'components' parameter of pca must be at most {cells - rank}: {cells} cells less {rank} for the mean and the "
            f"covariates {listed(regress)}. Got {components}."
        )
        raise ParameterError(message)
