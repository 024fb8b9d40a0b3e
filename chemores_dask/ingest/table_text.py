"""Text tables as people hold them: plain or gzipped, tabs or commas, with or without a corner."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pandas as pd

from chemores_dask.checks import listed
from chemores_dask.errors import FormatError, InputError
from chemores_dask.ingest.parquet_tables import is_parquet, parquet_texts

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


def read_names(path: Path) -> list[list[str]]:
    """Read the fields, separated by tabs, of each line that is not empty."""
    with open_bytes(path) as file:
        return [line.decode("utf-8").rstrip("\r\n").split("\t") for line in file if line.strip()]


def read_texts(path: Path) -> pd.DataFrame:
    """Read a table whose entries all stay the texts that they are.

    Parameters
    ----------
    path
        The table, plain or gzipped, with a header; or Parquet.

    Returns
    -------
    Texts; empty entries are empty texts.

    Raises
    ------
    FormatError
        If the file is empty or its first line has no delimiter.
    InputError
        If a name heads two columns.
    """
    if is_parquet(path):
        return parquet_texts(path)
    lines = first_lines(path, 2)
    delimiter = detect_delimiter(path, lines)
    _check_unique(split_line(lines[0], delimiter), path)
    with open_bytes(path) as file:
        text = file.read().decode("utf-8-sig")
    names = names_of_columns(lines, delimiter)
    with whole_lines(path):
        return pd.read_csv(
            io.StringIO(text), sep=delimiter, dtype=str, keep_default_na=False, index_col=False, names=names, header=0
        )


def names_of_columns(lines: list[str], delimiter: str) -> list[str] | None:
    """Name the columns of a table whose first line lacks the name of the first, as R's ``write.table`` leaves it.

    Parameters
    ----------
    lines
        The first two lines.
    delimiter
        What separates the columns.

    Returns
    -------
    Names, the first as pandas calls a column without one; None where the first line names all columns.
    """
    if len(lines) < 2:
        return None
    header, first = (split_line(line, delimiter) for line in lines[:2])
    if len(first) != len(header) + 1 or not first[-1].strip():
        return None
    return ["Unnamed: 0", *header]


@contextmanager
def whole_lines(path: Path) -> Iterator[None]:
    """Refuse lines with more fields than the first, where pandas would leave the last ones out with a warning.

    Raises
    ------
    FormatError
        If there are such lines.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except pd.errors.ParserWarning as problem:
        message = (
            f"Every line of {path} must have as many fields as the first. Found more in others; put fields that hold the separator into "
            "quotes, or name all columns."
        )
        raise FormatError(message) from problem


def _check_unique(header: list[str], path: Path) -> None:
    # pandas would rename the second one, and nobody would know which was taken.
    names = [name.strip() for name in header]
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        message = f"Columns of {path} must be unique. More than once: {listed(repeated)}; rename or remove them."
        raise InputError(message)
