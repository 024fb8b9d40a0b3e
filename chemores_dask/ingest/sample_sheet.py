"""The sample sheet: one row per sample, with the path of its counts and what is known of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from chemores_dask.checks import check_columns, listed
from chemores_dask.errors import InputError
from chemores_dask.ingest.source import reading
from chemores_dask.ingest.table_text import read_texts
from chemores_dask.store.layout import is_plain_name

REQUIRED = ("sample", "path")
CONTROLS = ("path", "format", "split_by", "counts_in")
LABELS = ("sample", "patient", "stage", "batch")
RESERVED = ("cell_key", "species_share")
WHOLE = r"-?(?:0|[1-9]\d*)"
NUMBER = WHOLE + r"(?:\.\d+)?(?:[eE][+-]?\d+)?"


@dataclass(frozen=True)
class SheetEntry:
    """One row of a sample sheet.

    Attributes
    ----------
    sample
        Name of the sample; where the file is split, a pattern in which ``{}`` stands for the value (``{}`` alone by
        default).
    path
        Where the counts lie.
    format_name
        Forces a format.
    split_by
        Column of the file's own table of cells that tells the sample.
    counts_in
        Where in the file the counts lie.
    values
        The other columns; None where empty.
    """

    sample: str
    path: Path
    format_name: str | None
    split_by: str | None
    counts_in: str | None
    values: Mapping[str, object]


def read_sample_sheet(samples: str | os.PathLike[str] | pd.DataFrame) -> tuple[SheetEntry, ...]:
    """Read a sample sheet.

    Parameters
    ----------
    samples
        CSV or TSV (or a DataFrame) with the columns ``sample`` and ``path``, one row per sample. Relative paths start
        at the sheet's folder (at the working directory for a DataFrame). ``format``, ``split_by`` and ``counts_in``
        guide the readers; all other columns (``patient``, ``stage``, ``batch``, …) become columns of the cells.
        Columns of numbers become numbers, apart from the four labels; identifiers with leading zeros stay text.

    Returns
    -------
    One entry per row, in the order of the sheet.

    Raises
    ------
    MissingVariableError
        If ``sample`` or ``path`` is absent.
    InputError
        If there are no rows, an entry is empty, or a sample or a path occurs twice.
    """
    if isinstance(samples, pd.DataFrame):
        table, folder, where = samples.copy(), Path.cwd(), "the sample sheet"
    else:
        sheet = Path(samples)
        with reading(sheet):
            table = read_texts(sheet)
        folder, where = sheet.parent, str(sheet)
    table.columns = [str(name).strip() for name in table.columns]
    check_columns(table, REQUIRED, what=where, caller="ingest")
    table = table.map(_cleaned)
    _check_rows(table, where)
    others = {name: _typed(name, table[name]) for name in table.columns if name not in (*CONTROLS, "sample")}
    return tuple(
        _entry(table.iloc[row], {name: values[row] for name, values in others.items()}, folder)
        for row in range(len(table))
    )


def _entry(row: pd.Series, values: Mapping[str, object], folder: Path) -> SheetEntry:
    controls = {name: row[name] if name in row.index else None for name in CONTROLS}
    path = (folder / Path(str(row["path"])).expanduser()).resolve()
    return SheetEntry(str(row["sample"]), path, controls["format"], controls["split_by"], controls["counts_in"], values)


def _cleaned(value: object) -> object:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, os.PathLike) else value


def _check_rows(table: pd.DataFrame, where: str) -> None:
    if len(table) == 0:
        message = f"{where} must list at least one sample. Found no rows; add one row per sample."
        raise InputError(message)
    reserved = sorted(set(RESERVED) & set(table.columns))
    repeated = sorted({name for name in table.columns if list(table.columns).count(name) > 1})
    if reserved or repeated:
        message = (
            f"Columns of {where} must be unique and not called cell_key or species_share. Found: "
            f"{listed(repeated + reserved)}; rename them."
        )
        raise InputError(message)
    unusual = [name for name in table.columns if not is_plain_name(name)]
    if unusual:
        message = (
            f"Columns of {where} must have plain names: no '/', and not '_index', '.' or '..'. Found: "
            f"{listed(unusual)}; rename them."
        )
        raise InputError(message)
    for name in REQUIRED:
        empty = [row + 2 for row, value in enumerate(table[name]) if value is None]
        if empty:
            message = f"Every row of {where} must have a {name}. Empty in the lines: {listed(empty)}; fill them in."
            raise InputError(message)
    names = table["sample"].astype(str)
    with_colon = sorted({name for name in names if ":" in name})
    if with_colon:
        message = (
            f"Names of samples must not hold ':', which joins them to barcodes. Found in {where}: "
            f"{listed(with_colon)}; rename them."
        )
        raise InputError(message)
    twice = sorted(set(names[names.duplicated()]))
    if twice:
        message = (
            f"Every sample must occur once in {where}. More than once: {listed(twice)}; give each file its own name "
            "and share 'patient' or another column."
        )
        raise InputError(message)
    paths = table["path"].astype(str)
    same = sorted(set(paths[paths.duplicated()]))
    if same:
        message = (
            f"Every path must occur once in {where}. More than once: {listed(same)}; correct the paths (to split a "
            "file by a column, use 'split_by' in one row)."
        )
        raise InputError(message)


def _typed(name: str, values: pd.Series) -> list[object]:
    present = [value for value in values if value is not None]
    if name in LABELS:
        return [None if value is None else str(value) for value in values]
    if not present or not all(isinstance(value, str) for value in present):
        return [value.item() if hasattr(value, "item") else value for value in values]
    texts = pd.Series(present, dtype=object)
    if texts.str.fullmatch(WHOLE).all() and len(present) == len(values):
        return [int(value) for value in values]
    if texts.str.fullmatch(NUMBER).all():
        return [float("nan") if value is None else float(value) for value in values]
    return list(values)
