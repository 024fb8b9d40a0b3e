"""Counts of samples, as differential expression needs them: checked, filtered, with normalization factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.errors import CountsError, InputError, MissingVariableError
from chemores_dask.kernels.normalization_factors import (
    centered_factors,
    reference_sample,
    scan_trimmed_means,
    scan_upper_quartiles,
)
from chemores_dask.stream import compute, scan_columns

SAMPLES_PER_BLOCK = 32
MANY_SAMPLES, SHARE_OF_MANY = 10, 0.7
"""Beyond so many samples of the smallest group, a gene needs its counts only in this share of the rest."""


@dataclass(frozen=True)
class CountTable:
    """Counts of the samples, over all cells or over those of one state.

    Attributes
    ----------
    state
        Its label; empty for sums over states.
    counts
        Samples by genes, whole numbers; all samples.
    cells
        Cells of each sample.
    used
        Samples with enough cells and any count.
    """

    state: str
    counts: Matrix
    cells: Vector
    used: Vector

    @property
    def place(self) -> str:
        """The table in words."""
        return f"state {self.state!r}" if self.state else "pseudobulk"


def pseudobulk_table(pseudobulk: xr.Dataset, *, caller: str) -> CountTable:
    """Read the table of a pseudobulk result.

    Parameters
    ----------
    pseudobulk
        The result.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Its counts, cells, and which samples it uses.

    Raises
    ------
    MissingVariableError
        If the Dataset is something else.
    CountsError
        If counts are not whole and known, are negative, or add up to the same in every sample.
    """
    names = ["pseudobulk_cells", "pseudobulk_used"]
    check_variables(pseudobulk, ["pseudobulk_count"], dims=("sample", "gene"), what="pseudobulk", caller=caller)
    check_variables(pseudobulk, names, dims=("sample",), what="pseudobulk", caller=caller)
    values = compute(*(pseudobulk[name].data for name in ("pseudobulk_count", *names)))
    matrix, cells, used = (np.asarray(value) for value in values)
    check_counts(matrix[used], pseudobulk["sample"].to_numpy()[used], caller=caller)
    return CountTable("", matrix, cells, used.astype(bool))


def state_tables(
    cube: xr.Dataset, states: Sequence[str] | None, *, minimum_cells: int, caller: str
) -> Iterator[CountTable]:
    """Read the tables of the states of a cube, one after the other.

    Parameters
    ----------
    cube
        The cohort cube.
    states
        Which states; all unless given.
    minimum_cells
        Samples with fewer cells are not used.
    caller
        Name of the analysis, for messages.

    Yields
    ------
    One table per state.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If a state is not there.
    CountsError
        If counts are not whole and known, are negative, or add up to the same in every sample.
    """
    check_variables(cube, ["cube_count_sum"], dims=("sample", "state", "gene"), what="the cube", caller=caller)
    check_variables(cube, ["cube_cells"], dims=("sample", "state"), what="the cube", caller=caller)
    labels = [str(label) for label in cube["state"].to_numpy()]
    wanted = labels if states is None else [states] if isinstance(states, str) else list(dict.fromkeys(states))
    absent = [state for state in wanted if state not in labels]
    if absent or not wanted:
        message = f"The states of {caller} must be in the cube. Not there: {listed(absent)}; present: {listed(labels)}."
        raise InputError(message)
    for state in wanted:
        at = labels.index(state)
        found = compute(cube["cube_count_sum"][:, at].data, cube["cube_cells"][:, at].data)
        matrix, cells = (np.asarray(value) for value in found)
        used = (cells >= minimum_cells) & (matrix.sum(axis=1) > 0)
        check_counts(matrix[used], cube["sample"].to_numpy()[used], caller=caller)
        yield CountTable(state, matrix, cells, used)


def sample_table(counts: xr.Dataset, *, caller: str) -> pd.DataFrame:
    """What is known of the samples: every variable and coordinate over ``sample``.

    Parameters
    ----------
    counts
        The Dataset.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    One row per sample, named by it.

    Raises
    ------
    MissingVariableError
        If the Dataset has no samples with names.
    """
    if "sample" not in counts.coords:
        message = (
            f"{caller} needs the coordinate 'sample'. Found dimensions {dict(counts.sizes)} and coordinates "
            f"{listed(counts.coords)}; pass a result of pseudobulk, or a cohort cube."
        )
        raise MissingVariableError(message)
    names = [name for name in counts.variables if counts[name].dims == ("sample",) and name != "sample"]
    values = compute(*(counts[name].data for name in names))
    index = pd.Index([str(name) for name in counts["sample"].to_numpy()], name="sample")
    return pd.DataFrame({str(name): np.asarray(value) for name, value in zip(names, values, strict=True)}, index=index)


def enough_counts(counts: Matrix, leverage: float, *, minimum_count: float, minimum_total: float) -> Vector:
    """Genes with enough counts to be tested, by the rule of edgeR's ``filterByExpr``.

    Parameters
    ----------
    counts
        Samples by genes.
    leverage
        Largest leverage of a sample in the design; its inverse is the size of the smallest group.
    minimum_count
        A gene needs this count per million of a library of median size in as many samples as the smallest group has (beyond ten
        samples, in 70 % of the rest).
    minimum_total
        And this total.

    Returns
    -------
    Boolean, one per gene.
    """
    totals = counts.sum(axis=1)
    smallest = 1 / leverage
    if smallest > MANY_SAMPLES:
        smallest = MANY_SAMPLES + (smallest - MANY_SAMPLES) * SHARE_OF_MANY
    limits = minimum_count / np.median(totals) * totals
    expressed = np.zeros(counts.shape[1])
    sums = np.zeros(counts.shape[1])
    for sample, limit in zip(counts, limits, strict=True):
        expressed += sample >= limit
        sums += sample
    return np.asarray((expressed >= smallest - 1e-14) & (sums >= minimum_total - 1e-14))


def normalization_factors(counts: Matrix) -> Vector:
    """Trimmed means of log ratios (TMM), as ``calcNormFactors`` of edgeR.

    Parameters
    ----------
    counts
        Samples by genes, every sample with a count.

    Returns
    -------
    One per sample, with a geometric mean of 1.
    """
    if counts.shape[0] < 2 or counts.shape[1] < 2:
        return np.ones(counts.shape[0])
    data = xr.Dataset({"counts": (("sample", "gene"), counts)}).chunk({"sample": SAMPLES_PER_BLOCK, "gene": -1})
    outputs = {"quartile": "f8", "roots": "f8"}
    lazy = scan_columns(data, scan_upper_quartiles, variable="counts", over="sample", outputs=outputs)
    quartiles, roots = (np.asarray(value) for value in compute(*(array.data for array in lazy.values())))
    chosen = counts[reference_sample(quartiles, counts.sum(axis=1), roots)].astype(np.float64)
    means = scan_columns(
        data, scan_trimmed_means, variable="counts", over="sample", outputs={"factor": "f8"}, shared=(chosen,)
    )
    (found,) = compute(means["factor"].data)
    return centered_factors(np.asarray(found))


def check_counts(matrix: Matrix, samples: Vector, *, caller: str) -> None:
    """Refuse anything but raw counts.

    Parameters
    ----------
    matrix
        Samples by genes.
    samples
        Names of the samples.
    caller
        Name of the analysis, for messages.

    Raises
    ------
    CountsError
        If values are not whole and known, or are negative, or add up to the same in every sample.
    """
    if matrix.dtype.kind not in "iuf":
        message = f"The counts of {caller} must be numbers. Found the type {matrix.dtype}."
        raise CountsError(message)
    if matrix.dtype.kind == "f":
        odd = ~(np.isfinite(matrix) & (matrix == np.floor(matrix)))
        if odd.any():
            message = (
                f"{caller} needs raw counts: whole numbers that add up the counts of cells. Found values such as "
                f"{listed(matrix[odd][:3])} in the samples {listed(samples[odd.any(axis=1)])}; pass counts, not percentages, averages "
                "or logarithms."
            )
            raise CountsError(message)
    if matrix.size and matrix.min() < 0:
        message = f"{caller} needs raw counts, 0 or above. Found {matrix.min()}; pass the counts themselves."
        raise CountsError(message)
    totals = matrix.sum(axis=1)
    if matrix.size and not totals.any():
        message = f"{caller} needs counts. All of the {len(totals)} samples and {matrix.shape[1]} genes are 0; check what was added up."
        raise CountsError(message)
    if totals.size > 2 and (totals == totals[0]).all():
        message = (
            f"{caller} needs raw counts, whose totals differ from sample to sample. Every sample adds up to {totals[0]:g}, as "
            "percentages or counts per million do; pass the counts themselves."
        )
        raise CountsError(message)
