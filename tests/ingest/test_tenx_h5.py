"""Tests of the reader of 10x .h5."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scanpy
import scipy.sparse as sp

from chemores_dask.errors import CountsError, FormatError
from chemores_dask.ingest.tenx_h5 import read_tenx_h5


@pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning")
@pytest.mark.parametrize(
    "name", ["parashardhapola+scarf/1K_pbmc_citeseq.h5", "scverse+scanpy/filtered_feature_bc_matrix.h5"]
)
def test_read_tenx_h5__equals_scanpy(reference_folder: Path, read_whole, name: str) -> None:
    path = reference_folder / "data" / "singlecell" / name
    source = read_tenx_h5(path)
    matrix, barcodes = read_whole(source, rows=300, nonzeros=10**6)
    expected = scanpy.read_10x_h5(path, gex_only=False)
    assert (matrix != expected.X.astype(np.int32)).nnz == 0
    assert barcodes == list(expected.obs_names)
    assert source.header.genes["gene_id"].tolist() == expected.var["gene_ids"].tolist()
    assert source.header.genes["feature_type"].tolist() == expected.var["feature_types"].tolist()


def test_read_tenx_h5__reads_version_2_with_two_genomes(
    counts: sp.csr_matrix, barcodes, genes, tmp_path: Path, read_whole
) -> None:
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        for genome, columns in (("hg19", slice(0, 18)), ("mm10", slice(18, 30))):
            part = sp.csr_matrix(counts[:, columns])
            group = file.create_group(genome)
            group["barcodes"] = np.array(barcodes, dtype="S")
            group["genes"] = np.array(genes["gene_id"][columns], dtype="S")
            group["gene_names"] = np.array(genes["gene_symbol"][columns], dtype="S")
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(part, name)
            group["shape"] = part.shape[::-1]
    source = read_tenx_h5(path)
    matrix, names = read_whole(source, nonzeros=10**6)
    assert (matrix != counts).nnz == 0
    assert names == barcodes
    assert source.header.genes["genome"].tolist() == ["hg19"] * 18 + ["mm10"] * 12
    with h5py.File(path, "a") as file:
        file["mm10/barcodes"][0] = b"OTHER-1"
    with pytest.raises(FormatError, match="share their cells"):
        read_tenx_h5(path)


def test_read_tenx_h5__refuses_a_header_that_disagrees(
    counts: sp.csr_matrix, barcodes, tmp_path: Path, write_h5
) -> None:
    with pytest.raises(FormatError, match="shape"):
        read_tenx_h5(write_h5(tmp_path / "a.h5", counts, shape=(31, 40)))
    with pytest.raises(FormatError, match="offsets"):
        read_tenx_h5(write_h5(tmp_path / "b.h5", counts, indptr=counts.indptr[:-1]))
    with pytest.raises(FormatError, match="barcodes"):
        read_tenx_h5(write_h5(tmp_path / "c.h5", counts, barcodes=barcodes[:-1]))


def test_read_tenx_h5__refuses_indices_beyond_the_features(
    counts: sp.csr_matrix, tmp_path: Path, write_h5, read_whole
) -> None:
    path = write_h5(tmp_path / "a.h5", counts)
    with h5py.File(path, "a") as file:
        file["matrix/indices"][3] = 30
    with pytest.raises(FormatError, match="between 0 and 29"):
        read_whole(read_tenx_h5(path))


def test_read_tenx_h5__refuses_values_that_are_not_counts(counts: sp.csr_matrix, tmp_path: Path, write_h5) -> None:
    with pytest.raises(CountsError, match="normalized"):
        read_tenx_h5(write_h5(tmp_path / "a.h5", counts.multiply(0.37).tocsr()))


def test_read_tenx_h5__refuses_a_truncated_file(counts: sp.csr_matrix, tmp_path: Path, write_h5) -> None:
    path = write_h5(tmp_path / "a.h5", counts)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(FormatError, match="cut short or damaged"):
        read_tenx_h5(path)
