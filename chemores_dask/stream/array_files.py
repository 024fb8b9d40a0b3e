"""Arrays in files of a folder that all workers see, for analyses that take several turns over the same numbers.

One task writes one whole file under another name and then renames it. A file is read whole, which is held against the checksum at its end,
or some of its rows; the folder goes when the analysis is through.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np

from chemores_dask.errors import ChecksumError, StagingSpaceError
from chemores_dask.metering import STAGED_BYTES_READ, STAGED_BYTES_WRITTEN, bytes_text, count
from chemores_dask.stream.staging import folder_for_files

SUFFIX = ".npy"
CHECKSUM = struct.Struct("<I")


@contextmanager
def array_folder(name: str) -> Iterator[str]:
    """Make a folder for the files of one call of an analysis, and remove it with all that is in it.

    Parameters
    ----------
    name
        What is kept there, for people who look.

    Returns
    -------
    A context whose value is the path, below :func:`~chemores_dask.stream.staging.staging_folder`, or else where Dask keeps temporary
    files.

    Raises
    ------
    ParameterError
        If workers run on other machines and no folder is known that they share.
    StagingSpaceError
        If the folder cannot be made.
    """
    parent, temporary = folder_for_files()
    folder = parent / f"{name}-{uuid4().hex}"
    try:
        folder.mkdir()
    except OSError as error:
        if temporary:
            shutil.rmtree(parent, ignore_errors=True)
        message = (
            f"Files of a pass need a folder that can be written to. {str(parent)!r} cannot ({error}). Name another one: "
            "dask.config.set({'temporary-directory': PATH}), or 'with staging_folder(PATH):'."
        )
        raise StagingSpaceError(message) from error
    try:
        yield str(folder)
    finally:
        shutil.rmtree(parent if temporary else folder, ignore_errors=True)


def write_array(folder: str, name: str, array: np.ndarray) -> None:
    """Write an array to a file of its own.

    Parameters
    ----------
    folder
        Made by :func:`array_folder`.
    name
        Of the array, unique in the folder.
    array
        Numbers.

    Raises
    ------
    StagingSpaceError
        If the file cannot be written.
    """
    file = Path(folder) / f"{name}{SUFFIX}"
    beside = file.with_name(f"{file.name}.{uuid4().hex}.partial")
    content = np.ascontiguousarray(array)
    try:
        with beside.open("wb") as stream:
            np.lib.format.write_array(stream, content, version=(1, 0), allow_pickle=False)
            stream.write(CHECKSUM.pack(zlib.crc32(_bytes_of(content))))
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        message = (
            f"Intermediate arrays must find room on the disk. {bytes_text(array.nbytes)} could not be written to {str(file)!r} ({error}). "
            "Free some space, or name another folder: dask.config.set({'temporary-directory': PATH}), or 'with staging_folder(PATH):'."
        )
        raise StagingSpaceError(message) from error
    count(**{STAGED_BYTES_WRITTEN: array.nbytes})


def read_array(folder: str, name: str, *, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Read an array, or some of its rows.

    Parameters
    ----------
    folder, name
        As given to :func:`write_array`.
    start, stop
        First row, and the row behind the last one; to the end unless given.

    Raises
    ------
    ChecksumError
        If the file is not there, is shorter than its header says, or (where it is read whole) does not have its checksum.
    """
    with ArrayFile(folder, name) as file:
        return file.rows(start, file.shape[0] if stop is None else stop)


def remove_arrays(folder: str, start: str) -> None:
    """Remove all arrays whose names start so, to make room."""
    for file in Path(folder).glob(f"{start}*{SUFFIX}"):
        file.unlink(missing_ok=True)


def _bytes_of(array: np.ndarray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


class ArrayFile:
    """A file that stays open while some of its rows are read.

    Attributes
    ----------
    shape, dtype
        Of the array.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._path = Path(folder) / f"{name}{SUFFIX}"
        try:
            self._stream = self._path.open("rb", buffering=0)
        except OSError as error:
            raise ChecksumError(self._damage(str(error))) from error
        try:
            np.lib.format.read_magic(self._stream)
            self.shape, _, self.dtype = np.lib.format.read_array_header_1_0(self._stream)
        except ValueError as error:
            self._stream.close()
            raise ChecksumError(self._damage(str(error))) from error
        self._begin = self._stream.tell()
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Read rows.

        Parameters
        ----------
        start, stop
            First row, and the row behind the last one.

        Returns
        -------
        An array of its own.

        Raises
        ------
        ChecksumError
            If bytes are missing, or all rows are read and are not those that were written.
        """
        found = np.empty((max(stop - start, 0), *self.shape[1:]), dtype=self.dtype)
        if not found.nbytes:
            return found
        self._stream.seek(self._begin + start * self._row_bytes)
        read = self._stream.readinto(_bytes_of(found))
        if read != found.nbytes:
            raise ChecksumError(self._damage(f"{read} of {found.nbytes} bytes are there"))
        if len(found) == self.shape[0] and self._stream.read() != CHECKSUM.pack(zlib.crc32(_bytes_of(found))):
            raise ChecksumError(self._damage("it fails its checksum"))
        count(**{STAGED_BYTES_READ: found.nbytes})
        return found

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _damage(self, found: str) -> str:
        return (
            f"Intermediate arrays must be read as they were written. {str(self._path)!r} cannot be read ({found}). "
            "Compute the analysis again; check the disk if it happens twice."
        )
