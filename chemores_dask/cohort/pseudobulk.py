"""Pseudobulk: the counts of a sample's cells added up, so that samples can be compared as if sequenced in bulk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix
from chemores_dask.checks import check_between, check_variables, listed
from chemores_dask.errors import CountsError, InputError
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

SAMPLE_AND_STATE = "{sample} {state}"
"""Name of the cells of one state in a sample."""

PRIOR_COUNT = 0.5
"""Added to every count, and twice to every total, before the logarithm (Law et al. 2014)."""

RESULT = declare(
    Variable("pseudobulk_count", ("sample", "gene"), "i", unit="counts"),
    Variable(
        "pseudobulk_log_cpm",
        ("sample", "gene"),
        "f",
        unit="log2 counts per million",
        doc="not a number where the sample is not used",
    ),
    Variable("pseudobulk_total", ("sample",), "i", unit="counts"),
    Variable("pseudobulk_cells", ("sample",), "i", unit="cells"),
    Variable("pseudobulk_used", ("sample",), "b", doc="enough cells, and at least one count"),
)


def pseudobulk(
    cube: xr.Dataset, *, states: Sequence[str] | None = None, by_state: bool = False, minimum_cells: int = 10
) -> xr.Dataset:
    """Add up the counts of the cells of each sample, or of each state in a sample.

    ``log_cpm = log2((count + 0.5) / (total + 1) * 10^6)`` as in voom [1]_, so that a sample's values depend on no other sample.

    Parameters
    ----------
    cube
        Cohort cube with ``cube_cells`` (sample, state) and ``cube_count_sum`` (sample, state, gene).
    states
        States whose cells count; all unless given.
    by_state
        Whether the states of a sample stay apart, to be compared with each other within patients (``~ patient + state``). Then
        ``sample`` runs over samples and states, named ``"S1 stem_like"``, with the state as a coordinate.
    minimum_cells
        Samples with fewer cells in these states are not used: the logarithm of a few cells' counts is mostly noise.

    Returns
    -------
    Dataset over ``(sample, gene)``: ``pseudobulk_count`` (counts), ``pseudobulk_log_cpm`` (log2 counts per million, not a number where the
    sample is not used). Over ``sample``: ``pseudobulk_total`` (counts), ``pseudobulk_cells``, ``pseudobulk_used``. What the cube knows of
    its samples (patient, stage) stays as coordinates, with ``state`` where states stay apart.

    Raises
    ------
    MissingVariableError
        If the cube lacks a variable.
    InputError
        If a state is not in the cube, or no sample has enough cells.
    CountsError
        If cells or sums of counts are not whole and known.

    Notes
    -----
    Passes over the counts: 0 (the cube is the only input). Memory: samples x genes x 16 bytes.

    References
    ----------
    .. [1] Law CW, Chen Y, Shi W, Smyth GK (2014). voom: precision weights unlock linear model analysis tools for RNA-seq read counts.
       Genome Biology 15:R29.

    Examples
    --------
    >>> cube = xr.Dataset(
    ...     {
    ...         "cube_cells": (("sample", "state"), [[30, 20]]),
    ...         "cube_count_sum": (("sample", "state", "gene"), [[[10, 90], [0, 900]]]),
    ...     },
    ...     coords={"sample": ["s1"], "state": ["stem_like", "other"], "gene": ["CD44", "BCL2"]},
    ... )
    >>> pseudobulk(cube)["pseudobulk_count"].values
    array([[ 10, 990]])
    """
    check_variables(cube, ["cube_cells"], dims=("sample", "state"), what="the cube", caller="pseudobulk")
    check_variables(cube, ["cube_count_sum"], dims=("sample", "state", "gene"), what="the cube", caller="pseudobulk")
    check_between(minimum_cells, parameter="minimum_cells", caller="pseudobulk", minimum=1)
    chosen = cube[["cube_cells", "cube_count_sum"]].isel(state=_state_positions(cube, states))
    summed = _apart(chosen) if by_state else chosen.sum("state", skipna=False)
    cells, counts = (np.asarray(values) for values in compute(summed["cube_cells"].data, summed["cube_count_sum"].data))
    cells, counts = _whole(cells, "cells"), _whole(counts, "counts")
    totals = counts.sum(axis=1)
    used = (cells >= minimum_cells) & (totals > 0)
    if not used.any():
        message = (
            f"At least one sample must have {minimum_cells} cells in the states of pseudobulk. The largest of {cells.size} has "
            f"{cells.max(initial=0)}; lower minimum_cells, or take more states."
        )
        raise InputError(message)
    log_cpm = np.full(counts.shape, np.nan)
    log_cpm[used] = np.log2((counts[used] + PRIOR_COUNT) / (totals[used, None] + 2 * PRIOR_COUNT) * 1e6)
    known = {
        str(name): coordinate
        for name, coordinate in summed.coords.items()
        if coordinate.dims in {("sample",), ("gene",)}
    }
    return make_result(
        RESULT,
        {
            "pseudobulk_count": counts,
            "pseudobulk_log_cpm": log_cpm,
            "pseudobulk_total": totals,
            "pseudobulk_cells": cells,
            "pseudobulk_used": used,
        },
        analysis="pseudobulk",
        parameters={
            "states": None if states is None else list(states),
            "by_state": by_state,
            "minimum_cells": minimum_cells,
        },
        coordinates=known,
    )


def _whole(sums: Matrix, what: str) -> Matrix:
    if sums.dtype.kind in "iu":
        return sums
    numbers = sums.astype(np.float64)
    odd = ~(np.isfinite(numbers) & (numbers == np.floor(numbers)))
    if odd.any():
        message = (
            f"pseudobulk adds up whole and known numbers. Found {what} such as {listed(numbers[odd][:3])}; make the cube from raw counts, "
            "not from percentages, averages or logarithms."
        )
        raise CountsError(message)
    return numbers.astype(np.int64)


def _apart(chosen: xr.Dataset) -> xr.Dataset:
    """Samples and states along one dimension."""
    samples, states = ([str(label) for label in chosen[dim].to_numpy()] for dim in ("sample", "state"))
    pairs = [(sample, state) for sample in range(len(samples)) for state in range(len(states))]
    rows = xr.DataArray([sample for sample, _ in pairs], dims="pair")
    columns = xr.DataArray([state for _, state in pairs], dims="pair")
    apart = chosen.isel(sample=rows, state=columns).drop_vars("sample", errors="ignore").rename_dims(pair="sample")
    names = [SAMPLE_AND_STATE.format(sample=samples[row], state=states[column]) for row, column in pairs]
    return apart.assign_coords(sample=names)


def _state_positions(cube: xr.Dataset, states: Sequence[str] | None) -> list[int]:
    labels = [str(label) for label in cube["state"].to_numpy()]
    if states is None:
        return list(range(len(labels)))
    wanted = [states] if isinstance(states, str) else list(dict.fromkeys(states))
    missing = [state for state in wanted if state not in labels]
    if missing or not wanted:
        message = (
            f"The states of pseudobulk must be in the cube. Not there: {listed(missing)}; present: {listed(labels)}."
        )
        raise InputError(message)
    return [labels.index(state) for state in wanted]
