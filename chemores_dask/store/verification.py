"""Every shard of the cells read again and held against the checksums kept when it was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np

from chemores_dask.aliases import StorePath
from chemores_dask.store.cells import check_complete
from chemores_dask.store.gene_copy import POINTERS, gene_copy_plan, kept_digests
from chemores_dask.store.layout import CELLS, GENE_COPY, LEDGER, existing_root
from chemores_dask.store.ledger import read_checksums
from chemores_dask.store.raw_counts import COUNT_TYPE
from chemores_dask.store.shard_encoder import file_digest
from chemores_dask.store.sharded_csr import (
    COUNT_ARRAYS,
    UNREADABLE,
    ShardChecksums,
    cells_of_shard,
    checksum,
    is_lost,
    read_values,
    samples_of,
    shard_file,
    shard_size,
    shard_window,
)


@dataclass(frozen=True)
class ShardDamage:
    """A shard that is not as it was written.

    Attributes
    ----------
    file
        Its path.
    array
        ``"data"`` (counts) or ``"indices"`` (genes).
    number
        Of the shard.
    reason
        What is wrong.
    first_cell, last_cell
        Rows that have counts in it, the last one excluded.
    samples
        Samples of those cells, in order; empty if the table of cells has no column ``sample``.
    """

    file: Path
    array: str
    number: int
    reason: str
    first_cell: int
    last_cell: int
    samples: tuple[str, ...]


def verify_cells(store: StorePath) -> list[ShardDamage]:
    """Read every shard of the cells again, and name those that are not as they were written.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    One entry per damaged shard, in order; empty if all is well.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError, IncompleteStoreError
        As :func:`~chemores_dask.store.cells.open_cells`.

    Notes
    -----
    Passes over the counts: 1. One task per shard, on the active ``distributed.Client`` or on threads.
    """
    root = existing_root(store)
    check_complete(root)
    matrix = root / CELLS / "X"
    recorded = read_checksums(root / LEDGER)
    tasks = [dask.delayed(_shard_reasons, pure=False)(str(matrix.absolute()), shard) for shard in recorded]
    reasons = dask.compute(*tasks)
    damaged = []
    for shard, found in zip(recorded, reasons, strict=True):
        for array, reason in zip(COUNT_ARRAYS, found, strict=True):
            if reason:
                first, last, samples = cells_of_shard(root / CELLS, shard.number)
                file = shard_file(matrix / array, shard.number)
                damaged.append(ShardDamage(file, array, shard.number, reason, first, last, samples))
    return damaged


def damaged_gene_files(store: StorePath) -> list[ShardDamage]:
    """Read every file of the copy of the counts by gene again, and name those that are not as they were written.

    Parameters
    ----------
    store
        Path of the store.

    Returns
    -------
    One entry per damaged file, in order; empty if all is well, or if there is no finished copy of the cells.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError, IncompleteStoreError
        As :func:`~chemores_dask.store.cells.open_cells`.

    Notes
    -----
    Passes over the counts: 1, without decoding them.
    """
    root = existing_root(store)
    check_complete(root)
    plan = gene_copy_plan(root)
    if plan is None:
        return []
    folder = root / GENE_COPY
    files = [
        (name, number, kept) for name, digests in kept_digests(root).items() for number, kept in enumerate(digests)
    ]
    tasks = [dask.delayed(_file_reason, pure=False)(str(shard_file(folder / name, n)), kept) for name, n, kept in files]
    damaged = []
    for (name, number, _), reason in zip(files, dask.compute(*tasks), strict=True):
        if reason:
            first, last = plan.rows(number if name == POINTERS else plan.tile_of_shard(number))
            file = shard_file(folder / name, number)
            damaged.append(ShardDamage(file, name, number, reason, first, last, samples_of(root / CELLS, first, last)))
    return damaged


def _file_reason(file: str, kept: str) -> str:
    if is_lost(Path(file)):
        return "is missing or empty"
    return "" if file_digest(Path(file)) == kept else "holds other bytes than were written"


def _shard_reasons(matrix: str, shard: ShardChecksums) -> list[str]:
    expected = {"data": shard.data, "indices": shard.indices}
    return [_shard_reason(Path(matrix) / name, shard.number, expected[name]) for name in COUNT_ARRAYS]


def _shard_reason(folder: Path, number: int, expected: int) -> str:
    if is_lost(shard_file(folder, number)):
        return "is missing or empty"
    try:
        found = read_values(folder, *shard_window(folder, number))
    except UNREADABLE as error:
        return f"fails the checksum of a chunk ({error})"
    whole = np.zeros(shard_size(folder), dtype=COUNT_TYPE)
    whole[: len(found)] = found
    return "" if checksum(whole) == expected else "holds other counts than were written"
