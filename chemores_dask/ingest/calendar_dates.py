"""Calendar dates become days from an origin, so that no date stays in a table."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from chemores_dask.checks import check_columns, listed
from chemores_dask.errors import InputError, ParameterError

MISSING = ("", "na", "nan", "nat", "n/a", "null", "none", "not available", "[not available]", "unknown", "not reported")

CLEAR_FORMATS = ("YYYY-MM-DD", "YYYY/MM/DD", "YYYY.MM.DD", "YYYYMMDD", "DD.MM.YYYY", "DD MON YYYY")
"""Formats that can be read in one way only; points between day, month and year are written day first."""

OPEN_FORMATS = ("DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY")
"""Formats that are taken if named, or if the entries of a column leave only one of them."""

MONTH_NAMES = {
    name: month
    for month, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"),
        start=1,
    )
    for name in names.split()
}

PARTS = {
    "YYYY": r"(?P<year>\d{4})",
    "MON": r"(?P<name>[A-Za-zä]{3,9})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
}

CLOCK = r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"


def days_from_origin(
    table: pd.DataFrame, *, columns: Sequence[str], origin: str, date_format: str | None = None
) -> pd.DataFrame:
    """Turn columns of calendar dates into days from an origin.

    Parameters
    ----------
    table
        Clinical table, as texts or with types of its own.
    columns
        The columns of dates.
    origin
        The column that holds each patient's origin (such as the date of diagnosis), or one date for all, as
        YYYY-MM-DD.
    date_format
        How dates are written: years as YYYY, months as MM or MON (their names), days as DD, and what stands between
        them, such as ``"DD/MM/YYYY"``. Needed only where the dates of a column can be read in two ways.

    Returns
    -------
    New table. In the place of each of the columns stands ``<column>_days``, in days, negative before the origin and
    missing (NaN) where a date or the origin is; the column of the origin is left out.

    Raises
    ------
    MissingVariableError
        If a column is absent, or the origin is neither a column nor a date.
    ParameterError
        If the format is not made of YYYY, MM or MON, and DD.
    InputError
        If dates can be read in two ways or in none; the message names the column and the rows, never a date.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["P1"], "diagnosed": ["2010-02-27"], "last_seen": ["2010-03-01"]})
    >>> days_from_origin(table, columns=["last_seen"], origin="diagnosed")
      patient  last_seen_days
    0      P1             2.0
    """
    check_columns(table, columns, what="the clinical table", caller="days_from_origin")
    start = _origin(table, origin, date_format)
    days = {
        name: (calendar_dates(table[name], name=name, date_format=date_format) - start) / np.timedelta64(1, "D")
        for name in columns
    }
    renamed = {name: f"{name}_days" for name in columns}
    clash = [new for new in renamed.values() if new in table.columns]
    if clash:
        message = f"Days from the origin need new columns. Present already: {listed(clash)}; rename them."
        raise InputError(message)
    result = table.assign(**days).rename(columns=renamed)
    return result.drop(columns=origin) if origin in table.columns and origin not in columns else result


def calendar_dates(values: pd.Series, *, name: str, date_format: str | None = None) -> pd.Series:
    """Read calendar dates.

    Parameters
    ----------
    values
        Dates as texts, or as pandas holds them; a time of day behind the date is left out.
    name
        The column, for the message.
    date_format
        As for :func:`days_from_origin`.

    Returns
    -------
    ``datetime64[s]``, midnight; missing entries are NaT.

    Raises
    ------
    ParameterError
        If the format is not made of YYYY, MM or MON, and DD.
    InputError
        If dates can be read in two ways or in none.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_localize(None).dt.normalize().astype("datetime64[s]")
    texts = values.astype(str).str.strip()
    texts = texts.mask(texts.str.lower().isin(MISSING) | values.isna())
    if date_format is not None:
        read = _read(texts, date_format)
    else:
        read = pd.Series(np.datetime64("NaT", "s"), index=texts.index)
        for clear in CLEAR_FORMATS:
            read = read.fillna(_read(texts, clear))
        open_texts = texts.mask(read.notna())
        if open_texts.notna().any():
            read = read.fillna(_only_reading(open_texts, name))
    wrong = texts.notna() & read.isna()
    if wrong.any():
        wanted = date_format or f"{', '.join(CLEAR_FORMATS)}, or a format that is named"
        message = (
            f"Dates in the column {name!r} must be written as {wanted}. Not such a date in the rows: "
            f"{listed(wrong.index[wrong])}; correct these rows, or name the format (--date-format)."
        )
        raise InputError(message)
    return read


def _only_reading(texts: pd.Series, name: str) -> pd.Series:
    """Read dates by the one format that all of them allow."""
    readings = [
        reading for reading in (_read(texts, form) for form in OPEN_FORMATS) if reading[texts.notna()].notna().all()
    ]
    if not readings:
        return pd.Series(np.datetime64("NaT", "s"), index=texts.index)
    if any(not reading.equals(readings[0]) for reading in readings):
        message = (
            f"Dates in the column {name!r} must be readable in one way only. They could be day first or month first in the rows: "
            f"{listed(texts.index[texts.notna()])}; name the format (--date-format), 'DD/MM/YYYY' or 'MM/DD/YYYY' as they are written."
        )
        raise InputError(message)
    return readings[0]


def _read(texts: pd.Series, date_format: str) -> pd.Series:
    parts = texts.str.extract(f"^{_pattern(date_format)}{CLOCK}$")
    if "name" in parts:
        parts["month"] = parts["name"].str.lower().str[:3].map(MONTH_NAMES)
    numbers = parts[["year", "month", "day"]].apply(pd.to_numeric)
    return pd.to_datetime(numbers, errors="coerce").astype("datetime64[s]")


def _pattern(date_format: str) -> str:
    pieces = re.split(r"(YYYY|MON|MM|DD)", date_format)
    parts = sorted("MM" if piece == "MON" else piece for piece in pieces[1::2])
    if parts != ["DD", "MM", "YYYY"] or any(re.search(r"\w", piece) for piece in pieces[::2]):
        message = (
            "A format of dates must be made of YYYY, MM or MON, and DD, each once, and what stands between them, such as "
            f"'DD/MM/YYYY'. Got {date_format!r}."
        )
        raise ParameterError(message)
    compact = date_format == "YYYYMMDD"
    exact = {"MM": r"(?P<month>\d{2})", "DD": r"(?P<day>\d{2})"} if compact else {}
    blank = r"[ .-]{0,2}" if "MON" in date_format else None
    return "".join(
        (PARTS | exact)[piece] if place % 2 else (blank if blank and piece == " " else re.escape(piece))
        for place, piece in enumerate(pieces)
    )


def _origin(table: pd.DataFrame, origin: str, date_format: str | None) -> pd.Series | np.datetime64:
    if origin in table.columns:
        return calendar_dates(table[origin], name=origin, date_format=date_format)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", origin):
        # Says which columns there are.
        check_columns(table, [origin], what="the clinical table", caller="days_from_origin")
    return np.datetime64(calendar_dates(pd.Series([origin]), name="origin").iloc[0], "s")
