"""How far the writing of lazy variables has come, so that a killed run goes on where it stopped.

Beside the variables of unfinished labeled arrays lies a file that says what their chunks are made of: names of Dask that stand for every
value and every step of the way, versions of packages, and the metadata of the arrays. Chunks appear whole or not at all and carry their
own checksums; so where that file says the same as today, a chunk that can be read is finished.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import zarr
from dask.highlevelgraph import HighLevelGraph

from chemores_dask.provenance import versions
from chemores_dask.store.layout import GROUP_FILE, PARTIAL_FILES, is_complete_group, open_array
from chemores_dask.store.sharded_csr import UNREADABLE

PLAN_FILE = "unfinished.json"
CHUNKS_AT_ONCE = 4

Chunk = tuple[int, ...]


class ChosenBlocks:
    """Some blocks of a lazy array; computing them computes nothing else.

    Parameters
    ----------
    array
        The lazy array.
    blocks
        Numbers of the blocks.
    """

    __dask_optimize__ = staticmethod(da.Array.__dask_optimize__)
    __dask_scheduler__ = staticmethod(da.Array.__dask_scheduler__)

    def __init__(self, array: da.Array, *, blocks: list[Chunk]) -> None:
        self._array = array
        self._blocks = blocks

    def __dask_graph__(self) -> HighLevelGraph:
        return self._array.__dask_graph__()

    def __dask_layers__(self) -> tuple[str, ...]:
        layers: tuple[str, ...] = self._array.__dask_layers__()
        return layers

    def __dask_keys__(self) -> list[Any]:
        return [(self._array.name, *block) for block in self._blocks]

    def __dask_postcompute__(self) -> tuple[Any, tuple[()]]:
        return len, ()


def described_plan(folder: Path, writes: Mapping[str, da.Array]) -> str:
    """What the chunks of lazy variables are made of, as text."""
    made_of = {name: [array.name, metadata_digest(folder / name)] for name, array in writes.items()}
    return json.dumps({"variables": made_of, "versions": versions()}, sort_keys=True)


def keep_plan(folder: Path, writes: Mapping[str, da.Array]) -> None:
    """Say what the chunks are made of; from here on, finished ones count."""
    replace_file(folder / PLAN_FILE, described_plan(folder, writes).encode())


def fits_plan(folder: Path, writes: Mapping[str, da.Array]) -> bool:
    """Whether chunks in a folder were made of the same."""
    file = folder / PLAN_FILE
    if not file.is_file() or not all((folder / name / GROUP_FILE).is_file() for name in writes):
        return False
    return file.read_bytes() == described_plan(folder, writes).encode()


def drop_plan(folder: Path) -> None:
    """Nothing is unfinished any more."""
    (folder / PLAN_FILE).unlink(missing_ok=True)


def remove_plans(results: Path) -> None:
    """Remove plans from results that are complete: their writer was killed in its last moment."""
    for file in results.glob(f"*/*/{PLAN_FILE}"):
        if is_complete_group(file.parent):
            file.unlink()


def missing_blocks(folder: Path, array: da.Array) -> list[Chunk]:
    """Numbers of the chunks that are not there, or not as they were written.

    Parameters
    ----------
    folder
        Of the stored variable.
    array
        What writes it, one block per chunk.
    """
    numbers = list(product(*(range(count) for count in array.numblocks)))
    with ThreadPoolExecutor(max_workers=CHUNKS_AT_ONCE) as threads:
        finished = threads.map(partial(_is_finished, folder, open_array(folder)), numbers)
        return [number for number, done in zip(numbers, finished, strict=True) if not done]


def chunk_file(folder: Path, number: Chunk) -> Path:
    """The file of one chunk."""
    return folder.joinpath("c", *map(str, number))


def chunk_files(folder: Path) -> list[Path]:
    """The files of all chunks of a stored array that were written to their end."""
    chunks = folder / "c"
    found = [chunks] if chunks.is_file() else [file for file in chunks.rglob("*") if file.is_file()]
    return [file for file in found if not file.match(PARTIAL_FILES)]


def number_of_chunks(array: zarr.Array[Any]) -> int:
    """How many chunks an array must have."""
    return math.prod(-(-size // chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))


def remove_partial_files(folder: Path) -> None:
    """Remove what killed processes left of files that they were writing."""
    for file in partial_files(folder):
        file.unlink(missing_ok=True)


def partial_files(folder: Path) -> Iterator[Path]:
    """What killed processes left of files that they were writing."""
    return (file for file in list(folder.rglob(PARTIAL_FILES)) if file.is_file())


def metadata_digest(folder: Path) -> str:
    """Name the description of an array by its bytes."""
    return hashlib.blake2b((folder / GROUP_FILE).read_bytes(), digest_size=8).hexdigest()


def replace_file(file: Path, content: bytes) -> None:
    """Write a small file that is there whole or not at all."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        beside.write_bytes(content)
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _is_finished(folder: Path, array: zarr.Array[Any], number: Chunk) -> bool:
    file = chunk_file(folder, number)
    if not file.is_file() or not file.stat().st_size:
        return False
    window = tuple(slice(at * size, (at + 1) * size) for at, size in zip(number, array.chunks, strict=True))
    try:
        array[window]
    except UNREADABLE:
        return False
    return True
