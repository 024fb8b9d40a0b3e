"""What every reader of counts hands over: a header first, then a stream of row blocks.

A reader opens a file, checks all that its header can tell, and returns a :class:`Source`. Nothing of the matrix is
held: blocks of whole rows are read one after the other, each no larger than a :class:`BlockLimit`, so memory does not
grow with the file. What grows with the number of cells are their names and the offsets of their rows (about 100 bytes
a cell, for one file at a time).
"""

from __future__ import annotations

import errno
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.errors import ChemoresError, FormatError, StoreNotFoundError
from chemores_dask.ingest.counts_check import check_block

GENE_EXPRESSION = "Gene Expression"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
ENSEMBL = r"^ENS[A-Z]{0,6}G\d{6,}"


@dataclass(frozen=True)
class BlockLimit:
    """How large a block of rows may be: whichever is reached first, and at least one row."""

    rows: int = 4096
    nonzeros: int = 2**22


@dataclass(frozen=True)
class Header:
    """What is known before the matrix is read.

    Attributes
    ----------
    genes
        One row per feature in the order of the file, columns ``gene_id``, ``gene_symbol``, ``feature_type``,
        ``genome``; empty strings where the file does not tell.
    cells
        Number of cells.
    nonzeros
        Number of stored values, where the header tells.
    place
        Where in the file the counts lie.
    """

    genes: pd.DataFrame
    cells: int
    nonzeros: int | None = None
    place: str = "matrix"


@dataclass(frozen=True)
class RowBlock:
    """Some whole rows: counts (int32, checked), and the barcodes of the cells."""

    counts: Block
    barcodes: np.ndarray


@dataclass(frozen=True)
class Source:
    """An opened file of counts.

    Attributes
    ----------
    path
        The file or folder as it was named.
    format
        The name of the format.
    files
        The files that were found at the path.
    header
        Genes, number of cells and of stored values.
    read_cells
        Takes names of columns; returns a table of the cells, indexed by barcode.
    stream
        Takes a limit and a folder for temporary files; yields the rows in order.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    header: Header
    read_cells: Callable[[Sequence[str]], pd.DataFrame]
    stream: Callable[[BlockLimit, Path], Iterator[Block]]

    def blocks(self, limit: BlockLimit, *, scratch: Path) -> Iterator[RowBlock]:
        """Read the rows in order, each block checked to hold counts.

        Parameters
        ----------
        limit
            How large a block may be.
        scratch
            Folder for temporary files, used by layouts that must be transposed.

        Yields
        ------
        Blocks of whole rows, cells by all features of the header.

        Raises
        ------
        CountsError
            If a value is not a count.
        FormatError
            If the file is cut short, or its data disagree with its header.
        """
        with reading(self.path):
            barcodes = self.read_cells(()).index.to_numpy()
        genes = self.header.genes
        names = genes["gene_symbol"].where(genes["gene_symbol"] != "", genes["gene_id"]).to_numpy()
        first = 0
        stored = 0
        rows = self.stream(limit, scratch)
        while True:
            with reading(self.path):
                block = next(rows, None)
            if block is None:
                break
            stored += block.nnz
            own = barcodes[first : first + block.shape[0]]
            first += block.shape[0]
            yield RowBlock(
                check_block(block, barcodes=own, genes=names, where=f"{self.header.place} of {self.path}"), own
            )
        self._check_read(first, stored)

    def _check_read(self, cells: int, stored: int) -> None:
        if cells != self.header.cells:
            message = (
                f"{self.path} must hold {self.header.cells:,} cells, as its header says. Found {cells:,}; fetch the "
                "file again."
            )
            raise FormatError(message)
        if self.header.nonzeros is not None and stored != self.header.nonzeros:
            message = (
                f"{self.path} must hold {self.header.nonzeros:,} stored values, as its header says. Found {stored:,}; "
                "the file is cut short or altered, fetch it again."
            )
            raise FormatError(message)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside compressed and HDF5 files into one clear error.

    Raises
    ------
    StoreNotFoundError
        If the file is not there.
    FormatError
        If it is cut short or damaged.
    """
    try:
        yield
    except ChemoresError:
        raise
    except FileNotFoundError as problem:
        message = f"There must be a file or folder at {path}. Nothing was found; correct the path."
        raise StoreNotFoundError(message) from problem
    except IsADirectoryError as problem:
        message = f"{path} must be a file. Found a folder; name the file in it."
        raise FormatError(message) from problem
    except PermissionError as problem:
        message = f"{path} must be readable. Found: {problem.strerror}; change its permissions."
        raise FormatError(message) from problem
    except UnicodeDecodeError as problem:
        message = (
            f"{path} must be text in UTF-8. Found other bytes at position {problem.start:,}; save it as UTF-8 (a spreadsheet program: "
            "CSV UTF-8), or, if it is cut short or damaged, fetch it again."
        )
        raise FormatError(message) from problem
    except pd.errors.ParserError as problem:
        raise FormatError(_uneven(path, str(problem))) from problem
    except (OSError, EOFError, KeyError, zlib.error) as problem:
        if isinstance(problem, OSError) and problem.errno in NO_SPACE:
            raise
        message = (
            f"{path} must be a whole, readable file. Found: {str(problem).strip() or type(problem).__name__}; the "
            "file is cut short or damaged, fetch it again."
        )
        raise FormatError(message) from problem


def _uneven(path: Path, said: str) -> str:
    counts = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
    if counts is None:
        found = said.rsplit("error: ", maxsplit=1)[-1].strip()
        return (
            f"{path} must be a whole, readable table. Found: {found}; a quote may be left open, or the file is cut short or damaged: "
            "mend it, or fetch it again."
        )
    expected, line, found = counts.groups()
    return (
        f"Every line of {path} must have as many fields as the first, {expected}. Found {found} in line {line}; put fields that hold the "
        "separator into quotes, or remove what is too much. Or the file is cut short or damaged: fetch it again."
    )


def gene_table(
    *,
    identifiers: Sequence[str] | None = None,
    symbols: Sequence[str] | None = None,
    feature_types: Sequence[str] | None = None,
    genomes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Build the table of features of a header from what a file tells.

    Parameters
    ----------
    identifiers, symbols
        Stable identifiers and symbols; at least one of the two. A lone list of which most look like Ensembl
        identifiers counts as identifiers.
    feature_types, genomes
        Kind of each feature, and the reference it belongs to.

    Returns
    -------
    Columns ``gene_id``, ``gene_symbol``, ``feature_type``, ``genome``.
    """
    if identifiers is None and symbols is not None and looks_like_ensembl(symbols):
        identifiers, symbols = symbols, None
    length = len(identifiers if identifiers is not None else symbols if symbols is not None else ())

    def column(values: Sequence[str] | None, default: str) -> np.ndarray:
        filled = np.full(length, default, dtype=object) if values is None else np.asarray(values, dtype=object)
        return np.where(pd.isna(filled), default, filled).astype(str).astype(object)

    return pd.DataFrame(
        {
            "gene_id": column(identifiers, ""),
            "gene_symbol": column(symbols, ""),
            "feature_type": column(feature_types, GENE_EXPRESSION),
            "genome": column(genomes, ""),
        }
    )


def looks_like_ensembl(names: Sequence[str]) -> bool:
    """Tell whether most of some names are Ensembl gene identifiers."""
    texts = pd.Series(list(names), dtype=object).astype(str)
    return len(texts) > 0 and bool(texts.str.match(ENSEMBL).mean() > 0.5)


def row_windows(offsets: np.ndarray, limit: BlockLimit) -> Iterator[tuple[int, int]]:
    """Cut rows into windows that respect a limit.

    Parameters
    ----------
    offsets
        Where each row starts, and the end of the last (``indptr``).
    limit
        How large a window may be.

    Yields
    ------
    First row and the row after the last.
    """
    start = 0
    rows = len(offsets) - 1
    while start < rows:
        fitting = int(np.searchsorted(offsets, offsets[start] + limit.nonzeros, side="right")) - 1
        stop = max(start + 1, min(start + limit.rows, rows, fitting))
        yield start, stop
        start = stop


def cut_rows(block: Block, limit: BlockLimit) -> Iterator[Block]:
    """Cut a matrix in memory into blocks that respect a limit."""
    for start, stop in row_windows(block.indptr, limit):
        first, last = block.indptr[start], block.indptr[stop]
        parts = (block.data[first:last], block.indices[first:last], block.indptr[start : stop + 1] - first)
        yield sp.csr_matrix(parts, shape=(stop - start, block.shape[1]))


def one_cell_table(barcodes: np.ndarray) -> pd.DataFrame:
    """Make a table of cells that has names only."""
    return pd.DataFrame(index=pd.Index(np.asarray(barcodes, dtype=object), name="barcode"))
