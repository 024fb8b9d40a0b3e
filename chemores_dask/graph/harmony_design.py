"""Batches of cells, their combinations, and the refusal to take the contrast of interest for one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_variables, listed
from chemores_dask.errors import AliasedBatchWarning, InputError, ParameterError

CELL = "cell"

REMOVED = 0.5
"""From this share of the stage on, batches are said to hold most of it."""

SINGLE = 1.5
"""Below this effective number of batches, a stage is said to rest on one."""


@dataclass(frozen=True)
class BatchDesign:
    """What batches every cell belongs to.

    Attributes
    ----------
    columns
        Names of the batch variables with more than one batch.
    groups
        Group of every cell, int32: a group is a combination of batches that occurs.
    levels
        Batches of every group: groups by variables; batches of all variables are numbered together.
    theta, shares
        Strength, and share of all cells, of every batch.
    """

    columns: tuple[str, ...]
    groups: Vector
    levels: Matrix
    theta: Vector
    shares: Vector

    @property
    def batches(self) -> int:
        """Number of batches of all variables together."""
        return len(self.theta)


@dataclass(frozen=True)
class Labels:
    """A column of the cells as numbers.

    Attributes
    ----------
    name
        Of the column.
    codes
        Number of the value of every cell, int32; values in sorted order.
    values
        The values as text.
    """

    name: str
    codes: Vector
    values: tuple[str, ...]


def read_labels(cells: xr.Dataset, name: str, *, caller: str) -> Labels:
    """Read a column of the cells that tells them apart.

    Parameters
    ----------
    cells
        Dataset with the column over ``cell``.
    name
        Of the column.
    caller
        The analysis, for messages.

    Returns
    -------
    The labels.

    Raises
    ------
    MissingVariableError
        If there is no such column.
    InputError
        If it is missing for some cells; how many, and the first row.
    """
    check_variables(cells, [name], dims=(CELL,), what="the cells", caller=caller)
    values = cells[name].to_numpy()
    codes, found = pd.factorize(pd.Series(values), sort=False, use_na_sentinel=True)
    missing = np.flatnonzero(codes < 0)
    if len(missing):
        message = (
            f"Every cell must have a value in the column {name!r} of {caller}. {len(missing):,} of {len(codes):,} have none, the first in "
            f"row {missing[0]:,}. Fill them in, or leave these cells out."
        )
        raise InputError(message)
    texts = np.array([str(value) for value in found], dtype=object)
    order = np.argsort(texts, kind="stable")
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Labels(name, rank[codes] if len(codes) else codes.astype(np.int32), tuple(texts[order]))


def batch_design(labels: Sequence[Labels], *, theta: float | Sequence[float], caller: str) -> BatchDesign:
    """Number the combinations of batches.

    Parameters
    ----------
    labels
        Of every batch variable.
    theta
        Strength for all batch variables, or one for each.
    caller
        The analysis, for messages.

    Returns
    -------
    The design; variables with one batch are left out.

    Raises
    ------
    ParameterError
        If ``theta`` is negative, or there is not one for each variable.
    """
    strengths = [theta] * len(labels) if isinstance(theta, (int, float)) else list(theta)
    if len(strengths) != len(labels):
        message = (
            f"The 'theta' parameter of {caller} must be one number, or one for each batch variable. "
            f"Got {len(strengths)} for {listed(column.name for column in labels)}."
        )
        raise ParameterError(message)
    for strength in strengths:
        check_between(strength, parameter="theta", caller=caller, minimum=0.0, maximum=100.0)
    used = [
        (column, float(strength)) for column, strength in zip(labels, strengths, strict=True) if len(column.values) > 1
    ]
    cells = len(labels[0].codes)
    groups = np.zeros(cells, dtype=np.int64)
    levels = np.zeros((1, 0), dtype=np.int64)
    before = 0
    shares: list[Vector] = []
    for column, _ in used:
        # Numbering anew after every variable keeps the numbers small, however many there are.
        found, groups = np.unique(groups * len(column.values) + column.codes, return_inverse=True)
        own = found % len(column.values)
        levels = np.column_stack([levels[found // len(column.values)], own + before])
        before += len(column.values)
        shares.append(np.bincount(column.codes, minlength=len(column.values)) / cells)
    return BatchDesign(
        columns=tuple(column.name for column, _ in used),
        groups=groups.astype(np.int32),
        levels=levels,
        theta=np.concatenate([np.full(len(column.values), strength) for column, strength in used] or [np.empty(0)]),
        shares=np.concatenate(shares or [np.empty(0)]),
    )


def stage_share(batches: Vector, stages: Vector) -> float:
    """Share of the stage that batches hold: what is lost of a shift between stages when the means of all batches are made equal.

    This is Goodman and Kruskal's tau of the stage given the batch [1]_: the part of the variance of the indicators of the stages that lies
    between batches.

    Parameters
    ----------
    batches, stages
        Numbers from 0, one per cell.

    Returns
    -------
    Between 0 (every batch has the same mixture of stages) and 1 (no batch has two stages); 0 where there is one stage.

    References
    ----------
    .. [1] Goodman LA, Kruskal WH (1954). Measures of association for cross classifications. JASA 49:732-764.

    Examples
    --------
    >>> stage_share(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])), stage_share(np.array([0, 1, 2, 2]), np.array([0, 0, 1, 1]))
    (0.0, 1.0)
    """
    table = _cross_table(batches, stages)
    cells = table.sum()
    whole = 1.0 - ((table.sum(axis=0) / cells) ** 2).sum()
    sizes = np.maximum(table.sum(axis=1), 1.0)
    within = ((sizes - (table**2).sum(axis=1) / sizes) / cells).sum()
    return float(np.clip(1.0 - within / whole, 0.0, 1.0)) if whole > 0 else 0.0


def fewest_batches(batches: Vector, stages: Vector) -> float:
    """Effective number of batches (inverse Simpson index) in the stage that has fewest.

    Parameters
    ----------
    batches, stages
        Numbers from 0, one per cell.
    """
    table = _cross_table(batches, stages)
    sizes = table.sum(axis=0)
    return float((sizes**2 / (table**2).sum(axis=0)).min())


def warn_of_aliases(labels: Sequence[Labels], design: BatchDesign, stage: Labels, *, caller: str) -> None:
    """Warn where a batch variable, or all together, stand for the stage.

    Parameters
    ----------
    labels
        Of every batch variable.
    design
        Their combinations.
    stage
        The contrast of interest.
    caller
        The analysis, for messages.

    Warns
    -----
    AliasedBatchWarning
        Where batches hold more than half of the stage, and a stage rests on a single batch.
    """
    columns = [(column.name, column.codes) for column in labels]
    if len(labels) > 1:
        columns.append((" and ".join(column.name for column in labels) + " together", design.groups))
    for name, codes in columns:
        share, fewest = stage_share(codes, stage.codes), fewest_batches(codes, stage.codes)
        if share >= REMOVED and fewest < SINGLE:
            message = (
                f"Batches must not stand for the contrast of interest. {name} holds {100 * share:.0f} % of {stage.name!r} "
                f"({', '.join(stage.values)}), and one of these rests on one batch (effective number {fewest:.2g}): {caller} takes away "
                f"what tells it from the others. Do not compare {stage.name!r} in the corrected scores; correct for libraries or plates, "
                "several of which make up each stage, or leave these batches as they are."
            )
            warnings.warn(message, AliasedBatchWarning, stacklevel=3)
            return


def _cross_table(batches: Vector, stages: Vector) -> Matrix:
    width = int(stages.max()) + 1
    pairs = np.bincount(batches.astype(np.int64) * width + stages, minlength=(int(batches.max()) + 1) * width)
    return pairs.reshape(-1, width).astype(np.float64)
