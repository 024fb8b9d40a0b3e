from __future__ import annotations

import pickle

import anndata
import dask
import numpy as np
import pandas as pd
import pytest
import zarr

from chemores_dask import metering
from chemores_dask.errors import (
    ChecksumError,
    FormatError,
    MissingVariableError,
    ParameterError,
    SchemaVersionError,
    StoreError,
    StoreNotFoundError,
)
from chemores_dask.store.cells import RowReader, fitting_rows, open_cells, read_columns, same_content
from chemores_dask.store.layout import SCHEMA_ATTRIBUTE, writable_root
from chemores_dask.store.sharded_csr import shard_file
from tests.store.sources import all_counts, all_obs, make_blocks, write_stream


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    blocks = make_blocks()
    return write_stream(tmp_path_factory.mktemp("cells") / "cohort.zarr", blocks), blocks


@pytest.mark.parametrize("rows_per_block", [None, 1, 7, 54, 1000])
def test_open_cells__returns_the_counts_for_any_block_size(stored, rows_per_block):
    path, blocks = stored
    cells = open_cells(path, rows_per_block=rows_per_block)
    assert cells.X.numblocks == (-(-54 // (rows_per_block or 54)), 1)
    assert np.array_equal(cells.X.compute().toarray(), all_counts(blocks))
    assert cells.obs_names.tolist() == all_obs(blocks).index.tolist()


def test_open_cells__reads_nothing_until_computed(stored):
    before = metering.snapshot()
    cells = open_cells(stored[0], rows_per_block=10)
    assert metering.difference(before, metering.snapshot()).get("rows_decoded", 0) == 0
    cells[5:20].X.compute()
    found = metering.difference(before, metering.snapshot())
    assert found["blocks_decoded"] == 2
    assert found["rows_decoded"] == 20
    assert found["bytes_decoded"] > 0


def test_open_cells__keeps_subsets_lazy_and_right(stored):
    path, blocks = stored
    cells = open_cells(path, rows_per_block=10)
    wanted = all_counts(blocks)
    mask = cells.obs["sample"] == "s1"
    genes = [3, 1]
    assert np.array_equal(cells[mask.to_numpy()].X.compute().toarray(), wanted[mask])
    assert np.array_equal(cells[:, genes].X.compute().toarray(), wanted[:, genes])


def test_open_cells__reads_only_the_columns_asked_for(stored):
    path, blocks = stored
    cells = open_cells(path, columns=["patient"])
    assert list(cells.obs.columns) == ["patient"]
    assert cells.obs["patient"].tolist() == all_obs(blocks)["patient"].tolist()
    assert list(open_cells(path, columns=[]).obs.columns) == []
    with pytest.raises(MissingVariableError, match=r"columns dose .* Present: sample, patient, reads, cell_key"):
        open_cells(path, columns=["sample", "dose"])


def test_read_columns__reads_the_same_as_anndata(stored):
    folder = stored[0] / "cells" / "obs"
    pd.testing.assert_frame_equal(
        read_columns(folder, ["reads", "sample"]), read_columns(folder, None)[["reads", "sample"]]
    )


def test_open_cells__says_how_full_the_fullest_block_is(stored):
    path, blocks = stored
    nonzeros = (all_counts(blocks) > 0).sum(axis=1)
    cells = open_cells(path, rows_per_block=20)
    wanted = max(nonzeros[start : start + 20].sum() / 20 for start in (0, 20, 40))
    assert cells.uns["nonzeros_per_cell"] == pytest.approx(wanted)
    assert cells.uns["store"] == str(path)


def test_open_cells__names_lazy_counts_by_their_content(stored, tmp_path):
    path, blocks = stored
    assert open_cells(path).X.name == open_cells(path).X.name
    assert open_cells(path).X.name != open_cells(path, rows_per_block=5).X.name
    other = write_stream(tmp_path / "other.zarr", make_blocks(seed=1))
    same = write_stream(tmp_path / "same.zarr", blocks)
    contents = [open_cells(each).uns["content"] for each in (path, same, other)]
    assert contents[0] == contents[1] != contents[2]


def test_open_cells__gives_each_task_little_to_carry(stored):
    cells = open_cells(stored[0], rows_per_block=1)
    (layer,) = cells.X.dask.layers.values()
    graph = dict(cells.X.dask)
    assert len(graph) < 3 * 54
    assert all(len(pickle.dumps(task)) < 2_000 for task in graph.values())
    assert layer is not None


def test_row_reader__is_named_by_what_it_reads():
    token = dask.base.tokenize
    assert token(RowReader("a", "x", 1, 2, 3)) == token(RowReader("a", "x", 1, 2, 3))
    assert token(RowReader("a", "x", 1, 2, 3)) != token(RowReader("a", "y", 1, 2, 3))


@pytest.mark.parametrize("nonzeros", [1, 10, 100, 10_000])
def test_fitting_rows__keeps_the_fullest_block_within_bounds(nonzeros):
    rng = np.random.default_rng(5)
    sizes = np.concatenate([rng.integers(0, 5, 400), rng.integers(20, 40, 100)])
    pointers = np.concatenate([[0], np.cumsum(sizes)])
    rows = fitting_rows(pointers, nonzeros=nonzeros)
    fullest = max(sizes[start : start + rows].sum() for start in range(0, 500, rows))
    assert rows == 1 or fullest <= nonzeros
    assert fullest > nonzeros / 12 or rows == 500


def test_fitting_rows__takes_no_cells():
    assert fitting_rows(np.array([0])) == 1


def test_open_cells__refuses_block_sizes_below_one(stored):
    with pytest.raises(ParameterError, match="at least 1"):
        open_cells(stored[0], rows_per_block=0)


def test_open_cells__tells_absent_foreign_and_newer_stores_apart(tmp_path):
    with pytest.raises(StoreNotFoundError, match="Found nothing"):
        open_cells(tmp_path / "absent.zarr")
    anndata.AnnData(np.ones((2, 2), dtype="f4")).write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(FormatError, match="write_cells"):
        open_cells(tmp_path / "a.h5ad")
    with pytest.raises(StoreNotFoundError, match="must hold cells"):
        open_cells(writable_root(tmp_path / "empty.zarr"))
    zarr.create_group(tmp_path / "newer.zarr", zarr_format=3, attributes={SCHEMA_ATTRIBUTE: 2})
    with pytest.raises(SchemaVersionError, match="newer chemores-dask"):
        open_cells(tmp_path / "newer.zarr")


def test_open_cells__names_file_and_sample_of_a_damaged_shard(tmp_path):
    path = write_stream(tmp_path / "c.zarr", make_blocks())
    file = shard_file(path / "cells" / "X" / "data", 0)
    damaged = bytearray(file.read_bytes())
    damaged[25] ^= 16
    file.write_bytes(bytes(damaged))
    cells = open_cells(path, rows_per_block=9)
    with pytest.raises(ChecksumError, match=r"data/c/0' \(samples: s0\) fails its checksum"):
        cells.X.compute()
    assert cells[40:].X.compute().shape == (14, 12)


def test_open_cells__reads_no_cells_but_those_that_were_opened(tmp_path):
    store = write_stream(tmp_path / "c.zarr", make_blocks())
    cells = open_cells(store, rows_per_block=10)
    other = write_stream(tmp_path / "other.zarr", make_blocks(seed=3))
    (store / "cells").rename(tmp_path / "away")
    with pytest.raises(StoreError, match=r"were replaced: opened as \w+, now being written; open the cells again"):
        cells.X.compute()
    (other / "cells").rename(store / "cells")
    with pytest.raises(StoreError, match="were replaced"):
        cells.X.compute()
    (store / "ledger").rename(tmp_path / "old_ledger")
    (other / "ledger").rename(store / "ledger")
    assert np.array_equal(open_cells(store).X.compute().toarray(), all_counts(make_blocks(seed=3)))


def test_same_content__calls_damage_of_replaced_cells_a_replacement(tmp_path):
    store = write_stream(tmp_path / "c.zarr", make_blocks())
    content = open_cells(store).uns["content"]

    def read_while_replaced():
        with same_content(store / "cells", content):
            (store / "cells").rename(tmp_path / "away")
            message = "lost"
            raise ChecksumError(message)

    with pytest.raises(StoreError, match="were replaced"):
        read_while_replaced()
