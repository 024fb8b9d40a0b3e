"""The unit of follow-up times: named by a person or by the column, never guessed from the numbers."""

from __future__ import annotations

import re

from chemores_dask.checks import check_one_of
from chemores_dask.errors import InputError

UNITS = ("days", "weeks", "months", "years")
WORDS = {
    "days": ("d", "day", "days"),
    "weeks": ("wk", "wks", "week", "weeks"),
    "months": ("mo", "mos", "mon", "month", "months"),
    "years": ("y", "yr", "yrs", "year", "years"),
}
LONGEST_ABBREVIATION = 1
"""A single letter counts only in brackets: ``time (d)`` says days, ``d.time`` does not."""


def time_unit(column: str, *, named: str | None = None) -> str:
    """Unit of the times in a column.

    Parameters
    ----------
    column
        Its name; ``os_months`` or ``time (days)`` say their unit.
    named
        The unit as named by a person.

    Returns
    -------
    ``"days"``, ``"weeks"``, ``"months"`` or ``"years"``; empty where neither says.

    Raises
    ------
    ParameterError
        If the unit named is none of these.
    InputError
        If the column says another unit than the person.

    Examples
    --------
    >>> time_unit("OS.months"), time_unit("time"), time_unit("time", named="days")
    ('months', '', 'days')
    """
    said = _said(column)
    if named is None:
        return said
    check_one_of(named, UNITS, parameter="time_unit", caller="time_unit")
    if said and said != named:
        message = f"The unit of time must be that of its column. {column!r} says {said}, but {named} were named; correct one of them."
        raise InputError(message)
    return named


def _said(column: str) -> str:
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    bracketed = re.findall(r"[(\[]\s*([a-z]+)\s*[)\]]", column.lower())
    found = {
        unit
        for unit, spellings in WORDS.items()
        for word in spellings
        if word in (bracketed if len(word) <= LONGEST_ABBREVIATION else words)
    }
    return found.pop() if len(found) == 1 else ""
