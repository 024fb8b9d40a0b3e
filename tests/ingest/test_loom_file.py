"""Tests of the reader of .loom."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from chemores_dask.errors import CountsError, FormatError
from chemores_dask.ingest import loom_file
from chemores_dask.ingest.loom_file import read_loom


@pytest.fixture
def loom(tmp_path: Path, counts, barcodes, genes) -> Path:
    path = tmp_path / "a.loom"
    with h5py.File(path, "w") as file:
        file.create_dataset("matrix", data=counts.T.toarray(), chunks=(8, 8))
        file["layers/spliced"] = counts.T.toarray() * 2
        file["layers/smooth"] = counts.T.toarray() * 0.2
        file["row_attrs/Gene"] = np.array(genes["gene_symbol"], dtype="S")
        file["row_attrs/Accession"] = np.array(genes["gene_id"], dtype="S")
        file["col_attrs/CellID"] = np.array(barcodes, dtype="S")
        file["col_attrs/Plate"] = np.arange(40)
    return path


def test_read_loom__reads_the_matrix_and_names(loom: Path, counts, barcodes, genes, read_whole, monkeypatch) -> None:
    monkeypatch.setattr(loom_file, "SLAB_BYTES", 30 * 8 * 10)
    source = read_loom(loom)
    matrix, names = read_whole(source, rows=40, nonzeros=10**6)
    assert (matrix != counts).nnz == 0
    assert names == barcodes
    assert source.header.genes["gene_id"].tolist() == genes["gene_id"].tolist()
    assert source.read_cells(("Plate",))["Plate"].tolist() == list(range(40))


def test_read_loom__equals_h5py(reference_folder: Path, read_whole) -> None:
    path = reference_folder / "data" / "singlecell" / "parashardhapola+scarf" / "sympathetic.loom"
    matrix, names = read_whole(read_loom(path), rows=100, nonzeros=10**7)
    with h5py.File(path) as file:
        assert np.array_equal(matrix.toarray(), file["matrix"][:].T)
        assert names == [name.decode() for name in file["col_attrs/Cell_id"][:]]


def test_read_loom__reads_a_layer(loom: Path, counts, read_whole) -> None:
    assert (read_whole(read_loom(loom, counts_in="spliced"), nonzeros=10**6)[0] != 2 * counts).nnz == 0
    with pytest.raises(CountsError, match="normalized"):
        read_loom(loom, counts_in="smooth")
    with pytest.raises(FormatError, match="Layers present: smooth, spliced"):
        read_loom(loom, counts_in="unspliced")


@pytest.mark.parametrize("name", ["row_attrs/Gene", "col_attrs/CellID"])
def test_read_loom__refuses_missing_names(loom: Path, name: str) -> None:
    with h5py.File(loom, "a") as file:
        del file[name]
        if name == "row_attrs/Gene":
            del file["row_attrs/Accession"]
    with pytest.raises(FormatError, match="must name its"):
        read_loom(loom)
