from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import ChecksumError, InputError, StoreError
from chemores_dask.store import cell_choice
from chemores_dask.store.cell_choice import cell_positions, read_cells
from chemores_dask.store.cells import open_cells, write_cells
from chemores_dask.store.layout import Geometry
from chemores_dask.store.sharded_csr import shard_file
from tests.store.sources import SMALL, all_counts, gene_table, make_blocks, write_stream


def make_cells(cells, genes, *, rate=0.6, seed=0):
    counts = np.random.default_rng(seed).poisson(rate, (cells, genes)).astype(np.float32)
    obs = pd.DataFrame({"reads": np.arange(cells)}, index=[f"cell{number}" for number in range(cells)])
    return anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=gene_table(genes), uns={"note": "kept"})


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    blocks = make_blocks()
    return write_stream(tmp_path_factory.mktemp("s") / "c.zarr", blocks), all_counts(blocks)


@settings(max_examples=25, deadline=None)
@given(
    chunk=st.integers(1, 12),
    chunks=st.integers(1, 5),
    cells=st.integers(0, 30),
    genes=st.integers(1, 8),
    rate=st.sampled_from([0.0, 0.3, 2.0]),
    data=st.data(),
)
def test_read_cells__gives_any_rows_of_any_matrix(tmp_path_factory, chunk, chunks, cells, genes, rate, data):
    whole = make_cells(cells, genes, rate=rate, seed=cells)
    store = write_cells(whole, tmp_path_factory.mktemp("s") / "c.zarr", geometry=Geometry(chunk, chunk * chunks))
    rows = data.draw(st.permutations(range(cells)))[: data.draw(st.integers(0, cells))]
    found = read_cells(store, rows)
    assert found.X.dtype == found.X.indices.dtype == np.int32
    assert found.X.has_canonical_format
    assert np.array_equal(found.X.toarray(), whole.X.toarray()[rows])
    assert found.obs_names.tolist() == [f"cell{row}" for row in rows]
    assert found.obs["reads"].tolist() == list(rows)


def test_read_cells__takes_positions_booleans_and_names(stored):
    store, counts = stored
    rows = [40, 3, 17]
    names = open_cells(store).obs_names[rows]
    mask = np.isin(np.arange(len(counts)), rows)
    for chosen, expected in ((rows, rows), (np.array(rows, dtype=np.uint8), rows), (names, rows), (list(names), rows)):
        found = read_cells(store, chosen)
        assert np.array_equal(found.X.toarray(), counts[expected])
        assert found.obs_names.tolist() == names.tolist()
    for chosen in (mask, pd.Series(mask), mask.tolist()):
        assert np.array_equal(read_cells(store, chosen).X.toarray(), counts[sorted(rows)])


def test_read_cells__brings_tables_and_annotation_but_no_name_of_all_cells(tmp_path):
    store = write_cells(make_cells(9, 4), tmp_path / "c.zarr", geometry=SMALL)
    found = read_cells(store, [1])
    assert set(found.uns) == {"note"}
    assert found.var["gene_id"].tolist() == gene_table(4)["gene_id"].tolist()
    assert list(read_cells(store, [1], columns=["reads"]).obs) == ["reads"]


def test_read_cells__reads_a_store_without_cells_and_one_of_one_cell(tmp_path):
    assert read_cells(write_cells(make_cells(0, 3), tmp_path / "a.zarr"), []).shape == (0, 3)
    one = write_cells(make_cells(1, 3, rate=9), tmp_path / "b.zarr")
    assert np.array_equal(read_cells(one, [0]).X.toarray(), make_cells(1, 3, rate=9).X.toarray())


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([54], "from 0 to 53"),
        ([-1], "from 0 to 53"),
        ([2, 2], "More than once: 2"),
        (["nobody"], "Not there: nobody"),
        (["s0:0-1", "s0:0-1"], "More than once: s0:0-1"),
        ([True, False], "one for each cell"),
        ([[1, 2]], "2 dimensions"),
        ([1.5], "float64"),
    ],
)
def test_read_cells__refuses_rows_that_are_not_there(stored, rows, told):
    with pytest.raises(InputError, match=told):
        read_cells(stored[0], rows)


def test_cell_positions__of_no_names_are_none():
    assert cell_positions([], pd.Index(["a"])).tolist() == []


def test_read_cells__names_file_and_samples_of_damage(tmp_path):
    store = write_stream(tmp_path / "c.zarr", make_blocks())
    file = shard_file(store / "cells" / "X" / "indices", 3)
    damaged = bytearray(file.read_bytes())
    damaged[-20] ^= 1  # the index
    file.write_bytes(bytes(damaged))
    with pytest.raises(ChecksumError, match=r"indices/c/3.*samples: s.*fails its checksum"):
        read_cells(store, np.arange(54))


def test_read_cells__refuses_cells_that_were_replaced_meanwhile(tmp_path, monkeypatch):
    store = write_stream(tmp_path / "c.zarr", make_blocks())
    real = cell_choice.read_windows

    def replaced(*given, **named):
        file = Path(store) / "cells" / "zarr.json"
        described = json.loads(file.read_text())
        described["attributes"]["content"] = "others"
        file.write_text(json.dumps(described))
        return real(*given, **named)

    monkeypatch.setattr(cell_choice, "read_windows", replaced)
    with pytest.raises(StoreError, match=r"were replaced.*now others"):
        read_cells(store, [1])
