"""Tests of the reader of 10x folders."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import scanpy
import scipy.sparse as sp

from chemores_dask.errors import CountsError, FormatError, StoreNotFoundError
from chemores_dask.ingest import tenx_mtx
from chemores_dask.ingest.tenx_mtx import read_tenx_mtx


def test_read_tenx_mtx__equals_scanpy(reference_folder: Path, read_whole) -> None:
    folder = reference_folder / "data" / "singlecell" / "scverse+scanpy"
    source = read_tenx_mtx(folder)
    matrix, barcodes = read_whole(source, rows=100, nonzeros=2000)
    expected = scanpy.read_10x_mtx(folder, gex_only=False)
    assert (matrix != sp.csr_matrix(expected.X).astype(np.int32)).nnz == 0
    assert barcodes == list(expected.obs_names)
    assert source.header.genes["gene_id"].tolist() == expected.var["gene_ids"].tolist()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("cells_first", [False, True])
@pytest.mark.parametrize("by_cell", [False, True])
def test_read_tenx_mtx__reads_every_layout(
    counts, barcodes, tmp_path: Path, write_mtx, read_whole, version, cells_first, by_cell
) -> None:
    folder = write_mtx(
        tmp_path / "a", counts, version=version, cells_first=cells_first, by_cell=by_cell, prefix="GSM1_"
    )
    matrix, names = read_whole(read_tenx_mtx(folder))
    assert (matrix != counts).nnz == 0
    assert names == barcodes


@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_read_tenx_mtx__joins_chunks(counts, tmp_path: Path, write_mtx, read_whole, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(tenx_mtx, "CHUNK", chunk)
    matrix, _ = read_whole(read_tenx_mtx(write_mtx(tmp_path / "a", counts)))
    assert (matrix != counts).nnz == 0


def test_read_tenx_mtx__takes_whole_numbers_written_as_real(counts, tmp_path: Path, write_mtx, read_whole) -> None:
    matrix, _ = read_whole(read_tenx_mtx(write_mtx(tmp_path / "a", counts.astype(float))))
    assert (matrix != counts).nnz == 0


def test_read_tenx_mtx__refuses_what_is_not_a_count(counts, tmp_path: Path, write_mtx) -> None:
    with pytest.raises(CountsError, match="normalized"):
        read_tenx_mtx(write_mtx(tmp_path / "a", counts.multiply(0.3).tocsr()))
    with pytest.raises(CountsError, match="negative"):
        read_tenx_mtx(write_mtx(tmp_path / "b", -counts))


def test_read_tenx_mtx__refuses_names_that_disagree(counts, barcodes, genes, tmp_path: Path, write_mtx) -> None:
    with pytest.raises(FormatError, match="39 barcodes"):
        read_tenx_mtx(write_mtx(tmp_path / "a", counts, barcodes=barcodes[:-1]))
    with pytest.raises(FormatError, match="29 features"):
        read_tenx_mtx(write_mtx(tmp_path / "b", counts, features=genes[:-1]))


@pytest.mark.parametrize("difference", [-1, 1])
def test_read_tenx_mtx__refuses_another_number_of_entries(
    counts, tmp_path: Path, write_mtx, read_whole, difference: int
) -> None:
    folder = write_mtx(tmp_path / "a", counts, sizes=f"30 40 {counts.nnz + difference}")
    with pytest.raises(FormatError, match="entries, as its header says"):
        read_whole(read_tenx_mtx(folder))


def test_read_tenx_mtx__refuses_truncated_gzip(tmp_path: Path, write_mtx, read_whole) -> None:
    big = sp.random(40, 30, density=1.0, random_state=1, format="csr")
    big.data = np.random.default_rng(3).integers(1, 10**6, big.nnz).astype(np.int32)
    path = write_mtx(tmp_path / "a", big.astype(np.int32)) / "matrix.mtx.gz"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FormatError, match="cut short or damaged"):
        read_whole(read_tenx_mtx(tmp_path / "a"))


def test_read_tenx_mtx__refuses_damaged_lines(counts, tmp_path: Path, write_mtx) -> None:
    path = write_mtx(tmp_path / "a", counts) / "matrix.mtx.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    lines = text.splitlines()
    for line, reason in (
        ("5 x 1", "two positive numbers"),
        ("31 40 1", "between 1 and 30"),
        ("0 40 1", "between 1 and 30"),
    ):
        path.write_bytes(gzip.compress("\n".join([*lines[:-1], line]).encode()))
        with pytest.raises(FormatError, match=reason):
            read_tenx_mtx(tmp_path / "a")


def test_read_tenx_mtx__refuses_order_lost_further_down(
    counts, tmp_path: Path, write_mtx, read_whole, monkeypatch
) -> None:
    monkeypatch.setattr(tenx_mtx, "PREVIEW", 50)
    folder = write_mtx(tmp_path / "a", counts, version=2)
    lines = (folder / "matrix.mtx").read_text().splitlines()
    (folder / "matrix.mtx").write_text("\n".join([*lines[:-2], lines[-1], lines[3]]) + "\n")
    with pytest.raises(FormatError, match="sorted by cell"):
        read_whole(read_tenx_mtx(folder))


@pytest.mark.parametrize(
    "banner", ["%%MatrixMarket matrix array real general", "%%MatrixMarket matrix coordinate pattern general", "hello"]
)
def test_read_tenx_mtx__refuses_other_kinds_of_matrix(counts, tmp_path: Path, write_mtx, banner: str) -> None:
    folder = write_mtx(tmp_path / "a", counts, version=2)
    lines = (folder / "matrix.mtx").read_text().splitlines()
    (folder / "matrix.mtx").write_text("\n".join([banner, *lines[1:]]))
    with pytest.raises(FormatError, match="must begin with"):
        read_tenx_mtx(folder)


def test_find_files__tells_what_is_missing(counts, tmp_path: Path, write_mtx) -> None:
    folder = write_mtx(tmp_path / "a", counts)
    (folder / "barcodes.tsv.gz").unlink()
    with pytest.raises(StoreNotFoundError, match=r"barcodes.tsv\(.gz\) beside it"):
        read_tenx_mtx(folder)


def test_find_files__points_at_matrices_below(counts, tmp_path: Path, write_mtx) -> None:
    write_mtx(tmp_path / "outs" / "filtered" / "GRCh38", counts)
    with pytest.raises(FormatError, match=r"GRCh38/matrix\.mtx\.gz"):
        read_tenx_mtx(tmp_path / "outs")
