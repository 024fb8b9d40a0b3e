"""Many windows of stored arrays at once: every chunk they touch is decoded once, by as many threads as Dask has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.errors import ChecksumError
from chemores_dask.store.raw_counts import COUNT_TYPE
from chemores_dask.store.shard_reader import ArrayFiles, array_files, read_chunks
from chemores_dask.store.sharded_csr import UNREADABLE, read_values, shard_size

TASKS = 64
"""At most this many tasks share the files: a scheduler spends longer on a task than it takes to read some chunks of a file."""

DamageText = Callable[[Path, Sequence[int]], str]
"""Says what is wrong with some files of an array."""


@dataclass(frozen=True)
class _Pieces:
    """What one file gives: pieces of its chunks, ordered by chunk, and where they go.

    Attributes
    ----------
    number
        Of the file.
    chunks
        Chunk of each piece, within the file.
    sources, sizes, targets
        First value within the chunk, number of values, first place in the answer.
    """

    number: int
    chunks: Vector
    sources: Vector
    sizes: Vector
    targets: Vector


def read_windows(folders: Sequence[Path], starts: Vector, stops: Vector, *, damage: DamageText) -> list[Vector]:
    """Read the same windows of some arrays, for each one behind the other in the order given.

    Parameters
    ----------
    folders
        Of the arrays.
    starts, stops
        Positions of each window, the last one excluded.
    damage
        Names what is wrong when bytes are not those that were written.

    Returns
    -------
    The values of each array, int32.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written.
    """
    starts, stops, targets = _merged(starts, stops)
    total = int((stops - starts).sum())
    answers = [np.empty(total, dtype=COUNT_TYPE) for _ in folders]
    parts: list[_FilePart] = []
    for folder, answer in zip(folders, answers, strict=True):
        files = array_files(folder)
        if files is None:
            _read_one_by_one(folder, starts, stops, answer, damage)
        else:
            parts += [_FilePart(files, pieces, answer, damage) for pieces in _cut(files, starts, stops, targets)]
    tasks = [dask.delayed(_Task(parts[first::TASKS]), pure=False)() for first in range(min(TASKS, len(parts)))]
    # The answer lies in the memory of this process, so its threads fill it, whatever cluster there is.
    dask.compute(*tasks, scheduler="threads")
    return answers


class _Task:
    """Fills in what some files give; neither list nor dataclass, which Dask would look through for lazy values."""

    def __init__(self, parts: Sequence[_FilePart]) -> None:
        self._parts = parts

    def __call__(self) -> None:
        for part in self._parts:
            part()


class _FilePart:
    """Fills in what one file gives."""

    def __init__(self, files: ArrayFiles, pieces: _Pieces, answer: Vector, damage: DamageText) -> None:
        self._files = files
        self._pieces = pieces
        self._answer = answer
        self._damage = damage

    def __call__(self) -> None:
        pieces = self._pieces
        chunks, borders = np.unique(pieces.chunks, return_index=True)
        first = dict(zip(chunks.tolist(), borders.tolist(), strict=True))
        last = dict(zip(chunks.tolist(), [*borders[1:].tolist(), len(pieces.chunks)], strict=True))
        places = list(zip(pieces.sources.tolist(), pieces.sizes.tolist(), pieces.targets.tolist(), strict=True))
        try:
            for chunk, values in read_chunks(self._files, pieces.number, chunks):
                for source, size, target in places[first[chunk] : last[chunk]]:
                    self._answer[target : target + size] = values[source : source + size]
        except UNREADABLE as error:
            raise ChecksumError(self._damage(self._files.folder, [pieces.number])) from error


def _merged(starts: Vector, stops: Vector) -> tuple[Vector, Vector, Vector]:
    """Windows without empty ones, and one for those that follow each other; with their places in the answer."""
    kept = stops > starts
    starts, stops = starts[kept].astype(np.int64), stops[kept].astype(np.int64)
    begins = np.flatnonzero(np.append(True, starts[1:] != stops[:-1])[: len(starts)])
    starts, stops = starts[begins], stops[np.append(begins[1:], len(stops)) - 1] if len(begins) else stops
    sizes = stops - starts
    return starts, stops, np.cumsum(sizes) - sizes


def _cut(files: ArrayFiles, starts: Vector, stops: Vector, targets: Vector) -> Iterator[_Pieces]:
    """Cut windows at the borders of chunks, and sort the pieces by file and chunk."""
    if not len(starts):
        return
    first = starts // files.chunk
    count = (stops - 1) // files.chunk - first + 1
    window = np.repeat(np.arange(len(starts)), count)
    chunk = first[window] + np.arange(len(window)) - np.repeat(np.cumsum(count) - count, count)
    low = np.maximum(starts[window], chunk * files.chunk)
    high = np.minimum(stops[window], (chunk + 1) * files.chunk)
    order = np.argsort(chunk, kind="stable")
    window, chunk, low, high = window[order], chunk[order], low[order], high[order]
    per_file = files.per_file // files.chunk
    numbers, borders = np.unique(chunk // per_file, return_index=True)
    for number, begin, end in zip(numbers.tolist(), borders.tolist(), [*borders[1:].tolist(), len(chunk)], strict=True):
        part = slice(begin, end)
        yield _Pieces(
            number=number,
            chunks=chunk[part] - number * per_file,
            sources=low[part] - chunk[part] * files.chunk,
            sizes=high[part] - low[part],
            targets=targets[window[part]] + low[part] - starts[window[part]],
        )


def _read_one_by_one(folder: Path, starts: Vector, stops: Vector, answer: Vector, damage: DamageText) -> None:
    place = 0
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        try:
            answer[place : place + stop - start] = read_values(folder, start, stop)
        except UNREADABLE as error:
            size = shard_size(folder)
            raise ChecksumError(damage(folder, range(start // size, (stop - 1) // size + 1))) from error
        place += stop - start
