"""Loom files: a dense matrix of genes by cells, read in slabs of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.checks import listed
from chemores_dask.errors import FormatError, MissingVariableError
from chemores_dask.ingest.counts_check import whole_counts
from chemores_dask.ingest.h5_sparse import texts
from chemores_dask.ingest.source import BlockLimit, Header, Source, gene_table, reading

FORMAT = "loom"
SLAB_BYTES = 2**26
SYMBOL_ATTRIBUTES = (
    "gene",
    "genename",
    "gene_name",
    "gene_names",
    "genesymbol",
    "symbol",
    "var_names",
    "genes",
    "name",
)
IDENTIFIER_ATTRIBUTES = ("accession", "ensembl", "ensemblid", "ensembl_id", "gene_id", "gene_ids", "geneid")
CELL_ATTRIBUTES = (
    "cellid",
    "cell_id",
    "barcode",
    "barcodes",
    "cell_names",
    "cellname",
    "cell_name",
    "obs_names",
    "cell",
)


def read_loom(path: str | Path, *, counts_in: str | None = None) -> Source:
    """Open a ``.loom`` file.

    Parameters
    ----------
    path
        The file.
    counts_in
        Name of the layer that holds the counts; the main matrix by default.

    Returns
    -------
    Source whose header lists the genes.

    Raises
    ------
    FormatError
        If the file is cut short, or has no names of genes or cells.
    CountsError
        If the first cells do not hold counts.
    """
    path = Path(path)
    place = "matrix" if counts_in in (None, "X", "matrix") else f"layers/{str(counts_in).removeprefix('layers/')}"
    with reading(path), h5py.File(path, "r") as file:
        if place not in file:
            layers = list(file["layers"]) if "layers" in file else []
            message = f"{path} must hold {place!r}. Layers present: {listed(layers)}; correct the column 'counts_in'."
            raise FormatError(message)
        rows, columns = file[place].shape
        symbols = _attribute(file["row_attrs"], SYMBOL_ATTRIBUTES)
        identifiers = _attribute(file["row_attrs"], IDENTIFIER_ATTRIBUTES)
        barcodes = _attribute(file["col_attrs"], CELL_ATTRIBUTES)
        for names, what, length, group in (
            (symbols if symbols is not None else identifiers, "genes", rows, "row_attrs"),
            (barcodes, "cells", columns, "col_attrs"),
        ):
            if names is None or len(names) != length:
                found = "none" if names is None else f"{len(names):,}"
                message = (
                    f"{path} must name its {length:,} {what}. Found {found}; {group} holds: {listed(file[group])}. "
                    "Add the names, for example as CellID and Gene."
                )
                raise FormatError(message)
        if columns:
            whole_counts(file[place][:, : _slab(file[place])].ravel(), where=f"{place} of {path}")
    header = Header(gene_table(identifiers=identifiers, symbols=symbols), columns, None, place)
    return Source(path, FORMAT, (path,), header, partial(_cells, path), partial(_stream, path, place))


def _attribute(group: h5py.Group, names: Sequence[str]) -> np.ndarray | None:
    present = {name.lower(): name for name in group}
    found = next((present[name] for name in names if name in present), None)
    return None if found is None else texts(group[found])


def _slab(matrix: h5py.Dataset) -> int:
    width = matrix.chunks[1] if matrix.chunks else 64
    fitting = SLAB_BYTES // max(1, matrix.shape[0] * matrix.dtype.itemsize)
    return max(1, fitting // width * width if fitting >= width else fitting)


def _cells(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    with h5py.File(path, "r") as file:
        group = file["col_attrs"]
        missing = [name for name in columns if name not in group]
        if missing:
            message = (
                f"The cells of {path} must have the columns {listed(missing)}. Present: {listed(group)}; correct "
                "the names."
            )
            raise MissingVariableError(message)
        values = {name: texts(group[name]) if group[name].dtype.kind in "SO" else group[name][:] for name in columns}
        return pd.DataFrame(values, index=pd.Index(_attribute(group, CELL_ATTRIBUTES), name="barcode", dtype=object))


def _stream(path: Path, place: str, limit: BlockLimit, scratch: Path) -> Iterator[Block]:
    del scratch
    with h5py.File(path, "r") as file:
        matrix = file[place]
        step = min(_slab(matrix), limit.rows)
        for start in range(0, matrix.shape[1], step):
            yield sp.csr_matrix(matrix[:, start : start + step].T)
