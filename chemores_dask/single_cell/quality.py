"""What each cell and each gene holds, and which cells are good enough to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real

import numpy as np
import pandas as pd
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Matrix, Vector
from chemores_dask.errors import GeneMismatchError, ParameterError
from chemores_dask.kernels.count_walk import Walked, Wanted, walk_counts
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.kernels.row_totals import walked_totals
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.single_cell.cell_rows import check_cells, labels_of, planned_rows
from chemores_dask.stream.compute import compute
from chemores_dask.stream.reduce import reduce_rows

ALGORITHM_REVISION = 1

RESULT = declare(
    Variable("cell_total", ("cell",), "i", unit="counts", doc="sum over genes"),
    Variable("cell_detected_genes", ("cell",), "i", unit="genes", doc="genes with a count"),
    Variable("cell_mitochondrial_share", ("cell",), "f", doc="share of the counts; 0 for a cell without counts"),
    Variable("cell_ribosomal_share", ("cell",), "f", doc="share of the counts; 0 for a cell without counts"),
    Variable("cell_spike_in_share", ("cell",), "f", doc="share of the counts; 0 for a cell without counts"),
    Variable("cell_keep", ("cell",), "b", doc="within all limits"),
    Variable("gene_total", ("gene",), "i", unit="counts", doc="sum over cells"),
    Variable("gene_detected_cells", ("gene",), "i", unit="cells", doc="cells with a count"),
)

_CELL_COUNTS = ("cell_total", "cell_detected_genes")
_CELL_SHARES = ("cell_mitochondrial_share", "cell_ribosomal_share", "cell_spike_in_share")
_BYTES_PER_CELL = 5 * 4 + 5 * 8 + 1
"""At the end: the numbers of all blocks, and the result made of them."""

_LARGEST_INT32 = np.iinfo(np.int32).max


@dataclass(frozen=True)
class GenePatterns:
    """Regular expressions, matched from the start of the gene symbol, for the groups of genes whose share tells about a cell.

    They are anchored: a bare ``MT`` would count MTOR and MTHFD1 as mitochondrial. Case matters (human symbols; for mouse use
    ``^mt-`` and ``^Rp[sl]``).

    Attributes
    ----------
    mitochondrial
        Genes of the mitochondrial genome.
    ribosomal
        Ribosomal proteins; the S6 kinases (RPS6KA1 and relatives) are left out.
    spike_in
        Added RNA of known amount.
    """

    mitochondrial: str = r"^MT-"
    ribosomal: str = r"^RP[SL](?!6K)"
    spike_in: str = r"^ERCC-"


@dataclass(frozen=True)
class QualityLimits:
    """Limits within which a cell is kept, all inclusive; None sets no limit, and by default there is none.

    Attributes
    ----------
    minimum_total, maximum_total
        Counts of the cell.
    minimum_detected_genes, maximum_detected_genes
        Genes with a count.
    maximum_mitochondrial_share, maximum_ribosomal_share, maximum_spike_in_share
        Shares of the counts, from 0 to 1.
    """

    minimum_total: int | None = None
    maximum_total: int | None = None
    minimum_detected_genes: int | None = None
    maximum_detected_genes: int | None = None
    maximum_mitochondrial_share: float | None = None
    maximum_ribosomal_share: float | None = None
    maximum_spike_in_share: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            largest = 1.0 if field.name.endswith("_share") else np.inf
            if value is not None and not (isinstance(value, Real) and 0 <= value <= largest):
                message = f"The limit {field.name!r} must lie between 0 and {largest:g}. Got {value!r}."
                raise ParameterError(message)
        for quantity in ("total", "detected_genes"):
            low, high = getattr(self, f"minimum_{quantity}"), getattr(self, f"maximum_{quantity}")
            if low is not None and high is not None and low > high:
                message = f"'minimum_{quantity}' must not be above 'maximum_{quantity}'. Got {low} and {high}; no cell would be kept."
                raise ParameterError(message)


PLATE_LEUKEMIA_LIMITS = QualityLimits(
    minimum_detected_genes=2501, maximum_detected_genes=8999, maximum_total=99_999, maximum_mitochondrial_share=0.05
)
"""For full-length plates (VASA-seq) of T-cell leukemia: the limits of Costea et al. (2025), doi 10.1101/2024.06.24.600391."""

DROPLET_LEUKEMIA_LIMITS = QualityLimits(
    minimum_detected_genes=2001, maximum_detected_genes=7499, maximum_total=39_999, maximum_mitochondrial_share=0.1
)
"""For 10x libraries of cultured T-cell leukemia: the limits of the same study."""


def quality(
    cells: AnnData, *, limits: QualityLimits = QualityLimits(), patterns: GenePatterns = GenePatterns()
) -> xr.Dataset:
    """Totals, detected genes and shares of gene groups, per cell and per gene.

    Equal to scanpy's ``calculate_qc_metrics`` for the same groups of genes, with shares from 0 to 1 instead of percentages.
    A cell without counts has shares of 0 (scanpy: not a number). Counts are never rewritten: what to drop is a result.

    Parameters
    ----------
    cells
        Raw counts. Patterns are matched against ``var["gene_symbol"]``, or the names of the genes where there is no such column.
    limits
        Which cells are kept; all of them unless limits are given.
    patterns
        Which genes are mitochondrial, ribosomal and spiked in.

    Returns
    -------
    Dataset over ``cell`` (``cell_total`` in counts, ``cell_detected_genes``, ``cell_mitochondrial_share``,
    ``cell_ribosomal_share``, ``cell_spike_in_share``, ``cell_keep``) and ``gene`` (``gene_total`` in counts,
    ``gene_detected_cells``). The attributes tell how many genes match each pattern.

    Raises
    ------
    CountsError
        If a value is negative, fractional or not a number.
    GeneMismatchError
        If a share is limited, and no gene matches its pattern.
    ParameterError
        If a pattern is not a regular expression.

    Notes
    -----
    Passes over the counts: 1. Memory: 20 bytes per cell while it runs, and 41 in the result; 16 bytes per gene.

    References
    ----------
    McCarthy DJ et al. (2017). Scater: pre-processing, quality control, normalization and visualization of single-cell RNA-seq
    data in R. Bioinformatics 33:1179-1186.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from anndata import AnnData
    >>> counts = np.array([[6, 2, 0], [0, 0, 0]])
    >>> result = quality(AnnData(counts, var=pd.DataFrame(index=["CD44", "MT-CO1", "MTOR"])))
    >>> result["cell_mitochondrial_share"].values
    array([0.25, 0.  ])
    """
    check_cells(cells, caller="quality")
    members = gene_groups(cells.var, patterns)
    _check_groups_for_limits(members, limits)
    rows, _ = planned_rows(
        cells, caller="quality", state_bytes=16 * cells.n_vars, kept_bytes=_BYTES_PER_CELL * cells.n_obs
    )

    (found,) = compute(reduce_rows(rows, Reduction(_QualityBlock(np.stack(list(members.values()))), _merge, _joined)))

    values = dict(found.cells)
    values["cell_keep"] = _within(values, limits)
    values |= {"gene_total": found.gene_total, "gene_detected_cells": found.gene_detected}
    return make_result(
        RESULT,
        values,
        analysis="quality",
        parameters={"limits": asdict(limits), "patterns": asdict(patterns)},
        coordinates={"cell": labels_of(cells.obs_names), "gene": labels_of(cells.var_names)},
        attributes={f"{name}_genes": int(member.sum()) for name, member in members.items()},
    )


def gene_groups(genes: pd.DataFrame, patterns: GenePatterns) -> dict[str, Vector]:
    """Which genes match which pattern.

    Parameters
    ----------
    genes
        Table of genes; their symbols are the column ``gene_symbol``, or else the index.
    patterns
        The patterns.

    Returns
    -------
    Boolean arrays over the genes, by the name of the pattern.

    Raises
    ------
    ParameterError
        If a pattern is not a regular expression.
    """
    symbols = [str(symbol) for symbol in (genes["gene_symbol"] if "gene_symbol" in genes.columns else genes.index)]
    members = {}
    for name, pattern in asdict(patterns).items():
        try:
            expression = re.compile(pattern)
        except re.error as error:
            message = (
                f"The pattern {name!r} must be a regular expression. Got {pattern!r}: {error}; see Python's re module."
            )
            raise ParameterError(message) from error
        members[name] = np.array([expression.match(symbol) is not None for symbol in symbols], dtype=bool)
    return members


@dataclass(frozen=True, eq=False)
class _QualityState:
    # Tables of the blocks seen so far, in order: total, detected genes, and the totals of three groups of genes.
    cells: tuple[Matrix, ...]
    gene_total: Vector
    gene_detected: Vector


@dataclass(frozen=True, eq=False)
class _Quality:
    cells: Mapping[str, Vector]
    gene_total: Vector
    gene_detected: Vector


@dataclass(frozen=True)
class _QualityBlock:
    gene_groups: Matrix

    def wanted(self, columns: Columns) -> Wanted:
        return Wanted(gene_groups=self.gene_groups, gene_totals=True)

    def __call__(self, rows: Block, columns: Columns) -> _QualityState:
        return self.state(walk_counts(rows, self.wanted(columns)))

    def state(self, walked: Walked) -> _QualityState:
        totals = walked_totals(walked)
        # No group of a cell's counts adds up to more than all of them, and no cell has more genes with a count than counts.
        narrow = np.int32 if totals.row_total.max(initial=0) <= _LARGEST_INT32 else np.int64
        per_cell = np.empty((2 + totals.row_group_total.shape[1], len(totals.row_total)), dtype=narrow)
        per_cell[0], per_cell[1], per_cell[2:] = totals.row_total, totals.row_detected, totals.row_group_total.T
        return _QualityState((per_cell,), totals.gene_total, totals.gene_detected)


def _merge(first: _QualityState, second: _QualityState) -> _QualityState:
    return _QualityState(
        first.cells + second.cells, first.gene_total + second.gene_total, first.gene_detected + second.gene_detected
    )


def _joined(state: _QualityState) -> _Quality:
    """The numbers of all cells, each in one array; blocks are narrow and results wide, so that these depend on no blocks."""
    cells = sum(per_cell.shape[1] for per_cell in state.cells)
    values: dict[str, Vector] = {name: np.empty(cells, dtype=np.int64) for name in _CELL_COUNTS}
    values |= {name: np.empty(cells) for name in _CELL_SHARES}
    first = 0
    for per_cell in state.cells:
        last = first + per_cell.shape[1]
        divisor = np.maximum(per_cell[0], 1)
        for name, numbers in zip(_CELL_COUNTS, per_cell[:2], strict=True):
            values[name][first:last] = numbers
        for name, numbers in zip(_CELL_SHARES, per_cell[2:], strict=True):
            values[name][first:last] = numbers / divisor
        first = last
    return _Quality(values, state.gene_total, state.gene_detected)


def _within(values: Mapping[str, Vector], limits: QualityLimits) -> Vector:
    keep = np.ones(len(values["cell_total"]), dtype=bool)
    for name, limit in asdict(limits).items():
        if limit is None:
            continue
        side, quantity = name.split("_", 1)
        value = values[f"cell_{quantity}"]
        keep &= value >= limit if side == "minimum" else value <= limit
    return keep


def _check_groups_for_limits(members: Mapping[str, Vector], limits: QualityLimits) -> None:
    for name, member in members.items():
        if getattr(limits, f"maximum_{name}_share") is not None and not member.any():
            message = (
                f"A limit on the {name} share needs {name} genes. No gene symbol matches the pattern; pass patterns that fit the "
                "symbols, a 'gene_symbol' column in var, or no such limit."
            )
            raise GeneMismatchError(message)
