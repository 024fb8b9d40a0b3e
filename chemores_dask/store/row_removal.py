"""The cells of a store without some rows: shards before the first of them stay, every other one is written anew by a task of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from anndata.io import read_elem

from chemores_dask.aliases import Vector
from chemores_dask.checks import listed
from chemores_dask.errors import StoreError
from chemores_dask.store import ledger, revision
from chemores_dask.store.cells_tables import EMPTY_PARTS, finish_cells
from chemores_dask.store.layout import CELLS, LEDGER, Geometry, require_group
from chemores_dask.store.raw_counts import COUNT_TYPE
from chemores_dask.store.sharded_csr import (
    COUNT_ARRAYS,
    POINTER_TYPE,
    ShardChecksums,
    create_matrix,
    read_pointers,
    read_window,
    shard_file,
    write_shard,
)

MOST_THREADS = 4
"""Shards written at once: each holds about six times its size."""

NULLABLE = {"boolean": np.dtype(bool), "Int64": np.dtype(np.int64)}
"""Types of columns with gaps, and those without."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Rewritten:
    """What became of the shards.

    Attributes
    ----------
    shards_kept, shards_written
        Of the new matrix.
    """

    shards_kept: int = 0
    shards_written: int = 0


@dataclass(frozen=True)
class KeptRows:
    """Where the counts of the rows that stay lie, before and after.

    Attributes
    ----------
    folder
        Of the present matrix.
    pointers
        Of all present rows.
    kept
        Which rows stay.
    """

    folder: Path
    pointers: Vector
    kept: Vector

    @property
    def row_nonzeros(self) -> Vector:
        """Stored counts of each row that stays."""
        return np.asarray(np.diff(self.pointers)[self.kept])

    def new_pointers(self) -> Vector:
        """Of all present rows, in the new matrix; rows that go hold nothing there."""
        moved = np.zeros(len(self.pointers), dtype=POINTER_TYPE)
        np.cumsum(np.where(self.kept, np.diff(self.pointers), 0), out=moved[1:])
        return moved

    def read(self, start: int, stop: int, *, moved: Vector, step: int) -> tuple[Vector, Vector]:
        """Read the counts and columns that lie at some positions of the new matrix, a piece of the present one at a time."""
        data, indices = np.empty(stop - start, dtype=COUNT_TYPE), np.empty(stop - start, dtype=COUNT_TYPE)
        first = int(np.searchsorted(moved, start, side="right")) - 1
        last = int(np.searchsorted(moved, stop, side="left"))
        low = int(self.pointers[first] + start - moved[first])
        high = int(self.pointers[last - 1] + stop - moved[last - 1])
        done = 0
        for piece in range(low // step, -(-high // step)):
            left, right = max(low, piece * step), min(high, (piece + 1) * step)
            chosen = self._chosen(left, right)
            if not chosen.any():
                continue
            found = read_window(self.folder, left, right)
            size = int(chosen.sum())
            for target, values in zip((data, indices), found, strict=True):
                target[done : done + size] = values if size == len(values) else values[chosen]
            done += size
        return data, indices

    def _chosen(self, left: int, right: int) -> Vector:
        first = int(np.searchsorted(self.pointers, left, side="right")) - 1
        last = int(np.searchsorted(self.pointers, right, side="left"))
        borders = np.clip(self.pointers[first : last + 1], left, right)
        return np.repeat(self.kept[first:last], np.diff(borders))


def remove_rows(
    root: Path,
    kept: Vector,
    *,
    obs: pd.DataFrame,
    uns: Mapping[str, Any],
    sources: Sequence[ledger.SourceEntry],
    progress: Progress | None = None,
) -> Rewritten:
    """Write the cells and the ledger without some rows, in the folder of the revision.

    Parameters
    ----------
    root
        Of the store.
    kept
        Which rows stay; at least one does, and one does not.
    obs
        Table of the cells that stay.
    uns
        Unstructured annotation as it shall be.
    sources
        Records of the sources as they shall be.
    progress
        Called with the number of shards written and to be written.

    Returns
    -------
    What became of the shards.

    Raises
    ------
    StoreError
        If there are parts in the AnnData that a store does not keep.
    ChecksumError
        If a shard that is read is damaged, or one that was written does not read back.

    Notes
    -----
    Passes over the counts: the share of them that lies behind the first row that goes.
    """
    new = revision.new_folder(root)
    group = zarr.open_group(root / CELLS, mode="r")
    check_parts(group)
    var = pd.DataFrame(read_elem(group["var"]))
    begun = ledger.read_header(root)
    if begun is None:
        message = f"The cells of a store have a ledger. {str(root / LEDGER)!r} is damaged; restore it from a backup."
        raise StoreError(message)
    rows = KeptRows(root / CELLS / "X", read_pointers(root / CELLS / "X", 0, len(kept)), kept)
    ledger.start_ledger(new, begun)
    require_group(new / CELLS)
    total = int(rows.row_nonzeros.sum())
    size = begun.geometry.shard
    shards = -(-total // size)
    create_matrix(require_group(new / CELLS / "X"), geometry=begun.geometry, shards=max(shards, 1))
    first_gone = int(rows.pointers[np.argmin(kept)])
    staying = min(first_gone // size, shards)
    sums = link_shards(root, staying)
    written = _write_shards(rows, new / CELLS / "X", range(staying, shards), geometry=begun.geometry, progress=progress)
    finish_cells(
        new,
        begun,
        row_nonzeros=rows.row_nonzeros,
        shards=[*sums, *written],
        sources=sources,
        obs=obs,
        var=var,
        uns=uns,
    )
    return Rewritten(staying, len(written))


def link_shards(root: Path, number: int) -> list[ShardChecksums]:
    """Give the first shards of a store their places in its revision; returns their checksums."""
    new = revision.new_folder(root)
    for name in COUNT_ARRAYS:
        for shard in range(number):
            present, later = (shard_file(place / CELLS / "X" / name, shard) for place in (root, new))
            revision.link_or_copy(present, later)
    sums = sorted(ledger.read_checksums(root / LEDGER), key=lambda each: each.number)
    return sums[:number]


def cut_table(obs: pd.DataFrame, kept: Vector) -> pd.DataFrame:
    """Some rows of a table of cells, as if the others had never been there: no category without a cell, plain types where gaps are gone."""
    cut = obs[kept].copy()
    for name in cut.columns:
        column = cut[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            cut[name] = column.cat.remove_unused_categories()
        elif str(column.dtype) in NULLABLE and not column.isna().any():
            cut[name] = column.astype(NULLABLE[str(column.dtype)])
    return cut


def cut_sources(
    sources: Sequence[ledger.SourceEntry], rows: KeptRows, *, changed: Callable[[ledger.SourceEntry], dict[str, Any]]
) -> list[ledger.SourceEntry]:
    """Records of the sources without some rows; a source that has none left goes.

    Parameters
    ----------
    sources
        In order.
    rows
        Which stay.
    changed
        Gives the record of a source that lost some of its rows; its numbers are those that it has now.

    Returns
    -------
    The sources that stay.
    """
    moved = rows.new_pointers()
    result: list[ledger.SourceEntry] = []
    first = 0
    for entry in sources:
        stop = entry.first_row + entry.rows
        left = int(rows.kept[entry.first_row : stop].sum())
        if left or not entry.rows:
            fresh = replace(entry, first_row=first, rows=left, nonzeros=int(moved[stop]))
            result.append(fresh if left == entry.rows else replace(fresh, record=changed(entry)))
            first += left
    return result


def _write_shards(
    rows: KeptRows, target: Path, numbers: range, *, geometry: Geometry, progress: Progress | None
) -> list[ShardChecksums]:
    moved = rows.new_pointers()
    total = int(moved[-1])

    def write(number: int) -> ShardChecksums:
        start, stop = number * geometry.shard, min((number + 1) * geometry.shard, total)
        data, indices = rows.read(start, stop, moved=moved, step=geometry.shard)
        return write_shard(target, number=number, data=data, indices=indices)

    written = []
    with ThreadPoolExecutor(max_workers=min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        for sums in threads.map(write, numbers):
            written.append(sums)
            if progress is not None:
                progress(len(written), len(numbers))
    return written


def check_parts(group: zarr.Group) -> None:
    """Refuse cells with parts that a store does not keep.

    Raises
    ------
    StoreError
        Naming them.
    """
    parts = [(name, group[name]) for name in EMPTY_PARTS if name in group]
    held = [f"{name}/{key}" for name, part in parts if isinstance(part, zarr.Group) for key in part]
    if "raw" in group:
        held.append("raw")
    if held:
        message = (
            f"A store keeps X, obs, var and uns of an AnnData. Something else wrote {listed(held)} into {str(group.store_path)!r}; "
            "remove it there, what is derived belongs into results."
        )
        raise StoreError(message)
