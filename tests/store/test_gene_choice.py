from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import ChecksumError, GeneMismatchError, IncompleteStoreError, InputError
from chemores_dask.store import gene_copy
from chemores_dask.store.cells import write_cells
from chemores_dask.store.gene_choice import read_genes
from chemores_dask.store.gene_copy import gene_copy_plan, write_gene_copy
from chemores_dask.store.layout import Geometry
from tests.store.sources import SMALL, all_counts, all_obs, make_blocks, write_stream
from tests.store.test_cell_choice import make_cells


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setattr(gene_copy, "NONZEROS_PER_TILE", 60)
    monkeypatch.setattr(gene_copy, "GENE_GEOMETRY", SMALL)
    blocks = make_blocks()
    return write_gene_copy(write_stream(tmp_path / "c.zarr", blocks)), all_counts(blocks)


@settings(max_examples=25, deadline=None)
@given(
    tile=st.integers(1, 80),
    chunk=st.integers(1, 9),
    chunks=st.integers(1, 4),
    cells=st.integers(1, 30),
    genes=st.integers(1, 9),
    rate=st.sampled_from([0.05, 0.5, 3.0]),
    data=st.data(),
)
def test_read_genes__gives_any_genes_of_any_matrix(tmp_path_factory, tile, chunk, chunks, cells, genes, rate, data):
    whole = make_cells(cells, genes, rate=rate, seed=cells)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gene_copy, "NONZEROS_PER_TILE", tile)
        patched.setattr(gene_copy, "GENE_GEOMETRY", Geometry(chunk, chunk * chunks))
        store = write_gene_copy(write_cells(whole, tmp_path_factory.mktemp("s") / "c.zarr", geometry=SMALL))
    chosen = data.draw(st.permutations(whole.var_names.tolist()))[: data.draw(st.integers(1, genes))]
    found = read_genes(store, chosen)
    assert found.X.format == "csc"
    assert found.X.dtype == found.X.indices.dtype == np.int32
    assert found.X.has_sorted_indices
    assert np.array_equal(found.X.toarray(), whole[:, chosen].X.toarray())
    assert found.var_names.tolist() == list(chosen)
    assert found.obs["reads"].tolist() == whole.obs["reads"].tolist()


def test_read_genes__needs_the_copy_unless_a_full_pass_is_allowed(tmp_path):
    blocks = make_blocks()
    store = write_stream(tmp_path / "c.zarr", blocks)
    with pytest.raises(IncompleteStoreError, match=r"There is none; run: chemores by-gene .*full_pass=True"):
        read_genes(store, ["GENE3"])
    found = read_genes(store, ["GENE7", "GENE3"], full_pass=True)
    assert np.array_equal(found.X.toarray(), all_counts(blocks)[:, [7, 3]])
    write_gene_copy(store)
    assert (read_genes(store, ["GENE7", "GENE3"], full_pass=True).X != found.X).nnz == 0


def test_read_genes__works_in_scanpy(stored):
    store, counts = stored
    found = read_genes(store, ["GENE2", "GENE5"])
    table = sc.get.obs_df(found, keys=["GENE5", "patient"])
    assert table["GENE5"].tolist() == counts[:, 5].tolist()
    assert table["patient"].tolist() == all_obs(make_blocks())["patient"].tolist()
    assert read_genes(store, "GENE2", columns=["sample"]).obs.columns.tolist() == ["sample"]


@pytest.mark.parametrize(
    ("genes", "error", "told"),
    [
        (["GENE1", "GENE99"], GeneMismatchError, "Not there: GENE99"),
        (["GENE1", "GENE1"], InputError, "GENE1 more than once"),
        ([], InputError, "Got none"),
    ],
)
def test_read_genes__refuses_genes_that_are_not_there(stored, genes, error, told):
    with pytest.raises(error, match=told):
        read_genes(stored[0], genes)


@pytest.mark.parametrize("array", ["data", "indices", "indptr"])
def test_read_genes__finds_every_kind_of_damage(stored, array):
    store, counts = stored
    plan = gene_copy_plan(store)
    number = 1 if array == "indptr" else plan.shards(1)[0]
    file = store / "cells_by_gene" / array / "c" / str(number)
    whole = file.read_bytes()
    names = [f"GENE{gene}" for gene in range(counts.shape[1])]
    rows = f"cells {plan.rows(1)[0]:,} to {plan.rows(1)[1] - 1:,}"
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 16
        file.write_bytes(bytes(damaged))
        with pytest.raises(ChecksumError, match=rf"{array}/c/{number}.*{rows}.*fails its checksum.*chemores by-gene"):
            read_genes(store, names)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(ChecksumError, match=rf"{array}/c/{number}"):
            read_genes(store, names)
    file.unlink()
    with pytest.raises(ChecksumError, match="is missing"):
        read_genes(store, names)
    file.write_bytes(whole)
    assert np.array_equal(read_genes(store, names).X.toarray(), counts)


def test_read_genes__counts_beyond_a_tile_of_many_genes(tmp_path):
    """The default sizes: one tile, one shard."""
    whole = make_cells(300, 50, rate=1.0)
    store = write_gene_copy(write_cells(whole, tmp_path / "c.zarr"))
    assert len(gene_copy_plan(store).tile_nonzeros) == 1
    assert np.array_equal(read_genes(store, whole.var_names[::-1]).X.toarray(), whole.X.toarray()[:, ::-1])
