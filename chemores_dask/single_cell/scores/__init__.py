"""Scores of gene sets per cell: one record for each way to compute them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import xarray as xr

from chemores_dask.single_cell.scores.module_score import module_score


@dataclass(frozen=True)
class ScoreRecord:
    """How a score is made.

    Attributes
    ----------
    analysis
        The function: cells and gene sets in, Dataset with ``cell_score`` out.
    methods
        Values of its ``method`` parameter.
    expects
        What the cells must hold.
    summary
        The score in one sentence.
    """

    analysis: Callable[..., xr.Dataset]
    methods: tuple[str, ...]
    expects: str
    summary: str


SCORES: Mapping[str, ScoreRecord] = MappingProxyType(
    {
        "module_score": ScoreRecord(
            analysis=module_score,
            methods=("seurat", "scanpy"),
            expects="log-normalized cells",
            summary="Mean expression of the set, less the mean of control genes of like expression.",
        ),
    }
)
"""Scores by the name of their analysis."""

__all__ = ["SCORES", "ScoreRecord", "module_score"]
