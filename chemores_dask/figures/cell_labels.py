"""What pictures of cells need to know about each cell: its sample, and what a column of the samples says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.errors import MissingVariableError

GOLDEN = 0.6180339887498949
MOST_POINTS = 40_000


def samples_of(result: xr.Dataset) -> np.ndarray:
    """The sample of each cell.

    Parameters
    ----------
    result
        Over ``cell``; with a coordinate ``sample`` over it, or with names of the form ``sample:barcode``.

    Returns
    -------
    (cell,) text.

    Raises
    ------
    MissingVariableError
        If there is neither.
    """
    if "sample" in result.coords and result["sample"].dims == ("cell",):
        return result["sample"].values.astype(str)
    names = _cell_names(result)
    split = names.str.split(":", n=1)
    if len(names) and split.str.len().min() < 2:
        message = f"Names of cells must have the form sample:barcode. Got {names[0]!r}; give a coordinate 'sample' over 'cell'."
        raise MissingVariableError(message)
    return split.str[0].to_numpy().astype(str)


def sample_column(result: xr.Dataset, column: str, *, cube: xr.Dataset | None) -> np.ndarray:
    """What a column of the samples says about each cell.

    Parameters
    ----------
    result
        Over ``cell``.
    column
        ``"sample"``, or a column over ``sample`` of the cube such as stage or patient.
    cube
        A cohort cube; needed for every column but ``"sample"``.

    Returns
    -------
    (cell,) text; ``"unknown"`` for samples that the cube does not have.

    Raises
    ------
    MissingVariableError
        If the column is not there.
    """
    if column in result.coords and result[column].dims == ("cell",):
        return result[column].values.astype(str)
    samples = samples_of(result)
    if column == "sample":
        return samples
    if cube is None or column not in cube.coords or cube[column].dims != ("sample",):
        present = [] if cube is None else [str(name) for name in cube.coords if cube[name].dims == ("sample",)]
        message = (
            f"To group cells by {column!r}, a cohort cube with that column must be given. "
            f"{'None was given' if cube is None else f'Its columns: {listed(present)}'}; name its step in the option 'cube'."
        )
        raise MissingVariableError(message)
    known = pd.Series(cube[column].values.astype(str), index=cube["sample"].values.astype(str))
    return pd.Series(samples).map(known).fillna("unknown").to_numpy().astype(str)


def ordered_labels(labels: np.ndarray, *, order: np.ndarray | None = None) -> list[str]:
    """The distinct labels: those of an order first, the rest sorted.

    Parameters
    ----------
    labels
        One per cell.
    order
        Preferred order, with repeats.

    Returns
    -------
    Labels.
    """
    present = set(np.unique(labels).tolist())
    preferred = [] if order is None else [label for label in dict.fromkeys(map(str, order)) if label in present]
    return preferred + sorted(present - set(preferred))


def align_cells(values: xr.DataArray, cells: xr.Dataset) -> np.ndarray:
    """Values of the cells of another result, matched by name.

    Parameters
    ----------
    values
        Over ``cell``.
    cells
        Whose cells are wanted.

    Returns
    -------
    (cell,) values.

    Raises
    ------
    MissingVariableError
        If a cell has no value.
    """
    wanted = _cell_names(cells)
    if "cell" not in values.coords:
        found = np.arange(len(wanted)) if values.sizes["cell"] == len(wanted) else np.full(len(wanted), -1)
    else:
        found = pd.Index(values["cell"].values.astype(str)).get_indexer(wanted)
    if (found < 0).any():
        message = (
            f"The variable {values.name!r} must have a value for every cell drawn. "
            f"{int((found < 0).sum()):,} of {len(wanted):,} cells are missing, such as {wanted[found < 0][0]!r}."
        )
        raise MissingVariableError(message)
    return np.asarray(values.values)[found]


def even_order(number: int) -> np.ndarray:
    """An order of cells in which every beginning is spread evenly over all of them.

    It thins cells without chance, and keeps one sample from being painted over another.

    Parameters
    ----------
    number
        Of cells.

    Returns
    -------
    (cell,) indices.

    Examples
    --------
    >>> even_order(5)
    array([0, 2, 4, 1, 3])
    """
    return np.argsort((np.arange(number) * GOLDEN) % 1.0, kind="stable")


def _cell_names(result: xr.Dataset) -> pd.Index:
    if "cell" not in result.coords:
        return pd.Index([str(number) for number in range(result.sizes["cell"])])
    return pd.Index(result["cell"].values.astype(str))
