"""What the commands write to the terminal: safe text, tables, and one clear message for an error."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chemores_dask.errors import ChemoresError

INTERRUPTED = 130
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
WIDTH_OF_FILES = 240
"""Lines of tables are folded at the width of a terminal; in files and pipes hardly at all."""

RESUME = "Interrupted. What was finished is kept; run the same command again to go on from there."


def safe(value: object) -> str:
    r"""Text without anything that a terminal would obey.

    Parameters
    ----------
    value
        Anything that may hold a path or a name from a file.

    Returns
    -------
    Its text; characters that are not printable are written as escapes, line breaks and tabs stay.

    Examples
    --------
    >>> safe("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in str(value).encode("utf-8", "backslashreplace").decode()
    )


def say(*lines: object) -> None:
    """Write lines to standard output."""
    for line in lines:
        sys.stdout.write(safe(line) + "\n")


def complain(*lines: object) -> None:
    """Write lines to standard error."""
    for line in lines:
        sys.stderr.write(safe(line) + "\n")


def show_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table to standard output."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(Text(safe(heading)), overflow="fold", header_style="bold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    console.print(table)


@dataclass(frozen=True)
class TellingErrors:
    """Turn an error into one message on standard error and an exit code; with ``debug``, let it through.

    Exit codes: 1 for an error, 130 for an interruption. Wrong usage (2) is told by typer.
    """

    debug: bool

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            complain("", RESUME)
            raise SystemExit(INTERRUPTED) from None
        if self.debug or not isinstance(error, Exception):
            return
        complain(*_described(error))
        raise SystemExit(1) from None


def _described(error: Exception) -> list[str]:
    notes = list(getattr(error, "__notes__", ()))
    if isinstance(error, ChemoresError):
        return [f"Error: {error}", *notes]
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename is not None else ""
        if error.errno in NO_SPACE:
            return [
                f"Error: The disk must have room for what is written. Found: {error.strerror}{place}; free some space and run the "
                "same command again, it goes on from what is finished.",
                *notes,
            ]
        found = f"{error.strerror or error}{place}"
        return [
            f"Error: Files must be readable, and writable where something is written. Found: {found}; check the path.",
            *notes,
        ]
    unexpected = f"Error: something unexpected happened. {type(error).__name__}: {error}"
    return [unexpected, *notes, "Run the same command with --debug to see where."]
