"""Genes of all cells as lazy blocks, from the copy by gene."""

from __future__ import annotations

import pickle
import shutil
from itertools import pairwise

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import ChecksumError, IncompleteStoreError, MissingVariableError, ParameterError, StoreError
from chemores_dask.memory import memory_budget
from chemores_dask.metering import BLOCKS_DECODED, BYTES_DECODED, difference, snapshot
from chemores_dask.store import gene_blocks, gene_copy
from chemores_dask.store.cells import write_cells
from chemores_dask.store.gene_blocks import open_genes, read_gene_range
from chemores_dask.store.gene_copy import gene_copy_plan, write_gene_copy
from chemores_dask.store.layout import GENE_COPY, Geometry
from tests.store.sources import SMALL, all_counts, all_obs, make_blocks, write_stream
from tests.store.test_cell_choice import make_cells


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    blocks = make_blocks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gene_copy, "NONZEROS_PER_TILE", 60)
        patch.setattr(gene_copy, "GENE_GEOMETRY", SMALL)
        return write_gene_copy(write_stream(tmp_path_factory.mktemp("written") / "c.zarr", blocks)), all_counts(blocks)


@pytest.fixture
def stored(tmp_path, written):
    return shutil.copytree(written[0], tmp_path / "c.zarr"), written[1]


def test_open_genes__gives_the_counts_in_blocks_of_genes(stored):
    store, counts = stored
    genes = counts.shape[1]
    found = open_genes(store, genes_per_block=3)
    assert found.X.chunks == ((len(counts),), (3,) * (genes // 3) + ((genes % 3,) if genes % 3 else ()))
    assert np.array_equal(found.X.compute().toarray(), counts)
    block = found.X.blocks[0, 1].compute()
    assert block.format == "csc"
    assert block.dtype == block.indices.dtype == np.int32
    assert block.has_canonical_format
    assert block.has_sorted_indices
    assert found.obs["patient"].tolist() == all_obs(make_blocks())["patient"].tolist()
    assert found.uns["store"] == str(store)
    assert found.uns["nonzeros_per_gene"] >= (counts > 0).sum() / genes


@settings(max_examples=25, deadline=None)
@given(
    tile=st.integers(1, 80),
    chunk=st.integers(1, 9),
    chunks=st.integers(1, 4),
    cells=st.integers(1, 30),
    genes=st.integers(1, 9),
    rate=st.sampled_from([0.0, 0.05, 0.5, 3.0]),
    size=st.integers(1, 10),
)
def test_open_genes__gives_any_matrix_in_any_blocks(tmp_path_factory, tile, chunk, chunks, cells, genes, rate, size):
    whole = make_cells(cells, genes, rate=rate, seed=cells)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gene_copy, "NONZEROS_PER_TILE", tile)
        patched.setattr(gene_copy, "GENE_GEOMETRY", Geometry(chunk, chunk * chunks))
        store = write_gene_copy(write_cells(whole, tmp_path_factory.mktemp("s") / "c.zarr", geometry=SMALL))
    assert np.array_equal(open_genes(store, genes_per_block=size).X.compute().toarray(), whole.X.toarray())
    assert np.array_equal(open_genes(store).X.compute().toarray(), whole.X.toarray())


def test_open_genes__puts_as_many_counts_into_a_block_as_the_budget_wants(stored, monkeypatch):
    store, counts = stored
    per_gene = (counts > 0).sum(axis=0)
    most = int(per_gene.max()) + 5
    monkeypatch.setattr(gene_blocks, "values_per_block", lambda default: most)
    sizes = open_genes(store).X.chunks[1]
    borders = np.concatenate([[0], np.cumsum(sizes)])
    held = [int(per_gene[first:last].sum()) for first, last in pairwise(borders)]
    assert max(held) <= most
    assert all(first + int(per_gene[last]) > most for first, last in zip(held, borders[1:-1], strict=False))
    monkeypatch.setattr(gene_blocks, "values_per_block", lambda default: 1)
    assert set(open_genes(store).X.chunks[1]) == {1}


def test_open_genes__has_smaller_blocks_within_a_budget(stored):
    store, counts = stored
    with memory_budget("600MB"):
        assert open_genes(store).X.shape == counts.shape


def test_open_genes__counts_what_it_reads(stored):
    store, counts = stored
    found = open_genes(store, genes_per_block=4)
    before = snapshot()
    found.X.compute()
    counted = difference(before, snapshot())
    assert counted[BLOCKS_DECODED] == found.X.numblocks[1]
    assert counted[BYTES_DECODED] == 8 * (counts > 0).sum()


def test_open_genes__reads_nothing_of_the_counts(stored):
    store, _ = stored
    before = snapshot()
    open_genes(store)
    assert difference(before, snapshot()).get(BYTES_DECODED, 0) == 0


def test_open_genes__needs_the_copy(tmp_path):
    store = write_stream(tmp_path / "c.zarr", make_blocks())
    with pytest.raises(
        IncompleteStoreError, match=r"Opening genes needs .*There is none; run: chemores by-gene \S+zarr\.$"
    ):
        open_genes(store)


def test_open_genes__takes_columns(stored):
    store, _ = stored
    assert open_genes(store, columns=["sample"]).obs.columns.tolist() == ["sample"]
    with pytest.raises(MissingVariableError, match="needs the columns nothing"):
        open_genes(store, columns=["nothing"])
    with pytest.raises(ParameterError, match="at least 1"):
        open_genes(store, genes_per_block=0)


def test_open_genes__has_tasks_that_travel(stored):
    store, counts = stored
    lazy = pickle.loads(pickle.dumps(open_genes(store, genes_per_block=4).X))
    with dask.config.set(scheduler="processes", num_workers=1):
        assert np.array_equal(lazy.compute().toarray(), counts)


def test_open_genes__refuses_cells_that_were_replaced(tmp_path):
    first, second = make_cells(20, 5, rate=1.0, seed=1), make_cells(20, 5, rate=1.0, seed=2)
    store = write_gene_copy(write_cells(first, tmp_path / "c.zarr", geometry=SMALL))
    opened = open_genes(store)
    shutil.rmtree(store)
    write_gene_copy(write_cells(second, store, geometry=SMALL))
    with pytest.raises(StoreError, match="were replaced"):
        opened.X.compute()


def test_open_genes__names_damaged_files(stored):
    store, _ = stored
    file = next(iter(sorted((store / GENE_COPY / "data" / "c").iterdir())))
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(ChecksumError, match=r"copy by gene .*Remove the folder .*chemores by-gene"):
        open_genes(store).X.compute()


def test_read_gene_range__reads_some_genes(stored):
    store, counts = stored
    plan = gene_copy_plan(store)
    for first, last in ((0, 1), (2, 6), (counts.shape[1] - 1, counts.shape[1]), (3, 3)):
        found = read_gene_range(store / GENE_COPY, plan, first, last)
        assert np.array_equal(found.toarray(), counts[:, first:last])
