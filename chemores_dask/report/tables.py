"""Results as HTML tables, with every P beside its test and its number of patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.number_text import count_text
from chemores_dask.figures.recorded import labels_along, recorded_parameters
from chemores_dask.report.markup import Markup, element, joined, markup
from chemores_dask.report.table_words import P_ENDINGS, PATIENTS, headings, p_notes, remark, value_text, words_of

ROWS = 20
KNOWN_KEYS = ("step", "variables", "select", "sort", "descending", "rows", "caption")
NUMBER = {"class": "number"}
UNSHOWN = {"cell", "edge", "offset", "member"}
"""Dimensions along which nobody reads a table, unless asked for."""

UNITLESS = ("", "1")


@dataclass(frozen=True)
class TableRequest:
    """What a section asks for.

    Attributes
    ----------
    step
        Whose result is shown.
    variables
        Variables to show; all that do not run over cells, or edges between them, unless given.
    select
        Labels picked along dimensions.
    sort, descending
        Variable by which rows are sorted.
    rows
        Most rows shown.
    caption
        One sentence.
    """

    step: str
    variables: tuple[str, ...] = ()
    select: tuple[tuple[str, str], ...] = ()
    sort: str = ""
    descending: bool = False
    rows: int = ROWS
    caption: str = ""


def read_request(table: Mapping[str, object]) -> TableRequest:
    """Read the table of a section.

    Parameters
    ----------
    table
        As in the pipeline file.

    Returns
    -------
    The request.

    Raises
    ------
    ParameterError
        If a key is unknown or a value of another type.
    """
    unknown = [key for key in table if key not in KNOWN_KEYS]
    if unknown or "step" not in table:
        message = f"A table must name its step, and takes: {listed(KNOWN_KEYS)}. Got: {listed(table)}."
        raise ParameterError(message)
    variables, select, rows = table.get("variables", ()), table.get("select", {}), table.get("rows", ROWS)
    if isinstance(variables, str) or not isinstance(variables, Sequence):
        message = f"'variables' of a table must be a list of names. Got {variables!r}."
        raise ParameterError(message)
    if not isinstance(select, Mapping):
        message = f"'select' of a table must be a table of labels by dimension. Got {select!r}."
        raise ParameterError(message)
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        message = f"'rows' of a table must be a whole number from 1 on. Got {rows!r}."
        raise ParameterError(message)
    return TableRequest(
        step=str(table["step"]),
        variables=tuple(map(str, variables)),
        select=tuple((str(dim), str(label)) for dim, label in select.items()),
        sort=str(table.get("sort", "")),
        descending=bool(table.get("descending", False)),
        rows=rows,
        caption=str(table.get("caption", "")),
    )


def result_tables(result: xr.Dataset, request: TableRequest) -> Markup:
    """Show variables of a result: numbers without dimension as a list, others with one row per label.

    Parameters
    ----------
    result
        The result.
    request
        What to show.

    Returns
    -------
    HTML: one table for each set of dimensions.

    Raises
    ------
    MissingVariableError
        If a variable is not there.
    ParameterError
        If a label to select is not there, or a variable has more than two dimensions.
    """
    names = request.variables or tuple(str(name) for name in result.data_vars if not UNSHOWN & set(result[name].dims))
    for name in (*names, *([request.sort] if request.sort else [])):
        if name not in result.variables:
            message = f"A table shows variables of its step {request.step!r}. {name!r} is not among them: {listed(result.data_vars)}."
            raise MissingVariableError(message)
    picked = _select(result, request)
    shapes: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        shapes.setdefault(tuple(map(str, picked[name].dims)), []).append(name)
    pieces = []
    for dims, members in shapes.items():
        caption = request.caption if not pieces else ""
        if not dims:
            pieces.append(_scalar_table(picked, members, caption))
        elif len(dims) == 1:
            pieces.append(_row_table(picked, members, request, caption))
        elif len(dims) == 2:
            pieces += [_matrix_table(picked, name, request, caption) for name in members]
        else:
            message = f"A table shows at most two dimensions. {members[0]!r} of {request.step!r} runs over {dims}; pick with select."
            raise ParameterError(message)
    return joined(pieces)


def table_element(
    header: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    caption: object = "",
    numbers: Sequence[int] = (),
    total: bool = False,
) -> Markup:
    """A table.

    Parameters
    ----------
    header
        One cell for each column.
    rows
        Cells; the first of each row is its header.
    caption
        Written above.
    numbers
        Columns aligned to the right.
    total
        Whether the last row is a total.

    Returns
    -------
    HTML.
    """

    def cell(tag: str, value: object, column: int) -> Markup:
        attributes = dict(NUMBER) if column in numbers else {}
        if tag == "th":
            attributes["scope"] = "row" if column == 0 and value is not header[0] else "col"
        return element(tag, value, attributes=attributes)

    head = element("tr", [cell("th", value, column) for column, value in enumerate(header)])
    body = []
    for number, row in enumerate(rows):
        cells = [cell("th" if column == 0 else "td", value, column) for column, value in enumerate(row)]
        is_total = total and number == len(rows) - 1
        body.append(element("tr", cells, attributes={"class": "total"} if is_total else None))
    parts = [element("caption", caption)] if caption else []
    parts += [element("thead", head), element("tbody", body)]
    return element("div", element("table", parts), attributes={"class": "scroll"})


def _select(result: xr.Dataset, request: TableRequest) -> xr.Dataset:
    for dim, label in request.select:
        labels = labels_along(result, dim) if dim in result.dims else []
        if label not in labels:
            message = f"select of a table must name a label of {request.step!r}. Got {dim} = {label!r}; labels: {listed(labels)}."
            raise ParameterError(message)
        result = result.isel({dim: labels.index(label)})
    return result


def _caption(caption: str, notes: Sequence[str]) -> Markup:
    parts = ([element("b", caption)] if caption else []) + [markup(note) for note in notes]
    return joined(parts, between=" ")


def _scalar_table(result: xr.Dataset, names: Sequence[str], caption: str) -> Markup:
    rows = []
    for name, words in zip(names, headings(names), strict=True):
        unit = str(result[name].attrs.get("units", ""))
        shown = element("span", words, attributes={"title": name})
        rows.append([shown, value_text(result[name]), "" if unit in UNITLESS else unit, remark(result[name])])
    header = ["Quantity", "Value", "Unit", "Remark"]
    kept = [column for column in range(4) if column < 2 or any(row[column] for row in rows)]
    rows = [[row[column] for column in kept] for row in rows]
    notes = p_notes(result, names)
    return table_element([header[column] for column in kept], rows, caption=_caption(caption, notes[:1]), numbers=(1,))


def _row_table(result: xr.Dataset, names: Sequence[str], request: TableRequest, caption: str) -> Markup:
    dim = str(result[names[0]].dims[0])
    names = [*names, *_missing_patients(result, names, dim)]
    number = result.sizes[dim]
    order = np.arange(number)
    if request.sort and result[request.sort].dims == (dim,):
        values = result[request.sort].values
        order = np.argsort(values, kind="stable")
        if request.descending:
            known = [place for place in order if values[place] == values[place]]  # not a number stays last
            order = np.array(known[::-1] + [place for place in order if values[place] != values[place]], dtype=int)
    labels, called = _labels(result, dim)
    columns = [result[name].load() if result[name].size <= 1_000_000 else result[name] for name in names]
    rows = [[labels[place], *(value_text(values, int(place)) for values in columns)] for place in order[: request.rows]]
    notes = p_notes(result, names)
    if number > request.rows:
        by = f", by {words_of(request.sort)}" if request.sort else ""
        notes.append(f"First {count_text(request.rows)} of {count_text(number)}{by}.")
    if not number:
        notes.append("There are no rows.")
    numeric = [
        column
        for column, values in enumerate(columns, start=1)
        if values.dtype.kind in "fiu" and "flag_meanings" not in values.attrs
    ]
    header = [called, *map(_heading, columns, headings(names))]
    return table_element(header, rows, caption=_caption(caption, notes), numbers=numeric)


def _labels(result: xr.Dataset, dim: str) -> tuple[list[str], str]:
    """Labels of rows and what to call them; groups made by a yes-or-no variable are called by its name."""
    labels, called = labels_along(result, dim), words_of(dim)
    variable = recorded_parameters(result).get("group")
    if dim == "group" and isinstance(variable, str):
        called = words_of(variable)
        if set(labels) <= {"False", "True"}:
            labels = ["yes" if label == "True" else "no" for label in labels]
    return labels, f"{called[:1].upper()}{called[1:]}"


def _missing_patients(result: xr.Dataset, names: Sequence[str], dim: str) -> list[str]:
    if not any(name.endswith(P_ENDINGS) for name in names):
        return []
    counted = [str(name) for name in result.data_vars if str(name).endswith(PATIENTS) and result[name].dims == (dim,)]
    return [name for name in counted if name not in names][:1]


def _matrix_table(result: xr.Dataset, name: str, request: TableRequest, caption: str) -> Markup:
    values = result[name]
    first, second = (str(dim) for dim in values.dims)
    rows_of, columns_of = labels_along(result, first), labels_along(result, second)
    shown = values.isel({first: slice(0, request.rows), second: slice(0, request.rows)}).load()
    rows = [
        [label, *(value_text(shown.isel({first: row, second: column})) for column in range(shown.sizes[second]))]
        for row, label in enumerate(rows_of[: request.rows])
    ]
    notes = [f"{words_of(name).capitalize()} by {words_of(first)} and {words_of(second)}."]
    if len(rows_of) > request.rows or len(columns_of) > request.rows:
        notes.append(f"First {request.rows} of {count_text(len(rows_of))} by {count_text(len(columns_of))}.")
    header = [words_of(first).capitalize(), *columns_of[: request.rows]]
    return table_element(header, rows, caption=_caption(caption, notes), numbers=range(1, len(header)))


def _heading(values: xr.DataArray, words: str) -> Markup:
    unit = str(values.attrs.get("units", ""))
    shown = element("span", words, attributes={"title": values.name})
    return joined([shown] if unit in UNITLESS or unit == words.lower() else [shown, element("small", unit)])
