from __future__ import annotations

import anndata
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask import metering
from chemores_dask.errors import BlockTooLargeError, CountsError, IncompleteStoreError, InputError, StoreError
from chemores_dask.memory import memory_budget
from chemores_dask.store import cells_tables
from chemores_dask.store.cells import CellsWriter, open_cells, write_cells
from chemores_dask.store.layout import Geometry
from tests.store.sources import SMALL, all_counts, all_obs, file_digests, gene_table, make_blocks, write_stream


def make_cells(matrix, *, samples=3):
    cells = matrix.shape[0]
    names = pd.Index([f"c{cell}" for cell in range(cells)], dtype=object)
    obs = pd.DataFrame({"sample": [f"s{cell * samples // max(cells, 1)}" for cell in range(cells)]}, index=names)
    return anndata.AnnData(X=matrix, obs=obs, var=gene_table(matrix.shape[1]))


def lazy_rows(dense, sizes):
    lazy = da.from_array(dense, chunks=(sizes or (0,), (dense.shape[1],)))
    return lazy.map_blocks(sp.csr_matrix, dtype=dense.dtype, meta=sp.csr_matrix((0, dense.shape[1]), dtype=dense.dtype))


@settings(max_examples=20, deadline=None)
@given(
    chunk=st.integers(1, 9),
    per_shard=st.integers(1, 6),
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    genes=st.integers(1, 9),
    rows_per_block=st.integers(1, 12),
)
def test_write_cells__loses_and_alters_no_cell(tmp_path_factory, chunk, per_shard, sizes, genes, rows_per_block):
    dense = np.random.default_rng(len(sizes)).poisson(0.7, (sum(sizes), genes)).astype(np.float32)
    path = tmp_path_factory.mktemp("parallel") / "c.zarr"
    write_cells(make_cells(lazy_rows(dense, tuple(sizes))), path, geometry=Geometry(chunk, chunk * per_shard))
    found = open_cells(path, rows_per_block=rows_per_block)
    assert np.array_equal(found.X.compute().toarray(), dense)


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, np.asarray, da.from_array])
def test_write_cells__takes_any_form_and_writes_the_same_bytes(tmp_path, form):
    dense = np.random.default_rng(3).poisson(0.7, (40, 12))
    write_cells(make_cells(sp.csr_matrix(dense)), tmp_path / "a.zarr", geometry=SMALL)
    write_cells(make_cells(form(dense)), tmp_path / "b.zarr", geometry=SMALL)
    assert file_digests(tmp_path / "a.zarr") == file_digests(tmp_path / "b.zarr")


def test_write_cells__writes_the_same_cells_as_the_stream(tmp_path):
    blocks = make_blocks()
    write_stream(tmp_path / "stream.zarr", blocks)
    cells = anndata.AnnData(X=sp.csr_matrix(all_counts(blocks)), obs=all_obs(blocks), var=gene_table(12))
    write_cells(cells, tmp_path / "parallel.zarr", geometry=SMALL)
    assert file_digests(tmp_path / "stream.zarr" / "cells") == file_digests(tmp_path / "parallel.zarr" / "cells")


def test_write_cells__copies_a_store_with_two_passes(tmp_path):
    blocks = make_blocks()
    first = write_stream(tmp_path / "a.zarr", blocks)
    before = metering.snapshot()
    write_cells(open_cells(first, rows_per_block=5), tmp_path / "b.zarr", geometry=Geometry(4, 12))
    assert metering.difference(before, metering.snapshot())["rows_decoded"] == 2 * 54
    assert np.array_equal(open_cells(tmp_path / "b.zarr").X.compute().toarray(), all_counts(blocks))


@pytest.mark.cluster
def test_write_cells__writes_the_same_bytes_under_distributed(tmp_path):
    dense = np.random.default_rng(11).poisson(0.7, (300, 25)).astype(np.float32)
    cells = make_cells(lazy_rows(dense, (41, 1, 0, 100, 58, 100)))
    write_cells(cells, tmp_path / "threads.zarr", geometry=SMALL)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        write_cells(cells, tmp_path / "cluster.zarr", geometry=SMALL)
        found = open_cells(tmp_path / "cluster.zarr", rows_per_block=17)
        assert np.array_equal(found.X.compute().toarray(), dense)
    assert file_digests(tmp_path / "threads.zarr") == file_digests(tmp_path / "cluster.zarr")


@pytest.mark.parametrize("value", [0.5, -1.0, np.nan])
def test_write_cells__refuses_what_are_not_counts_and_leaves_nothing(tmp_path, value):
    dense = np.ones((10, 4), dtype=np.float32)
    dense[7, 2] = value
    with pytest.raises(CountsError):
        write_cells(make_cells(lazy_rows(dense, (5, 5))), tmp_path / "c.zarr")
    assert not (tmp_path / "c.zarr").exists()


def test_write_cells__refuses_parts_that_would_be_lost(tmp_path):
    cells = make_cells(np.ones((4, 3)))
    cells.obsm["X_pca"] = np.zeros((4, 2))
    with pytest.raises(InputError, match="X_pca"):
        write_cells(cells, tmp_path / "c.zarr")


def test_write_cells__refuses_column_blocks(tmp_path):
    with pytest.raises(InputError, match="whole in every block"):
        write_cells(make_cells(da.ones((4, 6), chunks=(2, 3))), tmp_path / "c.zarr")


def test_write_cells__refuses_finished_and_begun_cells(tmp_path):
    cells = make_cells(np.ones((4, 12)))
    write_cells(cells, tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="once"):
        write_cells(cells, tmp_path / "a.zarr")
    with CellsWriter.open(tmp_path / "b.zarr", gene_table(12)) as writer:
        writer.append(*make_blocks()["s0"][0])
        writer.finish_source("s0", {})
    with pytest.raises(StoreError, match="unfinished ingest"):
        write_cells(cells, tmp_path / "b.zarr")


def test_write_cells__begins_again_after_it_was_cut_short(tmp_path, monkeypatch):
    cells = make_cells(np.ones((9, 12)))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(cells_tables, "finish_matrix", full)
        with pytest.raises(OSError, match="No space left"):
            write_cells(cells, tmp_path / "c.zarr", geometry=SMALL)
    with pytest.raises(IncompleteStoreError):
        open_cells(tmp_path / "c.zarr")
    write_cells(cells, tmp_path / "c.zarr", geometry=SMALL)
    assert np.array_equal(open_cells(tmp_path / "c.zarr").X.compute().toarray(), np.ones((9, 12)))


def test_write_cells__leaves_the_input_alone(tmp_path):
    matrix = sp.csr_matrix(np.random.default_rng(0).poisson(1.0, (6, 4)).astype("f4"))
    cells = make_cells(matrix)
    before = cells.copy()
    write_cells(cells, tmp_path / "c.zarr")
    assert (cells.X != before.X).nnz == 0
    assert list(cells.obs.columns) == ["sample"]


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (3, 0)])
def test_write_cells__takes_the_smallest_matrices(tmp_path, shape):
    write_cells(make_cells(sp.csr_matrix(shape, dtype="f4")), tmp_path / "c.zarr")
    assert open_cells(tmp_path / "c.zarr").shape == shape


def test_write_cells__refuses_a_budget_that_holds_no_shard_before_it_writes(tmp_path):
    cells = make_cells(np.eye(6, dtype=np.int32))
    with memory_budget("1MB"), pytest.raises(BlockTooLargeError, match="write_cells must fit into the budget"):
        write_cells(cells, tmp_path / "c.zarr")
    with memory_budget("100GB") as budget:
        write_cells(cells, tmp_path / "c.zarr")
    assert 0 < budget.promised_bytes < budget.limit
