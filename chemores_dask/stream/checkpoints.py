"""What a pass has learned so far, kept on disk, so that a killed run need not read the same rows again.

Kept are the results of reductions and, while a pass goes on, the states of blocks and merges. Each is named by its Dask key, which stands
for the content of the store, the function and everything given to it, and by the versions of packages. Files of children go when that
of their parent is there; so there are never more than a few per level of the tree.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemores_dask.aliases import StorePath
from chemores_dask.errors import FormatError
from chemores_dask.provenance import canonical_json, versions
from chemores_dask.stream.checkpoint_files import UnknownValueError, decode, encode, write_file

LARGEST_BLOCK_STATE = 2**22
"""Bytes; larger states of single blocks are kept when merged."""

LARGEST_STATE = 2**28
"""Bytes; what is larger is computed again."""

SUFFIX = ".checkpoint"

_folder: ContextVar[Path | None] = ContextVar("checkpoint_folder", default=None)


@contextmanager
def keeping_checkpoints(folder: StorePath) -> Iterator[Path]:
    """Keep what passes learn in a folder, and take from there what an earlier, interrupted run has kept.

    Parameters
    ----------
    folder
        Made when something is kept. Whoever calls removes it when the work is done.

    Yields
    ------
    The folder.
    """
    path = Path(folder).absolute()
    token = _folder.set(path)
    try:
        yield path
    finally:
        _folder.reset(token)


def checkpoint_folder() -> Path | None:
    """Where checkpoints are kept here and now; None where they are not."""
    return _folder.get()


def drop_checkpoints(folder: StorePath) -> None:
    """Remove what was kept."""
    if Path(folder).exists():
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Kept:
    """A place for one value.

    Attributes
    ----------
    file
        Its path.
    largest
        Bytes; a larger value is not kept.
    """

    file: str
    largest: int = LARGEST_STATE

    def recall(self) -> tuple[bool, Any]:
        """Whether the value is there as it was written, and the value."""
        try:
            return True, decode(Path(self.file).read_bytes())
        except (FileNotFoundError, FormatError):
            return False, None

    def is_there(self) -> bool:
        """Whether the value can be recalled."""
        return Path(self.file).is_file() and self.recall()[0]

    def keep(self, value: Any, *, instead_of: Sequence[Kept] = ()) -> Any:
        """Keep a value, then remove those it was made from; a value that cannot be kept is passed on.

        Returns
        -------
        The value as it would be recalled, so that arrays lie in memory as they will after an interruption.
        """
        try:
            content = encode(value)
        except UnknownValueError:
            return value
        if len(content) <= self.largest:
            write_file(Path(self.file), content)
            for each in instead_of:
                Path(each.file).unlink(missing_ok=True)
        return decode(content)


def kept_value(key: object) -> Kept | None:
    """The place for the value of a Dask key; None where nothing is kept."""
    folder = checkpoint_folder()
    return None if folder is None else Kept(str(folder / f"{_name(key)}{SUFFIX}"))


def kept_state(key: object, *, level: int, number: int) -> Kept | None:
    """The place for a state on the way to a value.

    Parameters
    ----------
    key
        Dask key of the value.
    level, number
        0 for blocks, 1 and more for merges; number within the level.
    """
    folder = checkpoint_folder()
    if folder is None:
        return None
    file = folder / f"{_name(key)}-{level}-{number}{SUFFIX}"
    return Kept(str(file), LARGEST_STATE if level else LARGEST_BLOCK_STATE)


def _name(key: object) -> str:
    described = canonical_json({"key": str(key), "versions": versions()})
    return hashlib.blake2b(described.encode(), digest_size=12).hexdigest()
