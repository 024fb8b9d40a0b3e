"""Cells written as a stream: rows go in source by source, whole shards come out, and a killed writer goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import StorePath, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import GeneMismatchError, InputError, StoreError
from chemores_dask.provenance import canonical_json
from chemores_dask.randomness import cell_keys
from chemores_dask.store import ledger
from chemores_dask.store.cells_tables import CELL_KEY, check_unwritten, finish_cells, joined_obs, storable_table
from chemores_dask.store.layout import (
    CELLS,
    DEFAULT_GEOMETRY,
    LEDGER,
    Geometry,
    erase,
    group_attributes,
    require_group,
    writable_root,
)
from chemores_dask.store.raw_counts import COUNT_TYPE, canonical_counts
from chemores_dask.store.sharded_csr import ShardChecksums, create_matrix, grow_matrix, write_shard

SHARDS_AT_ONCE = 2


class CellsWriter:
    """Writes cells that arrive as a stream of row blocks; made by :meth:`open`.

    One source (a file, a sample) after the other: :meth:`append` its rows, then :meth:`finish_source`. What a finished source holds is
    durable: after a crash :meth:`open` goes on behind it, and the finished store is the same bit for bit. Shards are written by two
    threads of the writer, while the caller reads on. One writer at a time may be open on a store.

    Examples
    --------
    >>> import tempfile, pandas as pd, scipy.sparse as sp
    >>> from chemores_dask.store.cells import CellsWriter, open_cells
    >>> folder = tempfile.TemporaryDirectory()
    >>> genes = pd.DataFrame(index=["CD44", "KLF2", "MCL1"])
    >>> with CellsWriter.open(folder.name + "/cohort.zarr", genes) as writer:
    ...     writer.append(sp.csr_matrix([[0, 2, 1], [3, 0, 0]]), pd.DataFrame({"sample": "a"}, index=["a:1", "a:2"]))
    ...     writer.finish_source("a", {"file": "a.h5"})
    ...     path = writer.close()
    >>> open_cells(path).X.compute().toarray()
    array([[0, 2, 1],
           [3, 0, 0]], dtype=int32)
    >>> folder.cleanup()
    """

    def __init__(self, root: Path, genes: pd.DataFrame, header: ledger.Header) -> None:
        self._root = root
        self._genes = genes
        self._header = header
        self._matrix = root / CELLS / "X"
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=SHARDS_AT_ONCE, thread_name_prefix="shard-writer")
        self._pending: list[Future[ShardChecksums]] = []
        self._buffers = self._new_buffers()
        self._filled = 0
        self._sources = ledger.read_sources(root)
        self._shards: list[ShardChecksums] = []
        self._known_keys = np.empty(0, dtype=np.uint64)
        self._first_row = sum(entry.rows for entry in self._sources)
        self._nonzeros = self._sources[-1].nonzeros if self._sources else 0
        self._restore()
        self._shard_number = len(self._shards)
        self._room = self._shard_number + 1
        grow_matrix(self._matrix, shards=self._room)
        self._begin_source()

    @classmethod
    def open(cls, store: StorePath, genes: pd.DataFrame, *, geometry: Geometry = DEFAULT_GEOMETRY) -> Self:
        """Begin the cells of a store, or go on with cells whose writing was cut short.

        Parameters
        ----------
        store
            Path of the store; made if it is not there.
        genes
            One row per column of the counts, with unique names as index.
        geometry
            Sizes of chunks and shards.

        Returns
        -------
        The writer; its ``finished_sources`` need not be read again.

        Raises
        ------
        StoreError
            If the store holds finished cells already.
        GeneMismatchError
            If the unfinished cells have other genes.
        InputError
            If names of genes are not unique.
        """
        root = writable_root(store)
        table = storable_table(genes, what="genes")
        header = ledger.Header(geometry, len(table), ledger.genes_checksum(table))
        cells = root / CELLS
        check_unwritten(root)
        begun = ledger.read_header(root)
        if begun is None:
            erase(cells)
            ledger.start_ledger(root, header)
        else:
            _check_same(begun, header, root)
        if group_attributes(cells / "X") is None or not (cells / "X" / "indices" / "zarr.json").is_file():
            require_group(cells)
            create_matrix(require_group(cells / "X"), geometry=geometry, shards=1)
        return cls(root, table, header)

    @property
    def finished_sources(self) -> dict[str, dict[str, Any]]:
        """Records of the sources that need not be read again, by key."""
        return {entry.key: dict(entry.record) for entry in self._sources}

    @property
    def cells(self) -> int:
        """Cells appended so far, those of finished sources included."""
        return self._first_row + self._rows

    def append(self, counts: sp.csr_matrix, obs: pd.DataFrame) -> None:
        """Add rows of the current source.

        Parameters
        ----------
        counts
            Raw counts, one column per gene of the store.
        obs
            One row per row of ``counts``; its index holds the names of the cells.

        Raises
        ------
        CountsError
            If values are not raw counts.
        InputError
            If ``counts``, ``obs`` and the genes do not fit together, or names of cells repeat.
        """
        self._check_open()
        rows, genes = counts.shape
        if genes != self._header.genes or rows != len(obs):
            message = (
                "Appended rows must fit the genes of the store and their own table. "
                f"Got counts of {rows:,} cells x {genes:,} genes, a table of {len(obs):,} cells, {self._header.genes:,} genes in the store."
            )
            raise InputError(message)
        table = storable_table(obs, what="cells")
        block = canonical_counts(counts)
        self._tables.append(table)
        self._row_nonzeros.append(np.diff(block.indptr).astype(np.int32))
        self._rows += rows
        self._push(block.data, block.indices)

    def finish_source(self, key: str, record: Mapping[str, Any]) -> None:
        """Make everything up to here durable; the source is not read again.

        Parameters
        ----------
        key
            Names the source, unique in the store.
        record
            Plain values to keep for the report.

        Raises
        ------
        InputError
            If the key was used before, or names of cells repeat in the store.
        ChecksumError
            If a shard did not read back as it was written.
        """
        self._check_open()
        if key in self.finished_sources:
            message = (
                f"Sources must have keys of their own. {key!r} was finished before; skip what is in finished_sources."
            )
            raise InputError(message)
        canonical_json(record)
        obs = joined_obs(self._tables)
        keys = self._check_names(obs)
        self._drain()
        entry = ledger.SourceEntry(key, dict(record), self._first_row, self._rows, self._nonzeros)
        tail = (self._buffers[0][: self._filled].copy(), self._buffers[1][: self._filled].copy())
        nonzeros = np.concatenate([np.empty(0, dtype=np.int32), *self._row_nonzeros])
        ledger.write_source(
            self._root,
            entry,
            number=len(self._sources),
            obs=obs,
            row_nonzeros=nonzeros,
            shards=self._new_shards,
            tail=tail,
        )
        self._sources.append(entry)
        self._known_keys = np.concatenate([self._known_keys, keys])
        self._first_row += self._rows
        self._shards += self._new_shards
        self._begin_source()

    def close(self, uns: Mapping[str, Any] | None = None) -> Path:
        """Write the tables of cells and genes and the pointers, then mark the cells complete.

        Parameters
        ----------
        uns
            Unstructured annotation for the AnnData: plain values, arrays, mappings.

        Returns
        -------
        Path of the store.

        Raises
        ------
        InputError
            If rows were appended after the last finished source.
        """
        self._check_open()
        if self._rows:
            message = f"The last source must be finished before closing. {self._rows:,} rows came after it; call finish_source."
            raise InputError(message)
        if self._filled:
            self._submit(self._shard_number)
        self._drain()
        shards = [*self._shards, *self._new_shards]
        numbers = range(len(self._sources))
        obs = joined_obs([ledger.read_source_obs(self._root, number) for number in numbers])
        obs[CELL_KEY] = self._known_keys
        nonzeros = [ledger.read_source_vector(self._root, number, "row_nonzeros") for number in numbers]
        finish_cells(
            self._root,
            self._header,
            row_nonzeros=np.concatenate([np.empty(0, dtype=np.int32), *nonzeros]),
            shards=shards,
            sources=ledger.with_earlier(self._sources),
            obs=obs,
            var=self._genes,
            uns=uns or {},
        )
        erase(self._root / LEDGER / ledger.SOURCES)
        self._closed = True
        self._thread.shutdown()
        return self._root

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread that writes; unfinished cells stay unfinished, and can be gone on with."""
        self._closed = True
        self._thread.shutdown()

    def _restore(self) -> None:
        """Take up what finished sources left."""
        for number in range(len(self._sources)):
            self._shards += ledger.read_source_checksums(self._root, number)
            names = ledger.read_source_obs(self._root, number).index
            self._known_keys = np.concatenate([self._known_keys, cell_keys(names)])
        if self._sources:
            last = len(self._sources) - 1
            for buffer, name in zip(self._buffers, ledger.TAIL, strict=True):
                tail = ledger.read_source_vector(self._root, last, name)
                buffer[: len(tail)] = tail
                self._filled = len(tail)

    def _begin_source(self) -> None:
        self._rows = 0
        self._tables: list[pd.DataFrame] = []
        self._row_nonzeros: list[Vector] = []
        self._new_shards: list[ShardChecksums] = []

    def _new_buffers(self) -> tuple[Vector, Vector]:
        size = self._header.geometry.shard
        return np.empty(size, dtype=COUNT_TYPE), np.empty(size, dtype=COUNT_TYPE)

    def _push(self, data: Vector, indices: Vector) -> None:
        size = self._header.geometry.shard
        done = 0
        while done < len(data):
            take = min(len(data) - done, size - self._filled)
            for buffer, values in zip(self._buffers, (data, indices), strict=True):
                buffer[self._filled : self._filled + take] = values[done : done + take]
            done += take
            self._filled += take
            self._nonzeros += take
            if self._filled == size:
                self._submit(self._shard_number)
                self._shard_number += 1
                self._buffers = self._new_buffers()
                self._filled = 0

    def _submit(self, number: int) -> None:
        # At most one shard waits while others are written: the memory stays at four shards however slow the disk is.
        while len(self._pending) > SHARDS_AT_ONCE:
            self._collect()
        if number >= self._room:
            self._room = max(2 * self._room, number + 1)
            while self._pending:
                self._collect()
            grow_matrix(self._matrix, shards=self._room)
        data, indices = (buffer[: self._filled] for buffer in self._buffers)
        self._pending.append(self._thread.submit(write_shard, self._matrix, number=number, data=data, indices=indices))

    def _collect(self) -> None:
        self._new_shards.append(self._pending.pop(0).result())

    def _drain(self) -> None:
        while self._pending:
            self._collect()

    def _check_open(self) -> None:
        if self._closed:
            message = "A writer of cells can be used until it is closed. This one is closed; open the store again."
            raise StoreError(message)

    def _check_names(self, obs: pd.DataFrame) -> Vector:
        repeated = obs.index[obs.index.duplicated()].unique()
        keys = cell_keys(obs.index)
        again = np.isin(keys, self._known_keys)
        if not len(repeated) and again.any():
            earlier = [ledger.read_source_obs(self._root, number).index for number in range(len(self._sources))]
            repeated = obs.index[again & np.logical_or.reduce([obs.index.isin(names) for names in earlier])]
        if len(repeated):
            message = (
                f"Names of cells must be unique in a store. Found more than once: {listed(repeated)}; rename them."
            )
            raise InputError(message)
        return keys


def _check_same(begun: ledger.Header, wanted: ledger.Header, root: Path) -> None:
    if begun == wanted:
        return
    if begun.geometry != wanted.geometry:
        message = (
            f"Writing can go on only with the same shards. {str(root)!r} was begun with {begun.geometry}, "
            f"asked for is {wanted.geometry}; pass the same, or remove the store."
        )
        raise StoreError(message)
    message = (
        f"Writing can go on only with the same genes. The unfinished cells in {str(root)!r} have {begun.genes:,} genes, "
        f"given are {wanted.genes:,} (in names, order or columns they differ); pass the same, or remove the store."
    )
    raise GeneMismatchError(message)
