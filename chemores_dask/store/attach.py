"""Results put where scanpy looks for them, in a new AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata
import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix
from chemores_dask.checks import listed
from chemores_dask.errors import InputError
from chemores_dask.store.attach_graph import GRAPH_VARIABLES, attach_graph, graph_cells

CELL = "cell"
GENE = "gene"

SCANPY_NAMES: Mapping[str, tuple[str, str]] = {
    "pca_scores": ("obsm", "X_pca"),
    "pca_loadings": ("varm", "PCs"),
    "pca_variance": ("pca", "variance"),
    "pca_variance_ratio": ("pca", "variance_ratio"),
    "harmony_scores": ("obsm", "X_pca_harmony"),
    "umap_coordinates": ("obsm", "X_umap"),
    "cell_cluster": ("obs", "leiden"),
    "diffusion_components": ("obsm", "X_diffmap"),
    "diffusion_eigenvalue": ("uns", "diffmap_evals"),
}
"""Where scanpy looks for a variable, besides its own name: part of the AnnData (or of ``uns``) and key."""

SCANPY_GAPS: Mapping[str, float] = {"X_umap": np.nan}
"""What scanpy gets for cells that a result does not have; 0 unless listed (a cell at 0 of a map would be taken for one that lies there)."""


def attach(adata: anndata.AnnData, result: xr.Dataset) -> anndata.AnnData:
    """Put the variables of a result into a new AnnData, where scanpy and others find them.

    ===================== =============================================================================================
    dimensions            place
    ===================== =============================================================================================
    ``(cell,)``           ``obs``; a status becomes categories
    ``(cell, other)``     ``obsm``; a table where the other dimension has text labels
    ``(gene,)``           ``var``; a status becomes categories
    ``(gene, other)``     ``varm`` if the result has every gene of ``var``, otherwise ``uns``
    graph of cells        ``obsp["distances"]``, ``obsp["connectivities"]``; ``uns["neighbors"]`` as scanpy writes it
    all others            ``uns`` under the name of the analysis, with their labels
    ===================== =============================================================================================

    Principal components also get scanpy's names: ``X_pca``, ``PCs`` (0 for genes that were not used) and ``uns["pca"]``. So do
    ``harmony_scores`` (``X_pca_harmony``), ``umap_coordinates`` (``X_umap``), ``cell_cluster`` (``obs["leiden"]``, categories of text) and
    ``diffusion_components`` with their eigenvalues (``X_diffmap`` and ``uns["diffmap_evals"]``, the trivial component first in both). A
    graph is cut and ordered as the cells are: edges to cells that ``adata`` does not have leave it, and cells without a row in the result
    have none. ``n_neighbors`` counts the cell itself, as scanpy does.

    Parameters
    ----------
    adata
        Cells; not changed.
    result
        What an analysis returned. Lazy variables are computed, all in one pass. Cells and genes are matched by name where the
        result has labels; what the result lacks is missing.

    Returns
    -------
    New AnnData with the counts of ``adata`` (lazy ones stay lazy).

    Raises
    ------
    InputError
        If the arguments are not cells and a result; if the result has no cell or no gene of ``adata``, has a name twice, or has no labels
        and another length; or if the cells of a graph were put in another order.

    Notes
    -----
    Passes over the counts: those of the lazy variables, shared.

    Examples
    --------
    >>> import anndata, numpy as np, xarray as xr
    >>> cells = anndata.AnnData(np.ones((2, 1), dtype="float32"))
    >>> result = xr.Dataset({"cell_total": ("cell", [5, 7])}, coords={"cell": ["1", "0"]}, attrs={"analysis": "quality"})
    >>> attach(cells, result).obs["cell_total"].tolist()
    [7, 5]
    """
    if not isinstance(adata, anndata.AnnData) or not isinstance(result, xr.Dataset):
        message = (
            "attach needs cells and a result: attach(adata, result) with an AnnData and a Dataset. "
            f"Got {type(adata).__name__} and {type(result).__name__}; make a Dataset of a single variable with variable.to_dataset()."
        )
        raise InputError(message)
    computed = result.compute()
    attached = adata.copy()
    analysis = str(result.attrs.get("analysis", "result"))
    rest: dict[str, Any] = {}
    for name, variable in computed.drop_vars(GRAPH_VARIABLES, errors="ignore").data_vars.items():
        _place(attached, str(name), variable, rest)
    dims = sorted({str(dim) for name in rest for dim in computed[name].dims if dim in computed.coords})
    if dims:
        rest["labels"] = {dim: _plain(computed[dim].values) for dim in dims}
    if "parameters" in result.attrs:
        rest["parameters"] = result.attrs["parameters"]
    for name, (part, key) in SCANPY_NAMES.items():
        if part == analysis and name in rest:
            rest[key] = rest[name]
        if part == "uns" and name in rest:
            attached.uns[key] = rest[name]
    if rest:
        attached.uns[analysis] = rest
    cells = graph_cells(computed)
    if cells is not None:
        attach_graph(attached, computed, label_positions(cells, attached.obs_names, dim=CELL))
    return attached


def _place(attached: anndata.AnnData, name: str, variable: xr.DataArray, rest: dict[str, Any]) -> None:
    """Put one variable in its place, or into ``rest``."""
    first = variable.dims[0] if variable.dims else None
    if first not in (CELL, GENE) or variable.ndim > 2 or variable.dims == (CELL, GENE):
        rest[name] = _plain(variable.values)
        return
    names = attached.obs_names if first == CELL else attached.var_names
    position = label_positions(variable, names, dim=str(first))
    scanpy_part, scanpy_key = SCANPY_NAMES.get(name, ("", ""))
    if variable.ndim == 1:
        table = attached.obs if first == CELL else attached.var
        table[name] = _column(variable, position)
        if scanpy_part == "obs":
            table[scanpy_key] = _numbered(variable.values, position)
        return
    matrix = gathered_rows(variable.values, position, fill=np.nan)
    if first == CELL:
        attached.obsm[name] = _labeled(matrix, variable, names)
    elif (position >= 0).all():
        attached.varm[name] = _labeled(matrix, variable, names)
    else:
        rest[name] = _plain(variable.values)
    if scanpy_part in ("obsm", "varm"):
        fill = SCANPY_GAPS.get(scanpy_key, 0.0)
        getattr(attached, scanpy_part)[scanpy_key] = gathered_rows(variable.values, position, fill=fill)


def label_positions(variable: xr.DataArray, names: pd.Index, *, dim: str) -> np.ndarray:
    """Row of the result for each cell or gene; -1 where it has none."""
    if dim not in variable.coords:
        if variable.sizes[dim] != len(names):
            message = (
                f"A result without labels must have one entry per {dim} of the AnnData. "
                f"{variable.name!r} has {variable.sizes[dim]:,} for {len(names):,}; give it the coordinate {dim!r}."
            )
            raise InputError(message)
        return np.arange(len(names))
    labels = pd.Index(variable.coords[dim].values.astype(object))
    if not labels.is_unique:
        message = (
            f"Names of {dim}s must differ in a result that is attached by name. {listed(labels[labels.duplicated()].unique())} stand more "
            f"than once; make them unique, or attach result.drop_vars({dim!r}) to the same {dim}s in the same order."
        )
        raise InputError(message)
    position = np.asarray(labels.get_indexer(names.astype(object)))
    if len(names) and len(labels) and (position < 0).all():
        message = (
            f"A result and the AnnData must share names of {dim}s. {variable.name!r} has {listed(labels[:3])}, "
            f"the AnnData {listed(names[:3])}; attach the result to the cells it was made from."
        )
        raise InputError(message)
    return position


def _numbered(values: np.ndarray, position: np.ndarray) -> Any:
    """Cluster numbers as scanpy wants them: categories of text, in order of the numbers."""
    if not len(values):
        return pd.Categorical.from_codes(position, categories=pd.Index([], dtype=object))
    codes = np.where(position < 0, -1, values[np.maximum(position, 0)])
    return pd.Categorical.from_codes(
        codes, categories=pd.Index([str(number) for number in range(int(values.max()) + 1)])
    )


def _column(variable: xr.DataArray, position: np.ndarray) -> Any:
    """One entry per cell or gene; gaps are missing in the way of the type."""
    absent = position < 0
    values = variable.values
    if not len(values):
        return np.full(len(position), np.nan)
    column = pd.Series(values[np.where(absent, 0, position)])
    meanings = str(variable.attrs.get("flag_meanings", "")).split()
    if meanings:
        codes = np.where(absent, -1, column.to_numpy()).astype(np.int64)
        return pd.Categorical.from_codes(codes, categories=pd.Index(meanings))
    if values.dtype.kind not in "biuf":
        return pd.Categorical(column.astype(object).where(~absent, None))
    if not absent.any():
        return column.to_numpy()
    if values.dtype.kind == "f":
        return column.where(~absent).to_numpy()
    return column.astype("boolean" if values.dtype.kind == "b" else "Int64").where(~absent).array


def gathered_rows(values: Matrix, position: np.ndarray, *, fill: float) -> Matrix:
    """Rows of a matrix at some positions; -1 gives a row of ``fill``."""
    absent = position < 0
    if not absent.any():
        return np.asarray(values[position])
    rows = np.full((len(position), values.shape[1]), fill, dtype=np.result_type(values.dtype, np.float64))
    rows[~absent] = values[position[~absent]]
    return rows


def _labeled(matrix: Matrix, variable: xr.DataArray, names: pd.Index) -> Matrix | pd.DataFrame:
    if has_text_labels(variable):
        labels = [str(label) for label in variable.coords[variable.dims[1]].values]
        return pd.DataFrame(matrix, index=names, columns=labels)
    return matrix


def has_text_labels(variable: xr.DataArray) -> bool:
    """Whether the second dimension of a variable is labeled with text: such a variable becomes a table."""
    other = variable.dims[1]
    return other in variable.coords and variable.coords[other].dtype.kind in "OUT"


def _plain(values: np.ndarray) -> Any:
    """Values as AnnData can write them: text without gaps, scalars as Python's own."""
    if values.dtype.kind in "OUT":
        text = np.array(["" if pd.isna(value) else str(value) for value in values.ravel()], dtype=object)
        return str(text[0]) if values.ndim == 0 else text.reshape(values.shape)
    return values.item() if values.ndim == 0 else values
