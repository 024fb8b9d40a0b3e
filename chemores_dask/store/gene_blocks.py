"""The counts of a store as lazy blocks of whole genes, read from the copy of the counts by gene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import anndata
import dask.array as da
import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import StorePath, Vector
from chemores_dask.checks import check_whole
from chemores_dask.errors import ChecksumError, IncompleteStoreError, StoreError
from chemores_dask.memory import values_per_block
from chemores_dask.metering import BLOCKS_DECODED, BYTES_DECODED, count
from chemores_dask.store.cells import check_complete, read_tables, same_content
from chemores_dask.store.gene_choice import damage_of_copy, no_copy, read_tile_pointers
from chemores_dask.store.gene_copy import TilePlan, gene_copy_plan
from chemores_dask.store.layout import CELLS, GENE_COPY, NONZEROS_PER_BLOCK, existing_root
from chemores_dask.store.raw_counts import COUNT_TYPE, LARGEST_COUNT
from chemores_dask.store.sharded_csr import COUNT_ARRAYS, UNREADABLE, read_values


def open_genes(
    store: StorePath, *, columns: Sequence[str] | None = None, genes_per_block: int | None = None
) -> anndata.AnnData:
    """Open the cells of a store gene by gene; counts stay on disk until something is computed.

    Parameters
    ----------
    store
        Path of the store, with a copy of its counts by gene (:func:`~chemores_dask.write_gene_copy`, ``chemores by-gene``).
    columns
        Columns of the table of cells to read; all unless given.
    genes_per_block
        Genes read by one task. Unless given, as many as hold about as many stored counts as a block of cells does
        (``NONZEROS_PER_BLOCK``), fewer within a small :func:`~chemores_dask.memory.memory_budget`.

    Returns
    -------
    AnnData: ``X`` lazy (cells by genes, CSC blocks of all cells and some genes, int32), ``obs`` and ``var`` in memory,
    ``uns["nonzeros_per_gene"]`` the mean number of stored counts per gene in the fullest block, ``uns["store"]`` the path and
    ``uns["content"]`` a name for what the store holds.

    Raises
    ------
    IncompleteStoreError
        If there is no finished copy of these cells.
    StoreError
        As :func:`~chemores_dask.store.cells.open_cells`.
    ChecksumError
        If bytes on disk are not those that were written.

    Notes
    -----
    Passes over the counts: 0.

    Examples
    --------
    >>> import tempfile, anndata, pandas as pd, scipy.sparse as sp
    >>> from chemores_dask import open_genes, write_cells, write_gene_copy
    >>> folder = tempfile.TemporaryDirectory()
    >>> var = pd.DataFrame(index=["CD44", "KLF2"])
    >>> cells = anndata.AnnData(sp.csr_matrix([[0.0, 2], [3, 0]]), var=var)
    >>> store = write_gene_copy(write_cells(cells, folder.name + "/cohort.zarr"))
    >>> open_genes(store, genes_per_block=1).X.chunks
    ((2,), (1, 1))
    >>> folder.cleanup()
    """
    root = existing_root(store)
    check_complete(root)
    plan = gene_copy_plan(root)
    if plan is None:
        raise IncompleteStoreError(no_copy(root, reader="Opening genes"))
    if genes_per_block is not None:
        check_whole(genes_per_block, parameter="genes_per_block", caller="open_genes", minimum=1)
    tables = read_tables(root, columns=columns)
    with same_content(root / CELLS, tables.content):
        if plan.content != tables.content:
            message = f"The cells in {str(root)!r} must stay the same while they are opened. They were replaced; open them again."
            raise StoreError(message)
    per_gene = np.diff(_kept_pointers(str(root / GENE_COPY), plan), axis=1).sum(axis=0)
    borders = _borders(per_gene, genes_per_block)
    reader = GeneReader(str(root.absolute()), plan, borders)
    sizes = np.diff(borders)
    fullest = max(
        (float(per_gene[first:last].mean()) for first, last in pairwise(borders) if last > first),
        default=0.0,
    )
    uns = tables.uns | {"nonzeros_per_gene": fullest, "store": str(root), "content": tables.content}
    meta = sp.csc_matrix((0, plan.genes), dtype=COUNT_TYPE)
    chunks = ((plan.cells,), tuple(sizes.tolist()))
    matrix = da.map_blocks(reader, chunks=chunks, dtype=COUNT_TYPE, meta=meta, name=None)
    return anndata.AnnData(X=matrix, obs=tables.obs, var=tables.var, uns=uns)


@dataclass(frozen=True)
class GeneReader:
    """Reads one block of genes in a task: small, picklable, and named by the content of the store.

    Attributes
    ----------
    root
        Of the store.
    plan
        How the copy is cut.
    borders
        First gene of each block, and behind them the number of genes.
    """

    root: str
    plan: TilePlan
    borders: tuple[int, ...]

    def __call__(self, *, block_id: tuple[int, ...] = (0, 0)) -> sp.csc_matrix:
        """Read the block with this number, and count what was decoded."""
        first, last = self.borders[block_id[1]], self.borders[block_id[1] + 1]
        with same_content(Path(self.root) / CELLS, self.plan.content):
            block = read_gene_range(Path(self.root) / GENE_COPY, self.plan, first, last)
        count(**{BYTES_DECODED: block.data.nbytes + block.indices.nbytes, BLOCKS_DECODED: 1})
        return block


def read_gene_range(folder: Path, plan: TilePlan, first: int, last: int) -> sp.csc_matrix:
    """Read some genes that stand together, in all cells.

    Parameters
    ----------
    folder
        Of the copy.
    plan
        How it is cut.
    first, last
        Genes, the last one excluded.

    Returns
    -------
    CSC matrix of int32 in canonical form.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written.
    """
    pointers = _kept_pointers(str(folder), plan)[:, first : last + 1].astype(np.int64)
    sizes = np.diff(pointers, axis=1)
    ends = np.cumsum(sizes.T.ravel())
    total = int(ends[-1]) if len(ends) else 0
    # Where the counts of each tile and gene go: gene by gene, and within a gene tile by tile, so that cells come out ascending.
    targets = (ends - sizes.T.ravel()).reshape(last - first, len(plan.tile_nonzeros)).T
    data, cells = np.empty(total, dtype=COUNT_TYPE), np.empty(total, dtype=COUNT_TYPE)
    for tile in range(len(plan.tile_nonzeros)):
        begin = plan.first_shards[tile] * plan.geometry.shard
        window = (begin + int(pointers[tile, 0]), begin + int(pointers[tile, -1]))
        borders = (pointers[tile] - pointers[tile, 0]).tolist()
        places = targets[tile].tolist()
        for name, whole in zip(COUNT_ARRAYS, (data, cells), strict=True):
            values = _window(folder / name, plan, *window)
            if whole is cells:
                values += COUNT_TYPE.type(tile * plan.rows_per_tile)
            for gene, place in enumerate(places):
                whole[place : place + borders[gene + 1] - borders[gene]] = values[borders[gene] : borders[gene + 1]]
    starts = np.concatenate([[0], np.cumsum(sizes.sum(axis=0))])
    if total <= LARGEST_COUNT:
        starts = starts.astype(COUNT_TYPE)
    block = sp.csc_matrix((data, cells, starts), shape=(plan.cells, last - first))
    block.has_canonical_format = True
    return block


def _window(array: Path, plan: TilePlan, start: int, stop: int) -> Vector:
    if stop <= start:
        return np.empty(0, dtype=COUNT_TYPE)
    try:
        return read_values(array, start, stop)
    except UNREADABLE as error:
        size = plan.geometry.shard
        raise ChecksumError(damage_of_copy(array, range(start // size, (stop - 1) // size + 1), plan)) from error


@lru_cache(maxsize=2)
def _kept_pointers(folder: str, plan: TilePlan) -> np.ndarray:
    # Every block needs some columns of all tiles: a process reads them once.
    return read_tile_pointers(Path(folder), plan).astype(COUNT_TYPE)


def _borders(per_gene: Vector, genes_per_block: int | None) -> tuple[int, ...]:
    genes = len(per_gene)
    if genes_per_block is not None:
        return (*range(0, max(genes, 1), genes_per_block), genes)
    most = values_per_block(NONZEROS_PER_BLOCK)
    ends = np.cumsum(per_gene, dtype=np.int64)
    borders = [0]
    while borders[-1] < genes:
        before = int(ends[borders[-1] - 1]) if borders[-1] else 0
        borders.append(max(int(np.searchsorted(ends, before + most, side="right")), borders[-1] + 1))
    return tuple(borders) if genes else (0, 0)
