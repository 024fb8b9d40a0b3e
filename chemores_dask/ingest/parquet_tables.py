"""Tables in Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from chemores_dask.errors import FormatError

PARQUET_MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Tell whether a file is Parquet, whatever its name."""
    with path.open("rb") as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file as it is.

    Parameters
    ----------
    path
        The file. Row names that pandas kept become the first column.

    Returns
    -------
    The table.

    Raises
    ------
    FormatError
        If the file is cut short or damaged.
    """
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        message = f"{path} must be a whole Parquet file. Reading it failed: {error}; write or copy it again."
        raise FormatError(message) from error
    named = table.index.name is not None or not isinstance(table.index, pd.RangeIndex)
    if named:
        table = table.rename_axis(index=table.index.name or "").reset_index()
    table.columns = [str(name) for name in table.columns]
    return table


def parquet_texts(path: Path) -> pd.DataFrame:
    """Read a Parquet file as the texts that a person would have written; missing entries are empty texts."""
    table = read_parquet(path)
    return pd.DataFrame({name: _texts(table[name]) for name in table.columns})


def _texts(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values):
        written = values.map(lambda value: repr(float(value)), na_action="ignore")
    elif pd.api.types.is_datetime64_any_dtype(values):
        written = values.dt.strftime("%Y-%m-%d")
    else:
        written = values.astype(object).map(str, na_action="ignore")
    return written.astype(object).where(values.notna(), "")
