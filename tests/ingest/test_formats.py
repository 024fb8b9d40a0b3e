"""Tests of finding the format of a path, and of the memory that opened files need."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import FormatError, ParameterError, StoreNotFoundError
from chemores_dask.ingest.formats import open_source, recognize
from chemores_dask.ingest.source import BlockLimit

LIMIT = BlockLimit(rows=500, nonzeros=50_000)


def random_counts(cells: int) -> sp.csr_matrix:
    generator = np.random.default_rng(cells)
    indices = np.sort(generator.integers(0, 1000, size=(cells, 100)), axis=1).astype(np.int32)
    return sp.csr_matrix(
        (generator.integers(1, 9, cells * 100).astype(np.int32), indices.ravel(), np.arange(cells + 1) * 100),
        shape=(cells, 1000),
    )


def write_ten_x(path: Path, matrix: sp.csr_matrix) -> Path:
    with h5py.File(path, "w") as file:
        for name in ("data", "indices", "indptr"):
            file.create_dataset(f"matrix/{name}", data=getattr(matrix, name), chunks=True)
        file["matrix/shape"] = matrix.shape[::-1]
        file["matrix/barcodes"] = np.array([f"C{row}" for row in range(matrix.shape[0])], dtype="S")
        for name in ("id", "name"):
            file[f"matrix/features/{name}"] = np.array([f"G{column}" for column in range(matrix.shape[1])], dtype="S")
    return path


def write_columns(path: Path, matrix: sp.csr_matrix) -> Path:
    obs = pd.DataFrame(index=[f"C{row}" for row in range(matrix.shape[0])])
    var = pd.DataFrame(index=[f"G{column}" for column in range(matrix.shape[1])])
    matrix.sum_duplicates()
    anndata.AnnData(X=matrix.tocsc(), obs=obs, var=var).write_h5ad(path)
    return path


def write_text(path: Path, matrix: sp.csr_matrix) -> Path:
    path.mkdir()
    triples = matrix.tocoo()
    table = pd.DataFrame({"gene": triples.col + 1, "cell": triples.row + 1, "count": triples.data})
    header = f"%%MatrixMarket matrix coordinate integer general\n{matrix.shape[1]} {matrix.shape[0]} {matrix.nnz}\n"
    (path / "matrix.mtx").write_text(header + table.to_csv(sep=" ", header=False, index=False))
    (path / "barcodes.tsv").write_text("".join(f"C{row}\n" for row in range(matrix.shape[0])))
    (path / "genes.tsv").write_text("".join(f"G{column}\tG{column}\n" for column in range(matrix.shape[1])))
    return path


def peak(path: Path, scratch: Path) -> int:
    source = open_source(path)
    tracemalloc.start()
    for _ in source.blocks(LIMIT, scratch=scratch):
        pass
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest


def test_recognize__knows_real_files(reference_folder: Path) -> None:
    folder = reference_folder / "data" / "singlecell"
    expected = {
        "converted/sc_mixology_sc_celseq2.h5ad": "h5ad",
        "parashardhapola+scarf/1K_pbmc_citeseq.h5": "10x_h5",
        "parashardhapola+scarf/sympathetic.loom": "loom",
        "scverse+scanpy": "10x_mtx",
        "scverse+scanpy/matrix.mtx.gz": "10x_mtx",
        "broadinstitute+infercnv/oligodendroglioma_expression_downsampled.counts.matrix.gz": "plate_table",
    }
    assert {name: recognize(folder / name) for name in expected} == expected


def test_recognize__says_how_to_export_from_r(tmp_path: Path) -> None:
    (tmp_path / "donor.rds").write_bytes(b"\x1f\x8b")
    with pytest.raises(FormatError, match=r"readRDS\('donor.rds'\).*write10xCounts\('donor.h5'"):
        recognize(tmp_path / "donor.rds")


def test_recognize__refuses_what_it_does_not_know(tmp_path: Path, reference_folder: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="Nothing was found"):
        recognize(tmp_path / "absent.h5")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(FormatError, match="unpack"):
        recognize(tmp_path / "a.zip")
    (tmp_path / "a.docx").write_bytes(b"")
    with pytest.raises(FormatError, match=r"suffix '\.docx'"):
        recognize(tmp_path / "a.docx")
    with pytest.raises(FormatError, match="Found a zarr store"):
        recognize(reference_folder / "data" / "singlecell" / "scverse+scanpy" / "10x-10k-subset.zarr")


def test_recognize__refuses_other_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weights"] = [1.0]
    with pytest.raises(FormatError, match="at its root: weights"):
        recognize(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"not HDF5 at all")
    with pytest.raises(FormatError, match="cut short or damaged"):
        recognize(tmp_path / "b.h5")


def test_open_source__obeys_a_forced_format(counts, tmp_path: Path, write_h5) -> None:
    path = write_h5(tmp_path / "a.h5", counts)
    assert open_source(path).format == "10x_h5"
    with pytest.raises(FormatError):
        open_source(path, format_name="h5ad")
    with pytest.raises(ParameterError, match="must be one of"):
        open_source(path, format_name="excel")
    with pytest.raises(FormatError, match="counts_in"):
        open_source(path, counts_in="raw")


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_ten_x, "{}.h5"), (write_columns, "{}.h5ad"), (write_text, "{}")],
    ids=["10x_h5", "csc", "mtx"],
)
def test_open_source__needs_no_more_memory_for_a_larger_file(
    tmp_path: Path, write: Callable[[Path, sp.csr_matrix], Path], name: str
) -> None:
    small, large = (
        peak(write(tmp_path / name.format(cells), random_counts(cells)), tmp_path) for cells in (4_000, 20_000)
    )
    names_and_offsets = 16_000 * 200
    stored_more = 16_000 * 100 * 12
    assert large - small < names_and_offsets
    assert names_and_offsets < stored_more / 4
