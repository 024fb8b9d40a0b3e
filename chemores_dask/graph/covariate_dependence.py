"""What components of an embedding still hold of covariates, along a line or along any curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.checks import check_variables, check_whole
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.graph.embedding import CELL, ROWS_PER_BLOCK, embedding_of
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute, reduce_rows

ALGORITHM_REVISION = 1

_DIMS = ("component", "covariate")
RESULT = declare(
    Variable("dependence_correlation", _DIMS, "f", doc="Pearson, over cells; not a number for text"),
    Variable("dependence_share", _DIMS, "f", doc="share of the component's variance between levels of the covariate"),
    Variable(
        "dependence_chance_share", ("covariate",), "f", doc="what the share would be for a covariate without a meaning"
    ),
    Variable("dependence_levels", ("covariate",), "i", unit="levels", doc="values of text, bins of numbers"),
    Variable("dependence_cells", (), "i", unit="cells"),
)

LEVELS, VALUES = "levels", "values"


def covariate_dependence(
    cells: xr.Dataset, *, covariates: Sequence[str], embedding: str | None = None, bins: int = 10
) -> xr.Dataset:
    """Measure how far components depend on covariates: cycle scores, phases, depth, batches.

    Linear regression takes out correlation, and leaves what depends on a covariate along a curve. Numbers are cut into bins with equally
    many cells, text is taken as it is; the share is the correlation ratio [1]_: the variance of a component between these levels over
    all of it. It is 0 where the mean of the component is the same at every level.

    Parameters
    ----------
    cells
        Dataset with an embedding over ``cell`` and ``component``, such as the result of ``pca``, and the covariates over ``cell``.
    covariates
        Variables over ``cell``.
    embedding
        Name of the embedding; not needed where there is only one.
    bins
        Bins of numbers, at least 2; fewer where values are equal.

    Returns
    -------
    Dataset over ``component`` and ``covariate``: ``dependence_correlation`` and ``dependence_share``; over ``covariate``
    ``dependence_chance_share`` (levels less one over cells less one) and ``dependence_levels``; ``dependence_cells``.

    Raises
    ------
    MissingVariableError
        If a variable is not there.
    InputError
        If a covariate is not known for every cell, the embedding is not finite, or there are fewer than two cells.
    ParameterError
        If no covariates are named, or a number cannot be used.

    Notes
    -----
    Passes over the counts: 0; the embedding is read once, in blocks. Cells describe here and are not replicates: no P values are given.

    References
    ----------
    .. [1] Pearson K (1905). On the general theory of skew correlation and non-linear regression. Drapers' Company Research Memoirs,
       Biometric Series II.

    Examples
    --------
    >>> angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    >>> circle = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> cells = xr.Dataset({"pca_scores": (("cell", "component"), circle), "angle": ("cell", angle)})
    >>> found = covariate_dependence(cells.assign_coords(component=[1, 2]), covariates=["angle"])
    >>> found["dependence_correlation"].values.round(2).ravel().tolist(), found["dependence_share"].values.round(2).ravel().tolist()
    ([-0.01, -0.78], [0.97, 0.97])
    """
    found = embedding_of(cells, embedding=embedding, caller="covariate_dependence")
    check_whole(bins, parameter="bins", caller="covariate_dependence", minimum=2)
    if isinstance(covariates, str) or not len(covariates):
        message = f"The 'covariates' parameter of covariate_dependence must be a list of variables. Got {covariates!r}."
        raise ParameterError(message)
    names = list(dict.fromkeys(covariates))
    check_variables(cells, names, dims=(CELL,), what="the cells", caller="covariate_dependence")
    if found.sizes[CELL] < 2:
        message = f"covariate_dependence needs at least 2 cells. Got {found.sizes[CELL]}."
        raise InputError(message)
    columns = [_levels(cells[name].to_numpy(), name=name, bins=bins) for name in names]
    data = found.data if isinstance(found.data, da.Array) else da.from_array(found.data, chunks=(ROWS_PER_BLOCK, -1))
    counts = [int(column.levels.max()) + 1 for column in columns]
    reduction = Reduction(block=LevelSums(tuple(counts)), merge=merge_sums)
    values = {
        LEVELS: np.column_stack([column.levels for column in columns]),
        VALUES: np.column_stack([column.values for column in columns]),
    }
    (sums,) = compute(reduce_rows(data.rechunk({1: -1}), reduction, columns=values))
    correlation, share = _measures(sums, columns, counts, cells=found.sizes[CELL])
    return make_result(
        RESULT,
        {
            "dependence_correlation": correlation,
            "dependence_share": share,
            "dependence_chance_share": (np.array(counts) - 1) / (found.sizes[CELL] - 1),
            "dependence_levels": np.array(counts),
            "dependence_cells": found.sizes[CELL],
        },
        analysis="covariate_dependence",
        parameters={"covariates": names, "embedding": str(found.name), "bins": bins},
        coordinates={
            "component": np.asarray(found["component"].to_numpy()),
            "covariate": np.array(names, dtype=object),
        },
    )


@dataclass(frozen=True)
class _Column:
    """Level of each cell, and its number, centered and of length 1; zeros for text."""

    levels: Vector
    values: Vector
    numeric: bool


def _levels(values: Vector, *, name: str, bins: int) -> _Column:
    column = pd.Series(values)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    broken = int((~np.isfinite(column.to_numpy(dtype=np.float64))).sum() if numeric else column.isna().sum())
    if broken:
        message = (
            f"Covariates of covariate_dependence must be known for every cell. {name!r} is missing or infinite in {broken} of "
            f"{len(column)} cells; leave those cells out, or the covariate."
        )
        raise InputError(message)
    if not numeric:
        codes, _ = pd.factorize(column.astype(str), sort=True)
        return _Column(codes.astype(np.int64), np.zeros(len(codes)), numeric=False)
    numbers = column.to_numpy(dtype=np.float64)
    largest = np.abs(numbers).max()
    numbers = numbers / largest if largest > 0 else numbers
    edges = np.unique(np.quantile(numbers, np.arange(1, bins) / bins))
    codes = np.unique(np.searchsorted(edges, numbers, side="right"), return_inverse=True)[1]
    centered = numbers - numbers.mean()
    length = np.sqrt((centered**2).sum())
    sound = length > np.sqrt(len(numbers)) * 1e-12
    return _Column(codes.astype(np.int64), centered / length if sound else np.zeros(len(numbers)), numeric=True)


@dataclass(frozen=True)
class LevelSums:
    """Sums of components over one block of cells: at every level of every covariate, of squares, and of products with numbers.

    Attributes
    ----------
    counts
        Levels of each covariate.
    """

    counts: tuple[int, ...]

    def __call__(self, rows: Block, columns: Columns) -> tuple[Matrix, ...]:
        """Cells and sums by level; sums of squares; sums of products."""
        block = rows.toarray().astype(np.float64, copy=False)
        levels, values = (part[:, None] if part.ndim == 1 else part for part in (columns[LEVELS], columns[VALUES]))
        width = block.shape[1]
        at_levels = [np.zeros((count, width + 1)) for count in self.counts]
        whole = np.column_stack([np.ones(len(block)), block])
        for place, sums in enumerate(at_levels):
            np.add.at(sums, levels[:, place].astype(np.int64), whole)
        return (*at_levels, (block**2).sum(axis=0)[None, :], values.T @ block)


def merge_sums(first: tuple[Matrix, ...], second: tuple[Matrix, ...]) -> tuple[Matrix, ...]:
    """Add up the sums of two sets of cells."""
    return tuple(one + other for one, other in zip(first, second, strict=True))


def _measures(
    sums: tuple[Matrix, ...], columns: list[_Column], counts: list[int], *, cells: int
) -> tuple[Matrix, Matrix]:
    *at_levels, squares, products = sums
    total = at_levels[0][:, 1:].sum(axis=0)
    if not (np.isfinite(squares).all() and np.isfinite(total).all()):
        message = (
            "An embedding must hold finite numbers for covariate_dependence. Found NaN or infinity; drop these cells."
        )
        raise InputError(message)
    spread = np.maximum(squares[0] - total**2 / cells, 0.0)
    varies = spread > 1e-12 * np.maximum(squares[0], 1e-300)
    share = np.zeros((len(total), len(counts)))
    correlation = np.full((len(total), len(counts)), np.nan)
    for place, (found, column) in enumerate(zip(at_levels, columns, strict=True)):
        number = found[:, :1]
        between = (found[:, 1:] ** 2 / number).sum(axis=0) - total**2 / cells
        share[varies, place] = np.clip(between[varies] / spread[varies], 0.0, 1.0)
        if column.numeric:
            correlation[:, place] = 0.0
            correlation[varies, place] = products[place][varies] / np.sqrt(spread[varies])
    return correlation, share
