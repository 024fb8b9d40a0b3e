"""Tests of the reader of .h5ad."""

from __future__ import annotations

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import CountsError, FormatError, MissingVariableError
from chemores_dask.ingest.h5ad_file import read_h5ad_counts

REAL = (
    "sc_mixology_sc_celseq2",
    "sc_mixology_sc_dropseq",
    "sc_mixology_sc_celseq2_5cl_p1",
    "sc_mixology_sc_celseq2_5cl_p2",
    "lemur_gbm_panobinostat",
    "a549_dex",
    "worm_l2",
)


@pytest.fixture
def adata(counts, barcodes, genes) -> anndata.AnnData:
    obs = pd.DataFrame({"patient": ["p1", "p2"] * 20, "age": np.arange(40.0)}, index=barcodes)
    return anndata.AnnData(
        X=counts.astype(np.float32), obs=obs, var=genes.set_index("gene_symbol")[["gene_id"]].rename_axis(None)
    )


def normalized(counts: sp.csr_matrix) -> sp.csr_matrix:
    return (counts.astype(np.float32) * 0.37).tocsr()


@pytest.mark.parametrize("name", REAL)
def test_read_h5ad_counts__equals_anndata(reference_folder: Path, read_whole, name: str) -> None:
    path = reference_folder / "data" / "singlecell" / "converted" / f"{name}.h5ad"
    matrix, barcodes = read_whole(read_h5ad_counts(path), rows=111, nonzeros=10**6)
    expected = anndata.read_h5ad(path)
    assert (matrix != expected.X.astype(np.int32)).nnz == 0
    assert barcodes == list(expected.obs_names)


@pytest.mark.parametrize(
    "convert", [sp.csr_matrix, sp.csc_matrix, lambda matrix: matrix.toarray()], ids=["csr", "csc", "dense"]
)
def test_read_h5ad_counts__reads_every_layout(adata, counts, tmp_path: Path, read_whole, convert) -> None:
    adata.X = convert(adata.X)
    adata.write_h5ad(tmp_path / "a.h5ad")
    matrix, _ = read_whole(read_h5ad_counts(tmp_path / "a.h5ad"), nonzeros=10**6)
    assert (matrix != counts).nnz == 0


def test_read_h5ad_counts__finds_a_layer(adata, counts, tmp_path: Path, read_whole) -> None:
    adata.layers["counts"] = adata.X.copy()
    adata.X = normalized(counts)
    adata.write_h5ad(tmp_path / "a.h5ad")
    source = read_h5ad_counts(tmp_path / "a.h5ad")
    assert source.header.place == "layers/counts"
    assert (read_whole(source)[0] != counts).nnz == 0


def test_read_h5ad_counts__finds_raw_with_more_genes(adata, counts, tmp_path: Path, read_whole) -> None:
    full = adata.copy()
    part = adata[:, :12].copy()
    part.raw = full
    part.write_h5ad(tmp_path / "a.h5ad")
    source = read_h5ad_counts(tmp_path / "a.h5ad")
    assert source.header.place == "raw/X"
    assert len(source.header.genes) == 30
    assert (read_whole(source)[0] != counts).nnz == 0


def test_read_h5ad_counts__obeys_counts_in(adata, counts, tmp_path: Path, read_whole) -> None:
    adata.layers["spliced"] = (adata.X * 2).tocsr()
    adata.write_h5ad(tmp_path / "a.h5ad")
    source = read_h5ad_counts(tmp_path / "a.h5ad", counts_in="spliced")
    assert (read_whole(source)[0] != 2 * counts).nnz == 0
    with pytest.raises(FormatError, match="name one of these"):
        read_h5ad_counts(tmp_path / "a.h5ad", counts_in="unspliced")


def test_read_h5ad_counts__tells_identifiers_and_symbols(adata, genes, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "a.h5ad")
    header = read_h5ad_counts(tmp_path / "a.h5ad").header
    assert header.genes["gene_id"].tolist() == genes["gene_id"].tolist()
    assert header.genes["gene_symbol"].tolist() == genes["gene_symbol"].tolist()


def test_read_h5ad_counts__takes_identifiers_from_the_index(reference_folder: Path) -> None:
    folder = reference_folder / "data" / "singlecell" / "converted"
    worm = read_h5ad_counts(folder / "worm_embryo.h5ad").header.genes
    assert worm.iloc[0][["gene_id", "gene_symbol"]].tolist() == ["WBGene00001960", "hlh-16"]
    glioma = read_h5ad_counts(folder / "lemur_gbm_panobinostat.h5ad").header.genes
    assert glioma.iloc[0][["gene_id", "gene_symbol"]].tolist() == ["ENSG00000210082", "MT-RNR2"]


def test_read_h5ad_counts__refuses_normalized_files(reference_folder: Path, adata, counts, tmp_path: Path) -> None:
    folder = reference_folder / "data" / "singlecell" / "pypi"
    for name in ("10x_pbmc68k_reduced.h5ad", "oligodendroglioma.h5ad"):
        with pytest.raises(CountsError, match=r"must hold raw counts.*normalized"):
            read_h5ad_counts(folder / name)
    adata.X = normalized(counts)
    adata.layers["scaled"] = adata.X.copy()
    adata.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(CountsError, match="Other layers: scaled"):
        read_h5ad_counts(tmp_path / "a.h5ad")


def test_read_h5ad_counts__refuses_a_late_value_that_is_no_count(
    adata, tmp_path: Path, read_whole, monkeypatch
) -> None:
    monkeypatch.setattr("chemores_dask.ingest.h5_sparse.PREVIEW", 5)
    adata.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "a") as file:
        file["X/data"][20] = np.nan
    with pytest.raises(CountsError, match=r"nan \(cell CELL\d\d-1, gene GENE\d+\)"):
        read_whole(read_h5ad_counts(tmp_path / "a.h5ad"))


def test_read_h5ad_counts__keeps_columns_of_cells(adata, tmp_path: Path) -> None:
    adata.obs["patient"] = pd.Categorical(adata.obs["patient"])
    adata.write_h5ad(tmp_path / "a.h5ad")
    source = read_h5ad_counts(tmp_path / "a.h5ad")
    cells = source.read_cells(("patient", "age"))
    assert cells["patient"].tolist() == ["p1", "p2"] * 20
    assert cells["age"].tolist() == list(range(40))
    with pytest.raises(MissingVariableError, match="Present: age, patient"):
        source.read_cells(("donor",))


def test_read_h5ad_counts__refuses_a_truncated_file(adata, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "a.h5ad")
    (tmp_path / "a.h5ad").write_bytes((tmp_path / "a.h5ad").read_bytes()[:5000])
    with pytest.raises(FormatError, match="cut short or damaged"):
        read_h5ad_counts(tmp_path / "a.h5ad")


def test_read_h5ad_counts__refuses_a_shape_that_disagrees(adata, tmp_path: Path) -> None:
    adata.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "a") as file:
        file["X"].attrs["shape"] = np.array([41, 30])
    with pytest.raises(FormatError, match="one row per cell"):
        read_h5ad_counts(tmp_path / "a.h5ad")
