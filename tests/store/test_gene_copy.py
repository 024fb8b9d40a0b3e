from __future__ import annotations

import anndata
import dask
import numpy as np
import pytest

import chemores_dask as cd
from chemores_dask.errors import BlockTooLargeError, IncompleteStoreError, StoreBusyError
from chemores_dask.memory import memory_budget
from chemores_dask.metering import difference, snapshot
from chemores_dask.store import gene_copy
from chemores_dask.store.cells import CellsWriter, write_cells
from chemores_dask.store.gene_copy import TilePlan, gene_copy_plan, gene_copy_state, write_gene_copy
from chemores_dask.store.layout import Geometry, group_attributes
from tests.store.sources import SMALL, all_counts, gene_table, make_blocks, write_stream
from tests.store.test_cell_choice import make_cells


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(gene_copy, "NONZEROS_PER_TILE", 40)
    monkeypatch.setattr(gene_copy, "GENE_GEOMETRY", SMALL)


@pytest.fixture
def stored(tmp_path, small_tiles):
    blocks = make_blocks()
    return write_stream(tmp_path / "c.zarr", blocks), all_counts(blocks)


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_write_gene_copy__holds_the_counts_tile_by_tile(stored):
    store, counts = stored
    assert gene_copy_state(store) == "none"
    assert gene_copy_plan(store) is None
    assert write_gene_copy(store) == store
    plan = gene_copy_plan(store)
    assert gene_copy_state(store) == "complete"
    assert len(plan.tile_nonzeros) > 4
    assert max(plan.tile_nonzeros) <= 40
    assert sum(plan.tile_nonzeros) == (counts > 0).sum()
    assert plan.rows(len(plan.tile_nonzeros) - 1)[1] == len(counts)
    assert [plan.tile_of_shard(number) for number in plan.shards(3)] == [3] * len(plan.shards(3))
    assert not (store / "cells_by_gene" / "tiles").exists()
    assert not list((store / "cells_by_gene").rglob("*.partial"))


def test_write_gene_copy__reads_the_counts_once(stored):
    before = snapshot()
    write_gene_copy(stored[0])
    assert difference(before, snapshot())["rows_decoded"] == len(stored[1])
    before = snapshot()
    write_gene_copy(stored[0])  # is there already
    assert difference(before, snapshot())["rows_decoded"] == 0


def test_write_gene_copy__goes_on_where_it_was_cut_short(stored, monkeypatch, tmp_path):
    store, counts = stored
    whole = write_stream(tmp_path / "whole.zarr", make_blocks())
    write_gene_copy(whole)
    expected = files_of(whole / "cells_by_gene")
    real = gene_copy.TileWriter.__call__

    def records():
        return [file.name for file in (store / "cells_by_gene" / "tiles").glob("*.json")]

    def killed(writer, tile):
        if len(records()) == 4:
            raise KeyboardInterrupt
        real(writer, tile)

    with monkeypatch.context() as patched:
        patched.setattr(gene_copy.TileWriter, "__call__", killed)
        # One thread: others would still be writing while we look at what is done.
        with dask.config.set(scheduler="sync"), pytest.raises(KeyboardInterrupt):
            write_gene_copy(store)
    assert gene_copy_state(store) == "cut short"
    with pytest.raises(IncompleteStoreError, match="cut short; run: chemores by-gene"):
        cd.read_genes(store, "GENE1")
    done = len(records())
    plan = TilePlan.from_attributes(group_attributes(store / "cells_by_gene"))
    torn = next(tile for tile in range(len(plan.tile_nonzeros)) if f"{tile}.json" not in records())
    (store / "cells_by_gene" / "data" / "c" / str(plan.shards(torn)[0])).write_bytes(b"torn")
    before = snapshot()
    write_gene_copy(store)
    assert difference(before, snapshot())["tasks"] == len(plan.tile_nonzeros) - done > 0
    assert files_of(store / "cells_by_gene") == expected
    assert np.array_equal(cd.read_genes(store, ["GENE1"]).X.toarray()[:, 0], counts[:, 1])


def test_write_gene_copy__is_cut_as_it_was_begun_under_another_budget(stored, monkeypatch):
    store, _ = stored
    with monkeypatch.context() as patched:
        patched.setattr(gene_copy, "_finish", lambda folder, plan: None)
        write_gene_copy(store)
    begun = group_attributes(store / "cells_by_gene")["tile_nonzeros"]
    monkeypatch.setattr(gene_copy, "NONZEROS_PER_TILE", 10)
    write_gene_copy(store)
    assert list(gene_copy_plan(store).tile_nonzeros) == begun


def test_write_gene_copy__replaces_one_of_other_cells(stored, tmp_path):
    store, counts = stored
    other = write_stream(tmp_path / "other.zarr", make_blocks(seed=5))
    write_gene_copy(other)
    (other / "cells_by_gene").rename(store / "cells_by_gene")
    assert gene_copy_state(store) == "of other cells"
    with pytest.raises(IncompleteStoreError, match="made from other cells; run: chemores by-gene"):
        cd.read_genes(store, "GENE1")
    write_gene_copy(store)
    assert gene_copy_state(store) == "complete"
    assert np.array_equal(cd.read_genes(store, "GENE1").X.toarray()[:, 0], counts[:, 1])


def test_write_gene_copy__leaves_the_cells_to_anndata(stored):
    store, counts = stored
    write_gene_copy(store)
    assert np.array_equal(anndata.read_zarr(store / "cells").X.toarray(), counts)


@pytest.mark.parametrize(("cells", "genes", "rate"), [(0, 3, 1.0), (1, 1, 5.0), (5, 4, 0.0), (1, 7, 0.5), (40, 1, 0.4)])
def test_write_gene_copy__takes_small_and_empty_cells(tmp_path, cells, genes, rate, small_tiles):
    whole = make_cells(cells, genes, rate=rate)
    store = write_gene_copy(write_cells(whole, tmp_path / "c.zarr", geometry=SMALL))
    found = cd.read_genes(store, whole.var_names)
    assert np.array_equal(found.X.toarray(), whole.X.toarray())
    assert cd.verify_cells(store) == []


def test_write_gene_copy__refuses_unfinished_cells_and_a_busy_store(tmp_path, stored, monkeypatch):
    with CellsWriter.open(tmp_path / "u.zarr", gene_table(3)), pytest.raises(IncompleteStoreError):
        write_gene_copy(tmp_path / "u.zarr")

    def busy(store):
        message = "in use"
        raise StoreBusyError(message)

    monkeypatch.setattr(gene_copy, "writing", busy)
    with pytest.raises(StoreBusyError):
        write_gene_copy(stored[0])


def test_tile_plan__survives_its_attributes():
    plan = TilePlan("a", 10, 3, 4, (5, 0, 9), Geometry(2, 4))
    assert TilePlan.from_attributes(plan.attributes()) == plan
    assert [list(plan.shards(tile)) for tile in range(3)] == [[0, 1], [], [2, 3, 4]]
    assert [plan.tile_of_shard(number) for number in range(5)] == [0, 0, 2, 2, 2]


def test_write_gene_copy__refuses_a_budget_that_holds_no_tile(stored):
    store, _ = stored
    with memory_budget("1MB"), pytest.raises(BlockTooLargeError, match="write_gene_copy must fit into the budget"):
        write_gene_copy(store)
    assert gene_copy_state(store) == "none"
