from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from anndata.io import read_elem

from chemores_dask.errors import BlockTooLargeError
from chemores_dask.memory import memory_budget
from chemores_dask.store import export_matrix
from chemores_dask.store.export_matrix import kept_rows, write_h5_matrix, write_zarr_matrix
from chemores_dask.store.layout import CELLS, Geometry
from chemores_dask.store.sharded_csr import read_pointers
from tests.store.sources import all_counts, make_blocks, write_stream


@pytest.fixture
def counts():
    rng = np.random.default_rng(3)
    dense = rng.poisson(0.5, (60, 40)).astype(np.int32)
    dense[[0, 20, 59]] = 0
    dense[5, 7] = 2**31 - 1
    return sp.csr_matrix(dense)


@pytest.mark.parametrize("compression", ["none", "lzf", "gzip"])
@pytest.mark.parametrize(("chunk", "slabs"), [(16, 1), (16, 3), (2**16, 1)])
def test_write_h5_matrix__reads_back_through_the_library(tmp_path, counts, monkeypatch, chunk, slabs, compression):
    monkeypatch.setattr(export_matrix, "H5_CHUNK", chunk)
    monkeypatch.setattr(export_matrix, "H5_SLAB", chunk * slabs)
    blocks = [counts[start : start + 7] for start in range(0, 60, 7)]
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        write_h5_matrix(file, blocks, row_nonzeros=np.diff(counts.indptr), genes=40, compression=compression)
    with h5py.File(tmp_path / "a.h5ad") as file:
        found = read_elem(file["X"])
        assert file["X/indptr"].dtype == np.int64
        assert {file["X"][name].dtype for name in ("data", "indices")} == {np.dtype(np.int32)}
        assert file["X/data"].compression == (None if compression == "none" else compression)
    assert (found != counts).nnz == 0


def test_write_h5_matrix__gives_the_same_file_every_time(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(export_matrix, "H5_CHUNK", 16)
    monkeypatch.setattr(export_matrix, "H5_SLAB", 32)
    for name in ("a", "b"):
        with h5py.File(tmp_path / name, "w") as file:
            write_h5_matrix(file, [counts], row_nonzeros=np.diff(counts.indptr), genes=40, compression="gzip")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("geometry", [Geometry(8, 32), Geometry(16, 16), Geometry()])
def test_write_zarr_matrix__reads_back(tmp_path, counts, geometry):
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    blocks = [counts[:33], counts[33:]]
    write_zarr_matrix(
        group, tmp_path / "a.zarr", blocks, row_nonzeros=np.diff(counts.indptr), genes=40, geometry=geometry
    )
    assert (read_elem(zarr.open_group(tmp_path / "a.zarr", mode="r")) != counts).nnz == 0


@pytest.mark.parametrize("at_once", [1, 20, 10**6])
@pytest.mark.parametrize("gap", [0, 50, 10**6])
def test_kept_rows__gives_the_kept_rows(tmp_path, monkeypatch, at_once, gap):
    monkeypatch.setattr(export_matrix, "NONZEROS_READ", at_once)
    monkeypatch.setattr(export_matrix, "H5_SLAB", gap)
    blocks = make_blocks(seed=4)
    matrix = write_stream(tmp_path / "c.zarr", blocks) / CELLS / "X"
    pointers = read_pointers(matrix, 0, 54)
    rng = np.random.default_rng(6)
    for share in (0.0, 0.1, 0.6, 1.0):
        kept = rng.random(54) < share
        found = [block.toarray() for block in kept_rows(matrix, pointers, kept, genes=12)]
        assert np.array_equal(np.concatenate([np.empty((0, 12)), *found]), all_counts(blocks)[kept])


def test_kept_rows__does_not_read_what_nobody_wants(tmp_path):
    matrix = write_stream(tmp_path / "c.zarr", make_blocks()) / CELLS / "X"
    (matrix / "data" / "c" / "9").unlink()
    kept = np.zeros(54, dtype=bool)
    kept[:3] = True
    assert sum(block.shape[0] for block in kept_rows(matrix, read_pointers(matrix, 0, 54), kept, genes=12)) == 3


def test_kept_rows__refuses_a_budget_that_holds_no_window(tmp_path):
    matrix = write_stream(tmp_path / "c.zarr", make_blocks()) / CELLS / "X"
    kept = np.ones(len(all_counts(make_blocks())), dtype=bool)
    pointers = read_pointers(matrix, 0, len(kept))
    with memory_budget("1MB"), pytest.raises(BlockTooLargeError, match="export_cells must fit into the budget"):
        next(kept_rows(matrix, pointers, kept, genes=12))
