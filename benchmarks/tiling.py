"""A store of many cells in little room: the same whole shards, linked under further numbers.

The last rows of the source are cut so that its counts fill whole shards exactly; then every tile is the same shards again, with cells,
samples and patients of their own. Readers cannot tell such a store from a real one, and its files are read as often as those of a
real one would be; only the disk holds them once.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from chemores_dask import open_cells
from chemores_dask.randomness import cell_keys
from chemores_dask.store import ledger
from chemores_dask.store.cells_tables import CELL_KEY, finish_cells
from chemores_dask.store.layout import CELLS, LEDGER, require_group, writable_root
from chemores_dask.store.sharded_csr import COUNT_ARRAYS, ShardChecksums, create_matrix, read_pointers, shard_file

GIVEN_ANEW = ("sample", "patient")
"""Columns of cells whose values differ between tiles."""


def tile_store(source: Path, target: Path, *, tiles: int) -> int:
    """Write a store of ``tiles`` times the cells of another (less the few behind its last whole shard).

    Parameters
    ----------
    source
        A store with at least one whole shard.
    target
        Path of the new one, on the same disk.
    tiles
        How often the shards of the source are used.

    Returns
    -------
    Number of cells.
    """
    header = ledger.read_header(source)
    if header is None:
        message = f"{str(source)!r} has no ledger."
        raise ValueError(message)
    opened = open_cells(source)
    shards, nonzeros = _whole_rows(read_pointers(source / CELLS / "X", 0, opened.n_obs), header.geometry.shard)
    root = writable_root(target)
    ledger.start_ledger(root, header)
    require_group(root / CELLS)
    matrix = require_group(root / CELLS / "X")
    create_matrix(matrix, geometry=header.geometry, shards=tiles * shards)
    for name in COUNT_ARRAYS:
        _link(source / CELLS / "X" / name, root / CELLS / "X" / name, shards=shards, tiles=tiles)
    kept = sorted(ledger.read_checksums(source / LEDGER), key=lambda each: each.number)[:shards]
    finish_cells(
        root,
        header,
        row_nonzeros=np.tile(nonzeros, tiles),
        shards=[
            ShardChecksums(tile * shards + each.number, each.data, each.indices)
            for tile in range(tiles)
            for each in kept
        ],
        sources=[],
        obs=_tiled_cells(opened.obs.iloc[: len(nonzeros)], tiles),
        var=opened.var,
        uns={},
    )
    return tiles * len(nonzeros)


def stored_counts(store: Path) -> int:
    """Stored counts of the cells of a store."""
    described = json.loads((store / CELLS / "zarr.json").read_text())
    return int(described["attributes"]["nonzeros"])


def _whole_rows(pointers: np.ndarray, shard: int) -> tuple[int, np.ndarray]:
    shards = int(pointers[-1]) // shard
    if shards < 1:
        message = "A store must have at least one whole shard to be tiled. Use more cells."
        raise ValueError(message)
    rows = int(np.searchsorted(pointers, shards * shard))
    cut = np.minimum(pointers[: rows + 1], shards * shard)
    return shards, np.diff(cut)


def _link(source: Path, target: Path, *, shards: int, tiles: int) -> None:
    for tile in range(tiles):
        for number in range(shards):
            file = shard_file(target, tile * shards + number)
            file.parent.mkdir(parents=True, exist_ok=True)
            os.link(shard_file(source, number), file)


def _tiled_cells(obs: pd.DataFrame, tiles: int) -> pd.DataFrame:
    names = np.asarray(obs.index, dtype=object)
    tables = []
    for tile in range(tiles):
        table = obs.copy()
        table.index = pd.Index([f"{tile}-{name}" for name in names], dtype=object)
        for column in GIVEN_ANEW:
            if column in table:
                table[column] = pd.Categorical(table[column]).rename_categories(
                    lambda value, tile=tile: f"{tile}-{value}"
                )
        if CELL_KEY in table:
            table[CELL_KEY] = cell_keys(table.index)
        tables.append(table)
    joined = pd.concat(tables)
    for column in GIVEN_ANEW:
        if column in joined:
            joined[column] = joined[column].astype("category")
    return joined
