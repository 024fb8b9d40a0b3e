from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import chemores_dask as cd
from benchmarks.tiling import stored_counts, tile_store
from chemores_dask.store.layout import Geometry

SHARD = 64


@pytest.fixture
def source(tmp_path):
    counts = sp.random(120, 30, density=0.3, format="csr", rng=np.random.default_rng(3), dtype=np.float64)
    counts.data = np.ceil(counts.data * 9).astype(np.int32)
    obs = pd.DataFrame(
        {"sample": pd.Categorical(["a"] * 60 + ["b"] * 60)}, index=[f"c{number}" for number in range(120)]
    )
    cells = anndata.AnnData(
        counts.astype(np.int32), obs=obs, var=pd.DataFrame(index=[f"g{number}" for number in range(30)])
    )
    return cd.write_cells(cells, tmp_path / "source.zarr", geometry=Geometry(chunk=16, shard=SHARD))


def test_tile_store__holds_the_same_counts_again_and_again(source, tmp_path):
    cells = tile_store(source, tmp_path / "tiled.zarr", tiles=3)
    assert cd.verify_cells(tmp_path / "tiled.zarr") == []
    small, large = cd.open_cells(source), cd.open_cells(tmp_path / "tiled.zarr")
    assert large.n_obs == cells
    assert stored_counts(tmp_path / "tiled.zarr") % SHARD == 0
    each = cells // 3
    whole, tiled = small.X.compute(), large.X.compute()
    for tile in range(3):
        # The last row of a tile is cut where its last whole shard ends.
        assert (whole[: each - 1] != tiled[tile * each : (tile + 1) * each - 1]).nnz == 0
    assert large.obs_names.is_unique
    assert list(large.obs["sample"].cat.categories) == ["0-a", "0-b", "1-a", "1-b", "2-a", "2-b"]


def test_tile_store__takes_no_room_for_shards(source, tmp_path):
    tile_store(source, tmp_path / "tiled.zarr", tiles=2)
    shard = source / "cells" / "X" / "data" / "c" / "0"
    assert shard.stat().st_nlink == 3


def test_tile_store__refuses_a_store_without_a_whole_shard(tmp_path):
    cells = anndata.AnnData(sp.csr_matrix(np.eye(4, dtype=np.int32)), obs=pd.DataFrame(index=list("abcd")))
    store = cd.write_cells(cells, tmp_path / "small.zarr")
    with pytest.raises(ValueError, match="whole shard"):
        tile_store(store, tmp_path / "tiled.zarr", tiles=2)
