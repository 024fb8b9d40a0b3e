"""One score of many cells, counted in bins by patient in one pass; the scores themselves are not kept."""

from __future__ import annotations

from dataclasses import dataclass

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Block, Columns, Rows, Vector
from chemores_dask.checks import check_one_of, check_variables
from chemores_dask.errors import InputError
from chemores_dask.kernels.dyadic_bins import GroupBins, ValueBins, bin_groups, merge_bins, pool_bins
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream import compute, reduce_rows

MOST_BINS = 4096
"""Bins between the least and the largest score: at least half as many, since their width is a power of two."""

GROUP = "group"
ROWS_PER_BLOCK = 2**18


@dataclass(frozen=True)
class ScoreBins:
    """Histogram of a score.

    Attributes
    ----------
    found
        By patient.
    patients
        Their names, sorted; none where all cells are counted together.
    cells
        How many there are.
    """

    found: GroupBins
    patients: Vector
    cells: int

    @property
    def pooled(self) -> ValueBins:
        """Of all cells."""
        return pool_bins(self.found)

    def resampled(self, *, seed: int, repeat: int) -> ValueBins:
        """Of as many patients, drawn with replacement; a repeat has its own draws, whatever repeats came before."""
        drawn = np.random.default_rng((seed, repeat)).integers(len(self.patients), size=len(self.patients))
        return pool_bins(self.found, weights=np.bincount(drawn, minlength=len(self.patients)))


def score_rows(scores: xr.Dataset, *, gene_set: str, caller: str) -> Rows:
    """The score of one gene set, as blocks of cells.

    Parameters
    ----------
    scores
        Holds ``cell_score`` over ``(cell, gene_set)``.
    gene_set
        Which.
    caller
        The analysis, for messages.

    Returns
    -------
    Dask array of one column. Nothing is computed.

    Raises
    ------
    MissingVariableError
        If there is no such variable.
    ParameterError
        If the gene set is not there.
    """
    check_variables(scores, ["cell_score"], dims=("cell", "gene_set"), what="scores", caller=caller)
    names = [str(name) for name in scores["gene_set"].to_numpy()]
    check_one_of(gene_set, names, parameter="gene_set", caller=caller)
    place = names.index(gene_set)
    column = scores["cell_score"].data[:, place : place + 1]
    return column if isinstance(column, da.Array) else da.from_array(column, chunks=(ROWS_PER_BLOCK, 1))


def score_bins(scores: xr.Dataset, *, gene_set: str, patient: str | None, caller: str) -> ScoreBins:
    """Count a score in bins, by patient.

    Parameters
    ----------
    scores
        Holds ``cell_score`` over ``(cell, gene_set)``, and ``patient`` over ``cell``.
    gene_set
        Whose score.
    patient
        Variable with the patient of each cell; all cells together where it is None.
    caller
        The analysis, for messages.

    Returns
    -------
    The histogram.

    Raises
    ------
    MissingVariableError
        If a variable is not there.
    InputError
        If there are no cells, scores are missing or infinite, or the patient of a cell is not known.
    """
    rows = score_rows(scores, gene_set=gene_set, caller=caller)
    codes, patients = _patients(scores, patient, caller=caller)
    reduction = Reduction(block=CountBins(MOST_BINS), merge=MergeBins(MOST_BINS))
    (found,) = compute(reduce_rows(rows, reduction, columns={GROUP: codes}))
    cells = rows.shape[0]
    if not cells:
        message = f"{caller} needs cells. Got none; check the filters."
        raise InputError(message)
    refuse_broken(found.broken, cells)
    return ScoreBins(found, patients, cells)


def cell_labels(scores: xr.Dataset, column: str, *, what: str, caller: str) -> tuple[Vector, Vector]:
    """Labels of the cells, as numbers.

    Parameters
    ----------
    scores
        Holds the column over ``cell``.
    column
        Variable with the labels.
    what
        What they name, for messages: patient, stage.
    caller
        The analysis, for messages.

    Returns
    -------
    The place of the label of each cell among all labels, int64, and the labels as text, sorted.

    Raises
    ------
    MissingVariableError
        If there is no such variable.
    InputError
        If a cell has no label.
    """
    check_variables(scores, [column], dims=("cell",), what="scores", caller=caller)
    values = pd.Series(scores[column].to_numpy())
    known = values.notna() & (values.astype(str) != "")
    if not known.all():
        message = (
            f"Every cell must have a {what} in {caller}. {column!r} is missing in {int((~known).sum())} of {len(known)} cells; "
            "leave those cells out."
        )
        raise InputError(message)
    codes, names = pd.factorize(values.astype(str), sort=True)
    return codes.astype(np.int64), np.asarray(names, dtype=object)


def refuse_broken(broken: int, cells: int) -> None:
    """Refuse scores that are missing or infinite.

    Raises
    ------
    InputError
        Saying how many.
    """
    if broken:
        message = f"Scores must be finite. Found missing or infinite scores in {broken} of {cells} cells; leave those cells out."
        raise InputError(message)


@dataclass(frozen=True)
class CountBins:
    """Counts the scores of one block.

    Attributes
    ----------
    most
        Bins, at the most.
    """

    most: int

    def __call__(self, rows: Block, columns: Columns) -> GroupBins:
        """Histogram of one block."""
        return bin_groups(rows.toarray()[:, 0], columns[GROUP], most=self.most)


@dataclass(frozen=True)
class MergeBins:
    """Adds up the histograms of two sets of cells.

    Attributes
    ----------
    most
        Bins, at the most.
    """

    most: int

    def __call__(self, first: GroupBins, second: GroupBins) -> GroupBins:
        """Histogram of both."""
        return merge_bins(first, second, most=self.most)


def _patients(scores: xr.Dataset, patient: str | None, *, caller: str) -> tuple[Vector, Vector]:
    if patient is None:
        return np.broadcast_to(np.int64(0), scores.sizes["cell"]), np.empty(0, dtype=object)
    return cell_labels(scores, patient, what="patient", caller=caller)
