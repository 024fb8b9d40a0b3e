"""Files in 10x form."""

from __future__ import annotations

import gzip

import h5py
import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp

from chemores_dask.simulation.gene_panel import gene_panel
from chemores_dask.simulation.simulated_cells import cell_barcodes
from chemores_dask.simulation.tenx_writers import TenxSample, gzip_file, write_tenx_folder, write_tenx_h5

PANEL = gene_panel(400, seed=1)


@pytest.fixture
def counts():
    matrix = sp.random(57, 400, density=0.2, random_state=np.random.default_rng(0), format="csr")
    matrix.data = np.ceil(300 * matrix.data**3).astype(np.int32)
    matrix.data[matrix.indptr[20] : matrix.indptr[21]] = 0
    matrix.eliminate_zeros()
    return matrix


def sample_of(counts, *, rows=10, written=None):
    def blocks():
        for start in range(0, counts.shape[0], rows):
            yield counts[start : start + rows]

    ticks = [] if written is None else written
    return TenxSample("P01", PANEL, cell_barcodes(0, counts.shape[0]), blocks, ticks.append)


def check(adata, counts):
    assert adata.shape == counts.shape
    assert adata.obs_names.tolist() == cell_barcodes(0, counts.shape[0]).astype(str).tolist()
    assert adata.var_names.tolist() == PANEL.symbols.tolist()
    assert adata.var["gene_ids"].tolist() == PANEL.gene_ids.tolist()
    np.testing.assert_array_equal(adata.X.toarray(), counts.toarray())


def test_write_tenx_folder__is_read_by_scanpy(tmp_path, counts):
    written = []
    write_tenx_folder(sample_of(counts, written=written), tmp_path / "P01")
    check(sc.read_10x_mtx(tmp_path / "P01"), counts)
    assert sum(written) == 57


def test_write_tenx_h5__is_read_by_scanpy(tmp_path, counts):
    written = []
    write_tenx_h5(sample_of(counts, written=written), tmp_path / "P01.h5")
    check(sc.read_10x_h5(tmp_path / "P01.h5"), counts)
    assert sum(written) == 57


def test_write_tenx_h5__keeps_the_layout_of_cell_ranger(tmp_path, counts):
    write_tenx_h5(sample_of(counts), tmp_path / "P01.h5")
    with h5py.File(tmp_path / "P01.h5") as file:
        assert set(file["matrix"]) == {"barcodes", "data", "features", "indices", "indptr", "shape"}
        assert set(file["matrix/features"]) == {"_all_tag_keys", "feature_type", "genome", "id", "name"}
        assert file["matrix/shape"][:].tolist() == [400, 57]
        assert file["matrix/indptr"].dtype == np.int64
        assert file.attrs["version"] == 2


@pytest.mark.parametrize("rows", [1, 57])
def test_writers__write_the_same_bytes_for_any_blocks(tmp_path, counts, rows):
    for number, size in enumerate((10, rows)):
        write_tenx_folder(sample_of(counts, rows=size), tmp_path / f"folder_{number}")
        write_tenx_h5(sample_of(counts, rows=size), tmp_path / f"{number}.h5")
    for name in ("barcodes.tsv.gz", "features.tsv.gz"):
        assert (tmp_path / "folder_0" / name).read_bytes() == (tmp_path / "folder_1" / name).read_bytes()
    texts = [gzip.decompress((tmp_path / f"folder_{n}" / "matrix.mtx.gz").read_bytes()) for n in (0, 1)]
    assert texts[0] == texts[1]
    with h5py.File(tmp_path / "0.h5") as first, h5py.File(tmp_path / "1.h5") as second:
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(first["matrix"][name][:], second["matrix"][name][:])


def test_writers__take_cells_without_counts(tmp_path):
    empty = sp.csr_matrix((3, 400), dtype=np.int32)
    write_tenx_folder(sample_of(empty), tmp_path / "P01")
    write_tenx_h5(sample_of(empty), tmp_path / "P01.h5")
    check(sc.read_10x_h5(tmp_path / "P01.h5"), empty)
    head = gzip.decompress((tmp_path / "P01" / "matrix.mtx.gz").read_bytes()).splitlines()
    assert head[-1] == b"400 3 0"


def test_gzip_file__has_neither_name_nor_time(tmp_path):
    for name in ("a.gz", "b.gz"):
        with gzip_file(tmp_path / name) as target:
            target.write(b"text")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
