"""AnnData files (``.h5ad``): counts in ``X``, ``raw`` or a layer; compressed by rows or columns, or dense.

Compressed by rows and dense matrices are streamed; compression by columns is turned through temporary files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import read_elem

from chemores_dask.aliases import Block
from chemores_dask.checks import listed
from chemores_dask.errors import CountsError, FormatError, MissingVariableError
from chemores_dask.ingest.counts_check import first_offence
from chemores_dask.ingest.h5_sparse import decoded, entries_by_column, preview, read_offsets, stream_csr, texts
from chemores_dask.ingest.row_buckets import rows_from_entries
from chemores_dask.ingest.source import BlockLimit, Header, Source, gene_table, looks_like_ensembl, reading

FORMAT = "h5ad"
COUNT_LAYERS = ("counts", "raw_counts", "count", "umi", "umis", "raw")
RAW_PLACES = {"raw/X": "raw/var", "raw.X": "raw.var"}
"""Where raw counts may lie, and their table of genes; the second is how old files write it."""

DENSE_BYTES = 2**26
IDENTIFIER_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id", "accession", "id")
SYMBOL_COLUMNS = (
    "gene_symbols",
    "gene_symbol",
    "symbol",
    "gene_name",
    "gene_names",
    "feature_name",
    "gene_short_name",
    "name",
)


def read_h5ad_counts(path: str | Path, *, counts_in: str | None = None) -> Source:
    """Open an ``.h5ad`` file.

    Parameters
    ----------
    path
        The file.
    counts_in
        ``"X"``, ``"raw"`` or the name of a layer. By default the place is found: of ``X``, ``raw`` and layers called
        counts, those that hold whole numbers, the one with most genes; at a tie a layer comes before ``X``, and ``X``
        before ``raw``.

    Returns
    -------
    Source whose header lists the genes of that place.

    Raises
    ------
    FormatError
        If the file is cut short, or is not AnnData, or its header disagrees with its data.
    CountsError
        If no place holds counts.
    """
    path = Path(path)
    with reading(path), h5py.File(path, "r") as file:
        if "obs" not in file or "var" not in file:
            message = (
                f"An .h5ad must hold obs and var. Found in {path}: {listed(file)}; write it with anndata's write_h5ad."
            )
            raise FormatError(message)
        place, names = _place_of_counts(file, counts_in, path)
        matrix = file[place]
        cells = len(_index(file["obs"]))
        genes = _genes(file[names])
        shape = matrix_shape(matrix)
        if shape != (cells, len(genes)):
            message = (
                f"{place} of {path} must have one row per cell and one column per gene. Found {shape[0]:,} x "
                f"{shape[1]:,} for {cells:,} cells and {len(genes):,} genes; write the file again."
            )
            raise FormatError(message)
        nonzeros = None
        if isinstance(matrix, h5py.Group):
            nonzeros = int(read_offsets(matrix, lines=cells if is_csr(matrix) else len(genes), path=path)[-1])
    header = Header(genes, cells, nonzeros, place)
    return Source(path, FORMAT, (path,), header, partial(_cells, path), partial(_stream, path, place))


def matrix_shape(matrix: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    """Read the shape of a sparse or dense matrix."""
    if isinstance(matrix, h5py.Dataset):
        rows, columns = matrix.shape
    else:
        rows, columns = matrix.attrs["shape"] if "shape" in matrix.attrs else matrix.attrs["h5sparse_shape"]
    return int(rows), int(columns)


def is_csr(matrix: h5py.Group) -> bool:
    """Tell whether a sparse matrix is compressed by rows."""
    kind = matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format", "csr"))
    return str(kind.decode() if isinstance(kind, bytes) else kind).startswith("csr")


def dense_preview(matrix: h5py.Dataset) -> np.ndarray:
    """Read some values from the first and the last lines of a dense matrix."""
    lines = max(1, 2**15 // max(1, matrix.shape[1]))
    return np.concatenate([matrix[:lines].ravel(), matrix[max(0, matrix.shape[0] - lines) :].ravel()])


def _place_of_counts(file: h5py.File, counts_in: str | None, path: Path) -> tuple[str, str]:
    layers = list(file["layers"]) if "layers" in file else []
    places = [(f"layers/{name}", "var") for name in layers if name.lower() in COUNT_LAYERS]
    places += [place for place in [("X", "var"), *RAW_PLACES.items()] if place[0] in file]
    if counts_in is not None:
        wanted = {"X": ["X"], "raw": list(RAW_PLACES)}.get(counts_in, [f"layers/{counts_in.removeprefix('layers/')}"])
        chosen = [(place, RAW_PLACES.get(place, "var")) for place in wanted if place in file]
        if not chosen:
            message = (
                f"{path} must hold counts in {counts_in!r}, as asked. Present: "
                f"{listed([place for place, _ in places] + layers)}; name one of these."
            )
            raise FormatError(message)
        places = chosen
    found = {}
    for place, names in places:
        values = _sampled(file[place])
        if first_offence(values) is None:
            found[place, names] = (bool(values.any()), matrix_shape(file[place])[1])
    if found:
        return max(found, key=lambda key: found[key])
    shown = [f"{place} ({_example(_sampled(file[place]))})" for place, _ in places]
    message = (
        f"{path} must hold raw counts: whole numbers, zero or more, in X, raw or a layer called counts. Found "
        f"{listed(shown)}; it looks "
        f"normalized. Other layers: {listed(layers)}. Pass the file with raw counts, or name their place in the "
        "column 'counts_in'."
    )
    raise CountsError(message)


def _sampled(matrix: h5py.Group | h5py.Dataset) -> np.ndarray:
    return dense_preview(matrix) if isinstance(matrix, h5py.Dataset) else preview(matrix["data"])


def _example(values: np.ndarray) -> str:
    position = first_offence(values)
    return "only zeros" if position is None else f"for example {values[position]}"


def _index(frame: h5py.Group | h5py.Dataset) -> np.ndarray:
    if isinstance(frame, h5py.Dataset):
        name = "index" if "index" in frame.dtype.names else frame.dtype.names[0]
        return decoded(frame[name])
    return texts(frame[_text(frame.attrs.get("_index", "_index"))])


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _column(frame: h5py.Group | h5py.Dataset, name: str) -> np.ndarray:
    if isinstance(frame, h5py.Dataset):
        values = frame[name]
        return decoded(values) if values.dtype.kind == "S" else values
    item = frame[name]
    if "categories" in item.attrs and isinstance(item.attrs["categories"], h5py.Reference):
        categories = texts(frame.file[item.attrs["categories"]])
        codes = item[:]
        return np.where(codes < 0, None, categories[np.maximum(codes, 0)])
    values = read_elem(item)
    return np.asarray(values.astype(object) if isinstance(values, pd.Categorical) else values)


def _columns_of(frame: h5py.Group | h5py.Dataset) -> list[str]:
    if isinstance(frame, h5py.Dataset):
        return list(frame.dtype.names)
    index = _text(frame.attrs.get("_index", "_index"))
    return [name for name in frame if name not in (index, "__categories")]


def _genes(frame: h5py.Group | h5py.Dataset) -> pd.DataFrame:
    index = _index(frame)
    present = {name.lower(): name for name in reversed(_columns_of(frame))}

    def first_of(names: Sequence[str]) -> np.ndarray | None:
        name = next((present[name] for name in names if name in present), None)
        return None if name is None else _column(frame, name)

    identifiers, symbols = first_of(IDENTIFIER_COLUMNS), first_of(SYMBOL_COLUMNS)
    same_identifiers = identifiers is not None and np.array_equal(identifiers, index)
    named_by_symbol = symbols is not None and not np.array_equal(symbols, index)
    if looks_like_ensembl(index) or same_identifiers or (identifiers is None and named_by_symbol):
        identifiers = index
    else:
        symbols = index
    types = _column(frame, "feature_types") if "feature_types" in present else None
    genomes = _column(frame, present["genome"]) if "genome" in present else None
    return gene_table(identifiers=identifiers, symbols=symbols, feature_types=types, genomes=genomes)


def _cells(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    with h5py.File(path, "r") as file:
        frame = file["obs"]
        missing = [name for name in columns if name not in _columns_of(frame)]
        if missing:
            message = (
                f"obs of {path} must have the columns {listed(missing)}. Present: {listed(_columns_of(frame))}; "
                "correct the names."
            )
            raise MissingVariableError(message)
        index = pd.Index(_index(frame), name="barcode", dtype=object)
        return pd.DataFrame({name: _column(frame, name) for name in columns}, index=index)


def _stream(path: Path, place: str, limit: BlockLimit, scratch: Path) -> Iterator[Block]:
    with h5py.File(path, "r") as file:
        matrix = file[place]
        rows, columns = matrix_shape(matrix)
        if isinstance(matrix, h5py.Dataset):
            yield from stream_dense(matrix, limit=limit)
            return
        offsets = matrix["indptr"][:].astype(np.int64)
        if is_csr(matrix):
            yield from stream_csr(matrix, offsets=offsets, columns=columns, limit=limit, path=path)
            return
        entries = entries_by_column(matrix, offsets=offsets, rows=rows, limit=limit, path=path)
        yield from rows_from_entries(
            entries, shape=(rows, columns), nonzeros=int(offsets[-1]), limit=limit, scratch=scratch
        )


def stream_dense(matrix: h5py.Dataset, *, limit: BlockLimit) -> Iterator[Block]:
    """Read a dense matrix of cells by genes in slabs of rows."""
    rows, columns = matrix.shape
    fitting = max(1, DENSE_BYTES // max(1, columns * matrix.dtype.itemsize))
    step = min(limit.rows, fitting)
    for start in range(0, rows, step):
        yield sp.csr_matrix(matrix[start : start + step])
