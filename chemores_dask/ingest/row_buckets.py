"""Bring entries into row order without holding them: a sort in two phases through temporary files.

Entries arrive in any order (column by column, or cells of several samples mixed). The first phase appends each to the
file of its range of rows; the second reads one range at a time. Memory holds one chunk, then one range; the disk
holds 12 bytes per entry.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.ingest.source import BlockLimit, cut_rows

ENTRY = np.dtype([("row", "<i4"), ("column", "<i4"), ("count", "<i4")])
MOST_BUCKETS = 4096

Entries = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows_from_entries(
    entries: Iterable[Entries], *, shape: tuple[int, int], nonzeros: int | None, limit: BlockLimit, scratch: Path
) -> Iterator[Block]:
    """Sort entries by row through temporary files.

    Parameters
    ----------
    entries
        Chunks of row numbers, column numbers and counts (int32), in any order.
    shape
        Rows and columns of the whole matrix.
    nonzeros
        Number of entries where known; ranges of rows are chosen so that one holds about ``limit.nonzeros``.
    limit
        How large a block may be.
    scratch
        Where the temporary folder is made; it is removed at the end.

    Yields
    ------
    Blocks of whole rows, in order.
    """
    rows, columns = shape
    per_bucket = _rows_per_bucket(rows, nonzeros, limit)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="ingest-") as folder:
        for chunk in entries:
            _spill(chunk, per_bucket, Path(folder))
        for number, start in enumerate(range(0, rows, per_bucket)):
            stop = min(start + per_bucket, rows)
            yield from cut_rows(_read_bucket(Path(folder) / str(number), (stop - start, columns)), limit)


def reordered_rows(
    blocks: Iterable[Block],
    destination: np.ndarray,
    *,
    columns: int,
    nonzeros: int | None,
    limit: BlockLimit,
    scratch: Path,
) -> Iterator[Block]:
    """Bring rows into another order.

    Parameters
    ----------
    blocks
        Blocks of whole rows.
    destination
        For each incoming row, its place in the outgoing order.
    columns
        Width of the matrix.
    nonzeros
        Number of entries where known.
    limit
        How large an outgoing block may be.
    scratch
        Where temporary files are made.

    Yields
    ------
    Blocks of whole rows in the new order.
    """

    def entries() -> Iterator[Entries]:
        first = 0
        for block in blocks:
            places = destination[first : first + block.shape[0]]
            first += block.shape[0]
            yield np.repeat(places, np.diff(block.indptr)), block.indices, block.data

    return rows_from_entries(
        entries(), shape=(len(destination), columns), nonzeros=nonzeros, limit=limit, scratch=scratch
    )


def _rows_per_bucket(rows: int, nonzeros: int | None, limit: BlockLimit) -> int:
    fitting = limit.rows if not nonzeros else max(1, int(limit.nonzeros * rows / nonzeros))
    return max(1, min(limit.rows, fitting), -(-rows // MOST_BUCKETS))


def _spill(chunk: Entries, per_bucket: int, folder: Path) -> None:
    rows, columns, counts = chunk
    if len(rows) == 0:
        return
    bucket = (rows // per_bucket).astype(np.int16)
    order = np.argsort(bucket, kind="stable")
    record = np.empty(len(rows), dtype=ENTRY)
    record["row"] = (rows % per_bucket)[order]
    record["column"] = columns[order]
    record["count"] = counts[order]
    numbers, starts = np.unique(bucket[order], return_index=True)
    for number, part in zip(numbers, np.split(record, starts[1:]), strict=True):
        with (folder / str(number)).open("ab") as file:
            file.write(part.tobytes())


def _read_bucket(path: Path, shape: tuple[int, int]) -> Block:
    record = np.fromfile(path, dtype=ENTRY) if path.exists() else np.empty(0, dtype=ENTRY)
    order = np.argsort(record["row"], kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(record["row"], minlength=shape[0]))])
    return sp.csr_matrix((record["count"][order], record["column"][order], offsets), shape=shape)
