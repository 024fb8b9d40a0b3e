"""Cells of a store: opened lazily, or written from an AnnData through Dask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import scipy.sparse as sp
import zarr
from anndata.io import read_elem

from chemores_dask.aliases import Block, StorePath, Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.errors import IncompleteStoreError, MissingVariableError, StoreError, StoreNotFoundError
from chemores_dask.memory import values_per_block
from chemores_dask.metering import BLOCKS_DECODED, BYTES_DECODED, ROWS_DECODED, count
from chemores_dask.store.cells_parallel import write_cells
from chemores_dask.store.cells_writer import CellsWriter
from chemores_dask.store.layout import (
    CELLS,
    LEDGER,
    NONZEROS_PER_BLOCK,
    existing_root,
    group_attributes,
    is_complete_group,
)
from chemores_dask.store.raw_counts import COUNT_TYPE
from chemores_dask.store.sharded_csr import read_pointers, read_rows
from chemores_dask.store.table_files import check_tables

__all__ = ["CellsWriter", "fitting_rows", "open_cells", "write_cells"]


@dataclass(frozen=True)
class RowReader:
    """Reads one block of rows in a task: small, picklable, and named by the content of the store.

    Attributes
    ----------
    folder
        Of the matrix.
    content
        Name of what the store holds, so that lazy arrays of two stores at one path differ.
    rows_per_block, cells, genes
        Shape of the blocks.
    """

    folder: str
    content: str
    rows_per_block: int
    cells: int
    genes: int

    def __call__(self, *, block_id: tuple[int, ...] = (0, 0)) -> Block:
        """Read the block with this number, and count what was decoded."""
        first = min(block_id[0] * self.rows_per_block, self.cells)
        last = min(first + self.rows_per_block, self.cells)
        cells = Path(self.folder).parent
        with same_content(cells, self.content):
            block = read_rows(Path(self.folder), first, last, genes=self.genes)
        size = block.data.nbytes + block.indices.nbytes + block.indptr.nbytes
        count(**{ROWS_DECODED: last - first, BYTES_DECODED: size, BLOCKS_DECODED: 1})
        return block


@contextmanager
def same_content(cells: Path, content: str) -> Iterator[None]:
    """Refuse what was read from cells that are, or became meanwhile, other cells than those that were opened.

    Parameters
    ----------
    cells
        Folder of the AnnData.
    content
        Name of what it held when it was opened.

    Raises
    ------
    StoreError
        If it holds something else, before or after the reading inside.
    """
    _check_content(cells, content)
    try:
        yield
    finally:
        # Also after an error: a damaged shard of a store that was replaced is none.
        _check_content(cells, content)


def _check_content(cells: Path, content: str) -> None:
    attributes = group_attributes(cells) or {}
    found = attributes.get("content")
    if found != content:
        message = (
            f"Cells must stay the same while they are read. Those in {str(cells.parent)!r} were replaced: opened as {content}, "
            f"now {found or 'being written'}; open the cells again."
        )
        raise StoreError(message)


def open_cells(
    store: StorePath, *, columns: Sequence[str] | None = None, rows_per_block: int | None = None
) -> anndata.AnnData:
    """Open the cells of a store; counts stay on disk until something is computed.

    Parameters
    ----------
    store
        Path of the store.
    columns
        Columns of the table of cells to read; all unless given.
    rows_per_block
        Rows read by one task. Unless given, the fullest block holds about as many stored counts as the
        layout says (``NONZEROS_PER_BLOCK``), fewer within a small :func:`~chemores_dask.memory.memory_budget`.

    Returns
    -------
    AnnData: ``X`` lazy (cells by genes, CSR blocks of whole rows, int32), ``obs`` and ``var`` in memory,
    ``uns["nonzeros_per_cell"]`` the mean number of stored counts per cell in the fullest block, ``uns["nonzeros_per_block"]`` all of
    them in it, ``uns["store"]`` the path and
    ``uns["content"]`` a name for what the store holds.

    Raises
    ------
    StoreNotFoundError
        If there is no store at the path, or no cells in it.
    FormatError
        If what is there is not a store of this package.
    SchemaVersionError
        If a newer version of the package wrote it.
    IncompleteStoreError
        If writing the cells was cut short.
    ChecksumError
        If the tables of cells and genes are not as they were written.
    MissingVariableError
        If a column is not in the table of cells.

    Notes
    -----
    Passes over the counts: 0.
    """
    tables = read_tables(store, columns=columns)
    matrix = tables.root / CELLS / "X"
    cells, genes = len(tables.obs), len(tables.var)
    if rows_per_block is not None:
        check_between(rows_per_block, parameter="rows_per_block", caller="open_cells", minimum=1)
    pointers = read_pointers(matrix, 0, cells)
    size = rows_per_block or fitting_rows(pointers, nonzeros=values_per_block(NONZEROS_PER_BLOCK))
    reader = RowReader(str(matrix.absolute()), tables.content, size, cells, genes)
    uns = tables.uns | {
        "nonzeros_per_cell": _fullest_mean(pointers, size),
        "nonzeros_per_block": _fullest(pointers, size),
        "store": str(tables.root),
        "content": tables.content,
    }
    return anndata.AnnData(X=_lazy_rows(reader), obs=tables.obs, var=tables.var, uns=uns)


@dataclass(frozen=True)
class CellTables:
    """The tables of the cells, without their counts.

    Attributes
    ----------
    root
        Of the store.
    content
        Name of what the cells hold.
    obs, var, uns
        As in AnnData.
    """

    root: Path
    content: str
    obs: pd.DataFrame
    var: pd.DataFrame
    uns: dict[str, Any]


def read_tables(store: StorePath, *, columns: Sequence[str] | None = None) -> CellTables:
    """Read the tables of finished cells, held against their checksums.

    Parameters
    ----------
    store
        Path of the store.
    columns
        Columns of the table of cells to read; all unless given.

    Returns
    -------
    The tables.

    Raises
    ------
    StoreError
        As :func:`open_cells`.
    """
    root = existing_root(store)
    folder = root / CELLS
    check_complete(root)
    check_tables(root)
    group = zarr.open_group(folder, mode="r")
    obs = read_columns(folder / "obs", columns)
    return CellTables(root, str(group.attrs["content"]), obs, read_elem(group["var"]), dict(read_elem(group["uns"])))


def fitting_rows(pointers: Vector, *, nonzeros: int = NONZEROS_PER_BLOCK) -> int:
    """Rows per block, the same for all blocks, so that the fullest block holds about as many counts as wanted.

    Parameters
    ----------
    pointers
        Of all rows.
    nonzeros
        Stored counts that a block may hold.

    Returns
    -------
    At least 1.
    """
    cells = len(pointers) - 1
    total = int(pointers[-1])
    if cells < 1 or total <= nonzeros:
        return max(cells, 1)
    size = max(int(nonzeros * cells / total), 1)
    while size > 1 and _fullest(pointers, size) > nonzeros:
        size = max(min(int(size * nonzeros / _fullest(pointers, size)), size - 1), 1)
    return size


def _fullest(pointers: Vector, size: int) -> int:
    borders = pointers[np.append(np.arange(0, len(pointers) - 1, size), len(pointers) - 1)]
    return int(np.diff(borders).max(initial=0))


def _fullest_mean(pointers: Vector, size: int) -> float:
    cells = len(pointers) - 1
    return _fullest(pointers, size) / min(size, cells) if cells else 0.0


def _lazy_rows(reader: RowReader) -> da.Array:
    whole, rest = divmod(reader.cells, reader.rows_per_block)
    sizes = (reader.rows_per_block,) * whole + ((rest,) if rest else ()) or (0,)
    meta = sp.csr_matrix((0, reader.genes), dtype=COUNT_TYPE)
    return da.map_blocks(reader, chunks=(sizes, (reader.genes,)), dtype=COUNT_TYPE, meta=meta, name=None)


def has_cells(root: Path) -> bool:
    """Whether cells are in a store, finished or not."""
    return any(group_attributes(root / name) is not None for name in (CELLS, LEDGER))


def check_complete(root: Path) -> None:
    """Refuse a store whose cells are absent or unfinished.

    Raises
    ------
    StoreNotFoundError
        If there are none.
    IncompleteStoreError
        If writing them was cut short.
    """
    if is_complete_group(root / CELLS):
        return
    if not has_cells(root):
        message = f"The store {str(root)!r} must hold cells. Found none; add them with ingest or write_cells."
        raise StoreNotFoundError(message)
    message = (
        f"The cells in {str(root)!r} must be complete. Writing them was cut short; "
        "run the same ingest again, it goes on where it stopped."
    )
    raise IncompleteStoreError(message)


def read_columns(folder: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """Read a stored table, or some of its columns, with the names of its rows."""
    group = zarr.open_group(folder, mode="r")
    if columns is None:
        return pd.DataFrame(read_elem(group))
    attributes = group_attributes(folder) or {}
    missing = [name for name in columns if name not in attributes["column-order"]]
    if missing:
        present = listed(attributes["column-order"])
        message = f"open_cells needs the columns {listed(missing)} in the table of cells. Present: {present}."
        raise MissingVariableError(message)
    names = read_elem(group[attributes["_index"]])
    table = pd.DataFrame({name: read_elem(group[name]) for name in columns}, index=range(len(names)))
    table.index = pd.Index(names, dtype=object)
    return table
