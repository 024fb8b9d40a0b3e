"""Whole files of an array made in memory, put in place in one step, and read back.

The bytes are those that zarr reads: chunks under blosc or zstd, each with its CRC32C, and behind them the index of the shard with its
own. Twice as fast as a codec pipeline.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import google_crc32c
import numpy as np
from numcodecs import blosc, zstd

from chemores_dask.aliases import Vector
from chemores_dask.errors import ChecksumError
from chemores_dask.store.shard_reader import SUM, read_bytes

COMPRESSION = b"lz4"
COMPRESSION_LEVEL = 5
ZSTD_LEVEL = 3


def write_shard_file(file: Path, values: Vector, *, chunk: int, shard: int) -> str:
    """Write the chunks of one shard as a file.

    Parameters
    ----------
    file
        Its path; the folder is made if it is not there.
    values
        At most as many as a shard holds; zeros follow them.
    chunk, shard
        Values in a chunk and in a shard.

    Returns
    -------
    Its bytes, named as by :func:`file_digest`.

    Raises
    ------
    ChecksumError
        If the file does not read back as it was written.
    """
    parts: list[bytes] = []
    index = np.empty((shard // chunk, 2), dtype="<u8")
    place = 0
    for number in range(shard // chunk):
        piece = np.ascontiguousarray(values[number * chunk : (number + 1) * chunk])
        if len(piece) < chunk:
            piece = np.concatenate([piece, np.zeros(chunk - len(piece), dtype=values.dtype)])
        stored = blosc.compress(piece, COMPRESSION, COMPRESSION_LEVEL, blosc.BITSHUFFLE, 0)
        index[number] = place, len(stored) + SUM
        place += len(stored) + SUM
        parts += [stored, _sum_of(stored)]
    described = index.tobytes()
    return _write_file(file, [*parts, described, _sum_of(described)])


def write_chunk_file(file: Path, values: Vector) -> str:
    """Write the only chunk of a file, under zstd.

    Parameters
    ----------
    file
        Its path; the folder is made if it is not there.
    values
        All of the chunk.

    Returns
    -------
    Its bytes, named as by :func:`file_digest`.

    Raises
    ------
    ChecksumError
        If the file does not read back as it was written.
    """
    stored = zstd.compress(np.ascontiguousarray(values), ZSTD_LEVEL)
    return _write_file(file, [stored, _sum_of(stored)])


def file_digest(file: Path) -> str:
    """Name the bytes of a file as they are on disk: 16 hexadecimal digits of BLAKE2b.

    A CRC32C would say nothing here: that of bytes which end with their own CRC32C is the same whatever they are.
    """
    return _digest(read_bytes(file, 0, None).data)


def _digest(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _sum_of(stored: bytes) -> bytes:
    return int(google_crc32c.value(stored)).to_bytes(SUM, "little")


def _write_file(file: Path, parts: list[bytes]) -> str:
    whole = b"".join(parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    partial.write_bytes(whole)
    if not np.array_equal(read_bytes(partial, 0, None), np.frombuffer(whole, dtype=np.uint8)):
        message = (
            f"A written shard must read back as it was written. {str(file)!r} does not; "
            "check the disk and its free space, then run the same command again."
        )
        raise ChecksumError(message)
    partial.replace(file)
    return _digest(whole)
