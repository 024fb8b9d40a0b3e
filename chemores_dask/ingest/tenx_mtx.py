"""Folders of Cell Ranger: ``matrix.mtx``, ``barcodes.tsv``, and ``features.tsv`` (version 3) or ``genes.tsv`` (2).

The matrix is read in chunks of text. Its entries come sorted by cell as a rule, and are then cut into rows as they
arrive; where the first chunk is not sorted, they are sorted through temporary files (12 bytes per entry on disk, no
more memory).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.checks import listed
from chemores_dask.errors import FormatError, StoreNotFoundError
from chemores_dask.ingest.counts_check import whole_counts
from chemores_dask.ingest.row_buckets import Entries, rows_from_entries
from chemores_dask.ingest.source import BlockLimit, Header, Source, cut_rows, gene_table, one_cell_table, reading
from chemores_dask.ingest.table_text import open_bytes, read_names

FORMAT = "10x_mtx"
CHUNK = 2**20
PREVIEW = 2**16
BANNER = "%%MatrixMarket matrix coordinate"


@dataclass(frozen=True)
class Layout:
    """What the header of a ``.mtx`` says."""

    path: Path
    genes: int
    cells: int
    nonzeros: int
    real: bool
    cells_first: bool


def read_tenx_mtx(path: str | Path) -> Source:
    """Open a folder with ``matrix.mtx``, or the matrix itself.

    Parameters
    ----------
    path
        A folder with one matrix (a common prefix of its three files is allowed), or the path of the matrix.

    Returns
    -------
    Source whose header lists all features.

    Raises
    ------
    FormatError
        If files are missing or cut short, or the header disagrees with the names of genes and cells.
    CountsError
        If the first values are not counts.
    """
    path = Path(path)
    with reading(path):
        matrix, features, barcodes = find_files(path)
        genes = _genes(features)
        cells = np.array([row[0] for row in read_names(barcodes)], dtype=object)
        layout = _layout(matrix, genes=len(genes), cells=len(cells))
        first = next(_entries(layout, PREVIEW), None)
    if first is not None:
        _integers(layout, first)
    header = Header(genes, layout.cells, layout.nonzeros, matrix.name)
    return Source(
        path, FORMAT, (matrix, features, barcodes), header, partial(_cells, barcodes), partial(_stream, layout)
    )


def find_files(path: Path) -> tuple[Path, Path, Path]:
    """Find the matrix, its features and its barcodes.

    Raises
    ------
    StoreNotFoundError, FormatError
        Saying which file is missing, or that there are several.
    """
    folder = path if path.is_dir() else path.parent
    found = matrices_in(folder) if path.is_dir() else [path]
    if len(found) != 1:
        below = [str(item.relative_to(folder)) for item in sorted(folder.glob("*/**/*matrix.mtx*"))[:12]]
        hint = (
            f"below it: {listed(below)}; name the folder that holds one" if below else "name the folder of one sample"
        )
        message = (
            f"The folder {folder} must hold one matrix.mtx or matrix.mtx.gz. Found {len(found)} "
            f"({listed(item.name for item in found)}); {hint}."
        )
        raise FormatError(message)
    matrix = found[0]
    prefix = matrix.name.split("matrix.mtx")[0] if "matrix.mtx" in matrix.name else ""

    def beside(*stems: str) -> Path:
        for stem in stems:
            for suffix in (".tsv.gz", ".tsv"):
                if (folder / f"{prefix}{stem}{suffix}").is_file():
                    return folder / f"{prefix}{stem}{suffix}"
        message = (
            f"{matrix} must have {' or '.join(f'{prefix}{stem}.tsv(.gz)' for stem in stems)} beside it. Found in "
            "the folder: "
            f"{listed(sorted(item.name for item in folder.iterdir()))}; put the file there."
        )
        raise StoreNotFoundError(message)

    return matrix, beside("features", "genes"), beside("barcodes")


def matrices_in(folder: Path) -> list[Path]:
    """List the matrices that lie directly in a folder."""
    return sorted(item for item in folder.iterdir() if item.name.endswith(("matrix.mtx", "matrix.mtx.gz")))


def _genes(path: Path) -> pd.DataFrame:
    rows = read_names(path)
    symbols = [row[1] if len(row) > 1 else row[0] for row in rows]
    types = [row[2] for row in rows] if rows and all(len(row) > 2 for row in rows) else None
    if all(len(row) == 1 for row in rows):
        return gene_table(symbols=symbols)
    return gene_table(identifiers=[row[0] for row in rows], symbols=symbols, feature_types=types)


def _layout(matrix: Path, *, genes: int, cells: int) -> Layout:
    with open_bytes(matrix) as file:
        banner = file.readline().decode("utf-8", "replace").strip()
        words = banner.lower().split()
        if not banner.lower().startswith(BANNER.lower()) or words[3:] not in (
            ["integer", "general"],
            ["real", "general"],
        ):
            message = (
                f"A matrix of counts must begin with '{BANNER} integer general' (or real). Found {banner[:80]!r} in "
                f"{matrix}; "
                "write it as a general coordinate matrix of counts."
            )
            raise FormatError(message)
        sizes = _skip_comments(file).split()
    if len(sizes) != 3 or not all(size.isdigit() for size in sizes):
        message = (
            f"The size line of {matrix} must hold three numbers. Found {b' '.join(sizes)[:80]!r}; fetch the file again."
        )
        raise FormatError(message)
    height, width, nonzeros = (int(size) for size in sizes)
    if (height, width) not in ((genes, cells), (cells, genes)):
        message = (
            f"The header of {matrix} must agree with the names beside it. Found {height:,} x {width:,} for "
            f"{genes:,} features and "
            f"{cells:,} barcodes; the files belong to different samples or are cut short."
        )
        raise FormatError(message)
    return Layout(matrix, genes, cells, nonzeros, words[3] == "real", (height, width) != (genes, cells))


def _skip_comments(file: IO[bytes]) -> bytes:
    line = file.readline()
    while line.startswith(b"%") or (line and not line.strip()):
        line = file.readline()
    return line


def _entries(layout: Layout, chunk: int) -> Iterator[Entries]:
    """Read entries as zero-based cell and gene numbers with the values as they are."""
    if layout.nonzeros == 0:
        return
    kind = np.float64 if layout.real else np.int64
    with open_bytes(layout.path) as file:
        _skip_comments(file)
        frames = pd.read_csv(
            file, sep=" ", header=None, names=["first", "second", "value"], chunksize=chunk, engine="c",
            dtype={"first": np.int32, "second": np.int32, "value": kind},
        )  # fmt: skip
        while True:
            try:
                frame = next(frames, None)
            except ValueError as problem:
                message = (
                    f"{layout.path} must hold lines of two positive numbers and a count, as its header says. Found: "
                    f"{problem}; the file is cut short or damaged, fetch it again."
                )
                raise FormatError(message) from problem
            if frame is None:
                return
            first, second = frame["first"].to_numpy() - 1, frame["second"].to_numpy() - 1
            cell, gene = (first, second) if layout.cells_first else (second, first)
            _check_range(layout, cell, layout.cells, "cell")
            _check_range(layout, gene, layout.genes, "gene")
            yield cell, gene, frame["value"].to_numpy()


def _check_range(layout: Layout, numbers: np.ndarray, size: int, what: str) -> None:
    wrong = (numbers < 0) | (numbers >= size)
    if wrong.any():
        found = int(numbers[np.argmax(wrong)]) + 1
        message = (
            f"Every {what} number in {layout.path} must lie between 1 and {size:,}. Found {found:,}; the file is "
            "damaged, fetch it again."
        )
        raise FormatError(message)


def _integers(layout: Layout, entries: Entries) -> Entries:
    cell, gene, values = entries

    def describe(position: int) -> str:
        return f"cell number {cell[position] + 1}, gene number {gene[position] + 1}"

    return cell, gene, whole_counts(values, where=str(layout.path), describe=describe)


def _cells(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    del columns
    return one_cell_table(np.array([row[0] for row in read_names(path)], dtype=object))


def _stream(layout: Layout, limit: BlockLimit, scratch: Path) -> Iterator[Block]:
    preview = next(_entries(layout, PREVIEW), None)
    chunk = min(CHUNK, limit.nonzeros)
    counted = _counted(layout, (_integers(layout, entries) for entries in _entries(layout, chunk)))
    if preview is not None and (np.diff(preview[0]) < 0).any():
        shape = (layout.cells, layout.genes)
        yield from rows_from_entries(counted, shape=shape, nonzeros=layout.nonzeros, limit=limit, scratch=scratch)
    else:
        for block in _sorted_rows(layout, counted):
            yield from cut_rows(block, limit)


def _counted(layout: Layout, entries: Iterator[Entries]) -> Iterator[Entries]:
    read = 0
    for chunk in entries:
        read += len(chunk[0])
        yield chunk
    if read != layout.nonzeros:
        message = (
            f"{layout.path} must hold {layout.nonzeros:,} entries, as its header says. Found {read:,}; the file is "
            "cut short or altered, fetch it again."
        )
        raise FormatError(message)


def _sorted_rows(layout: Layout, entries: Iterator[Entries]) -> Iterator[Block]:
    """Cut entries that are sorted by cell into rows; the last cell of a chunk waits for the next."""
    waiting: Entries | None = None
    done = 0
    for chunk in entries:
        cell, gene, count = (
            chunk if waiting is None else (np.concatenate(pair) for pair in zip(waiting, chunk, strict=True))
        )
        if (np.diff(cell) < 0).any():
            message = (
                f"Entries of {layout.path} must be sorted by cell throughout, or not at all from the first lines. "
                "Found cells out of order further down; write the matrix again, sorted by column."
            )
            raise FormatError(message)
        last = int(cell[-1])
        cut = int(np.searchsorted(cell, last))
        yield _rows(cell[:cut], gene[:cut], count[:cut], first=done, stop=last, genes=layout.genes)
        done = last
        waiting = (cell[cut:], gene[cut:], count[cut:])
    cell, gene, count = waiting if waiting is not None else (np.empty(0, dtype=np.int32),) * 3
    yield _rows(cell, gene, count, first=done, stop=layout.cells, genes=layout.genes)


def _rows(cell: np.ndarray, gene: np.ndarray, count: np.ndarray, *, first: int, stop: int, genes: int) -> Block:
    offsets = np.searchsorted(cell, np.arange(first, stop + 1))
    return sp.csr_matrix((count, gene, offsets), shape=(stop - first, genes))
