"""What the colors of a map say: labels, or numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.errors import ParameterError
from chemores_dask.figures.cell_labels import align_cells, ordered_labels, sample_column
from chemores_dask.figures.number_text import shown_name

CLUSTER = "cluster"


@dataclass(frozen=True)
class CellLabels:
    """A label for each cell.

    Attributes
    ----------
    codes
        Place of the label of each cell in ``labels``.
    labels
        In the order of the legend.
    """

    codes: np.ndarray
    labels: list[str]

    @property
    def counts(self) -> np.ndarray:
        """Cells with each label."""
        return np.bincount(self.codes, minlength=len(self.labels))


def cell_values(
    result: xr.Dataset, color: str | xr.DataArray, *, cube: xr.Dataset | None = None
) -> CellLabels | np.ndarray:
    """Labels or numbers of the cells of a result.

    Parameters
    ----------
    result
        Over ``cell``.
    color
        A column of the samples, or a variable over ``cell``. Text, yes or no, a status and numbers of clusters are labels; all other
        numbers are numbers.
    cube
        Result of ``cohort_cube``, for columns of the samples.

    Returns
    -------
    Labels, or (cell,) float64.

    Raises
    ------
    MissingVariableError
        If the column is absent, or a cell has no value.
    ParameterError
        If the color runs over something else than cells.
    """
    if not isinstance(color, xr.DataArray):
        order = cube[color].values if cube is not None and color in cube.coords else None
        return _labeled(sample_column(result, color, cube=cube), order)
    if color.dims != ("cell",):
        message = (
            f"The color of embedding_map must run over ('cell',). It runs over {color.dims}; pick one with select."
        )
        raise ParameterError(message)
    values = align_cells(color, result)
    meanings = str(color.attrs.get("flag_meanings", "")).split()
    if values.dtype.kind == "b":
        return CellLabels(np.where(values, 0, 1), ["yes", "no"])
    if values.dtype.kind in "iu" and meanings:
        return _labeled(np.array(meanings, dtype=object)[values].astype(str), np.array(meanings))
    if values.dtype.kind in "iu" and CLUSTER in str(color.name):
        numbers, codes = np.unique(values, return_inverse=True)
        return CellLabels(codes, [str(number) for number in numbers])
    if values.dtype.kind in "fiu":
        return values.astype(np.float64)
    return _labeled(values.astype(str), None)


def name_of_color(color: str | xr.DataArray) -> str:
    """What is shown, in words: ``stemness score`` for the variable ``cell_score`` of the gene set ``stemness``."""
    if not isinstance(color, xr.DataArray):
        return color.replace("_", " ")
    picked = [str(color[other].values) for other in color.coords if color[other].ndim == 0]
    words = str(color.name or "value").removeprefix("cell_").replace("_", " ")
    return shown_name(" ".join([*picked, words]), longest=60)


def name_with_unit(color: str | xr.DataArray) -> str:
    """The name of the color at the start of a line, with its unit."""
    unit = str(color.attrs.get("units", "")) if isinstance(color, xr.DataArray) else ""
    name = name_of_color(color)
    return f"{name[:1].upper()}{name[1:]}" + (f" ({shown_name(unit)})" if unit not in {"", "1"} else "")


def _labeled(texts: np.ndarray, order: np.ndarray | None) -> CellLabels:
    labels = ordered_labels(texts, order=order)
    return CellLabels(np.asarray(pd.Index(labels).get_indexer(texts)), labels)
