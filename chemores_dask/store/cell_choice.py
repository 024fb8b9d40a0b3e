"""Some cells of a store in memory: only the chunks that hold their counts are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import StorePath, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import InputError
from chemores_dask.metering import BYTES_DECODED, ROWS_DECODED, count
from chemores_dask.store.cells import read_tables, same_content
from chemores_dask.store.layout import CELLS
from chemores_dask.store.raw_counts import COUNT_TYPE, LARGEST_COUNT
from chemores_dask.store.scattered_windows import read_windows
from chemores_dask.store.sharded_csr import COUNT_ARRAYS, damage_text, read_pointers


def read_cells(store: StorePath, rows: Any, *, columns: Sequence[str] | None = None) -> anndata.AnnData:
    """Read chosen cells into memory, in the order asked for.

    Parameters
    ----------
    store
        Path of the store.
    rows
        The cells: positions, one boolean per cell of the store, or names.
    columns
        Columns of the table of cells to read; all unless given.

    Returns
    -------
    AnnData: ``X`` in memory (cells by genes, CSR, int32), with the rows of ``obs``, ``var`` and the ``uns`` of the store.

    Raises
    ------
    InputError
        If a cell is not in the store or asked for twice.
    ChecksumError
        If bytes on disk are not those that were written.
    StoreError
        As :func:`~chemores_dask.store.cells.open_cells`, and if the cells are replaced meanwhile.

    Notes
    -----
    Passes over the counts: a part of 1. Every chunk that is touched is decoded once, on Dask's threads; beside the answer, each thread
    holds one chunk.

    Examples
    --------
    >>> import tempfile, anndata, scipy.sparse as sp
    >>> from chemores_dask import read_cells, write_cells
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = write_cells(anndata.AnnData(sp.csr_matrix([[0.0, 2], [3, 0], [1, 1]])), folder.name + "/cohort.zarr")
    >>> read_cells(store, [2, 0]).X.toarray()
    array([[1, 1],
           [0, 2]], dtype=int32)
    >>> folder.cleanup()
    """
    tables = read_tables(store, columns=columns)
    positions = cell_positions(rows, tables.obs.index)
    matrix = tables.root / CELLS / "X"
    with same_content(tables.root / CELLS, tables.content):
        pointers = read_pointers(matrix, 0, len(tables.obs))
        starts, stops = pointers[positions], pointers[positions + 1]
        folders = [matrix / name for name in COUNT_ARRAYS]
        data, indices = read_windows(folders, starts, stops, damage=damage_text)
    local = np.concatenate([[0], np.cumsum(stops - starts)])
    if len(data) <= LARGEST_COUNT:
        local = local.astype(COUNT_TYPE)
    counts = sp.csr_matrix((data, indices, local), shape=(len(positions), len(tables.var)))
    counts.has_canonical_format = True
    count(**{ROWS_DECODED: len(positions), BYTES_DECODED: data.nbytes + indices.nbytes + local.nbytes})
    return anndata.AnnData(X=counts, obs=tables.obs.iloc[positions], var=tables.var, uns=tables.uns)


def cell_positions(rows: Any, names: pd.Index) -> Vector:
    """Turn a choice of cells into their positions.

    Parameters
    ----------
    rows
        Positions, one boolean per cell, or names.
    names
        Of all cells.

    Returns
    -------
    Positions in the order asked for, int64.

    Raises
    ------
    InputError
        If a cell is not there or asked for twice.
    """
    asked = np.asarray(rows)
    if asked.ndim != 1:
        message = f"Cells must be chosen by one row of positions, booleans or names. Got {asked.ndim} dimensions."
        raise InputError(message)
    if asked.dtype.kind == "b":
        if len(asked) != len(names):
            message = f"A choice by booleans must have one for each cell. Got {len(asked):,} for {len(names):,} cells."
            raise InputError(message)
        return np.flatnonzero(asked)
    positions = _known(asked, names)
    if len(np.unique(positions)) < len(positions):
        repeated = pd.Index(asked)
        message = f"A cell can be asked for once. More than once: {listed(repeated[repeated.duplicated()].unique())}."
        raise InputError(message)
    return positions


def _known(asked: Vector, names: pd.Index) -> Vector:
    if not len(asked):
        return np.empty(0, dtype=np.int64)
    if asked.dtype.kind in "iu":
        wrong = asked[(asked < 0) | (asked >= len(names))]
        if len(wrong):
            message = f"Positions of cells must be from 0 to {len(names) - 1:,}. Got {listed(wrong)}."
            raise InputError(message)
        return asked.astype(np.int64)
    if asked.dtype.kind not in "OUT":
        message = f"Cells must be chosen by positions, booleans or names. Got values of type {asked.dtype}."
        raise InputError(message)
    positions = names.get_indexer(pd.Index(asked, dtype=object))
    if (positions < 0).any():
        message = f"Chosen cells must be in the store. Not there: {listed(asked[positions < 0])}."
        raise InputError(message)
    return np.asarray(positions, dtype=np.int64)
