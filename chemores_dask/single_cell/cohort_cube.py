"""The bridge from cells to patients: sums per sample, state and gene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Rows, Vector
from chemores_dask.checks import check_columns, listed
from chemores_dask.errors import BlockTooLargeError, InputError, ParameterError
from chemores_dask.kernels.count_walk import Walked, Wanted, walk_counts
from chemores_dask.kernels.group_sums import GroupSums, merge_group_sums, walked_sums
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, labels_can_be_compared, labels_of, planned_rows
from chemores_dask.single_cell.lazy_cube import lazy_cube, samples_stand_together
from chemores_dask.single_cell.normalize import check_target_sum
from chemores_dask.stream.compute import compute
from chemores_dask.stream.plan import STATES_PER_TASK, Plan, check_fits
from chemores_dask.stream.reduce import reduce_rows

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("cube_cells", ("sample", "state"), "i", unit="cells"),
    Variable("cube_count_sum", ("sample", "state", "gene"), "i", unit="counts"),
    Variable("cube_log_sum", ("sample", "state", "gene"), "f", unit="log(1 + scaled counts)", doc="sum over cells"),
    Variable(
        "cube_log_square_sum",
        ("sample", "state", "gene"),
        "f",
        unit="log(1 + scaled counts) squared",
        doc="sum over cells",
    ),
    Variable("cube_detected", ("sample", "state", "gene"), "i", unit="cells", doc="cells with a count"),
)

BYTES_PER_ENTRY = 32
"""Four numbers of eight bytes per sample, state and gene."""

LAZY_SHARE = 0.5
"""Of the memory of a pass: a larger cube is made sample by sample, if the cells stand so."""

ALL_CELLS = "all"
"""Label of the only state when no states are given."""


def cohort_cube(cells: AnnData, *, sample: str, state: str | None = None, target_sum: float = 1e4) -> xr.Dataset:
    """Sums of counts and of log-normalized values per sample, state and gene.

    All that is asked about patients (pseudobulk, means, composition) reads the cube and never the cells again. With x =
    log(1 + count / total of the cell * target_sum), it holds per sample, state and gene the sums of the counts, of x and of
    x**2, and the number of cells with a count; per sample and state the number of cells.

    Parameters
    ----------
    cells
        Raw counts over all genes.
    sample
        Column of ``obs`` that names the sample of a cell.
    state
        Column of ``obs`` that names its state; without one, all cells are in the state ``"all"``.
    target_sum
        Total to which every cell is scaled before the logarithm.

    Returns
    -------
    Dataset over ``sample``, ``state`` and ``gene``: ``cube_cells`` (sample, state) in cells, ``cube_count_sum`` in counts
    (exact integers), ``cube_log_sum``, ``cube_log_square_sum``, ``cube_detected`` in cells. Samples and states stand in the
    order of their categories, or else sorted. A cube that would take more than half of the memory is lazy where the cells of every
    sample stand together, as in a store: one task makes some whole samples, and the samples stand in the order of their cells. Columns
    of ``obs`` that are constant within every sample (patient, stage, batch)
    are coordinates over ``sample``; missing text is written as an empty text.

    Raises
    ------
    MissingVariableError
        If a named column is absent.
    InputError
        If a cell has no sample or no state.
    ParameterError
        If ``target_sum`` is not positive and finite, or ``sample`` and ``state`` are the same column.
    CountsError
        If a value is negative, fractional or not a number.
    BlockTooLargeError
        If the cube does not fit into memory, and the cells of a sample do not stand together.

    Notes
    -----
    Passes over the counts: 1; for a lazy cube when it is computed or written, all variables together. Memory: 32 bytes per sample,
    state and gene (those of a few samples at a time, for a lazy cube); while streaming, only the groups that a block meets. Whole numbers
    are exact; sums of logarithms agree to 1e-12 for any blocks.

    References
    ----------
    Crowell HL et al. (2020). muscat detects subpopulation-specific state transitions from multi-sample multi-condition
    single-cell transcriptomics data. Nature Communications 11:6077.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from anndata import AnnData
    >>> obs = pd.DataFrame({"sample": ["a", "a", "b"]}, index=["c1", "c2", "c3"])
    >>> cube = cohort_cube(AnnData(np.array([[1, 0], [2, 3], [0, 4]]), obs=obs), sample="sample")
    >>> cube["cube_count_sum"].sel(state="all").values
    array([[3, 3],
           [0, 4]])
    """
    check_cells(cells, caller="cohort_cube")
    check_columns(cells.obs, [sample] if state is None else [sample, state], what="obs", caller="cohort_cube")
    if state == sample:
        message = f"The 'sample' and 'state' parameters of cohort_cube must be different columns. Got {sample!r} twice."
        raise ParameterError(message)
    check_target_sum(target_sum, caller="cohort_cube")
    sample_codes, samples = coded(cells.obs[sample], caller="cohort_cube")
    if state is None:
        state_codes, states = np.zeros(cells.n_obs, dtype=np.int64), labels_of([ALL_CELLS])
    else:
        state_codes, states = coded(cells.obs[state], caller="cohort_cube")
    shape = (len(samples), len(states), cells.n_vars)

    rows, plan = planned_rows(cells, caller="cohort_cube")
    lazy = _is_lazy(sample_codes, shape, plan)
    if lazy:
        # In the order of their cells, so that few blocks wait for the others of their samples.
        order = pd.unique(sample_codes)
        sample_codes, samples = np.argsort(order)[sample_codes], samples[order]
    codes = sample_codes * len(states) + state_codes
    state_bytes = BYTES_PER_ENTRY * cells.n_vars * largest_group_count(codes, rows.chunks[0])
    check_fits(replace(plan, task_bytes=plan.task_bytes + STATES_PER_TASK * state_bytes, state_bytes=state_bytes))
    block = _CubeBlock(float(target_sum))
    if lazy:
        values = _lazy_values(rows, block, codes, shape)
    else:
        (sums,) = compute(reduce_rows(rows, Reduction(block, merge_group_sums), columns={"group": codes}))
        values = _cube_values(sums, shape)

    return make_result(
        RESULT,
        values,
        analysis="cohort_cube",
        parameters={"sample": sample, "state": state, "target_sum": target_sum},
        coordinates={
            "sample": samples,
            "state": states,
            "gene": labels_of(cells.var_names),
            **sample_columns(cells.obs, sample_codes, samples=len(samples), skip={sample, state}),
        },
    )


def coded(column: pd.Series, *, caller: str) -> tuple[Vector, Vector]:
    """Number the labels of cells.

    Parameters
    ----------
    column
        A label per cell; its name is used in messages.
    caller
        The analysis, for messages.

    Returns
    -------
    Code of each cell (int64) and the labels (text), in the order of the categories that occur, or else sorted.

    Raises
    ------
    InputError
        If a cell has no label.
    """
    missing = int(column.isna().sum())
    if missing:
        message = (
            f"Every cell must have a value in the column {column.name!r} for {caller}. Missing in {missing} of {len(column)} cells; "
            "drop these cells or give them a label."
        )
        raise InputError(message)
    if column.dtype == np.float16:
        # pandas does not sort half precision.
        column = column.astype(np.float32)
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = column.cat.remove_unused_categories()
    else:
        if not labels_can_be_compared(column):
            message = (
                f"Values in the column {column.name!r} must be text or numbers for {caller}. Found others, such as {column.iloc[0]!r}; "
                "write one label per cell."
            )
            raise InputError(message)
        values = column.astype("category")
    labels = [str(label) for label in values.cat.categories]
    if len(set(labels)) != len(labels):
        message = f"Labels in the column {column.name!r} must differ as text. Got {listed(values.cat.categories)}; rename some."
        raise InputError(message)
    return values.cat.codes.to_numpy().astype(np.int64), labels_of(labels)


def largest_group_count(codes: Vector, chunks: tuple[int, ...]) -> int:
    """The most groups that one block meets.

    Parameters
    ----------
    codes
        Group of each cell.
    chunks
        Rows of each block.

    Returns
    -------
    Number of groups, at least 1.
    """
    borders = np.cumsum((0, *chunks))
    return max((len(np.unique(codes[start:stop])) for start, stop in pairwise(borders)), default=1) or 1


def sample_columns(
    obs: pd.DataFrame, sample_codes: Vector, *, samples: int, skip: set[str | None]
) -> dict[str, tuple[str, Vector]]:
    """Columns of ``obs`` that have one value within every sample.

    Parameters
    ----------
    obs
        Table of cells.
    sample_codes
        Sample of each cell.
    samples
        Number of samples.
    skip
        Columns to leave out.

    Returns
    -------
    Coordinates over ``sample`` by name: numbers and booleans as they are, all else as text.
    """
    _, first = np.unique(sample_codes, return_index=True)
    kept = {}
    for name in obs.columns:
        if name in skip or name in {"sample", "state", "gene", "cell_key"}:
            continue
        if not labels_can_be_compared(obs[name]):
            continue
        codes, _ = pd.factorize(obs[name], use_na_sentinel=False)
        if samples == 0 or np.any(codes != codes[first][sample_codes]):
            continue
        kept[str(name)] = ("sample", _plain_values(obs[name].iloc[first]))
    return kept


@dataclass(frozen=True)
class _CubeBlock:
    target_sum: float

    def wanted(self, columns: Columns) -> Wanted:
        return Wanted(groups=columns["group"], target_sum=self.target_sum)

    def __call__(self, rows: Block, columns: Columns) -> GroupSums:
        return self.state(walk_counts(rows, self.wanted(columns)))

    def state(self, walked: Walked) -> GroupSums:
        return walked_sums(walked)


def _cube_values(sums: GroupSums, shape: tuple[int, int, int]) -> dict[str, Vector]:
    samples, states, _ = shape
    dense = sums.dense(samples * states)
    dense["detected"] = dense["detected"].astype(np.int64)
    values = {f"cube_{name}": array.reshape(shape) for name, array in dense.items() if name != "cells"}
    return {"cube_cells": dense["cells"].reshape(samples, states), **values}


def _lazy_values(rows: Rows, block: _CubeBlock, codes: Vector, shape: tuple[int, int, int]) -> dict[str, Any]:
    samples, states, _ = shape
    cells = np.bincount(codes, minlength=samples * states).reshape(samples, states)
    sums = lazy_cube(rows, block, codes=codes, shape=shape)
    return {"cube_cells": cells, **{f"cube_{name}": array for name, array in sums.items()}}


def _is_lazy(sample_codes: Vector, shape: tuple[int, int, int], plan: Plan) -> bool:
    # The merged sums and the dense arrays made from them live at once.
    needed = 2 * BYTES_PER_ENTRY * int(np.prod(shape, dtype=np.int64))
    together = samples_stand_together(sample_codes)
    if needed > plan.memory_bytes and not together:
        samples, states, genes = shape
        message = (
            f"The cube must fit into memory where the cells of a sample do not stand together. {samples:,} samples x {states:,} states x "
            f"{genes:,} genes need {needed / 1e9:.1f} GB; available are {plan.memory_bytes / 1e9:.1f} GB. Sort the cells by sample, or "
            "make the cube of some samples at a time, or with fewer states or genes."
        )
        raise BlockTooLargeError(message)
    return together and needed > LAZY_SHARE * plan.memory_bytes


def _plain_values(column: pd.Series) -> Vector:
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        if not pd.api.types.is_extension_array_dtype(column.dtype):
            return column.to_numpy()
        if not column.isna().any():
            return column.to_numpy(dtype=column.dtype.numpy_dtype)
    return labels_of(["" if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)])
