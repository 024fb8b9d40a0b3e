"""Tables of genes by cells, as plate protocols deliver them: TSV or CSV, plain or gzipped, one row per gene.

A table is read in chunks of genes and turned into rows through temporary files, so that memory holds a chunk of
genes, then a range of cells. Row names may be ``ENSG…-SYMBOL-biotype``, identifiers or symbols; ERCC rows stay genes;
rows of counting statistics (``__no_feature``, ``N_unmapped``) are set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from chemores_dask.aliases import Block
from chemores_dask.errors import CountsError, FormatError
from chemores_dask.ingest.counts_check import whole_counts
from chemores_dask.ingest.row_buckets import Entries, rows_from_entries
from chemores_dask.ingest.source import (
    ENSEMBL,
    GENE_EXPRESSION,
    BlockLimit,
    Header,
    Source,
    gene_table,
    looks_like_ensembl,
    one_cell_table,
    reading,
)
from chemores_dask.ingest.table_text import detect_delimiter, first_lines, open_bytes, split_line

FORMAT = "plate_table"
PREVIEW_GENES = 200
CHUNK_VALUES = 2**21
JOINED_NAME = r"^(?P<identifier>ENS[A-Z]{0,6}G\d{6,}(?:\.\d+)?(?:_PAR_Y)?)(?P<separator>[-_|])(?P<rest>.+)$"
STATISTICS = r"^(?:__|N_(?:unmapped|multimapping|noFeature|ambiguous))"
MOST_BIOTYPES = 80
EXPECTED_SPARSITY = 0.1


@dataclass(frozen=True)
class TableLayout:
    """How a table is written."""

    path: Path
    delimiter: str
    barcodes: tuple[str, ...]
    genes: tuple[str, ...]


def read_plate_table(path: str | Path) -> Source:
    """Open a table of genes by cells.

    Parameters
    ----------
    path
        The table.

    Returns
    -------
    Source whose header lists all rows of the table.

    Raises
    ------
    FormatError
        If the file is cut short, is not a table, or holds cells by genes.
    CountsError
        If the first genes do not hold counts.
    """
    path = Path(path)
    with reading(path):
        layout = _layout(path)
        genes = split_row_names(layout.genes)
        if looks_like_ensembl(layout.barcodes) and not looks_like_ensembl(layout.genes):
            message = (
                f"{path} must have one row per gene and one column per cell. Found gene identifiers in the header; "
                "transpose the table."
            )
            raise FormatError(message)
        next(_entries(layout, PREVIEW_GENES), None)
    header = Header(genes, len(layout.barcodes), None, "table")
    return Source(path, FORMAT, (path,), header, partial(_cells, layout.barcodes), partial(_stream, layout))


def split_row_names(names: Sequence[str]) -> pd.DataFrame:
    """Take row names apart: identifier, symbol and biotype joined by ``-``, ``_`` or ``|``.

    Symbols may hold hyphens themselves (``HLA-A``). The last part counts as a biotype where the table has few
    different ones.

    Parameters
    ----------
    names
        Row names.

    Returns
    -------
    Table of features, as in a header.

    Examples
    --------
    >>> split_row_names(["ENSG00000206503.13-HLA-A-protein_coding", "ERCC-00002"])["gene_symbol"].tolist()
    ['HLA-A', 'ERCC-00002']
    """
    series = pd.Series(list(names), dtype=object)
    parts = series.str.extract(JOINED_NAME)
    joined = parts["identifier"].notna()
    if not joined.any():
        table = gene_table(symbols=series)
    else:
        ensembl = series.str.match(ENSEMBL)
        identifiers = parts["identifier"].where(joined, series.where(ensembl, ""))
        table = gene_table(identifiers=identifiers, symbols=_symbols(parts).where(joined, series.where(~ensembl, "")))
    statistics = series.str.match(STATISTICS).to_numpy()
    table["feature_type"] = np.where(statistics, "Counting statistics", GENE_EXPRESSION).astype(object)
    return table


def _symbols(parts: pd.DataFrame) -> pd.Series:
    """Take the biotype off what follows the identifier, if nearly every name has one of few different ones."""
    separator = parts["separator"].mode()[0]
    pieces = parts["rest"].str.rsplit(separator, n=1)
    biotype = pieces.str[-1].where(pieces.str.len() == 2)
    has_biotype = biotype.notna().sum() >= 0.9 * parts["rest"].notna().sum() and biotype.nunique() <= MOST_BIOTYPES
    return pieces.str[0] if has_biotype else parts["rest"]


def _layout(path: Path) -> TableLayout:
    lines = first_lines(path, 2)
    delimiter = detect_delimiter(path, lines)
    header = split_line(lines[0], delimiter)
    if len(lines) < 2:
        message = f"{path} must have a header and one row per gene. Found one line only; the file is cut short."
        raise FormatError(message)
    width = len(split_line(lines[1], delimiter))
    if width not in (len(header), len(header) + 1):
        message = (
            f"Rows of {path} must have as many columns as its header. Found {width} in the first row and "
            f"{len(header)} in the header; write the table again."
        )
        raise FormatError(message)
    barcodes = header if width == len(header) + 1 else header[1:]
    with open_bytes(path) as file:
        file.readline()
        names = [
            line.split(delimiter.encode(), 1)[0].decode("utf-8").strip().strip('"') for line in file if line.strip()
        ]
    return TableLayout(path, delimiter, tuple(barcodes), tuple(names))


def _entries(layout: TableLayout, genes_per_chunk: int) -> Iterator[Entries]:
    first = 0
    with open_bytes(layout.path) as file:
        file.readline()
        width = len(layout.barcodes)
        missing = {column: ["NA", "NaN", "nan"] for column in range(1, width + 1)}
        kinds = {0: str} | dict.fromkeys(range(1, width + 1), np.float64)
        tables = pd.read_csv(
            file, sep=layout.delimiter, header=None, names=range(width + 1), index_col=False, dtype=kinds,
            chunksize=genes_per_chunk, keep_default_na=False, na_values=missing, engine="c",
        )  # fmt: skip
        while True:
            try:
                table = next(tables, None)
            except pd.errors.ParserError:
                raise
            except ValueError as problem:
                message = (
                    f"Every entry of {layout.path} must be a number, except the row names. Found: {problem}; "
                    "correct the table."
                )
                raise CountsError(message) from problem
            if table is None:
                return
            values = table.iloc[:, 1:].to_numpy()
            gene, cell = np.nonzero(values)

            def describe(position: int, gene: np.ndarray = gene, cell: np.ndarray = cell, first: int = first) -> str:
                return f"cell {layout.barcodes[cell[position]]}, gene {layout.genes[first + gene[position]]}"

            yield cell, gene + first, whole_counts(values[gene, cell], where=str(layout.path), describe=describe)
            first += len(table)


def _cells(barcodes: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    del columns
    return one_cell_table(np.array(barcodes, dtype=object))


def _stream(layout: TableLayout, limit: BlockLimit, scratch: Path) -> Iterator[Block]:
    shape = (len(layout.barcodes), len(layout.genes))
    entries = _entries(layout, max(1, CHUNK_VALUES // max(1, shape[0])))
    expected = int(EXPECTED_SPARSITY * shape[0] * shape[1])
    yield from rows_from_entries(entries, shape=shape, nonzeros=expected, limit=limit, scratch=scratch)
