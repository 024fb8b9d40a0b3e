"""Where things lie in a store: names, sizes, codecs and the schema, in one place.

::

    cohort.zarr/                      attributes: {"chemores-schema": 1}
      cells/                          one standard AnnData, zarr v3; counts are a sharded CSR matrix
      cells_by_gene/                  the same counts once more, gene by gene, if asked for
      ledger/                         how the cells were written: sources, checksums of the shards
      patients/<cohort>/              labeled arrays over patient and gene
      results/<step>/<fingerprint>/   labeled arrays; "complete": true is written last
      revision/                       the next state of the store, while cells are appended or withdrawn
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, TypeGuard

import anndata
import zarr
from anndata.io import write_elem
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from chemores_dask.aliases import StorePath
from chemores_dask.errors import (
    FormatError,
    IncompleteStoreError,
    ParameterError,
    SchemaVersionError,
    StoreError,
    StoreNotFoundError,
)

SCHEMA_ATTRIBUTE = "chemores-schema"
SCHEMA_VERSION = 1
COMPLETE = "complete"

CELLS = "cells"
GENE_COPY = "cells_by_gene"
LEDGER = "ledger"
PATIENTS = "patients"
RESULTS = "results"
CHECKPOINTS = "checkpoints"
"""What the passes of an unfinished run have learned so far; gone when a run is done."""


CHUNK = 2**15
"""Counts in one chunk of a shard: what is decoded at least."""

SHARD = 2**22
"""Counts in one shard: what one task writes, as one file."""

POINTER_CHUNK = 2**18
NONZEROS_PER_BLOCK = 2**24
"""Counts in one block of opened cells, unless its rows are given."""

RESULT_ROWS = 2**16
"""Rows in one chunk of a result."""

RESULT_CHUNK_BYTES = 2**26
"""Size of one chunk of a result; it holds fewer rows where these are wide."""

GROUP_FILE = "zarr.json"
LOCK_FILE = "writer.lock"
"""Held by whoever writes into the store; gone when nobody does."""

REVISION = "revision"
"""Where the next cells of a store are built beside the present ones."""

JOURNAL = "journal.json"
"""In that folder while they are put in place."""

PARTIAL_FILES = "*.partial"
"""What zarr has not written to its end: it writes beside the file and then renames."""

RESERVED_NAMES = ("", ".", "..", "_index")

PLAIN_PIPELINE = "zarr.core.codec_pipeline.BatchedCodecPipeline"
FAST_PIPELINE = "zarrs.ZarrsCodecPipeline" if find_spec("zarrs") else PLAIN_PIPELINE

ARRAY_CONFIGURATION = {"array.write_empty_chunks": True, "threading.max_workers": 1}

_pipeline_lock = Lock()


@dataclass(frozen=True)
class Geometry:
    """Sizes of the pieces of a sharded matrix.

    Attributes
    ----------
    chunk
        Counts in a chunk.
    shard
        Counts in a shard, a multiple of ``chunk``.
    """

    chunk: int = CHUNK
    shard: int = SHARD

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.shard < self.chunk or self.shard % self.chunk:
            message = f"A shard must hold a whole number of chunks. Got chunk={self.chunk}, shard={self.shard}."
            raise ParameterError(message)


DEFAULT_GEOMETRY = Geometry()


def is_plain_name(name: object) -> TypeGuard[str]:
    """Whether a name can be that of a stored array beside others: text, not a path, and none that zarr or AnnData keep for themselves."""
    return isinstance(name, str) and name not in RESERVED_NAMES and "/" not in name and not name.startswith("__")


def count_codecs() -> list[Any]:
    """Codecs of counts and their column numbers."""
    return [BloscCodec(cname="lz4", shuffle="bitshuffle", clevel=5, typesize=4), Crc32cCodec()]


def number_codecs(item_bytes: int) -> list[Any]:
    """Codecs of numbers in results: five times as fast as those of everything else, in twice the space."""
    return [BloscCodec(cname="lz4", shuffle="bitshuffle", clevel=5, typesize=item_bytes), Crc32cCodec()]


def plain_codecs() -> list[Any]:
    """Codecs of everything else."""
    return [ZstdCodec(level=3), Crc32cCodec()]


def open_array(folder: Path, *, pipeline: str = PLAIN_PIPELINE, mode: str = "r") -> zarr.Array[Any]:
    """Open one array with a codec pipeline of our choice; the configuration of zarr is left as it was.

    Parameters
    ----------
    folder
        Of the array.
    pipeline
        ``FAST_PIPELINE`` or ``PLAIN_PIPELINE``.
    mode
        ``"r"`` or ``"r+"``.

    Returns
    -------
    The array. Empty chunks are written too, so that a missing file is always a lost one.
    """
    opened = zarr.open_array(folder, mode=mode, zarr_format=3)
    # An array takes its pipeline from the configuration when it is made, and keeps it. Nothing may be read or written under the changed
    # configuration, for zarr would size its pool of threads by it; hence the second object. The lock keeps two threads from restoring
    # each other's choice. One thread per array: Dask owns the threads, and the chunks of a shard then always lie in the same order.
    with _pipeline_lock, zarr.config.set({"codec_pipeline.path": pipeline, **ARRAY_CONFIGURATION}):
        return zarr.Array.from_dict(opened.store_path, opened.metadata.to_dict())


def existing_root(store: StorePath) -> Path:
    """The folder of a store that is there.

    Raises
    ------
    StoreNotFoundError
        If there is nothing at the path.
    FormatError
        If what is there is not a store of this package.
    SchemaVersionError
        If a newer version of the package wrote it.
    IncompleteStoreError
        If new cells are being put in the place of the old ones.
    """
    root = store_root(store)
    journal = root / REVISION / JOURNAL
    if journal.is_file():
        with suppress(FileNotFoundError):  # it was finished since
            command = json.loads(journal.read_text(encoding="utf-8"))["command"]
            message = (
                f"The store {str(root)!r} must be whole. Its new cells are being put in place, or that was cut short; wait a moment, "
                f"or run the same command again: {command}"
            )
            raise IncompleteStoreError(message)
    return root


def store_root(store: StorePath) -> Path:
    """The folder of a store that is there, be its cells just put in place or not.

    Raises
    ------
    StoreNotFoundError, FormatError, SchemaVersionError
        As :func:`existing_root`.
    """
    root = Path(store)
    if not root.exists():
        message = (
            f"There must be a store at {str(root)!r}. Found nothing; check the path, or make the store with ingest."
        )
        raise StoreNotFoundError(message)
    attributes = group_attributes(root)
    if attributes is None or SCHEMA_ATTRIBUTE not in attributes:
        found = "a zarr group of another kind" if attributes is not None else "no zarr group"
        message = (
            f"{str(root)!r} must be a store made by chemores_dask. Found {found}; "
            "make a store from other files with ingest, or from an AnnData with write_cells."
        )
        raise FormatError(message)
    version = attributes[SCHEMA_ATTRIBUTE]
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        message = (
            f"The store {str(root)!r} must have schema version {SCHEMA_VERSION} or older. Found {version!r}; "
            "install a newer chemores-dask to read it."
        )
        raise SchemaVersionError(message)
    return root


def writable_root(store: StorePath) -> Path:
    """The folder of a store to write into; made if it is not there.

    Raises
    ------
    FormatError
        If something else is at the path.
    SchemaVersionError
        If a newer version of the package wrote the store.
    StoreError
        If the folder cannot be made.
    """
    root = Path(store)
    if root.is_dir() and all(each.name == LOCK_FILE for each in root.iterdir()):
        return _make_root(root)
    if root.exists():
        return existing_root(root)
    return _make_root(root)


def _make_root(root: Path) -> Path:
    try:
        zarr.create_group(root, zarr_format=3, attributes={SCHEMA_ATTRIBUTE: SCHEMA_VERSION})
    except OSError as error:
        message = (
            f"The folder of a store must be writable. {str(root)!r} is not ({error.strerror}); choose another path."
        )
        raise StoreError(message) from error
    return root


def group_attributes(folder: Path) -> dict[str, Any] | None:
    """Attributes of a zarr v3 group, or None where there is none.

    Raises
    ------
    FormatError
        If its description is damaged.
    """
    file = folder / GROUP_FILE
    if not file.is_file():
        return None
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        message = (
            f"{str(file)!r} must describe a zarr group. It is not valid JSON; the store is damaged, write it again."
        )
        raise FormatError(message) from error
    if not isinstance(described, dict) or described.get("node_type") != "group":
        return None
    attributes = described.get("attributes", {})
    return dict(attributes)


def is_complete_group(folder: Path) -> bool:
    """Whether a group is there and was written to its end."""
    attributes = group_attributes(folder)
    return attributes is not None and attributes.get(COMPLETE) is True


def require_group(folder: Path) -> zarr.Group:
    """Open a group, or make it."""
    return zarr.open_group(folder, mode="a", zarr_format=3)


def fresh_group(folder: Path) -> zarr.Group:
    """Make an empty group, erasing what is there."""
    erase(folder)
    return zarr.create_group(folder, zarr_format=3)


def erase(folder: Path) -> None:
    """Remove a group or array with all it holds, if it is there.

    Its description goes first, so that a torn removal leaves nothing that counts.
    """
    if folder.exists():
        (folder / GROUP_FILE).unlink(missing_ok=True)
        shutil.rmtree(folder)


def write_element(group: zarr.Group, name: str, element: object) -> None:
    """Write a table or mapping the way AnnData does, replacing what is there."""
    with anndata_writing():
        write_elem(group, name, element)


@contextmanager
def anndata_writing() -> Iterator[None]:
    """Write zarr v3 without shards for the small parts; the settings of anndata are left as they were."""
    if "auto_shard_zarr_v3" in dir(anndata.settings):
        with anndata.settings.override(auto_shard_zarr_v3=False):
            yield
    else:
        yield
