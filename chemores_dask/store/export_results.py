"""Results chosen for an exported AnnData: which ones are meant, and the large ones written block by block."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import IncompleteResultError, InputError, StoreNotFoundError
from chemores_dask.store.attach import CELL, SCANPY_GAPS, SCANPY_NAMES, gathered_rows, has_text_labels, label_positions
from chemores_dask.store.attach_graph import GRAPH_VARIABLES
from chemores_dask.store.layout import RESULT_ROWS
from chemores_dask.store.results import ResultEntry, list_results, open_result

BYTES_AT_ONCE = 2**26
ARRAY_ATTRIBUTES = {"encoding-type": "array", "encoding-version": "0.2.0"}
TABLE_ATTRIBUTES = {"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"}


@dataclass(frozen=True)
class ChosenResult:
    """A result that goes with the cells.

    Attributes
    ----------
    step, fingerprint
        Its address.
    small
        Its variables, but for the large ones.
    large
        Variables ``(cell, other)`` that are not held in memory; those of a graph always are.
    """

    step: str
    fingerprint: str
    small: xr.Dataset
    large: dict[str, xr.DataArray]


def close_names(name: str, known: Sequence[str]) -> str:
    """A sentence that offers the names closest to one that is not known; empty where none is close."""
    close = difflib.get_close_matches(name, list(known))
    return f" Did you mean {' or '.join(close)}?" if close else ""


def choose_results(root: Path, names: Sequence[str]) -> list[ChosenResult]:
    """Find results by ``step`` (the latest) or ``step@fingerprint``, and open them.

    Parameters
    ----------
    root
        Of the store.
    names
        As the caller wrote them.

    Returns
    -------
    One entry per name.

    Raises
    ------
    StoreNotFoundError
        If there is no such result.
    IncompleteResultError
        If it was cut short, or rests on cells that are no longer in the store.
    InputError
        If a result is asked for twice, or two hold variables of one name.
    """
    entries = list_results(root)
    chosen = [_open(root, _find(name, entries)) for name in names]
    owners: dict[str, str] = {}
    for result in chosen:
        for name in (*result.small.data_vars, *result.large):
            if str(name) in owners:
                message = (
                    f"The variables of exported results must have names of their own. Both {owners[str(name)]!r} and {result.step!r} "
                    f"hold {name!r}; export them one at a time."
                )
                raise InputError(message)
            owners[str(name)] = result.step
    return chosen


def _find(name: str, entries: Sequence[ResultEntry]) -> ResultEntry:
    step, _, fingerprint = name.partition("@")
    found = [entry for entry in entries if entry.step == step and fingerprint in ("", entry.fingerprint)]
    if not found:
        steps = list(dict.fromkeys(entry.step for entry in entries))
        present = [f"{step}@{entry.fingerprint}" for entry in entries if entry.step == step] or steps
        message = (
            f"The store must hold the result {name!r}. Present: {listed(present)}.{close_names(step, steps)} "
            "'chemores results STORE' lists them; 'chemores run' makes them."
        )
        raise StoreNotFoundError(message)
    usable = [entry for entry in found if entry.complete and not entry.stale]
    complete = [entry for entry in found if entry.complete]
    if usable:
        return max(usable, key=lambda entry: (str(entry.attributes.get("finished", "")), entry.fingerprint))
    if complete:
        message = (
            f"An exported result must rest on the cells that are in the store. {name!r} is out of date: {complete[-1].stale}; "
            "run the pipeline again, then export."
        )
    else:
        message = (
            f"An exported result must be complete. Writing {name!r} was cut short; run the pipeline again, it goes on where it stopped, "
            "then export."
        )
    raise IncompleteResultError(message)


def _open(root: Path, entry: ResultEntry) -> ChosenResult:
    result = open_result(root, step=entry.step, fingerprint=entry.fingerprint)
    large = {
        str(name): variable
        for name, variable in result.data_vars.items()
        if variable.ndim == 2
        and variable.dims[0] == CELL
        and isinstance(variable.data, da.Array)
        and name not in GRAPH_VARIABLES
    }
    return ChosenResult(entry.step, entry.fingerprint, result.drop_vars(list(large)), large)


def check_places(chosen: Sequence[ChosenResult], *, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    """Refuse results that would take the place of columns, or that have cells the store does not have.

    Raises
    ------
    InputError
        Naming the columns or the cells.
    """
    for result in chosen:
        taken = [name for name in result.small.data_vars if name in obs.columns or name in var.columns]
        if taken:
            message = (
                f"A result must not take the place of columns of the cells or genes. {result.step!r} holds {listed(taken)}, which are "
                "columns of the store; leave it out."
            )
            raise InputError(message)
        if CELL in result.small.coords and CELL in result.small.dims:
            labels = pd.Index(result.small.coords[CELL].values.astype(object))
            strange = labels[~labels.isin(obs.index)]
            if len(strange):
                message = (
                    f"An exported result must rest on the cells that are in the store. {result.step!r} has {len(strange):,} others, for "
                    f"example {listed(strange[:3])}; run the pipeline again, then export."
                )
                raise IncompleteResultError(message)


def write_large(group: Any, variable: xr.DataArray, *, names: pd.Index, kept: Vector, write_names: Any) -> None:
    """Write one large variable into ``obsm`` block by block, the way ``attach`` would have put it there.

    Parameters
    ----------
    group
        ``obsm``: an HDF5 or zarr group.
    variable
        Over ``cell`` and one other dimension.
    names
        Of all cells of the store.
    kept
        Which of them are exported.
    write_names
        Called with a group, a key and names; writes them as AnnData does.
    """
    name = str(variable.name)
    position = label_positions(variable, names, dim=CELL)[kept]
    columns = variable.shape[1]
    gaps = bool((position < 0).any())
    dtype = np.result_type(variable.dtype, np.float64) if gaps else variable.dtype
    rows = max(BYTES_AT_ONCE // max(columns * dtype.itemsize, 1), 1)
    rows = max(
        rows // RESULT_ROWS * RESULT_ROWS, min(rows, RESULT_ROWS)
    )  # whole chunks of the result, where it has all cells
    if has_text_labels(variable):
        labels = [str(label) for label in variable.coords[variable.dims[1]].values]
        table = group.create_group(name)
        table.attrs.update({**TABLE_ATTRIBUTES, "column-order": labels})
        write_names(table, "_index", names[kept])
        targets = [_new_array(table, label, (len(position),), dtype, rows=rows) for label in labels]
        for first, block in _blocks(variable, position, rows=rows, fill=np.nan):
            for target, column in zip(targets, block.T, strict=True):
                target[first : first + len(block)] = np.ascontiguousarray(column)
    else:
        whole = _new_array(group, name, (len(position), columns), dtype, rows=rows)
        for first, block in _blocks(variable, position, rows=rows, fill=np.nan):
            whole[first : first + len(block)] = block
    part, key = SCANPY_NAMES.get(name, ("", ""))
    if part == "obsm":
        again = _new_array(group, key, (len(position), columns), dtype, rows=rows)
        for first, block in _blocks(variable, position, rows=rows, fill=SCANPY_GAPS.get(key, 0.0)):
            again[first : first + len(block)] = block


def _new_array(group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], *, rows: int) -> Any:
    chunks = (max(min(rows, shape[0]), 1), *(max(size, 1) for size in shape[1:]))
    # HDF5 takes no chunk larger than the array; zarr wants chunks of at least one.
    create = group.create_array if hasattr(group, "create_array") else group.create_dataset
    array = create(name, shape=shape, dtype=dtype, **({"chunks": chunks} if 0 not in shape else {}))
    array.attrs.update(ARRAY_ATTRIBUTES)
    return array


def _blocks(variable: xr.DataArray, position: Vector, *, rows: int, fill: float) -> Any:
    """Rows of a lazy variable in the order of the exported cells, with the number of their first."""
    for first in range(0, len(position), rows):
        own = position[first : first + rows]
        present = np.unique(own[own >= 0])
        if not len(present):
            dtype = np.result_type(variable.dtype, np.float64)
            yield first, np.full((len(own), variable.shape[1]), fill, dtype=dtype)
            continue
        low, high = int(present[0]), int(present[-1]) + 1
        if high - low <= 4 * len(own):
            values: Matrix = np.asarray(_computed(variable.data[low:high]))
            local = np.where(own < 0, -1, own - low)
        else:
            values = np.asarray(_computed(variable.data[present]))
            local = np.where(own < 0, -1, np.searchsorted(present, own))
        yield first, gathered_rows(values, local, fill=fill)


def _computed(lazy: da.Array) -> Matrix:
    (values,) = dask.compute(lazy, scheduler="synchronous")
    return np.asarray(values)
