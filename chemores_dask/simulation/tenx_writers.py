"""Counts in the two forms that Cell Ranger writes: a folder with ``matrix.mtx.gz``, and one HDF5 file. Both block by block."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from chemores_dask.aliases import Block, Vector
from chemores_dask.kernels.triplet_text import triplet_lines
from chemores_dask.simulation.gene_panel import GenePanel

COMPRESSION = 1
_H5_CHUNK = 80_000
_FEATURE_TYPE = "Gene Expression"
_GENOME = "simulated"

Blocks = Callable[[], Iterator[Block]]


@dataclass(frozen=True)
class TenxSample:
    """What goes into the files of one sample.

    Attributes
    ----------
    name
        Of the sample.
    panel
        The genes.
    barcodes
        Bytes, one per cell.
    blocks
        Starts over the counts, cells by genes, block by block in the order of the barcodes.
    written
        Called with the number of cells of every block that has been written.
    """

    name: str
    panel: GenePanel
    barcodes: Vector
    blocks: Blocks
    written: Callable[[int], None]


@contextmanager
def gzip_file(path: Path) -> Iterator[IO[bytes]]:
    """A gzip file whose bytes depend on nothing but what is written: no name and no time in its header."""
    with path.open("wb") as target, gzip.GzipFile("", "wb", COMPRESSION, target, mtime=0) as packed:
        yield packed


def write_tenx_folder(sample: TenxSample, folder: Path) -> None:
    """Write ``barcodes.tsv.gz``, ``features.tsv.gz`` and ``matrix.mtx.gz``.

    The head of the matrix tells its number of non-zeros, so the counts are drawn twice: once to count them, once to write them.

    Parameters
    ----------
    sample
        Genes, barcodes and counts.
    folder
        Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with gzip_file(folder / "barcodes.tsv.gz") as target:
        target.write(b"".join(barcode + b"\n" for barcode in sample.barcodes))
    with gzip_file(folder / "features.tsv.gz") as target:
        for gene_id, symbol in zip(sample.panel.gene_ids, sample.panel.symbols, strict=True):
            target.write(f"{gene_id}\t{symbol}\t{_FEATURE_TYPE}\n".encode())
    nonzeros = sum(int(block.nnz) for block in sample.blocks())
    with gzip_file(folder / "matrix.mtx.gz") as target:
        target.write(b"%%MatrixMarket matrix coordinate integer general\n%\n")
        target.write(f"{len(sample.panel.symbols)} {len(sample.barcodes)} {nonzeros}\n".encode())
        first = 0
        for block in sample.blocks():
            target.write(triplet_lines(block.indptr, block.indices, block.data, first).data)
            first += block.shape[0]
            sample.written(block.shape[0])


def write_tenx_h5(sample: TenxSample, path: Path) -> None:
    """Write one HDF5 file in the layout of Cell Ranger 3 and later.

    Parameters
    ----------
    sample
        Genes, barcodes and counts.
    path
        The file.
    """
    cells = len(sample.barcodes)
    with h5py.File(path, "w") as target:
        target.attrs["filetype"] = "matrix"
        target.attrs["version"] = 2
        target.attrs["chemistry_description"] = "simulated"
        target.attrs["library_ids"] = np.array([sample.name.encode()])
        matrix = target.create_group("matrix")
        matrix["barcodes"] = sample.barcodes
        matrix["shape"] = np.array([len(sample.panel.symbols), cells], dtype=np.int32)
        features = matrix.create_group("features")
        features["_all_tag_keys"] = np.array([b"genome"])
        features["id"] = sample.panel.gene_ids.astype("S")
        features["name"] = sample.panel.symbols.astype("S")
        features["feature_type"] = np.full(len(sample.panel.symbols), _FEATURE_TYPE.encode())
        features["genome"] = np.full(len(sample.panel.symbols), _GENOME.encode())
        data = _growing(matrix, "data", np.int32)
        indices = _growing(matrix, "indices", np.int64)
        indptr = np.zeros(cells + 1, dtype=np.int64)
        used, row = 0, 0
        for block in sample.blocks():
            end = used + int(block.nnz)
            for dataset, values in ((data, block.data), (indices, block.indices)):
                dataset.resize((end,))
                dataset[used:end] = values
            indptr[row + 1 : row + block.shape[0] + 1] = used + block.indptr[1:]
            used, row = end, row + block.shape[0]
            sample.written(block.shape[0])
        matrix["indptr"] = indptr


def _growing(group: h5py.Group, name: str, dtype: type[np.generic]) -> h5py.Dataset:
    return group.create_dataset(
        name,
        shape=(0,),
        maxshape=(None,),
        chunks=(_H5_CHUNK,),
        dtype=dtype,
        compression="gzip",
        compression_opts=COMPRESSION,
        shuffle=True,
    )
