"""The counts of an exported AnnData, written slab by slab: an HDF5 group or a zarr group, both ``csr_matrix`` as AnnData knows it.

Slabs are prepared by two threads (compressed for HDF5, written as whole shards for zarr) and put in their places in order, so the file does
not depend on which thread was faster.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr

from chemores_dask.aliases import Block, Vector
from chemores_dask.memory import plan_tasks, values_per_block
from chemores_dask.store.layout import DEFAULT_GEOMETRY, Geometry
from chemores_dask.store.raw_counts import COUNT_TYPE
from chemores_dask.store.sharded_csr import COUNT_ARRAYS, create_matrix, finish_matrix, read_rows, write_shard

COMPRESSIONS = ("none", "lzf", "gzip")
H5_CHUNK = 2**16
"""Counts in one chunk of a compressed HDF5 array."""

H5_SLAB = 2**20
NONZEROS_READ = 2**23
"""Counts read from the store at a time."""

GZIP_LEVEL = 1
WORKERS = 2

WINDOW_BYTES = 3 * 8 + 8
"""For each count of a window: one is written, two are read ahead, and choosing rows makes another."""

SLAB_BYTES = (WORKERS + 2) * 8 + WORKERS * 8
"""For each count of a slab: some are compressed and written, one waits, one is filled."""

CSR_ATTRIBUTES = {"encoding-type": "csr_matrix", "encoding-version": "0.1.0"}

Slab = tuple[Vector, Vector]


def kept_rows(folder: Path, pointers: Vector, kept: Vector, *, genes: int) -> Iterator[Block]:
    """Read the kept rows of a stored matrix in windows, the next one while the caller is busy with the last.

    Parameters
    ----------
    folder
        Of the matrix.
    pointers
        Of all its rows.
    kept
        For each row, whether it is wanted.
    genes
        Columns.

    Yields
    ------
    Blocks of the kept rows, in order.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written.
    BlockTooLargeError
        If a window and the slabs in work do not fit into the budget.
    """
    windows = list(_windows(pointers, kept, values_per_block(NONZEROS_READ)))
    largest = max((int(pointers[last] - pointers[first]) for first, last in windows), default=0)
    slab = min(DEFAULT_GEOMETRY.shard, int(pointers[-1]))
    plan_tasks(SLAB_BYTES * slab + WINDOW_BYTES * largest, caller="export_cells", tasks=1)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="export-reader") as reader:
        ahead: list[Future[Block]] = []
        for first, last in windows:
            ahead.append(reader.submit(_read_kept, folder, first, last, kept=kept[first:last], genes=genes))
            if len(ahead) > 1:
                yield ahead.pop(0).result()
        for block in ahead:
            yield block.result()


def _windows(pointers: Vector, kept: Vector, nonzeros: int) -> Iterator[tuple[int, int]]:
    """Runs of rows that begin and end with a kept one, cut where they hold enough; rows in long gaps are not read."""
    wanted = np.flatnonzero(kept)
    if not len(wanted):
        return
    gaps = np.flatnonzero(pointers[wanted[1:]] - pointers[wanted[:-1] + 1] > H5_SLAB)
    for run in np.split(wanted, gaps + 1):
        first, end = int(run[0]), int(run[-1]) + 1
        while first < end:
            fitting = int(np.searchsorted(pointers, pointers[first] + nonzeros, side="right")) - 1
            last = max(first + 1, min(fitting, end))
            yield first, last
            first = last


def _read_kept(folder: Path, first: int, last: int, *, kept: Vector, genes: int) -> Block:
    block = read_rows(folder, first, last, genes=genes)
    return block if kept.all() else block[np.flatnonzero(kept)]


def write_h5_matrix(
    file: h5py.File, blocks: Iterable[Block], *, row_nonzeros: Vector, genes: int, compression: str
) -> None:
    """Write counts as ``X`` of an ``.h5ad``.

    Parameters
    ----------
    file
        Open for writing.
    blocks
        Rows in order, int32.
    row_nonzeros
        Stored counts of each row.
    genes
        Columns.
    compression
        One of ``COMPRESSIONS``; with ``"gzip"`` chunks are compressed by threads of our own, HDF5 knows one only.
    """
    total = int(row_nonzeros.sum())
    group = file.create_group("X")
    chunked: dict[str, Any] = {}
    if compression != "none":
        options = {"compression_opts": GZIP_LEVEL} if compression == "gzip" else {}
        # Without a maximum HDF5 takes no chunk that is larger than the array.
        layout = {"chunks": (H5_CHUNK,), "maxshape": (None,)}
        chunked = {**layout, "compression": compression, "shuffle": True, **options}
    arrays = [group.create_dataset(name, shape=(total,), dtype=COUNT_TYPE, **chunked) for name in COUNT_ARRAYS]

    def place(number: int, prepared: tuple[Any, Any]) -> None:
        for array, part in zip(arrays, prepared, strict=True):
            if compression == "gzip":
                for position, chunk in enumerate(part):
                    array.id.write_direct_chunk((number * H5_SLAB + position * H5_CHUNK,), chunk)
            else:
                array[number * H5_SLAB : number * H5_SLAB + len(part)] = part

    prepare = _deflated if compression == "gzip" else _as_it_is
    _write_slabs(blocks, size=H5_SLAB, prepare=prepare, place=place)
    group["indptr"] = np.concatenate([[0], np.cumsum(row_nonzeros, dtype=np.int64)])
    group.attrs.update({**CSR_ATTRIBUTES, "shape": np.array([len(row_nonzeros), genes], dtype=np.int64)})


def write_zarr_matrix(
    group: zarr.Group,
    folder: Path,
    blocks: Iterable[Block],
    *,
    row_nonzeros: Vector,
    genes: int,
    geometry: Geometry = DEFAULT_GEOMETRY,
) -> None:
    """Write counts as a sharded matrix of a zarr group.

    Parameters
    ----------
    group, folder
        The group, and where it lies.
    blocks
        Rows in order, int32.
    row_nonzeros
        Stored counts of each row.
    genes
        Columns.
    geometry
        Sizes of chunks and shards.
    """
    shards = max(-(-int(row_nonzeros.sum()) // geometry.shard), 1)
    create_matrix(group, geometry=geometry, shards=shards)

    def prepare(number: int, slab: Slab) -> None:
        write_shard(folder, number=number, data=slab[0], indices=slab[1])

    _write_slabs(blocks, size=geometry.shard, prepare=prepare, place=lambda number, written: None)
    finish_matrix(folder, row_nonzeros=row_nonzeros, genes=genes)


def _write_slabs(
    blocks: Iterable[Block], *, size: int, prepare: Callable[[int, Slab], Any], place: Callable[[int, Any], None]
) -> None:
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="export-writer") as pool:
        pending: list[tuple[int, Future[Any]]] = []
        try:
            for number, slab in enumerate(_slabs(blocks, size)):
                pending.append((number, pool.submit(prepare, number, slab)))
                if len(pending) > WORKERS:
                    first, done = pending.pop(0)
                    place(first, done.result())
            for first, done in pending:
                place(first, done.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _slabs(blocks: Iterable[Block], size: int) -> Iterator[Slab]:
    """Cut the counts of blocks into pieces of one size; the last may be shorter."""
    slab = np.empty(size, dtype=COUNT_TYPE), np.empty(size, dtype=COUNT_TYPE)
    filled = 0
    for block in blocks:
        done = 0
        while done < block.nnz:
            take = min(block.nnz - done, size - filled)
            for target, values in zip(slab, (block.data, block.indices), strict=True):
                target[filled : filled + take] = values[done : done + take]
            done, filled = done + take, filled + take
            if filled == size:
                yield slab
                slab, filled = (np.empty(size, dtype=COUNT_TYPE), np.empty(size, dtype=COUNT_TYPE)), 0
    if filled:
        yield slab[0][:filled], slab[1][:filled]


def _as_it_is(number: int, slab: Slab) -> Slab:
    del number
    return slab


def _deflated(number: int, slab: Slab) -> tuple[list[bytes], list[bytes]]:
    """Compress the chunks of a slab the way HDF5 does: bytes of one place value together, then deflate; the last chunk is filled up."""
    del number
    return _deflated_array(slab[0]), _deflated_array(slab[1])


def _deflated_array(values: Vector) -> list[bytes]:
    chunks = []
    for first in range(0, len(values), H5_CHUNK):
        chunk = np.zeros(H5_CHUNK, dtype="<i4")
        part = values[first : first + H5_CHUNK]
        chunk[: len(part)] = part
        shuffled = np.ascontiguousarray(chunk.view(np.uint8).reshape(-1, COUNT_TYPE.itemsize).T)
        chunks.append(zlib.compress(shuffled.data, GZIP_LEVEL))
    return chunks
