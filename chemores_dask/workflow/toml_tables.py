"""TOML files read strictly: every mistake is one sentence that names the file, the table and the key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from chemores_dask.aliases import StorePath
from chemores_dask.checks import listed
from chemores_dask.errors import PipelineFileError

Value = TypeVar("Value")
KIND_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


def read_toml(path: StorePath, *, what: str) -> TomlTable:
    """Read a TOML file.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, for messages.

    Returns
    -------
    Its top table.

    Raises
    ------
    PipelineFileError
        If there is no such file, or it is not TOML in UTF-8.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        message = f"{what} must be a file that can be read. {path}: {error.strerror}; check the path."
        raise PipelineFileError(message) from error
    except UnicodeDecodeError as error:
        message = f"{what} must be text in UTF-8. {path} is not; save it again as UTF-8."
        raise PipelineFileError(message) from error
    try:
        return TomlTable(tomllib.loads(text), place="the top of the file", file=str(path))
    except tomllib.TOMLDecodeError as error:
        message = f"{what} must be TOML. {path} does not parse: {error}."
        raise PipelineFileError(message) from error


def close_names(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the names closest to one that is not known; empty where none is close.

    Examples
    --------
    >>> close_names("qualty", ["quality", "pca"])
    ' Did you mean quality?'
    """
    close = difflib.get_close_matches(name, list(known))
    return f" Did you mean {' or '.join(close)}?" if close else ""


@dataclass(frozen=True)
class TomlTable:
    """A table of a TOML file with its place in the file.

    Attributes
    ----------
    values
        What the table holds.
    place
        Where it stands, in words.
    file
        Path of the file.
    """

    values: Mapping[str, object]
    place: str
    file: str

    def only(self, *known: str) -> TomlTable:
        """Refuse keys other than those known."""
        for key in self.values:
            if key not in known:
                self.fail(key, expected=f"is not known here. Known keys: {listed(known)}", hint=close_names(key, known))
        return self

    def text(self, key: str, *, default: str | None = None) -> str:
        """A string; required unless there is a default."""
        found = self._typed(key, str, default)
        if default is None and not found.strip():
            self.fail(key, expected="must not be empty")
        return found

    def whole(self, key: str, *, default: int | None = None) -> int:
        """An integer; required unless there is a default."""
        return self._typed(key, int, default)

    def number(self, key: str, *, default: float | None = None) -> float:
        """A number; required unless there is a default."""
        found = self._typed(key, float, default)
        return float(found)

    def truth(self, key: str, *, default: bool) -> bool:
        """A boolean."""
        return self._typed(key, bool, default)

    def texts(self, key: str, *, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of strings; required unless there is a default."""
        found = self._typed(key, list, None if default is None else list(default))
        if not all(isinstance(item, str) for item in found):
            self.fail(key, expected="must be a list of texts", found=found)
        return tuple(found)

    def table(self, key: str) -> TomlTable:
        """A table; empty where absent."""
        found = self._typed(key, dict, {})
        return TomlTable(found, place=f"{key!r} of {self.place}", file=self.file)

    def tables(self, key: str, *, named: str | None = None) -> tuple[TomlTable, ...]:
        """A list of tables; empty where absent. ``named`` is the key by which messages call them."""
        found = self._typed(key, list, [])
        if not all(isinstance(item, dict) for item in found):
            self.fail(key, expected="must be a list of tables", found=found)
        return tuple(
            TomlTable(item, place=_place(key, item, number, named, self.place), file=self.file)
            for number, item in enumerate(found, start=1)
        )

    def fail(self, key: str, *, expected: str, found: object = None, hint: str = "") -> NoReturn:
        """Refuse what a key says."""
        got = "" if found is None else f". Got {found!r}"
        message = f"In {self.file}: {key!r} of {self.place} {expected}{got}.{hint}"
        raise PipelineFileError(message)

    def _typed(self, key: str, kind: type[Value], default: Value | None) -> Value:
        if key not in self.values:
            if default is None:
                self.fail(key, expected=f"is missing; it must be {KIND_NAMES[kind]}")
            return default
        found = self.values[key]
        number = kind is float and isinstance(found, int) and not isinstance(found, bool)
        wrong_truth = isinstance(found, bool) and kind is not bool
        if wrong_truth or not (isinstance(found, kind) or number):
            self.fail(key, expected=f"must be {KIND_NAMES[kind]}", found=found)
        return found


def _place(key: str, item: Mapping[str, object], number: int, named: str | None, parent: str) -> str:
    within = "" if parent == "the top of the file" else f" in {parent}"
    name = item.get(named) if named else None
    return f"[[{key}]] {name!r}{within}" if isinstance(name, str) else f"[[{key}]] number {number}{within}"
