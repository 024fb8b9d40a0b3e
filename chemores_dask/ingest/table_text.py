"""Text tables as people hold them: plain or gzipped, tabs or commas, with or without a corner."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import IO

from chemores_dask.errors import FormatError

GZIP_MAGIC = b"\x1f\x8b"
DELIMITERS = ("\t", ",", ";")


def is_gzip(path: Path) -> bool:
    """Tell whether a file is gzipped, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    if is_gzip(path):
        return gzip.open(path, "rb")
    return path.open("rb")


def first_lines(path: Path, count: int) -> list[str]:
    """Read the first lines of a text file, without their line ends."""
    with open_bytes(path) as file:
        lines = [file.readline() for _ in range(count)]
    return [line.decode("utf-8-sig").rstrip("\r\n") for line in lines if line]


def detect_delimiter(path: Path, lines: list[str]) -> str:
    """Find out what separates the columns of a table.

    Parameters
    ----------
    path
        For the message.
    lines
        The first lines; the separator that is most frequent in the first of them wins.

    Returns
    -------
    Tab, comma or semicolon.

    Raises
    ------
    FormatError
        If the file is empty or its first line has none of them.
    """
    counts = {delimiter: lines[0].count(delimiter) if lines else 0 for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: counts[delimiter])
    if counts[best] == 0:
        found = "an empty file" if not lines else f"the first line {lines[0][:80]!r}"
        message = (
            f"{path} must be a table separated by tabs, commas or semicolons. Found {found}; export it as TSV or CSV."
        )
        raise FormatError(message)
    return best


def split_line(line: str, delimiter: str) -> list[str]:
    """Split one line of a table, honoring quotes."""
    return next(csv.reader([line], delimiter=delimiter), [])


def read_names(path: Path, column: int = 0) -> list[list[str]]:
    """Read a small table of names separated by tabs.

    Parameters
    ----------
    path
        The table, plain or gzipped.
    column
        Each line must reach at least this column.

    Returns
    -------
    The fields of each line that is not empty.

    Raises
    ------
    FormatError
        If a line is too short.
    """
    with open_bytes(path) as file:
        rows = [line.decode("utf-8").rstrip("\r\n").split("\t") for line in file if line.strip()]
    short = next((number for number, row in enumerate(rows, start=1) if len(row) <= column), None)
    if short is not None:
        message = (
            f"Every line of {path} must have at least {column + 1} columns separated by tabs. Line {short} has "
            f"{len(rows[short - 1])}; fetch the file again."
        )
        raise FormatError(message)
    return rows
