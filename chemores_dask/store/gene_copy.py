"""The counts once more, gene by gene: one gene across all cells without reading the others.

The rows are cut into tiles. A task reads one tile, turns it in memory, and writes it as whole shards of its own: for each gene of the
tile its counts and its row numbers within the tile, one gene behind the other, and where each gene begins. A tile counts when its
record lies beside it, so a copy that was cut short goes on with the tiles that lack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dask
import numpy as np
import zarr

from chemores_dask.aliases import StorePath, Vector
from chemores_dask.memory import plan_tasks, threads, values_per_block
from chemores_dask.metering import TASKS, count
from chemores_dask.store.cells import RowReader, check_complete, fitting_rows
from chemores_dask.store.layout import (
    CELLS,
    COMPLETE,
    GENE_COPY,
    SHARD,
    Geometry,
    erase,
    existing_root,
    group_attributes,
    is_complete_group,
    plain_codecs,
)
from chemores_dask.store.raw_counts import COUNT_TYPE
from chemores_dask.store.shard_encoder import write_chunk_file, write_shard_file
from chemores_dask.store.sharded_csr import COUNT_ARRAYS, create_matrix, read_pointers, shard_file
from chemores_dask.store.writer_lock import writing

NONZEROS_PER_TILE = 2**25
"""Stored counts of the fullest tile: its task holds them twice, 16 bytes each."""

TILE_BYTES = 16
"""For each stored count of a tile: as it was read, and turned."""

GENE_GEOMETRY = Geometry(chunk=2**14, shard=SHARD)
"""Smaller chunks than those of the cells: a gene has a few thousand counts in a tile."""

POINTERS = "indptr"
TILES = "tiles"
DIGESTS = "file_digests"


@dataclass(frozen=True)
class TilePlan:
    """How a copy is cut: everything that must stay the same while it is made.

    Attributes
    ----------
    content
        Name of the cells it is made from.
    cells, genes
        Size of the matrix.
    rows_per_tile
        Rows of every tile but the last.
    tile_nonzeros
        Stored counts of each tile.
    geometry
        Sizes of chunks and shards.
    """

    content: str
    cells: int
    genes: int
    rows_per_tile: int
    tile_nonzeros: tuple[int, ...]
    geometry: Geometry

    @cached_property
    def first_shards(self) -> list[int]:
        """Number of the first shard of each tile, and behind them the number of all shards."""
        shards = [-(-nonzeros // self.geometry.shard) for nonzeros in self.tile_nonzeros]
        return [0, *np.cumsum(shards, dtype=np.int64).tolist()]

    def shards(self, tile: int) -> range:
        """Numbers of the shards of a tile."""
        return range(self.first_shards[tile], self.first_shards[tile + 1])

    def tile_of_shard(self, number: int) -> int:
        """The tile in which a shard lies."""
        return int(np.searchsorted(self.first_shards, number, side="right")) - 1

    def rows(self, tile: int) -> tuple[int, int]:
        """Rows of a tile: first, and last (excluded)."""
        return tile * self.rows_per_tile, min((tile + 1) * self.rows_per_tile, self.cells)

    def attributes(self) -> dict[str, Any]:
        """As kept on disk."""
        return asdict(self) | {"tile_nonzeros": list(self.tile_nonzeros)}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> TilePlan:
        """Read what :meth:`attributes` made."""
        return cls(
            content=str(attributes["content"]),
            cells=int(attributes["cells"]),
            genes=int(attributes["genes"]),
            rows_per_tile=int(attributes["rows_per_tile"]),
            tile_nonzeros=tuple(int(nonzeros) for nonzeros in attributes["tile_nonzeros"]),
            geometry=Geometry(**attributes["geometry"]),
        )


@dataclass(frozen=True)
class TileWriter:
    """Writes one tile in a task.

    Attributes
    ----------
    folder
        Of the copy.
    reader
        Reads a tile as one block of rows.
    plan
        How the copy is cut.
    """

    folder: str
    reader: RowReader
    plan: TilePlan

    def __call__(self, tile: int) -> None:
        """Read the rows, turn them, write the shards and then the record."""
        folder, plan = Path(self.folder), self.plan
        rows = self.reader(block_id=(tile, 0))
        genes = rows.tocsc()
        del rows
        pointers = genes.indptr.astype(COUNT_TYPE)
        digests: dict[str, list[str]] = {name: [] for name in COUNT_ARRAYS}
        for name, values in zip(COUNT_ARRAYS, (genes.data, genes.indices), strict=True):
            for place, number in enumerate(plan.shards(tile)):
                part = values[place * plan.geometry.shard : (place + 1) * plan.geometry.shard]
                file = shard_file(folder / name, number)
                digests[name].append(write_shard_file(file, part, chunk=plan.geometry.chunk, shard=plan.geometry.shard))
        digests[POINTERS] = [write_chunk_file(shard_file(folder / POINTERS, tile), pointers)]
        record = _record_file(folder, tile)
        partial = record.with_suffix(".partial")
        partial.write_text(json.dumps(digests), encoding="utf-8")
        partial.replace(record)


def write_gene_copy(store: StorePath) -> Path:
    """Write the counts of a store once more, gene by gene, so that :func:`~chemores_dask.read_genes` reads only what it is asked for.

    A copy that was cut short is gone on with, tile by tile; one that is there already is kept; one of other cells is replaced.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    Path of the store.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError, IncompleteStoreError
        As :func:`~chemores_dask.store.cells.open_cells`.
    StoreBusyError
        If another process writes into the store.
    ChecksumError
        If bytes on disk are not those that were written.
    BlockTooLargeError
        If not one tile fits into the budget.

    Notes
    -----
    Passes over the counts: 1. One task per tile of about 32 million stored counts (fewer within a small
    :func:`~chemores_dask.memory.memory_budget`), 16 bytes each; on the active ``distributed.Client`` or on threads.
    """
    check_complete(existing_root(store))
    with writing(store) as root:
        folder = root / GENE_COPY
        begun = _begun_plan(root)
        if begun is not None and is_complete_group(folder):
            return root
        plan = begun or _new_plan(root)
        plan_tasks(_tile_bytes(plan), caller="write_gene_copy", tasks=threads())
        if begun is None:
            _begin(folder, plan)
        matrix = str((root / CELLS / "X").absolute())
        reader = RowReader(matrix, plan.content, plan.rows_per_tile, plan.cells, plan.genes)
        writer = TileWriter(str(folder.absolute()), reader, plan)
        missing = [tile for tile in range(len(plan.tile_nonzeros)) if not _record_file(folder, tile).is_file()]
        tasks = [dask.delayed(writer, pure=False)(tile) for tile in missing]
        count(**{TASKS: len(tasks)})
        dask.compute(*tasks)
        _finish(folder, plan)
    return root


def gene_copy_plan(root: Path) -> TilePlan | None:
    """How the finished copy of the cells of a store is cut; None if there is none."""
    return _begun_plan(root) if is_complete_group(root / GENE_COPY) else None


def gene_copy_state(root: Path) -> str:
    """Tell what there is of a copy, for people: ``"none"``, ``"complete"``, ``"cut short"`` or ``"of other cells"``."""
    attributes = group_attributes(root / GENE_COPY)
    if attributes is None:
        return "none"
    if attributes.get("content") != _content(root):
        return "of other cells"
    return "complete" if attributes.get(COMPLETE) is True else "cut short"


def kept_digests(root: Path) -> dict[str, list[str]]:
    """What the bytes of every file of a finished copy were named when it was written, by array."""
    attributes = group_attributes(root / GENE_COPY) or {}
    return {str(name): [str(value) for value in digests] for name, digests in attributes[DIGESTS].items()}


def _begun_plan(root: Path) -> TilePlan | None:
    """How a copy of these cells is cut that is there, finished or not."""
    attributes = group_attributes(root / GENE_COPY) or {}
    if "rows_per_tile" not in attributes or attributes["content"] != _content(root):
        return None
    return TilePlan.from_attributes(attributes)


def _new_plan(root: Path) -> TilePlan:
    matrix = root / CELLS / "X"
    cells, genes = (group_attributes(matrix) or {})["shape"]
    pointers = read_pointers(matrix, 0, cells)
    size = fitting_rows(pointers, nonzeros=values_per_block(NONZEROS_PER_TILE))
    return TilePlan(_content(root), cells, genes, size, _tile_nonzeros(pointers, size), GENE_GEOMETRY)


def _tile_bytes(plan: TilePlan) -> int:
    # Read and turned; then one shard, and its chunks compressed.
    return TILE_BYTES * max(plan.tile_nonzeros, default=0) + 2 * COUNT_TYPE.itemsize * plan.geometry.shard


def _content(root: Path) -> str:
    return str((group_attributes(root / CELLS) or {}).get("content"))


def _tile_nonzeros(pointers: Vector, size: int) -> tuple[int, ...]:
    borders = pointers[np.append(np.arange(0, len(pointers) - 1, size), len(pointers) - 1)]
    return tuple(np.diff(borders).tolist())


def _begin(folder: Path, plan: TilePlan) -> None:
    erase(folder)
    group = zarr.create_group(folder, zarr_format=3)
    create_matrix(group, geometry=plan.geometry, shards=plan.first_shards[-1])
    group.create_array(
        POINTERS,
        shape=(len(plan.tile_nonzeros) * (plan.genes + 1),),
        chunks=(plan.genes + 1,),
        dtype=COUNT_TYPE,
        compressors=plain_codecs(),
        fill_value=0,
    )
    (folder / TILES).mkdir()
    group.attrs.update(plan.attributes())


def _finish(folder: Path, plan: TilePlan) -> None:
    records = [
        json.loads(_record_file(folder, tile).read_text(encoding="utf-8")) for tile in range(len(plan.tile_nonzeros))
    ]
    digests = {name: [value for record in records for value in record[name]] for name in (*COUNT_ARRAYS, POINTERS)}
    group = zarr.open_group(folder, mode="r+")
    group.attrs.update({DIGESTS: digests, COMPLETE: True})
    erase(folder / TILES)


def _record_file(folder: Path, tile: int) -> Path:
    return folder / TILES / f"{tile}.json"
