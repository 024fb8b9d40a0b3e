"""What steps read: the stored cells, views of them, cohorts of patients, and results of other steps."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Block, Vector
from chemores_dask.checks import check_columns, listed
from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.stream.rows import as_csr, as_rows, row_columns
from chemores_dask.workflow.gene_views import genes_of_cells
from chemores_dask.workflow.steps import Join, Reference, View

CELL = "cell"
GENE = "gene"
NO_TABLES: Mapping[str, pd.DataFrame] = MappingProxyType({})


def keep_cells(cells: ad.AnnData, keep: Vector) -> ad.AnnData:
    """Cells that stay, lazily.

    Every block keeps its own cells, so no block reads from another one, and reading and choosing are one task.

    Parameters
    ----------
    cells
        Cells by genes.
    keep
        One truth per cell.

    Returns
    -------
    New cells with the same genes; blocks may be empty.
    """
    rows = as_rows(cells.X)
    keep = np.asarray(keep, dtype=bool)
    (mask,) = row_columns(rows, {"keep": keep}).values()
    edges = np.concatenate([[0], np.cumsum(rows.chunks[0])])
    sizes = tuple(int(keep[start:stop].sum()) for start, stop in pairwise(edges))
    kept = da.map_blocks(
        _keep_rows,
        rows,
        mask,
        dtype=rows.dtype,
        meta=rows._meta,
        chunks=(sizes, rows.chunks[1]),
    )
    return ad.AnnData(X=kept, obs=cells.obs[keep], var=cells.var.copy(), uns=dict(cells.uns))


def view_cells(cells: ad.AnnData, view: View, *, results: Mapping[str, xr.Dataset]) -> ad.AnnData:
    """Derive the cells of a view.

    Parameters
    ----------
    cells
        Cells of the view or store that it is a view of.
    view
        What to do.
    results
        Results by the name of their step.

    Returns
    -------
    New cells, lazy.

    Raises
    ------
    InputError
        If what decides on keeping is not one truth for each of the cells, or no cell has a value that should stay.
    """
    if view.by_gene:
        return genes_of_cells(cells)
    if view.where:
        return keep_cells(cells, _rows_where(cells.obs, view))
    if view.keep is None:
        return log_normalize(cells, target_sum=view.normalize)
    values = read_variable(view.keep, results=results)
    if values.dims != (CELL,) or values.dtype.kind != "b":
        message = (
            f"The view {view.name!r} must keep by a boolean result over the cells. "
            f"{view.keep} runs over {listed(values.dims)} and is {values.dtype}."
        )
        raise InputError(message)
    return keep_cells(cells, _align(values, CELL, cells.obs_names, what=str(view.keep)))


def _rows_where(table: pd.DataFrame, view: View) -> Vector:
    stays = np.ones(len(table), dtype=bool)
    for column, values in view.where.items():
        texts = table[column].astype(str)
        missing = sorted(set(values) - set(texts.unique()))
        if missing:
            message = (
                f"'where' of the view {view.name!r} must name values of the column {column!r}. Not found: {listed(missing)}; "
                f"present: {listed(sorted(texts.unique()))}."
            )
            raise InputError(message)
        stays &= texts.isin(values).to_numpy()
    return stays


def read_variable(
    reference: Reference, *, results: Mapping[str, xr.Dataset], tables: Mapping[str, pd.DataFrame] = NO_TABLES
) -> xr.DataArray:
    """Find a variable of a result, or a column of cells.

    Parameters
    ----------
    reference
        Where it is.
    results
        Results by the name of their step.
    tables
        Tables of cells: of the stored ones as ``"cells"``, and of views by their name.

    Returns
    -------
    The variable as it is, lazy or not; a column over ``cell``.

    Raises
    ------
    MissingVariableError
        Naming the variables that the result has, or the columns of the table.
    """
    if reference.step in tables:
        table = tables[reference.step]
        check_columns(table, [reference.variable], what=f"the table of {reference.step!r}", caller=repr(str(reference)))
        column = table[reference.variable].to_numpy()
        return xr.DataArray(column, dims=CELL, coords={CELL: table.index}, name=reference.variable)
    result = results[reference.step]
    if reference.variable not in result.data_vars:
        message = (
            f"{str(reference)!r} must be a variable of the result of {reference.step!r}. "
            f"It has: {listed(result.data_vars)}."
        )
        raise MissingVariableError(message)
    return result[reference.variable]


def parameter_value(
    reference: Reference,
    *,
    source: ad.AnnData | xr.Dataset,
    results: Mapping[str, xr.Dataset],
    tables: Mapping[str, pd.DataFrame] = NO_TABLES,
) -> object:
    """What a parameter that refers to a result stands for.

    Parameters
    ----------
    reference
        The variable.
    source
        Input of the step: values over its genes (or cells) are brought into its order.
    results
        Results by the name of their step.
    tables
        Tables of cells, by ``"cells"`` and the names of views.

    Returns
    -------
    A plain number or text for a variable without dimensions, otherwise an array.
    """
    values = read_variable(reference, results=results, tables=tables)
    if not values.dims:
        return values.values.item()
    if isinstance(source, ad.AnnData) and values.dims in ((GENE,), (CELL,)):
        names = source.var_names if values.dims == (GENE,) else source.obs_names
        return _align(values, values.dims[0], names, what=str(reference))
    return values.values


def labeled_value(
    reference: Reference,
    *,
    source: ad.AnnData | xr.Dataset,
    results: Mapping[str, xr.Dataset],
    tables: Mapping[str, pd.DataFrame] = NO_TABLES,
    aligned: bool = False,
) -> xr.DataArray:
    """What a parameter stands for that takes a labeled array.

    Parameters
    ----------
    reference
        The variable.
    source
        Input of the step.
    results
        Results by the name of their step.
    tables
        Tables of cells, by ``"cells"`` and the names of views.
    aligned
        Whether its cells are to be those of the input, in the same order.

    Returns
    -------
    The variable with its labels; what is lazy stays lazy.

    Raises
    ------
    InputError
        If it is to be aligned, and lacks cells of the input.
    """
    values = read_variable(reference, results=results, tables=tables)
    if not aligned or CELL not in values.dims:
        return values
    labels = source.obs_names if isinstance(source, ad.AnnData) else source.indexes[CELL]
    places = _places(values, CELL, labels, what=str(reference))
    return values if places is None else values.isel({CELL: places})


def join_cells(
    cells: ad.AnnData,
    joins: tuple[Join, ...],
    *,
    results: Mapping[str, xr.Dataset],
    tables: Mapping[str, pd.DataFrame] = NO_TABLES,
) -> ad.AnnData:
    """Put results beside cells, as columns of ``obs``.

    Parameters
    ----------
    cells
        Input of the step.
    joins
        What to put there.
    results
        Results by the name of their step.
    tables
        Tables of cells, by ``"cells"`` and the names of views.

    Returns
    -------
    New cells with further columns.

    Raises
    ------
    InputError
        If a result does not run over the cells, or lacks some of them.
    """
    if not joins:
        return cells
    columns = {join.name: _joined(join, _selected(join, results, tables), CELL, cells.obs_names) for join in joins}
    return ad.AnnData(X=cells.X, obs=cells.obs.assign(**columns), var=cells.var.copy(), uns=dict(cells.uns))


def join_dataset(
    dataset: xr.Dataset,
    joins: tuple[Join, ...],
    *,
    results: Mapping[str, xr.Dataset],
    tables: Mapping[str, pd.DataFrame] = NO_TABLES,
) -> xr.Dataset:
    """Put results or columns of cells beside patients, samples, or what a result knows about cells, as variables.

    Parameters
    ----------
    dataset
        Input of the step; its lazy variables stay lazy.
    joins
        What to put there.
    results
        Results by the name of their step.
    tables
        Tables of cells, by ``"cells"`` and the names of views.

    Returns
    -------
    New Dataset with further variables.

    Raises
    ------
    InputError
        If a result runs over a dimension that the dataset does not have, or lacks some of its labels.
    """
    joined = {}
    for join in joins:
        values = _selected(join, results, tables)
        if len(values.dims) != 1 or values.dims[0] not in dataset.indexes:
            message = (
                f"A join must run over one labeled dimension of what it is joined to: {listed(dataset.indexes)}. "
                f"{join.reference} runs over {listed(values.dims)}; pick labels along the others with 'select'."
            )
            raise InputError(message)
        dim = str(values.dims[0])
        joined[join.name] = (dim, _joined(join, values, dim, dataset.indexes[dim]))
    return dataset.assign(joined)


def _joined(join: Join, values: xr.DataArray, dim: str, labels: pd.Index) -> Vector:
    if values.dims != (dim,):
        message = (
            f"The join {join.name!r} must run over {dim!r}. {join.reference} runs over {listed(values.dims)}; "
            "pick labels along the others with 'select'."
        )
        raise InputError(message)
    aligned = _align(values, dim, labels, what=str(join.reference))
    if not join.standardize:
        return aligned
    if aligned.dtype.kind not in "biuf":
        message = f"Only numbers can be standardized. {join.reference} holds {aligned.dtype}; remove 'standardize'."
        raise InputError(message)
    spread = float(np.std(aligned, ddof=1)) if len(aligned) > 1 else 0.0
    if not spread > 0:
        message = f"Only values that differ can be standardized. {join.reference} has standard deviation {spread}."
        raise InputError(message)
    return (aligned - np.mean(aligned)) / spread


def _selected(join: Join, results: Mapping[str, xr.Dataset], tables: Mapping[str, pd.DataFrame]) -> xr.DataArray:
    values = read_variable(join.reference, results=results, tables=tables)
    return pick(values, join.select, what=str(join.reference))


def pick(values: xr.DataArray, select: Mapping[str, object], *, what: str) -> xr.DataArray:
    """Pick one label along each of some dimensions.

    Parameters
    ----------
    values
        Labeled array.
    select
        Label by dimension.
    what
        Its name, for messages.

    Returns
    -------
    The array without these dimensions.

    Raises
    ------
    InputError
        If there is no such dimension or no such label.
    """
    for dim, label in select.items():
        if dim not in values.dims:
            message = f"{what} runs over {listed(values.dims)}, not over {dim!r}; correct its 'select'."
            raise InputError(message)
        labels = [str(item) for item in values[dim].values]
        if str(label) not in labels:
            message = f"{what} must have the label {label!r} along {dim!r}. Present: {listed(labels)}."
            raise InputError(message)
        values = values.isel({dim: labels.index(str(label))})
    return values


def _align(values: xr.DataArray, dim: str, labels: pd.Index, *, what: str) -> Vector:
    places = _places(values, dim, labels, what=what)
    found = np.asarray(values.values)
    return found if places is None else found[places]


def _places(values: xr.DataArray, dim: str, labels: pd.Index, *, what: str) -> Vector | None:
    """Where the labels stand; None where they stand in their order."""
    own = pd.Index(values[dim].values)
    if len(own) == len(labels) and bool((own == labels).all()):
        return None
    places = own.get_indexer(labels)
    if (places < 0).any():
        missing = labels[places < 0]
        message = (
            f"{what} must hold a value for every {dim} of the input. {len(missing)} of {len(labels)} are missing: "
            f"{listed(missing)}. It was made from another view; make both from the same one."
        )
        raise InputError(message)
    return np.asarray(places)


def _keep_rows(block: Block, mask: np.ndarray) -> Block:
    return as_csr(block)[mask[:, 0].astype(bool)]
