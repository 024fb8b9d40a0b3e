"""Ranks of every gene from genes across all cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import dask.array as da
import numpy as np
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.aliases import Block, Columns, Rows, Vector
from chemores_dask.errors import InputError
from chemores_dask.kernels.rank_sums import GroupedCells, RankSums, cell_sums, merge_rank_sums, rank_sums
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.kernels.row_counts import require_counts
from chemores_dask.single_cell.cell_rows import NONZEROS_PER_BLOCK
from chemores_dask.single_cell.markers.labeled_cells import CALLER, LabeledCells, RankedValues
from chemores_dask.stream.compute import compute
from chemores_dask.stream.plan import STATES_PER_TASK, check_fits, plan_rows
from chemores_dask.stream.reduce import reduce_rows
from chemores_dask.stream.rows import as_rows

SCRATCH_BYTES = 16
"""For each value of the gene with the most: its key and its group, twice."""

READ_BYTES = 12
"""For each stored count of a block of genes, while it is put together from the tiles of the copy."""

SUM_BYTES = 8
"""Of one number in a state."""


def exact_ranks(cells: AnnData, labeled: LabeledCells, *, values: RankedValues, totals: Vector | None) -> RankSums:
    """Rank every gene in all cells.

    Parameters
    ----------
    cells
        ``X`` lazy in blocks of whole genes, as ``open_genes`` opens it, or in memory.
    labeled
        Which cells are compared.
    values
        What is ranked.
    totals
        Of the cells; summed in a pass of their own where they are needed and not given.

    Returns
    -------
    Ranks of all genes. Independent of blocks to the bit.

    Raises
    ------
    InputError
        If blocks hold some cells with all genes.
    BlockTooLargeError
        If the blocks in flight do not fit into memory.
    """
    genes = gene_rows(cells)
    if values.target_sum is None:
        totals = None
    elif totals is None:
        _check_fits(cells, genes, labeled.grouped)
        (summed,) = compute(reduce_rows(genes, Reduction(_SumCells(), np.add)))
        totals = summed.astype(np.float64)
    _check_fits(cells, genes, labeled.grouped)
    grouped = labeled.grouped
    shared = {"code": grouped.codes} | ({} if totals is None else {"total": totals})
    block = _RankBlock(grouped.groups, grouped.parts, tuple(grouped.group_cells.tolist()), values)
    (found,) = compute(reduce_rows(genes, Reduction(block, merge_rank_sums), shared=shared))
    return found


def gene_rows(cells: AnnData) -> Rows:
    """The matrix turned: genes by cells, in blocks of whole genes.

    Parameters
    ----------
    cells
        Cells by genes.

    Returns
    -------
    Lazy rows, one per gene.

    Raises
    ------
    InputError
        If blocks hold some cells with all genes.
    """
    matrix = cells.X
    if not isinstance(matrix, da.Array):
        whole = matrix.astype(np.float32) if matrix.dtype == np.float16 else matrix
        turned = sp.csr_matrix(sp.csc_matrix(whole).T)
        per_gene = max(turned.nnz / max(turned.shape[0], 1), 1)
        return as_rows(turned, rows_per_block=max(int(NONZEROS_PER_BLOCK / per_gene), 1))
    if matrix.numblocks[0] > 1:
        message = (
            f"The exact method of {CALLER} needs every gene across all cells. The matrix lies in {matrix.numblocks[0]} blocks of cells; "
            f"run: chemores by-gene {cells.uns.get('store', 'STORE')} - and open the cells with open_genes (in a pipeline: a view with "
            'by = "gene"), or use method="histogram".'
        )
        raise InputError(message)
    meta = sp.csr_matrix((0, 0), dtype=matrix.dtype)
    return as_rows(da.blockwise(_turned, "ji", matrix, "ij", dtype=matrix.dtype, meta=meta))


@dataclass(frozen=True)
class _RankBlock:
    groups: int
    parts: int
    group_cells: tuple[int, ...]
    values: RankedValues

    def __call__(self, rows: Block, columns: Columns) -> RankSums:
        codes = np.ravel(columns["code"])
        cells = GroupedCells(codes, self.groups, self.parts, np.asarray(self.group_cells, dtype=np.int64))
        totals = np.ravel(columns["total"]) if "total" in columns else None
        rows = require_counts(rows) if self.values.whole else rows
        return rank_sums(rows, cells, totals=totals, target_sum=self.values.target_sum or 0.0)


@dataclass(frozen=True)
class _SumCells:
    def __call__(self, rows: Block, columns: Columns) -> Vector:
        return cell_sums(rows)


def _stored(matrix: sp.spmatrix | sp.sparray | np.ndarray) -> int:
    return int(matrix.nnz) if sp.issparse(matrix) else int(matrix.size)


def _turned(block: sp.csc_matrix) -> Block:
    turned = sp.csc_matrix(block).T
    if getattr(block, "has_canonical_format", False):
        turned.has_canonical_format = True
    return turned


def _check_fits(cells: AnnData, genes: Rows, grouped: GroupedCells) -> None:
    if isinstance(cells.X, da.Array):
        per_gene = cells.uns.get("nonzeros_per_gene")
    else:
        # Blocks of a matrix in memory hold about as many values each.
        per_gene = min(NONZEROS_PER_BLOCK, _stored(cells.X)) / max(genes.chunks[0], default=1)
    per_cell = genes.shape[1]
    most = int(max(genes.chunks[0], default=0))
    state = SUM_BYTES * most * (2 * grouped.groups + grouped.groups * grouped.parts)
    plan = plan_rows(genes, nonzeros_per_row=per_gene, kernel_bytes=READ_BYTES)
    scratch = SCRATCH_BYTES * per_cell
    # Codes and totals of all cells, and all that is found.
    whole = SUM_BYTES * genes.shape[0] * (2 * grouped.groups + grouped.groups * grouped.parts)
    kept = 2 * SUM_BYTES * per_cell + 2 * whole
    check_fits(
        replace(plan, task_bytes=plan.task_bytes + scratch + STATES_PER_TASK * state, kept_bytes=plan.kept_bytes + kept)
    )
