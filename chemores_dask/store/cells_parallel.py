"""Cells written from an AnnData through Dask: one pass for the sizes of the rows, then one task per whole shard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed

from chemores_dask.aliases import Block, StorePath, Vector
from chemores_dask.errors import InputError, StoreError
from chemores_dask.memory import plan_tasks, threads
from chemores_dask.metering import TASKS, count
from chemores_dask.randomness import cell_keys
from chemores_dask.store import ledger
from chemores_dask.store.cells_tables import CELL_KEY, check_unwritten, finish_cells, joined_obs, storable_table
from chemores_dask.store.layout import CELLS, DEFAULT_GEOMETRY, Geometry, erase, require_group, writable_root
from chemores_dask.store.raw_counts import COUNT_TYPE, canonical_counts
from chemores_dask.store.sharded_csr import ShardChecksums, create_matrix, write_shard
from chemores_dask.store.writer_lock import writing

COUNT_BYTES = 8
"""A stored count and its column number."""

ROWS_IN_MEMORY = 2**14
"""Rows of a matrix in memory that one task brings to the stored form."""


@dataclass(frozen=True)
class ShardWindow:
    """One shard as its task needs it.

    Attributes
    ----------
    folder
        Of the matrix.
    number
        Of the shard.
    start, stop
        Positions among all stored counts.
    offset
        Position of the first count of the first block given.
    """

    folder: str
    number: int
    start: int
    stop: int
    offset: int

    def __call__(self, blocks: list[Block]) -> ShardChecksums:
        """Write the shard from the blocks that overlap it."""
        data = np.empty(self.stop - self.start, dtype=COUNT_TYPE)
        indices = np.empty_like(data)
        position = self.offset
        for block in blocks:
            low, high = max(self.start, position), min(self.stop, position + block.nnz)
            target, source = slice(low - self.start, high - self.start), slice(low - position, high - position)
            data[target] = block.data[source]
            indices[target] = block.indices[source]
            position += block.nnz
        return write_shard(Path(self.folder), number=self.number, data=data, indices=indices)


def write_cells(cells: anndata.AnnData, store: StorePath, *, geometry: Geometry = DEFAULT_GEOMETRY) -> Path:
    """Write an AnnData with raw counts as the cells of a store.

    Runs on the active ``distributed.Client`` if there is one (whose workers must see the path), otherwise on Dask's threads.

    Parameters
    ----------
    cells
        Raw counts in ``X``, lazy (blocks of whole rows) or in memory, sparse or dense; ``obs``, ``var``, ``uns`` are kept.
    store
        Path of the store; made if it is not there. It must hold no finished cells.
    geometry
        Sizes of chunks and shards.

    Returns
    -------
    Path of the store.

    Raises
    ------
    CountsError
        If values are not raw counts.
    InputError
        If names repeat, rows are cut into column blocks, or there are parts that a store does not keep.
    StoreError
        If the store holds finished cells, or unfinished ones of an ingest.
    StoreBusyError
        If another process writes into the store.
    BlockTooLargeError
        If not one shard, with the blocks it is made of, fits into the budget.

    Notes
    -----
    Passes over the counts: 2 (the sizes of the rows, then the shards). A column ``cell_key`` is added to ``obs``.
    """
    with writing(store):
        return _write(cells, store, geometry)


def _write(cells: anndata.AnnData, store: StorePath, geometry: Geometry) -> Path:
    _check_parts(cells)
    obs = joined_obs([storable_table(cells.obs, what="cells")])
    obs[CELL_KEY] = cell_keys(obs.index)
    var = storable_table(cells.var, what="genes")
    blocks = _row_blocks(cells)
    sizes = _compute([dask.delayed(_row_nonzeros)(block) for block in blocks])
    borders = np.concatenate([[0], np.cumsum([int(size.sum()) for size in sizes], dtype=np.int64)])
    plan_tasks(_shard_bytes(borders, geometry), caller="write_cells", tasks=threads())
    root = _begin(store)
    folder = root / CELLS / "X"
    header = ledger.Header(geometry, len(var), ledger.genes_checksum(var))
    ledger.start_ledger(root, header)
    matrix = require_group(folder)
    shards = max(-(-int(borders[-1]) // geometry.shard), 1)
    create_matrix(matrix, geometry=geometry, shards=shards)
    written = _compute(_shard_tasks(blocks, borders, folder=folder, geometry=geometry))
    row_nonzeros = np.concatenate([np.empty(0, dtype=COUNT_TYPE), *sizes])
    finish_cells(root, header, row_nonzeros=row_nonzeros, shards=written, sources=[], obs=obs, var=var, uns=cells.uns)
    return root


def _check_parts(cells: anndata.AnnData) -> None:
    parts = {name: list(getattr(cells, name)) for name in ("obsm", "varm", "obsp", "varp", "layers")}
    held = [f"{name}[{key!r}]" for name, keys in parts.items() for key in keys if key is not None]
    if held or cells.raw is not None:
        message = (
            "A store keeps X, obs, var and uns of an AnnData; what is derived belongs into results. "
            f"Found {', '.join(held) or 'raw'}; pass anndata.AnnData(cells.X, cells.obs, cells.var)."
        )
        raise InputError(message)
    if cells.X is None:
        message = "Cells must hold raw counts in X. Found none; put the counts there."
        raise InputError(message)


def _begin(store: StorePath) -> Path:
    root = writable_root(store)
    check_unwritten(root)
    if ledger.read_sources(root):
        message = f"Cells are written into a store once. {str(root)!r} holds those of an unfinished ingest; finish it, or remove the store."
        raise StoreError(message)
    erase(root / CELLS)
    require_group(root / CELLS)
    return root


def _row_blocks(cells: anndata.AnnData) -> list[Delayed]:
    matrix = cells.X
    if not isinstance(matrix, da.Array):
        starts = range(0, matrix.shape[0], ROWS_IN_MEMORY)
        pieces = [matrix[start : start + ROWS_IN_MEMORY] for start in starts]
        return [dask.delayed(canonical_counts, pure=False)(piece) for piece in pieces]
    if matrix.ndim != 2 or matrix.numblocks[1] != 1:
        message = f"Rows must be whole in every block. Got {matrix.numblocks[1:]} column blocks; rechunk with x.rechunk({{1: -1}})."
        raise InputError(message)
    (matrix,) = dask.optimize(matrix)
    name = tokenize(matrix.name)
    parts = matrix.to_delayed(optimize_graph=False)[:, 0]
    return [
        dask.delayed(canonical_counts)(part, dask_key_name=f"counts-{name}-{number}")
        for number, part in enumerate(parts)
    ]


def _row_nonzeros(block: Block) -> Vector:
    return np.asarray(np.diff(block.indptr), dtype=COUNT_TYPE)


def _shard_bytes(borders: Vector, geometry: Geometry) -> int:
    """What it takes to write one shard: the blocks that it is made of, one more being read, its counts and their compressed form."""
    largest = int(np.diff(borders).max(initial=0))
    blocks = min(-(-geometry.shard // max(largest, 1)) + 1, len(borders) - 1)
    return COUNT_BYTES * (largest * (blocks + 1) + 2 * min(geometry.shard, int(borders[-1])))


def _shard_tasks(blocks: list[Delayed], borders: Vector, *, folder: Path, geometry: Geometry) -> list[Delayed]:
    total = int(borders[-1])
    tasks = []
    for number in range(-(-total // geometry.shard)):
        start, stop = number * geometry.shard, min((number + 1) * geometry.shard, total)
        first = int(np.searchsorted(borders, start, side="right")) - 1
        last = int(np.searchsorted(borders, stop, side="left"))
        window = ShardWindow(str(folder.absolute()), number, start, stop, int(borders[first]))
        tasks.append(dask.delayed(window, pure=False)(blocks[first:last]))
    return tasks


def _compute(tasks: Iterable[Delayed]) -> list[Any]:
    optimized = dask.optimize(*tasks)
    keys = {key for task in optimized for key in task.__dask_graph__()}
    count(**{TASKS: len(keys)})
    return list(dask.compute(*optimized, optimize_graph=False))
