"""Labeled arrays as groups of zarr arrays: what patients and results have in common.

Every variable is one array with its dimension names and attributes; the group names the coordinates. Chunks follow a fixed grid of
rows, so the files do not depend on the blocks of what was written. Text with gaps keeps a word for "missing" in its attributes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr
import zarr
from dask.base import collections_to_expr

from chemores_dask.checks import listed
from chemores_dask.errors import ChecksumError, FormatError, InputError
from chemores_dask.metering import TASKS, count
from chemores_dask.provenance import canonical_json
from chemores_dask.store.layout import (
    COMPLETE,
    GROUP_FILE,
    RESULT_CHUNK_BYTES,
    RESULT_ROWS,
    fresh_group,
    group_attributes,
    is_complete_group,
    is_plain_name,
    number_codecs,
    open_array,
    plain_codecs,
    require_group,
)
from chemores_dask.store.result_progress import (
    ChosenBlocks,
    chunk_files,
    drop_plan,
    fits_plan,
    keep_plan,
    metadata_digest,
    missing_blocks,
    number_of_chunks,
    remove_partial_files,
)
from chemores_dask.store.sharded_csr import UNREADABLE

COORDINATES = "coordinate_names"
XARRAY_COORDINATES = "coordinates"
VARIABLES = "variables"
DATASET_ATTRIBUTES = "dataset_attributes"
ARRAY_DIGESTS = "array_digests"
COVERED = "attributes_with_digest"
DIGEST = "attributes_digest"
GROUP_ATTRIBUTES = (
    COMPLETE, COORDINATES, XARRAY_COORDINATES, VARIABLES, DATASET_ATTRIBUTES, ARRAY_DIGESTS, COVERED, DIGEST,
)  # fmt: skip
MISSING_WORD = "missing_word"
LAZY_BYTES = 2**27
"""Variables larger than this are opened lazily."""

STORED_KINDS = "biuf"
TEXT_KINDS = "OUT"


@dataclass(frozen=True)
class ChunkWriter:
    """Writes one whole chunk of one variable in a task.

    Attributes
    ----------
    folder
        Of the array.
    """

    folder: str

    def __call__(self, block: np.ndarray, *, block_info: Any = None) -> np.ndarray:
        """Write the block where it belongs."""
        window = tuple(slice(start, stop) for start, stop in block_info[0]["array-location"])
        if block.dtype.kind not in STORED_KINDS:
            block = block.astype(object)
            if not all(isinstance(value, str) for value in block.ravel()):
                message = f"Lazy text must have no gaps. {Path(self.folder).name!r} has some; compute it before writing, or fill them."
                raise InputError(message)
        open_array(Path(self.folder), mode="r+")[window] = block
        return np.zeros((1,) * block.ndim, dtype=bool)


def write_dataset(dataset: xr.Dataset, folder: Path, *, attributes: Mapping[str, Any], go_on: bool = False) -> None:
    """Write a Dataset as a group, and mark it complete last.

    Lazy variables are computed together in one Dask compute; each task writes whole chunks.

    Parameters
    ----------
    dataset
        Variables of whole numbers, floats, booleans or text.
    folder
        Of the group; what is there is erased first.
    attributes
        Of the group; ``complete`` is added when all is written.
    go_on
        Keep the finished chunks of lazy variables that an earlier call left unfinished, where these were made of the same.

    Raises
    ------
    InputError
        If a variable or an attribute cannot be stored.
    """
    prepared = {str(name): _prepared(name, dataset.variables[name]) for name in dataset.variables}
    canonical_json(_plain_attributes(attributes))
    described = _plain_attributes(dataset.attrs)
    grids = {name: chunk_shape(variable.shape, variable.dtype.itemsize) for name, variable in prepared.items()}
    writes = {
        name: _lazy_write(variable.data, folder / name, grids[name])
        for name, variable in prepared.items()
        if isinstance(variable.data, da.Array)
    }
    if go_on and not is_complete_group(folder) and fits_plan(folder, writes):
        group = require_group(folder)
        remove_partial_files(folder)
    else:
        group = fresh_group(folder)
        for name in writes:
            _create(group, name, prepared[name], grids[name])
        keep_plan(folder, writes)
    for name in [name for name in prepared if name not in writes]:
        _create(group, name, prepared[name], grids[name])
        _write_chunks(folder / name, prepared[name].data, rows=grids[name][:1])
    _write_missing(folder, writes)
    facts = {
        **_plain_attributes(attributes),
        VARIABLES: list(prepared),
        COORDINATES: [str(name) for name in dataset.coords],
        XARRAY_COORDINATES: " ".join(str(name) for name in dataset.coords if name not in dataset.dims),
        DATASET_ATTRIBUTES: described,
        ARRAY_DIGESTS: {name: metadata_digest(folder / name) for name in prepared},
    }
    # All at once: `update` writes the file once for each attribute, and a writer may be killed in between.
    group.attrs.put(facts)
    remove_partial_files(folder)
    covered = sorted(facts)
    group.attrs.put({**facts, COVERED: covered, DIGEST: _attributes_digest(folder, covered), COMPLETE: True})
    drop_plan(folder)  # only now: without it, finished chunks would count for nothing


def read_dataset(folder: Path) -> xr.Dataset:
    """Read what :func:`write_dataset` wrote.

    Parameters
    ----------
    folder
        Of the group.

    Returns
    -------
    Dataset; variables above 128 MB are lazy, one task per chunk, the others in memory.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written.
    FormatError
        If the group does not hold what its attributes say.
    """
    attributes = group_attributes(folder) or {}
    names = attributes.get(VARIABLES)
    if names is None:
        message = f"{str(folder)!r} must be a group written by chemores_dask. Its list of variables is missing; write it again."
        raise FormatError(message)
    _check_descriptions(folder, attributes)
    variables = {name: _read_variable(folder / name) for name in names}
    coordinates = {name: variables.pop(name) for name in attributes[COORDINATES]}
    return xr.Dataset(variables, coords=coordinates, attrs=attributes[DATASET_ATTRIBUTES])


def damage_of(folder: Path) -> str:
    """Read all of what :func:`write_dataset` wrote.

    Parameters
    ----------
    folder
        Of the group.

    Returns
    -------
    What is wrong with it, as the error would say; empty if all is well.
    """
    try:
        for variable in read_dataset(folder).variables.values():
            if isinstance(variable.data, da.Array):
                dask.compute(
                    variable.data.map_blocks(
                        _nothing, dtype=bool, chunks=tuple((1,) * n for n in variable.data.numblocks)
                    )
                )
    except (ChecksumError, FormatError) as error:
        return str(error)
    return ""


def _nothing(block: np.ndarray) -> np.ndarray:
    return np.zeros((1,) * block.ndim, dtype=bool)


def chunk_shape(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Chunks of a stored array: whole rows, fewer where they are wide; rows that are too wide are cut too."""
    if not shape:
        return ()
    limit = max(RESULT_CHUNK_BYTES // item_bytes, 1)
    chunks = [max(size, 1) for size in shape]
    chunks[0] = min(chunks[0], RESULT_ROWS)
    for axis in range(len(chunks)):
        others = math.prod(chunks) // chunks[axis]
        chunks[axis] = max(min(chunks[axis], limit // others), 1)
    return tuple(chunks)


def _prepared(name: Hashable, variable: xr.Variable) -> xr.Variable:
    if not is_plain_name(name):
        message = f"Stored variables must have plain names. Got {name!r}; rename it."
        raise InputError(message)
    attributes = _plain_attributes(variable.attrs)
    data = variable.data
    if isinstance(data, da.Array):
        if data.dtype.kind in STORED_KINDS:
            return xr.Variable(variable.dims, data, attributes)
        if data.dtype.kind in TEXT_KINDS:
            return xr.Variable(variable.dims, data.astype(object), attributes)
    values = np.asarray(variable.values)
    if values.dtype.kind in STORED_KINDS:
        return xr.Variable(variable.dims, values, attributes)
    return _prepared_text(name, variable.dims, values, attributes)


def _prepared_text(
    name: str, dims: tuple[Hashable, ...], values: np.ndarray, attributes: dict[str, Any]
) -> xr.Variable:
    flat = values.astype(object, copy=False).ravel()
    missing = np.fromiter(
        (value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) for value in flat),
        dtype=bool,
        count=len(flat),
    )
    present = flat[~missing] if missing.any() else flat
    if values.dtype.kind not in TEXT_KINDS or not all(isinstance(value, str) for value in present):
        kinds = sorted({type(value).__name__ for value in present})
        message = (
            f"Stored variables hold whole numbers, floats, booleans or text. {name!r} has type {values.dtype}, "
            f"values of {', '.join(kinds) or 'no type'}; convert it."
        )
        raise InputError(message)
    if missing.any():
        word = "missing"
        while word in set(present):
            word = f"<{word}>"
        attributes = {**attributes, MISSING_WORD: word}
        flat = np.where(missing, word, flat)
    return xr.Variable(dims, flat.astype(object, copy=False).reshape(values.shape), attributes)


def _create(group: zarr.Group, name: str, variable: xr.Variable, chunks: tuple[int, ...]) -> None:
    text = variable.dtype.kind == "O"
    group.create_array(
        name,
        shape=variable.shape,
        chunks=chunks if variable.ndim else "auto",
        dtype="string" if text else variable.dtype,
        compressors=plain_codecs() if text else number_codecs(variable.dtype.itemsize),
        overwrite=True,
        dimension_names=[str(dim) for dim in variable.dims],
        attributes=dict(variable.attrs),
    )


def _write_chunks(folder: Path, data: np.ndarray, *, rows: tuple[int, ...]) -> None:
    """Write an array some whole chunks at a time: text as long as the cells would be held once more otherwise."""
    array = open_array(folder, mode="r+")
    if not rows:
        array[...] = data
        return
    for first in range(0, len(data), rows[0]):
        array[first : first + rows[0]] = data[first : first + rows[0]]


def _lazy_write(data: da.Array, folder: Path, chunks: tuple[int, ...]) -> da.Array:
    aligned = data.rechunk(chunks) if data.ndim else data
    return da.map_blocks(
        ChunkWriter(str(folder.absolute())),
        aligned,
        dtype=bool,
        chunks=tuple((1,) * blocks for blocks in aligned.numblocks),
        meta=np.empty((0,) * aligned.ndim, dtype=bool),
    )


def _write_missing(folder: Path, writes: Mapping[str, da.Array]) -> None:
    chosen = {name: missing_blocks(folder / name, array) for name, array in writes.items()}
    lazy = [ChosenBlocks(writes[name], blocks=blocks) for name, blocks in chosen.items() if blocks]
    if lazy:
        # In one call, and not optimized one by one before: variables that share reads keep sharing them.
        count(**{TASKS: len(collections_to_expr(lazy).optimize().__dask_graph__())})
        dask.compute(*lazy)


def _attributes_digest(folder: Path, names: Sequence[str]) -> str:
    return attributes_digest(group_attributes(folder) or {}, names)


def attributes_digest(attributes: Mapping[str, Any], names: Sequence[str]) -> str:
    """Name some attributes of a group by their content."""
    content = json.dumps({name: attributes.get(name) for name in names}, sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _check_descriptions(folder: Path, attributes: Mapping[str, Any]) -> None:
    # Chunks carry checksums of their own. A flipped digit in a shape or in the list of variables would go unnoticed.
    if DIGEST not in attributes:
        return  # written before this was kept
    damaged = [] if _attributes_digest(folder, attributes[COVERED]) == attributes[DIGEST] else [folder]
    for name, digest in attributes.get(ARRAY_DIGESTS, {}).items():
        array = folder / name
        if not (array / GROUP_FILE).is_file() or metadata_digest(array) != digest:
            damaged.append(array)
    if damaged:
        files = listed([str(each / GROUP_FILE) for each in damaged])
        message = (
            f"Descriptions of arrays must be as they were written. Found other bytes in {files}; "
            f"remove the group {str(folder)!r} and run the same command again."
        )
        raise ChecksumError(message)


def _read_variable(folder: Path) -> xr.Variable:
    array = open_array(folder)
    attributes = dict(array.attrs)
    dims = getattr(array.metadata, "dimension_names", None) or ()
    _check_files(array, folder)
    if array.nbytes > LAZY_BYTES and array.dtype.kind in STORED_KINDS:
        reader = ChunkReader(str(folder.absolute()))
        sizes = da.core.normalize_chunks(array.chunks, shape=array.shape)
        data = da.map_blocks(reader, chunks=sizes, dtype=array.dtype, meta=np.empty((0,) * array.ndim, array.dtype))
        return xr.Variable(dims, data, attributes)
    with _damage_named(folder):
        values = np.asarray(array[...])
    if array.dtype.kind in STORED_KINDS:
        return xr.Variable(dims, values, attributes)
    text = values.astype(object)
    word = attributes.pop(MISSING_WORD, None)
    if word is not None:
        text = np.where(text == word, np.array(np.nan, dtype=object), text)
    return xr.Variable(dims, text, attributes)


@dataclass(frozen=True)
class ChunkReader:
    """Reads one chunk of one variable in a task.

    Attributes
    ----------
    folder
        Of the array.
    """

    folder: str

    def __call__(self, *, block_id: tuple[int, ...] = ()) -> np.ndarray:
        """Read the chunk with this number."""
        array = open_array(Path(self.folder))
        window = tuple(
            slice(number * size, (number + 1) * size) for number, size in zip(block_id, array.chunks, strict=True)
        )
        with _damage_named(Path(self.folder)):
            return np.asarray(array[window])


def _check_files(array: zarr.Array[Any], folder: Path) -> None:
    # zarr takes a missing chunk for zeros; every chunk was written, empty or not.
    expected = number_of_chunks(array)
    found = chunk_files(folder)
    if len([file for file in found if file.stat().st_size]) != expected:
        message = (
            f"An array must have all its chunks. {str(folder)!r} has {len(found)} of {expected} or an empty one; "
            "remove its group and run the same command again."
        )
        raise ChecksumError(message)


@contextlib.contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        message = (
            f"The bytes of an array must be those that were written. {str(folder)!r} fails its checksum ({error}); "
            "remove its group and run the same command again."
        )
        raise ChecksumError(message) from error


def _plain_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _plain(value) for name, value in attributes.items()}


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return _plain_attributes(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
