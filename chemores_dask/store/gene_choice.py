"""Some genes of all cells of a store in memory, read from the copy of the counts by gene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anndata
import dask
import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import Block, StorePath, Vector
from chemores_dask.checks import listed
from chemores_dask.errors import ChecksumError, GeneMismatchError, IncompleteStoreError, InputError, StoreError
from chemores_dask.metering import BYTES_DECODED, count
from chemores_dask.store.cells import CellTables, RowReader, check_complete, fitting_rows, read_tables, same_content
from chemores_dask.store.gene_copy import POINTERS, TilePlan, gene_copy_plan, gene_copy_state
from chemores_dask.store.layout import CELLS, GENE_COPY, existing_root
from chemores_dask.store.raw_counts import COUNT_TYPE, LARGEST_COUNT
from chemores_dask.store.scattered_windows import read_windows
from chemores_dask.store.sharded_csr import (
    COUNT_ARRAYS,
    UNREADABLE,
    read_pointers,
    read_values,
    shard_damage,
    shard_file,
)


def read_genes(
    store: StorePath,
    genes: str | Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    full_pass: bool = False,
) -> anndata.AnnData:
    """Read chosen genes of all cells into memory, in the order asked for.

    Parameters
    ----------
    store
        Path of the store, with a copy of its counts by gene (:func:`~chemores_dask.write_gene_copy`, ``chemores by-gene``).
    genes
        Name of a gene, or several.
    columns
        Columns of the table of cells to read; all unless given.
    full_pass
        Without a copy, read all counts instead of refusing.

    Returns
    -------
    AnnData: ``X`` in memory (all cells by the chosen genes, CSC, int32), with ``obs`` and the rows of ``var``. scanpy's plots take it as
    it is; ``X.tocsr()`` gives rows.

    Raises
    ------
    GeneMismatchError
        If a gene is not in the store.
    InputError
        If a gene is asked for twice, or none.
    IncompleteStoreError
        If there is no finished copy of these cells and a full pass is not allowed.
    ChecksumError
        If bytes on disk are not those that were written.
    StoreError
        As :func:`~chemores_dask.store.cells.open_cells`, and if the cells are replaced meanwhile.

    Notes
    -----
    Passes over the counts: 0 with a copy, 1 without. Beside the answer, each of Dask's threads holds one chunk (without a copy one block).

    Examples
    --------
    >>> import tempfile, anndata, pandas as pd, scipy.sparse as sp
    >>> from chemores_dask import read_genes, write_cells, write_gene_copy
    >>> folder = tempfile.TemporaryDirectory()
    >>> var = pd.DataFrame(index=["CD44", "KLF2"])
    >>> cells = anndata.AnnData(sp.csr_matrix([[0.0, 2], [3, 0]]), var=var)
    >>> store = write_gene_copy(write_cells(cells, folder.name + "/cohort.zarr"))
    >>> read_genes(store, ["KLF2"]).X.toarray().ravel().tolist()
    [2, 0]
    >>> folder.cleanup()
    """
    root = existing_root(store)
    check_complete(root)
    if gene_copy_plan(root) is None and not full_pass:
        raise IncompleteStoreError(
            no_copy(root, reader="Reading genes", otherwise=" - or read all counts with full_pass=True")
        )
    tables = read_tables(root, columns=columns)
    positions = gene_positions(genes, tables.var.index)
    counts = _counts(tables, positions)
    return anndata.AnnData(X=counts, obs=tables.obs, var=tables.var.iloc[positions], uns=tables.uns)


def gene_positions(genes: str | Sequence[str], names: pd.Index) -> Vector:
    """Turn names of genes into their positions.

    Parameters
    ----------
    genes
        One name, or several.
    names
        Of all genes.

    Returns
    -------
    Positions in the order asked for, int64.

    Raises
    ------
    GeneMismatchError
        If a gene is not there.
    InputError
        If a gene is asked for twice, or none.
    """
    asked = pd.Index([genes] if isinstance(genes, str) else list(genes), dtype=object)
    if not len(asked) or asked.has_duplicates:
        found = f"Got {listed(asked[asked.duplicated()].unique())} more than once" if len(asked) else "Got none"
        message = f"Genes must be chosen by their names, each once. {found}."
        raise InputError(message)
    positions = names.get_indexer(asked)
    if (positions < 0).any():
        message = f"Chosen genes must be in the store. Not there: {listed(asked[positions < 0])}; look for their names in var."
        raise GeneMismatchError(message)
    return np.asarray(positions, dtype=np.int64)


def no_copy(root: Path, *, reader: str, otherwise: str = "") -> str:
    """Say that there is no copy to read from, and how to mend it."""
    found = {
        "none": "There is none",
        "cut short": "Writing it was cut short",
        "of other cells": "The one that is there was made from other cells",
    }[gene_copy_state(root)]
    return f"{reader} needs the copy of the counts by gene in {str(root)!r}. {found}; run: chemores by-gene {root}{otherwise}."


def _counts(tables: CellTables, positions: Vector) -> sp.csc_matrix:
    with same_content(tables.root / CELLS, tables.content):
        plan = gene_copy_plan(tables.root)
        if plan is None:
            return _from_cells(tables, positions)
        if plan.content == tables.content:
            return _from_copy(tables.root / GENE_COPY, plan, positions)
    message = (
        f"The cells in {str(tables.root)!r} must stay the same while they are read. They were replaced; read again."
    )
    raise StoreError(message)


def _from_copy(folder: Path, plan: TilePlan, positions: Vector) -> sp.csc_matrix:
    tiles = len(plan.tile_nonzeros)
    pointers = read_tile_pointers(folder, plan)
    begins = np.asarray(plan.first_shards[:-1], dtype=np.int64) * plan.geometry.shard
    starts = begins[:, None] + pointers[:, positions]
    sizes = pointers[:, positions + 1] - pointers[:, positions]

    def damage(array: Path, numbers: Sequence[int]) -> str:
        return damage_of_copy(array, numbers, plan)

    # Gene by gene, and within a gene tile by tile: so the rows come out ascending.
    flat_starts, flat_sizes = starts.T.ravel(), sizes.T.ravel()
    folders = [folder / name for name in COUNT_ARRAYS]
    data, rows = read_windows(folders, flat_starts, flat_starts + flat_sizes, damage=damage)
    first_rows = np.tile(np.arange(tiles, dtype=COUNT_TYPE) * plan.rows_per_tile, len(positions))
    rows += np.repeat(first_rows.astype(COUNT_TYPE), flat_sizes)
    count(**{BYTES_DECODED: data.nbytes + rows.nbytes})
    local = np.concatenate([[0], np.cumsum(sizes.sum(axis=0))])
    if len(data) <= LARGEST_COUNT:
        local = local.astype(COUNT_TYPE)
    counts = sp.csc_matrix((data, rows, local), shape=(plan.cells, len(positions)))
    counts.has_canonical_format = True
    return counts


def read_tile_pointers(folder: Path, plan: TilePlan) -> Vector:
    """Where each gene begins in each tile, and behind them where the last one ends: tiles by one more than genes, int64.

    Raises
    ------
    ChecksumError
        If bytes on disk are not those that were written.
    """
    tiles = len(plan.tile_nonzeros)
    if not tiles:
        return np.zeros((0, plan.genes + 1), dtype=np.int64)
    try:
        pointers = read_values(folder / POINTERS, 0, tiles * (plan.genes + 1))
    except UNREADABLE as error:
        raise ChecksumError(damage_of_copy(folder / POINTERS, range(tiles), plan)) from error
    return pointers.reshape(tiles, plan.genes + 1).astype(np.int64)


def damage_of_copy(array: Path, numbers: Sequence[int], plan: TilePlan) -> str:
    """Say which of some files of an array of the copy are damaged, whose cells lie in them, and how to mend it."""
    broken = []
    for number in numbers:
        reason = shard_damage(array, number)
        if reason:
            tile = number if array.name == POINTERS else plan.tile_of_shard(number)
            first, last = plan.rows(tile)
            broken.append(f"{str(shard_file(array, number))!r} (cells {first:,} to {last - 1:,}) {reason}")
    found = listed(broken) if broken else f"a file of {str(array)!r} could not be read, but can be now"
    root = array.parents[1]
    return (
        f"The bytes of the copy by gene must be those that were written. Found: {found}. "
        f"Remove the folder {str(array.parent)!r} and run: chemores by-gene {root}"
    )


def _from_cells(tables: CellTables, positions: Vector) -> sp.csc_matrix:
    matrix = tables.root / CELLS / "X"
    cells = len(tables.obs)
    size = fitting_rows(read_pointers(matrix, 0, cells))
    reader = RowReader(str(matrix.absolute()), tables.content, size, cells, len(tables.var))
    blocks = [dask.delayed(_some_columns, pure=False)(reader, number, positions) for number in range(-(-cells // size))]
    empty = sp.csr_matrix((0, len(positions)), dtype=COUNT_TYPE)
    return sp.csc_matrix(sp.vstack([empty, *dask.compute(*blocks)], format="csr"))


def _some_columns(reader: RowReader, number: int, positions: Vector) -> Block:
    return reader(block_id=(number, 0))[:, positions]
