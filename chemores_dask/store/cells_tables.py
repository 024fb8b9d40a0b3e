"""The tables of cells and genes as they are stored, and the last steps that make a group an AnnData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chemores_dask.aliases import Vector
from chemores_dask.checks import listed
from chemores_dask.errors import InputError, StoreError
from chemores_dask.store import ledger
from chemores_dask.store.layout import CELLS, COMPLETE, is_complete_group, is_plain_name, require_group, write_element
from chemores_dask.store.sharded_csr import ShardChecksums, finish_matrix
from chemores_dask.store.table_files import keep_checksums

CELL_KEY = "cell_key"
EMPTY_PARTS = ("obsm", "varm", "obsp", "varp", "layers")
ENCODING = {"encoding-type": "anndata", "encoding-version": "0.1.0"}


def storable_table(table: pd.DataFrame, *, what: str) -> pd.DataFrame:
    """Hold a table against what can be stored.

    Parameters
    ----------
    table
        Of cells or genes, names as index.
    what
        ``"cells"`` or ``"genes"``, for messages.

    Returns
    -------
    New table with names as plain strings.

    Raises
    ------
    InputError
        If names are not unique strings, or a column mixes types.
    """
    stored = table.copy()
    if not all(isinstance(name, str) for name in table.index):
        message = f"Names of {what} must be strings. Found {table.index.dtype}; convert them with .index.astype(str)."
        raise InputError(message)
    stored.index = pd.Index(table.index.astype(str).to_numpy(dtype=object), dtype=object, name=None)
    if not stored.index.is_unique:
        repeated = stored.index[stored.index.duplicated()].unique()
        message = f"Names of {what} must be unique. Found more than once: {listed(repeated)}; rename them."
        raise InputError(message)
    if not stored.columns.is_unique or not all(isinstance(name, str) for name in stored.columns):
        message = f"Columns of {what} must have unique strings as names. Got {listed(stored.columns)}; rename them."
        raise InputError(message)
    unusual = [name for name in stored.columns if not is_plain_name(name)]
    if unusual:
        message = f"Columns of {what} must have plain names: no '/', and not '_index', '.' or '..'. Got {listed(unusual)}; rename them."
        raise InputError(message)
    for name in stored.columns:
        column = stored[name]
        if column.dtype == object and not all(isinstance(value, str) for value in column.dropna()):
            kinds = sorted({type(value).__name__ for value in column.dropna()})
            message = f"A column of {what} must hold one type of values. {name!r} holds {listed(kinds)}; convert it with .astype(str)."
            raise InputError(message)
    return stored


def joined_obs(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Stack tables of cells; text becomes categories, and what a table lacks is missing.

    Parameters
    ----------
    tables
        In the order of the cells.

    Returns
    -------
    One table; categories in alphabetical order, whole numbers and booleans with gaps as nullable types.
    """
    if not tables:
        return pd.DataFrame(index=pd.Index([], dtype=object))
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    index = pd.Index([name for table in tables for name in table.index], dtype=object)
    columns = {name: _joined_column([_column(table, name) for table in tables]) for name in names}
    joined = pd.DataFrame(columns, index=range(len(index)))
    joined.index = index
    return joined


def check_unwritten(root: Path) -> None:
    """Refuse a store that holds finished cells.

    Raises
    ------
    StoreError
        Naming the store.
    """
    if is_complete_group(root / CELLS):
        message = (
            f"Cells are written into a store once. {str(root)!r} holds finished cells; "
            "choose another path, or remove the store first."
        )
        raise StoreError(message)


def finish_cells(
    root: Path,
    header: ledger.Header,
    *,
    row_nonzeros: Vector,
    shards: Sequence[ShardChecksums],
    sources: Sequence[ledger.SourceEntry],
    obs: pd.DataFrame,
    var: pd.DataFrame,
    uns: Mapping[str, Any],
) -> None:
    """Write what comes after the last shard: pointers, ledger and tables; the attributes that make it count come last.

    Parameters
    ----------
    root
        Of the store.
    header
        What the ledger was begun with.
    row_nonzeros
        Stored counts of each cell.
    shards
        Checksums of all shards.
    sources
        Records of the sources, in order; empty where there were none.
    obs, var
        Tables of cells and genes.
    uns
        Unstructured annotation.
    """
    pointers = finish_matrix(root / CELLS / "X", row_nonzeros=row_nonzeros, genes=header.genes)
    content = ledger.content_name(header, shards, pointers, list(obs.index))
    facts = {"cells": len(obs), "nonzeros": int(pointers[-1]), "content": content}
    ledger.finish_ledger(root, sources=sources, shards=shards, facts=facts)
    finish_tables(root, obs=obs, var=var, uns=uns, facts=facts)


def finish_tables(
    root: Path, *, obs: pd.DataFrame, var: pd.DataFrame, uns: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Write what makes the group of the cells an AnnData; its own attributes, written last, make it count.

    Parameters
    ----------
    root
        Of the store.
    obs, var
        Tables of cells and genes.
    uns
        Unstructured annotation.
    facts
        Further attributes of the group: cells, nonzeros, content.
    """
    cells = require_group(root / CELLS)
    write_element(cells, "obs", obs)
    write_element(cells, "var", var)
    for name in EMPTY_PARTS:
        write_element(cells, name, {})
    write_element(cells, "uns", dict(uns))
    keep_checksums(root)
    cells.attrs.put({**cells.attrs.asdict(), **ENCODING, **facts, COMPLETE: True})  # all at once, or not at all


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name in table.columns:
        return table[name].reset_index(drop=True)
    return pd.Series([None] * len(table), dtype=object)


def _joined_column(parts: Sequence[pd.Series]) -> pd.Series:
    filled = [part for part in parts if len(part) and part.notna().any()]
    gaps = len(filled) < len([part for part in parts if len(part)])
    kinds = {_kind(part) for part in filled}
    if kinds <= {"text"}:
        values = pd.concat([part.astype(object) for part in parts], ignore_index=True)
        return pd.Series(pd.Categorical(values.where(values.notna(), None)))
    if gaps and kinds == {"boolean"}:
        return pd.concat([part.astype("boolean") for part in parts], ignore_index=True)
    if gaps and kinds == {"integer"}:
        return pd.concat([part.astype("Int64") for part in parts], ignore_index=True)
    if kinds <= {"integer", "float"} and gaps:
        return pd.concat([part.astype(float) for part in parts], ignore_index=True)
    if len(kinds) > 1 and "text" in kinds:
        values = pd.concat([part.astype(object) for part in parts], ignore_index=True)
        return pd.Series(pd.Categorical([None if pd.isna(value) else str(value) for value in values]))
    return pd.concat(list(parts), ignore_index=True)


def _kind(part: pd.Series) -> str:
    values = part.cat.categories if isinstance(part.dtype, pd.CategoricalDtype) else part
    if pd.api.types.is_bool_dtype(values.dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(values.dtype):
        return "integer"
    if pd.api.types.is_float_dtype(values.dtype):
        return "float"
    return "text"
