"""Rows kept in files for one more pass: what a first pass made of every block is read back instead of made again.

One task writes one whole file under another name and then renames it, so a file is there whole or not at all; reading holds it against
the checksum in its header. The folder is the caller's to give (:func:`staging_folder`), or a temporary one that goes when the lazy rows go.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
import psutil
import scipy.sparse as sp
from dask.base import tokenize
from distributed import get_client

from chemores_dask.aliases import Block, Rows, Vector
from chemores_dask.errors import ChecksumError, ParameterError, StagingSpaceError
from chemores_dask.metering import STAGED_BYTES_READ, STAGED_BYTES_WRITTEN, bytes_text, count
from chemores_dask.stream.compute import compute
from chemores_dask.stream.rows import as_csr

MAGIC = b"chemores staged1"
HEADER = struct.Struct("<16sQQQ8s8sQI")
"""Mark, rows, columns, stored values, type of values, type of columns, bytes behind the header, their checksum."""

PREFIX = "chemores-staging"
SUFFIX = ".rows"
LOCAL_ADDRESSES = ("inproc://", "tcp://127.", "tls://127.", "ucx://127.")

_FOLDER: ContextVar[Path | None] = ContextVar("staging_folder", default=None)


@contextmanager
def staging_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Keep what analyses stage in a folder of the caller's choice.

    Parameters
    ----------
    path
        Folder, made where absent; all workers must see it under this name. What is left in it is the caller's to remove, once
        nothing lazy that was made within the context is needed any more.

    Returns
    -------
    A context whose value is the folder.

    Notes
    -----
    Without it, files go into a folder of their own below Dask's ``temporary-directory`` (or the system's), and are removed along with
    the lazy rows that need them.
    """
    folder = Path(path).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    token = _FOLDER.set(folder)
    try:
        yield folder
    finally:
        _FOLDER.reset(token)


@dataclass(frozen=True)
class StagedRows:
    """Rows that pass by once and can be read again.

    Attributes
    ----------
    passing
        The rows themselves; computing a block also writes it.
    stored
        The same rows, read from the files.
    missing
        Numbers of the blocks whose files are not there, when called.
    """

    passing: Rows
    stored: Rows
    reader: BlockReader

    def missing(self) -> list[int]:
        """Numbers of the blocks without a whole file."""
        return [number for number in range(self.passing.numblocks[0]) if not self.reader.is_there(number)]

    def complete(self) -> Rows:
        """Write what is missing (nothing, after a pass over all rows), and give the rows to read again.

        Returns
        -------
        Lazy rows from the files.
        """
        missing = self.missing()
        if missing:
            compute(*(_nothing_of(self.passing.blocks[number]) for number in missing))
        return self.stored


def stage_rows(rows: Rows, *, store: str | None = None) -> StagedRows:
    """Let rows be written to files when they are computed first, to be read from there afterwards.

    Parameters
    ----------
    rows
        Cells by genes (some of them): small against what they are made from.
    store
        Path of the store of the cells: beside it is room that remote workers share.

    Returns
    -------
    The rows to compute first, and those to compute later. Nothing is computed.

    Raises
    ------
    ParameterError
        If workers run on other machines and no folder is known that they share.
    StagingSpaceError
        When computed: if the files would not fit on the disk.
    """
    given = _FOLDER.get()
    folder = given if given is not None else _temporary_folder(store)
    name = f"{tokenize(rows.name)[:16]}"
    writer = BlockWriter(str(folder), name, rows.numblocks[0])
    reader = BlockReader(str(folder), name, rows.shape[1])
    passing = da.map_blocks(writer, rows, dtype=rows.dtype, meta=rows._meta, chunks=rows.chunks)
    stored = da.map_blocks(
        reader, dtype=rows.dtype, meta=rows._meta, chunks=rows.chunks, name=f"staged-{tokenize(reader)}"
    )
    if given is None:
        # Every graph that reads the files holds the reader; when the last one goes, so do they.
        weakref.finalize(reader, shutil.rmtree, str(folder), ignore_errors=True)
    return StagedRows(passing, stored, reader)


@dataclass(frozen=True)
class BlockWriter:
    """Writes a block to its file and hands it on.

    Attributes
    ----------
    folder
        Where the files go.
    name
        Of the rows, the first part of the names of the files.
    blocks
        Number of blocks, for a look ahead at the space they need.
    """

    folder: str
    name: str
    blocks: int

    def __call__(self, block: Block, *, block_id: tuple[int, ...] = (0, 0)) -> Block:
        """Write the block with this number."""
        rows = as_csr(block)
        parts = _parts(rows)
        size = HEADER.size + sum(part.nbytes for part in parts)
        folder = Path(self.folder)
        file = block_file(folder, self.name, block_id[0])
        self._check_space(folder, size)
        beside = folder / f"{file.name}.{uuid4().hex}.partial"
        try:
            _write(beside, rows, parts)
            beside.replace(file)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise StagingSpaceError(_no_room(folder, size, str(error))) from error
        count(**{STAGED_BYTES_WRITTEN: size})
        return rows

    def _check_space(self, folder: Path, size: int) -> None:
        free = shutil.disk_usage(folder).free
        if size * self.blocks <= free:
            return
        present = [entry.stat().st_size for entry in os.scandir(folder) if entry.name.startswith(self.name)]
        needed = max(self.blocks - len(present), 1) * (sum(present) + size) // (len(present) + 1)
        if needed > free:
            found = f"About {bytes_text(needed)} are still needed for {self.blocks} blocks; {bytes_text(free)} are free"
            raise StagingSpaceError(_no_room(folder, size, found))


@dataclass(frozen=True)
class BlockReader:
    """Reads a block from its file.

    Attributes
    ----------
    folder
        Where the files are.
    name
        Of the rows.
    columns
        Their width.
    """

    folder: str
    name: str
    columns: int

    def __call__(self, *, block_id: tuple[int, ...] = (0, 0)) -> Block:
        """Read the block with this number."""
        file = block_file(Path(self.folder), self.name, block_id[0])
        block = read_block(file)
        count(**{STAGED_BYTES_READ: file.stat().st_size})
        return block

    def is_there(self, number: int) -> bool:
        """Whether a block has a file of the length its header says."""
        file = block_file(Path(self.folder), self.name, number)
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            head = stream.read(HEADER.size)
        return len(head) == HEADER.size and head[: len(MAGIC)] == MAGIC and file.stat().st_size == _length(head)


def block_file(folder: Path, name: str, number: int) -> Path:
    """The file of one block."""
    return folder / f"{name}-{number:06d}{SUFFIX}"


def read_block(file: Path) -> Block:
    """Read a staged block.

    Parameters
    ----------
    file
        Written by :class:`BlockWriter`.

    Returns
    -------
    The block, with the bits it had.

    Raises
    ------
    ChecksumError
        If the file is not there as it was written.
    """
    try:
        content = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise ChecksumError(_damage(file, f"cannot be read ({error})")) from error
    if len(content) < HEADER.size:
        raise ChecksumError(_damage(file, "is too short"))
    head = content[: HEADER.size].tobytes()
    magic, cells, columns, stored, value_type, index_type, size, expected = HEADER.unpack(head)
    body = content[HEADER.size :]
    if magic != MAGIC or len(body) != size or zlib.crc32(body.data, zlib.crc32(head[:-4])) != expected:
        raise ChecksumError(_damage(file, "fails its checksum"))
    values, rest = _taken(body, value_type.rstrip(b"\0").decode(), stored)
    sizes, rest = _taken(rest, "<u4", cells)
    indices, _ = _taken(rest, index_type.rstrip(b"\0").decode(), stored)
    indptr = np.zeros(cells + 1, dtype=np.int32 if stored < 2**31 else np.int64)
    np.cumsum(sizes, out=indptr[1:])
    block = sp.csr_matrix((values, indices.astype(np.int32), indptr), shape=(cells, columns))
    block.has_canonical_format = True
    return block


def _parts(rows: Block) -> tuple[Vector, Vector, Vector]:
    index_type = "<u2" if rows.shape[1] <= 2**16 else "<i4"
    # The widest numbers first, so that all of them lie where their type wants them.
    return (
        np.ascontiguousarray(rows.data),
        np.diff(rows.indptr).astype("<u4"),
        rows.indices.astype(index_type),
    )


def _write(file: Path, rows: Block, parts: tuple[Vector, Vector, Vector]) -> None:
    values, _, indices = parts
    size = sum(part.nbytes for part in parts)
    types = (values.dtype.str.encode(), indices.dtype.str.encode())
    head = HEADER.pack(MAGIC, *rows.shape, len(values), *types, size, 0)[:-4]
    found = zlib.crc32(head)
    for part in parts:
        found = zlib.crc32(part.data, found)
    with file.open("wb") as stream:
        stream.write(head + struct.pack("<I", found))
        for part in parts:
            stream.write(part.data)


def _length(head: bytes) -> int:
    return HEADER.size + int(HEADER.unpack(head)[6])


def _taken(body: Vector, kind: str, entries: int) -> tuple[Vector, Vector]:
    size = np.dtype(kind).itemsize * entries
    return body[:size].view(kind), body[size:]


def _nothing_of(rows: Rows) -> da.Array:
    return da.map_blocks(_nothing, rows, dtype=bool, meta=np.empty((0, 0), dtype=bool), chunks=((1,), (1,)))


def _nothing(block: Block) -> Vector:
    return np.zeros((1, 1), dtype=bool)


def folder_for_files() -> tuple[Path, bool]:
    """Where files of an analysis go.

    Returns
    -------
    The folder of the caller's choice (:func:`staging_folder`) and False, or a new temporary one, which whoever asks removes, and True.

    Raises
    ------
    ParameterError
        If workers run on other machines and no folder is known that they share.
    """
    given = _FOLDER.get()
    return (_temporary_folder(None), True) if given is None else (given, False)


def _temporary_folder(store: str | None) -> Path:
    parent = dask.config.get("temporary-directory", None)
    if parent is None and _remote_workers():
        if store is None:
            message = (
                "Files of a pass must be in a folder that all workers see. Workers run on other machines, and the cells come from no "
                "store; compute within 'with staging_folder(PATH):', or set Dask's 'temporary-directory'."
            )
            raise ParameterError(message)
        parent = Path(store).absolute().parent
    parent = Path(parent or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{socket.gethostname()}-{os.getpid()}-", dir=parent))


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes of this machine left behind."""
    start = f"{PREFIX}-{socket.gethostname()}-"
    for folder in parent.glob(f"{start}*"):
        number = folder.name.removeprefix(start).split("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _remote_workers() -> bool:
    try:
        workers = get_client().scheduler_info(n_workers=-1)["workers"]
    except ValueError:
        return False
    return not all(str(address).startswith(LOCAL_ADDRESSES) for address in workers)


def _no_room(folder: Path, size: int, found: str) -> str:
    return (
        f"Chosen genes are kept on disk for the second look at them, {bytes_text(size)} for a block. {found} at {str(folder)!r}. "
        "Free some space, or name another folder: dask.config.set({'temporary-directory': PATH}), or 'with staging_folder(PATH):'."
    )


def _damage(file: Path, found: str) -> str:
    return (
        f"Staged rows must be read as they were written. {str(file)!r} {found}. "
        "Compute the analysis again; check the disk if it happens twice."
    )
