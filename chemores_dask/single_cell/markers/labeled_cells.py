"""What is compared: groups of cells, their patients and totals, and which of their values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_columns
from chemores_dask.errors import InputError
from chemores_dask.kernels.rank_sums import NO_CODE, GroupedCells
from chemores_dask.single_cell.cell_rows import labels_of
from chemores_dask.single_cell.cohort_cube import coded

CALLER = "markers"


@dataclass(frozen=True)
class RankedValues:
    """What is ranked.

    Attributes
    ----------
    target_sum
        Sum to which counts are scaled before the logarithm; None to rank values as they are.
    ceiling
        Histograms tell values up to this apart.
    whole
        Whether values are counts.
    base_logarithm
        Of values that are logarithms: the natural logarithm of their base.
    """

    target_sum: float | None
    ceiling: float
    whole: bool
    base_logarithm: float = 1.0


@dataclass(frozen=True, eq=False)
class LabeledCells:
    """The cells of an analysis of markers.

    Attributes
    ----------
    grouped
        Codes of the cells, and sizes of their groups.
    labels
        Of the groups.
    unlabeled
        Cells without a group, which are left out.
    met
        Per group and patient: cells; one column where patients are not told apart.
    """

    grouped: GroupedCells
    labels: Vector
    unlabeled: int
    met: np.ndarray

    @property
    def patients(self) -> Vector:
        """Patients with cells in each group."""
        counted: Vector = (self.met > 0).sum(axis=1)
        return counted

    @property
    def compared(self) -> np.ndarray:
        """Per group and patient: whether the patient has cells in the group and others."""
        both: np.ndarray = (self.met > 0) & (self.met < self.met.sum(axis=0))
        return both


def label_cells(cells: AnnData, *, group: str, patient: str | None) -> LabeledCells:
    """Find out which cells are compared.

    Parameters
    ----------
    cells
        The cells.
    group
        Column of ``obs`` with the group of each cell; those without one are left out.
    patient
        Column with the patient of each cell; None where patients are not told apart.

    Returns
    -------
    The cells.

    Raises
    ------
    MissingVariableError
        If a column is absent.
    InputError
        If fewer than two groups have cells, or a cell with a group has no patient.
    """
    check_columns(cells.obs, [group] if patient is None else [group, patient], what="obs", caller=CALLER)
    column = cells.obs[group]
    known = column.notna().to_numpy()
    codes, labels = coded(_as_labels(column[known]), caller=CALLER)
    if len(labels) < 2:
        found = f"one ({labels[0]!r})" if len(labels) else "none"
        message = (
            f"{CALLER} needs cells of at least two groups in the column {group!r}. Found {found} in {len(column):,} cells; "
            "choose another column, or other cells."
        )
        raise InputError(message)
    parts, part = 1, np.zeros(len(codes), dtype=np.int64)
    if patient is not None:
        part, names = coded(cells.obs[patient][known], caller=CALLER)
        parts = len(names)
    everywhere = np.full(len(column), NO_CODE, dtype=np.int32)
    everywhere[known] = codes * parts + part
    met = np.bincount(codes * parts + part, minlength=len(labels) * parts).reshape(len(labels), parts)
    grouped = GroupedCells(everywhere, len(labels), parts, met.sum(axis=1).astype(np.int64))
    return LabeledCells(grouped, labels_of(labels), int((~known).sum()), met)


def cell_totals(cells: AnnData, total: str | None) -> Vector | None:
    """Totals of the cells out of a column of ``obs``.

    Parameters
    ----------
    cells
        The cells.
    total
        The column, or None.

    Returns
    -------
    Float64, or None.

    Raises
    ------
    MissingVariableError
        If the column is absent.
    InputError
        If a total is missing, infinite, below zero or not a number.
    """
    if total is None:
        return None
    check_columns(cells.obs, [total], what="obs", caller=CALLER)
    column = cells.obs[total]
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else np.full(len(column), np.nan)
    wrong = int((~(np.isfinite(values) & (values >= 0))).sum())
    if wrong:
        message = (
            f"Totals of cells must be numbers, not below zero. The column {total!r} holds others in {wrong:,} of {len(column):,} cells; "
            "pass the cell_total of quality, or no column."
        )
        raise InputError(message)
    return values


def _as_labels(column: pd.Series) -> pd.Series:
    # Whole numbers with gaps are read as floats; their labels shall be those of the numbers.
    if pd.api.types.is_float_dtype(column) and bool((column == column.round()).all()):
        return column.astype(np.int64)
    return column
