"""One wording for each thing that callers get wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.errors import InputError, MissingVariableError, ParameterError

SHOWN = 12

EDGE_ROWS = 1000
"""Cells whose edges are held against their nearest neighbors."""


def listed(names: Iterable[object]) -> str:
    """Write some names for a message, cut to the first dozen."""
    shown = [str(name) for name in names]
    if not shown:
        return "none"
    rest = f" … and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + rest


def reason_text(error: Exception) -> str:
    """What another library says is wrong, as a part of a sentence: one line, without codes for terminals.

    Parameters
    ----------
    error
        Such as one of formulaic, which marks places in a formula.

    Returns
    -------
    Its message without the last stop; the name of its class where it has none.
    """
    words = re.sub(r"\x1b\[[0-9;]*m|\u29db(\[[0-9;]*m)?|\u29da", "", str(error))
    return " ".join(words.split()).rstrip(".") or type(error).__name__


def check_one_of(value: object, options: Collection[object], *, parameter: str, caller: str) -> None:
    """Refuse a value that is not among the options.

    Raises
    ------
    ParameterError
        Naming the options.
    """
    if value not in options:
        message = f"The {parameter!r} parameter of {caller} must be one of: {listed(options)}. Got {value!r}."
        raise ParameterError(message)


def check_between(
    value: object, *, parameter: str, caller: str, minimum: float | None = None, maximum: float | None = None
) -> None:
    """Refuse a number outside ``minimum`` and ``maximum`` (both allowed), or one that is not a number.

    Raises
    ------
    ParameterError
        Naming the limits.
    """
    if not isinstance(value, Real):
        message = f"The {parameter!r} parameter of {caller} must be a number. Got {value!r}."
        raise ParameterError(message)
    number = cast("float", value)
    too_low = minimum is not None and not number >= minimum
    too_high = maximum is not None and not number <= maximum
    if too_low or too_high:
        limits = " and ".join(
            text
            for text, given in ((f"at least {minimum}", minimum), (f"at most {maximum}", maximum))
            if given is not None
        )
        message = f"The {parameter!r} parameter of {caller} must be {limits}. Got {value!r}."
        raise ParameterError(message)


def check_whole(
    value: object, *, parameter: str, caller: str, minimum: int | None = None, maximum: int | None = None
) -> None:
    """Refuse anything but a whole number between ``minimum`` and ``maximum`` (both allowed).

    Raises
    ------
    ParameterError
        Naming what was found, or the limits.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        message = f"The {parameter!r} parameter of {caller} must be a whole number. Got {value!r}."
        raise ParameterError(message)
    check_between(int(value), parameter=parameter, caller=caller, minimum=minimum, maximum=maximum)


def check_columns(frame: pd.DataFrame, columns: Iterable[str], *, what: str, caller: str) -> None:
    """Refuse columns that a table does not have.

    Raises
    ------
    MissingVariableError
        Naming the missing columns and those that are there.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        message = f"{caller} needs the columns {listed(missing)} in {what}. Present: {listed(frame.columns)}."
        raise MissingVariableError(message)


def check_variables(
    dataset: xr.Dataset, variables: Iterable[str], *, dims: tuple[str, ...], what: str, caller: str
) -> None:
    """Refuse variables that a Dataset does not have over the given dimensions.

    Raises
    ------
    MissingVariableError
        Naming what is missing, and the variables present over ``dims``.
    """
    for name in variables:
        if name not in dataset.variables or dataset[name].dims != dims:
            over = ", ".join(dims)
            present = [str(other) for other in dataset.variables if dataset[other].dims == dims]
            found = f"it runs over {dataset[name].dims}" if name in dataset.variables else "it is absent"
            message = f"{caller} needs the variable {name!r} over ({over}) in {what}; {found}. Present over ({over}): {listed(present)}."
            raise MissingVariableError(message)


def rows_of_edges(cells: int) -> Vector:
    """The rows that :func:`check_edges` looks at."""
    return np.unique(np.linspace(0, cells - 1, EDGE_ROWS).astype(np.int64))


def check_edges(nearest: Vector, *, offset: Vector, edges: Vector, caller: str) -> None:
    """Refuse a graph whose edges and neighbors are not those of the same cells.

    Edges name cells by row number, and stay where they are when the cells of a Dataset are put in another order.

    Parameters
    ----------
    nearest
        Row number of the nearest neighbor of each of :func:`rows_of_edges`.
    offset, edges
        Compressed rows of the graph: where the edges of a cell begin, and to which cells they lead.
    caller
        Who asks, for the message.

    Raises
    ------
    InputError
        If half of the cells have no edge to their nearest neighbor.
    """
    rows = rows_of_edges(len(offset) - 1)
    apart = sum(int(cell not in edges[offset[row] : offset[row + 1]]) for row, cell in zip(rows, nearest, strict=True))
    if 2 * apart > len(rows):
        message = (
            f"{caller} needs a graph whose edges and neighbors are those of the same cells. Of {len(rows):,} cells looked at, {apart:,} "
            "have no edge to their nearest neighbor: the cells were put in another order, but edges name them by row number. Pass the "
            "result of neighbors as it is, or compute it again for cells in the new order."
        )
        raise InputError(message)
