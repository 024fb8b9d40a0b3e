"""Windows of one-dimensional HDF5 arrays, read past the library where it would hold everything up.

HDF5 inflates chunk after chunk under the lock of the interpreter. Chunks that were only deflated (with or without the shuffle filter) are
inflated here by threads, and arrays in one piece are read from the file directly; everything else goes through the library.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from chemores_dask.errors import FormatError

WORKERS = 2
SMALLEST_CHUNK = 2**10
LARGEST_CHUNK = 2**28
"""Sizes in bytes of chunks that are worth threads, and that fit into memory a few times."""

KINDS = "iuf"


@dataclass(frozen=True)
class _Stored:
    """One chunk in the file."""

    number: int
    offset: int
    size: int


class VectorReader:
    """Reads windows of a one-dimensional array; used as a context.

    Parameters
    ----------
    values
        The array.
    path
        Of its file, for messages.
    """

    def __init__(self, values: h5py.Dataset, path: Path) -> None:
        self._values = values
        self._path = path
        self._shuffled = False
        self._read, direct = self._way()
        self._descriptor = os.open(values.file.filename, os.O_RDONLY) if direct else -1
        self._threads = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="ingest-inflate")
        self._last: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=values.dtype))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    @property
    def direct(self) -> bool:
        """Whether the array is read past the library."""
        return self._descriptor >= 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read some values.

        Parameters
        ----------
        start, stop
            Positions, the last one excluded.

        Returns
        -------
        The values; whole numbers may come in fewer bits than they are stored in.

        Raises
        ------
        FormatError
            If the file is cut short, or a chunk is damaged.
        """
        if stop <= start:
            return np.empty(0, dtype=self._values.dtype)
        return self._read(start, stop)

    def _way(self) -> tuple[Callable[[int, int], np.ndarray], bool]:
        values = self._values
        created = values.id.get_create_plist()
        plain_file = values.file.driver == "sec2" and values.file.userblock_size == 0 and not values.is_virtual
        plain_values = values.dtype.kind in KINDS and values.dtype.isnative and values.ndim == 1
        if not (plain_file and plain_values) or created.get_external_count():
            return self._by_library, False
        if created.get_layout() == h5py.h5d.CONTIGUOUS:
            return (self._in_one_piece, True) if values.id.get_offset() is not None else (self._by_library, False)
        filters = [created.get_filter(number)[0] for number in range(created.get_nfilters())]
        self._shuffled = filters[:1] == [h5py.h5z.FILTER_SHUFFLE]
        chunk_bytes = values.chunks[0] * values.dtype.itemsize if values.chunks else 0
        worth = SMALLEST_CHUNK <= chunk_bytes <= LARGEST_CHUNK
        if worth and filters[int(self._shuffled) :] == [h5py.h5z.FILTER_DEFLATE]:
            return self._by_chunks, True
        return self._by_library, False

    def _by_library(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self._values[start:stop])

    def _in_one_piece(self, start: int, stop: int) -> np.ndarray:
        found = np.empty(stop - start, dtype=self._values.dtype)
        target = memoryview(found).cast("B")
        position = self._values.id.get_offset() + start * found.itemsize
        done = 0
        while done < len(target):
            taken = os.preadv(self._descriptor, [target[done:]], position + done)
            if taken == 0:
                raise FormatError(self._damage("it ends before its data do"))
            done += taken
        return found

    def _by_chunks(self, start: int, stop: int) -> np.ndarray:
        size = self._values.chunks[0]
        first, last = start // size, (stop - 1) // size
        held, kept = self._last
        numbers = [number for number in range(first, last + 1) if number != held]
        stored = [self._stored(number) for number in numbers]
        # The library sees the chunks that its filters left as they were, and those that were never written.
        parts = {held: kept} | {
            number: self._by_library(number * size, min((number + 1) * size, self._values.shape[0]))
            for number, place in zip(numbers, stored, strict=True)
            if place is None
        }
        places = [place for place in stored if place is not None]
        share = -(-len(places) // WORKERS) or 1
        batches = [places[begin : begin + share] for begin in range(0, len(places), share)]
        for batch, inflated in zip(batches, self._threads.map(self._inflated, batches), strict=True):
            parts |= {place.number: chunk for place, chunk in zip(batch, inflated, strict=True)}
        self._last = (last, parts[last])
        cut = [parts[number] for number in range(first, last + 1)]
        cut[-1] = cut[-1][: stop - last * size]
        cut[0] = cut[0][start - first * size :]
        return np.concatenate(cut)

    def _stored(self, number: int) -> _Stored | None:
        info = self._values.id.get_chunk_info_by_coord((number * self._values.chunks[0],))
        if info.byte_offset is None or info.filter_mask:
            return None
        return _Stored(number, info.byte_offset, info.size)

    def _inflated(self, batch: Sequence[_Stored]) -> list[np.ndarray]:
        return [self._inflate(place) for place in batch]

    def _inflate(self, place: _Stored) -> np.ndarray:
        packed = os.pread(self._descriptor, place.size, place.offset)
        if len(packed) < place.size:
            raise FormatError(self._damage("it ends before its data do"))
        expected = self._values.chunks[0] * self._values.dtype.itemsize
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(packed, expected + 1)
        except zlib.error as problem:
            raise FormatError(self._damage(f"chunk {place.number} cannot be inflated ({problem})")) from problem
        if len(content) != expected or not inflater.eof:
            raise FormatError(
                self._damage(f"chunk {place.number} holds {len(content):,} bytes instead of {expected:,}")
            )
        if self._shuffled:
            return unshuffled(content, self._values.dtype)
        return np.frombuffer(content, dtype=self._values.dtype)

    def _damage(self, found: str) -> str:
        return (
            f"{self._path} must be a whole, readable file. Found in {self._values.name}: {found}; the file is cut short or damaged, "
            "fetch it again."
        )


def unshuffled(content: bytes, dtype: np.dtype[Any]) -> np.ndarray:
    """Undo the shuffle filter of HDF5, which puts the bytes of one place value together.

    Parameters
    ----------
    content
        Of a chunk.
    dtype
        Of its numbers, in the byte order of the machine.

    Returns
    -------
    The numbers. Whole ones come as int32 where they fit: most counts and columns use one or two bytes, and the rest need not be touched.

    Examples
    --------
    >>> unshuffled(bytes([1, 2, 0, 1]), np.dtype("<u2")).tolist()
    [1, 258]
    """
    planes = np.frombuffer(content, dtype=np.uint8).reshape(dtype.itemsize, -1)
    if not np.little_endian:
        planes = planes[::-1]
    used = [number for number in range(dtype.itemsize) if number == 0 or planes[number].any()]
    narrow = dtype.kind in "iu" and dtype.itemsize >= 4 and (used[-1] < 3 or (used[-1] == 3 and planes[3].max() < 128))
    work = np.dtype(np.uint32) if narrow else np.dtype(f"u{dtype.itemsize}")
    numbers = planes[0].astype(work)
    for number in used[1:]:
        numbers |= planes[number].astype(work) << work.type(8 * number)
    return numbers.view(np.int32 if narrow else dtype)
