"""The HDF5 files of 10x Genomics' Cell Ranger, version 2 (one group per genome) and version 3 (``/matrix``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from chemores_dask.aliases import Block
from chemores_dask.checks import listed
from chemores_dask.errors import FormatError
from chemores_dask.ingest.counts_check import whole_counts
from chemores_dask.ingest.h5_sparse import decoded, preview, read_offsets, stream_csr, texts
from chemores_dask.ingest.source import BlockLimit, Header, Source, gene_table, one_cell_table, reading, row_windows

FORMAT = "10x_h5"
KNOWN_TABLES = 4


def read_tenx_h5(path: str | Path) -> Source:
    """Open a 10x ``.h5`` file.

    Several genomes of a version 2 file become one matrix with the genome of each gene in the header.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Source whose header lists all features, of every type and genome.

    Raises
    ------
    FormatError
        If the file is cut short, or is not such a file, or its header disagrees with its data, or its genomes hold
        different cells.
    CountsError
        If the first, middle or last values are not counts.
    """
    path = Path(path)
    with reading(path), h5py.File(path, "r") as file:
        names = ("matrix",) if isinstance(file.get("matrix"), h5py.Group) else tuple(genome_groups(file))
        if not names:
            message = (
                f"A 10x .h5 must hold the group 'matrix' or one group per genome. Found in {path}: {listed(file)}; "
                "name the right file."
            )
            raise FormatError(message)
        tables = []
        nonzeros = 0
        barcodes = texts(file[names[0]]["barcodes"])
        for name in names:
            group = file[name]
            if len(names) > 1 and not np.array_equal(texts(group["barcodes"]), barcodes):
                message = (
                    f"The genomes of a 10x .h5 of version 2 must share their cells. In {path}, {names[0]} and "
                    f"{name} hold different "
                    "barcodes; pass the unfiltered .h5, or the folder of one genome."
                )
                raise FormatError(message)
            genes = _genes(group, name)
            _check_shape(group, genes=len(genes), cells=len(barcodes), path=path)
            nonzeros += int(read_offsets(group, lines=len(barcodes), path=path)[-1])
            whole_counts(preview(group["data"]), where=f"{group.name} of {path}")
            tables.append(genes)
    header = Header(pd.concat(tables, ignore_index=True), len(barcodes), nonzeros, "+".join(names))
    return Source(
        path,
        FORMAT,
        (path,),
        header,
        partial(_cells, path, names[0]),
        partial(_stream, path, names, [len(t) for t in tables]),
    )


def genome_groups(file: h5py.File) -> list[str]:
    """List the groups of a version 2 file, one per genome."""
    needed = {"barcodes", "genes", "gene_names", "data", "indices", "indptr"}
    return [name for name, item in file.items() if isinstance(item, h5py.Group) and needed <= set(item)]


def _genes(group: h5py.Group, name: str) -> pd.DataFrame:
    if "features" not in group:
        columns = {"identifiers": group["genes"][:], "symbols": group["gene_names"][:]}
        return _gene_table(columns, genome=name)
    features = group["features"]
    places = {"identifiers": "id", "symbols": "name", "feature_types": "feature_type", "genomes": "genome"}
    present = {
        column: place for column, place in places.items() if column in ("identifiers", "symbols") or place in features
    }
    return _gene_table({column: features[place][:] for column, place in present.items()}, genome="")


def _gene_table(columns: dict[str, np.ndarray], *, genome: str) -> pd.DataFrame:
    if all(values.dtype.kind == "S" for values in columns.values()):
        return _known_table(
            tuple((name, values.dtype.str, values.tobytes()) for name, values in columns.items()), genome
        )
    return _table_of({name: decoded(values) for name, values in columns.items()}, genome)


@lru_cache(maxsize=KNOWN_TABLES)
def _known_table(columns: tuple[tuple[str, str, bytes], ...], genome: str) -> pd.DataFrame:
    """A table of genes; samples of one reference have the same, and turning bytes into texts takes longer than comparing them."""
    return _table_of({name: decoded(np.frombuffer(content, dtype=kind)) for name, kind, content in columns}, genome)


def _table_of(columns: dict[str, np.ndarray], genome: str) -> pd.DataFrame:
    if genome:
        columns = {**columns, "genomes": np.full(len(columns["identifiers"]), genome, dtype=object)}
    return gene_table(**columns)


def _check_shape(group: h5py.Group, *, genes: int, cells: int, path: Path) -> None:
    stated = tuple(int(size) for size in group["shape"][:]) if "shape" in group else (genes, cells)
    if stated != (genes, cells):
        message = (
            f"The shape in {group.name} of {path} must agree with its names. Found {stated[0]:,} x {stated[1]:,} "
            f"for {genes:,} "
            f"features and {cells:,} barcodes; the file is damaged, fetch it again."
        )
        raise FormatError(message)


def _cells(path: Path, group: str, columns: Sequence[str]) -> pd.DataFrame:
    del columns
    with h5py.File(path, "r") as file:
        return one_cell_table(texts(file[group]["barcodes"]))


def _stream(
    path: Path, names: Sequence[str], widths: Sequence[int], limit: BlockLimit, scratch: Path
) -> Iterator[Block]:
    del scratch
    with h5py.File(path, "r") as file:
        if len(names) == 1:
            group = file[names[0]]
            offsets = group["indptr"][:].astype(np.int64)
            yield from stream_csr(group, offsets=offsets, columns=widths[0], limit=limit, path=path)
            return
        offsets = [file[name]["indptr"][:].astype(np.int64) for name in names]
        # Windows of the summed offsets fit every genome, so that the pieces of a block have the same rows.
        together = np.sum(offsets, axis=0)
        for start, stop in row_windows(together, limit):
            whole = BlockLimit(rows=stop - start, nonzeros=int(together[-1]))
            pieces = [
                next(stream_csr(file[name], offsets=own[start : stop + 1], columns=width, limit=whole, path=path))
                for name, own, width in zip(names, offsets, widths, strict=True)
            ]
            yield sp.csr_matrix(sp.hstack(pieces, format="csr"))
