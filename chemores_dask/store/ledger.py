"""How the cells came into the store: finished sources while they are written, checksums of the shards afterwards.

The ledger lies beside the AnnData, because a group of its own inside would keep anndata from reading it.

While cells are written, ``ledger/sources/<number>`` holds for each finished source its ``obs``, the stored counts of its rows, the
checksums of the shards that became full, and (for the last one) the counts of the shard that is not full yet. A source counts only
with ``complete``, written last. When the cells are finished, one table of checksums and the records of the sources remain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr
from anndata.io import read_elem

from chemores_dask.aliases import Vector
from chemores_dask.provenance import canonical_json
from chemores_dask.store.layout import (
    COMPLETE,
    LEDGER,
    Geometry,
    count_codecs,
    erase,
    fresh_group,
    group_attributes,
    is_complete_group,
    plain_codecs,
    write_element,
)
from chemores_dask.store.sharded_csr import ShardChecksums

SOURCES = "sources"
TAIL = ("tail_data", "tail_indices")
REPORT_ENTRY = "ingest_report"
"""Entry of ``uns`` where the reports of all sources are kept (JSON)."""

EARLIER = "earlier_sources"
"""Entry of the record of a source that stands for all cells a store held before an append."""

REPORT = "report"
"""Entry of the record of a source where its own is kept."""


@dataclass(frozen=True)
class Header:
    """What must stay the same while cells are written.

    Attributes
    ----------
    geometry
        Sizes of chunks and shards.
    genes
        Number of genes.
    genes_checksum
        Of their names and columns.
    """

    geometry: Geometry
    genes: int
    genes_checksum: str


@dataclass(frozen=True)
class SourceEntry:
    """A finished source.

    Attributes
    ----------
    key, record
        As given by the caller.
    first_row, rows
        Where its cells are.
    nonzeros
        Stored counts up to its end, earlier sources included.
    """

    key: str
    record: dict[str, Any]
    first_row: int
    rows: int
    nonzeros: int


def genes_checksum(genes: pd.DataFrame) -> str:
    """Name a table of genes by its content."""
    digest = hashlib.blake2b(digest_size=8)
    described = {str(name): [str(value) for value in genes[name]] for name in genes.columns}
    digest.update(canonical_json({"index": [str(name) for name in genes.index], "columns": described}).encode())
    return digest.hexdigest()


def start_ledger(root: Path, header: Header) -> None:
    """Begin an empty ledger, erasing what is there."""
    folder = root / LEDGER
    erase(folder)
    attributes = {"genes": header.genes, "genes_checksum": header.genes_checksum, "geometry": asdict(header.geometry)}
    zarr.create_group(folder, zarr_format=3, attributes=attributes)


def read_header(root: Path) -> Header | None:
    """What the ledger was begun with, or None if there is none."""
    attributes = group_attributes(root / LEDGER)
    if attributes is None or "genes_checksum" not in attributes:
        return None
    return Header(Geometry(**attributes["geometry"]), int(attributes["genes"]), str(attributes["genes_checksum"]))


def source_folder(root: Path, number: int) -> Path:
    """The group of one source."""
    return root / LEDGER / SOURCES / f"{number:06d}"


def write_source(
    root: Path,
    entry: SourceEntry,
    *,
    number: int,
    obs: pd.DataFrame,
    row_nonzeros: Vector,
    shards: Sequence[ShardChecksums],
    tail: tuple[Vector, Vector],
) -> None:
    """Make a finished source durable; only then erase the tail of the one before."""
    folder = source_folder(root, number)
    group = fresh_group(folder)
    write_element(group, "obs", obs)
    write_vector(group, "row_nonzeros", np.asarray(row_nonzeros, dtype=np.int32))
    write_checksums(group, shards)
    for name, values in zip(TAIL, tail, strict=True):
        write_vector(group, name, values, codecs=count_codecs())
    group.attrs.update(
        {
            "key": entry.key,
            "record": entry.record,
            "first_row": entry.first_row,
            "rows": entry.rows,
            "nonzeros": entry.nonzeros,
            COMPLETE: True,
        }
    )
    if number:
        for name in TAIL:
            erase(source_folder(root, number - 1) / name)


def read_sources(root: Path) -> list[SourceEntry]:
    """The finished sources of unfinished cells, in order; a torn one ends the list."""
    entries: list[SourceEntry] = []
    while is_complete_group(folder := source_folder(root, len(entries))):
        attributes = group_attributes(folder) or {}
        entries.append(
            SourceEntry(
                key=str(attributes["key"]),
                record=dict(attributes["record"]),
                first_row=int(attributes["first_row"]),
                rows=int(attributes["rows"]),
                nonzeros=int(attributes["nonzeros"]),
            )
        )
    return entries


def with_earlier(sources: Sequence[SourceEntry]) -> list[SourceEntry]:
    """Sources, and in the place of one that stands for the cells before an append those from which these came."""
    return [
        each
        for entry in sources
        for each in ([SourceEntry(**one) for one in entry.record[EARLIER]] if EARLIER in entry.record else [entry])
    ]


def read_source_obs(root: Path, number: int) -> pd.DataFrame:
    """The table of cells of one finished source."""
    return pd.DataFrame(read_elem(zarr.open_group(source_folder(root, number), mode="r")["obs"]))


def read_source_vector(root: Path, number: int, name: str) -> Vector:
    """One array kept for a finished source."""
    return np.asarray(zarr.open_array(source_folder(root, number) / name, mode="r")[:])


def read_source_checksums(root: Path, number: int) -> list[ShardChecksums]:
    """Checksums of the shards that became full with a source."""
    return read_checksums(source_folder(root, number))


def write_vector(group: zarr.Group, name: str, values: Vector, *, codecs: Sequence[Any] | None = None) -> None:
    """Write a small array in one piece."""
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=(max(len(values), 1),),
        dtype=values.dtype,
        compressors=codecs or plain_codecs(),
        overwrite=True,
    )
    array[:] = values


def write_checksums(group: zarr.Group, shards: Sequence[ShardChecksums]) -> None:
    """Write the checksums of some shards."""
    write_vector(group, "shard_numbers", np.array([shard.number for shard in shards], dtype=np.int64))
    write_vector(group, "data_checksums", np.array([shard.data for shard in shards], dtype=np.uint64))
    write_vector(group, "indices_checksums", np.array([shard.indices for shard in shards], dtype=np.uint64))


def read_checksums(folder: Path) -> list[ShardChecksums]:
    """Read what :func:`write_checksums` wrote."""
    columns = [
        np.asarray(zarr.open_array(folder / name, mode="r")[:]).tolist()
        for name in ("shard_numbers", "data_checksums", "indices_checksums")
    ]
    return [ShardChecksums(*values) for values in zip(*columns, strict=True)]


def finish_ledger(
    root: Path, *, sources: Sequence[SourceEntry], shards: Sequence[ShardChecksums], facts: Mapping[str, Any]
) -> None:
    """Write what stays in the ledger of finished cells."""
    group = zarr.open_group(root / LEDGER, mode="r+")
    write_checksums(group, sorted(shards, key=lambda shard: shard.number))
    described = [asdict(entry) for entry in sources]
    group.attrs.update({**facts, "finished_sources": described})


def read_kept_sources(root: Path) -> list[SourceEntry]:
    """The sources of finished cells, in order; none where the cells did not come from sources."""
    attributes = group_attributes(root / LEDGER) or {}
    return [SourceEntry(**entry) for entry in attributes.get("finished_sources", [])]


def content_name(header: Header, shards: Sequence[ShardChecksums], pointers: Vector, names: Sequence[str]) -> str:
    """Name the cells of a store by what they hold: 16 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(header.genes_checksum.encode())
    for shard in sorted(shards, key=lambda each: each.number):
        digest.update(f"{shard.number}:{shard.data}:{shard.indices};".encode())
    digest.update(np.ascontiguousarray(pointers).data)
    digest.update("\n".join(names).encode())
    return digest.hexdigest()
