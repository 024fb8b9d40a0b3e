from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask.errors import StoreError
from chemores_dask.store import revision
from chemores_dask.store.ledger import SourceEntry
from chemores_dask.store.row_removal import KeptRows, check_parts, cut_sources, cut_table, link_shards, remove_rows
from chemores_dask.store.sharded_csr import checksum, read_pointers, shard_file
from tests.store.sources import SMALL, all_counts, all_obs, make_blocks, write_stream


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    blocks = make_blocks(samples=3)
    return write_stream(tmp_path_factory.mktemp("cells") / "c.zarr", blocks), all_counts(blocks), all_obs(blocks)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.02, 0.98), step=st.sampled_from([8, 32, 1000]))
def test_read__gives_what_slicing_gives(finished, seed, share, step):
    store, counts, _ = finished
    rng = np.random.default_rng(seed)
    kept = rng.random(len(counts)) < share
    rows = KeptRows(store / "cells" / "X", read_pointers(store / "cells" / "X", 0, len(counts)), kept)
    wanted = counts[kept]
    total = int((wanted > 0).sum())
    start = int(rng.integers(0, total + 1))
    stop = int(rng.integers(start, total + 1))
    if start == stop:
        return
    data, indices = rows.read(start, stop, moved=rows.new_pointers(), step=step)
    row, column = np.nonzero(wanted)
    np.testing.assert_array_equal(data, wanted[row, column][start:stop])
    np.testing.assert_array_equal(indices, column[start:stop])


def test_remove_rows__tells_what_it_wrote(finished):
    store, counts, obs = finished
    kept = np.ones(len(counts), dtype=bool)
    kept[30:40] = False
    revision.begin(store, {})
    seen = []
    done = remove_rows(store, kept, obs=obs[kept], uns={}, sources=[], progress=lambda *state: seen.append(state))
    left = int((counts[kept] > 0).sum())
    assert done.shards_kept == int((counts[:30] > 0).sum()) // SMALL.shard
    assert done.shards_kept + done.shards_written == -(-left // SMALL.shard)
    assert seen[-1] == (done.shards_written, done.shards_written)
    revision.discard(store)


def test_link_shards__gives_the_checksums_of_the_first(finished):
    store, counts, _ = finished
    revision.begin(store, {})
    sums = link_shards(store, 2)
    data = counts[counts > 0].astype(np.int32)
    assert [each.data for each in sums] == [checksum(data[n * 32 : (n + 1) * 32]) for n in range(2)]
    linked = shard_file(revision.new_folder(store) / "cells" / "X" / "data", 1)
    assert linked.samefile(shard_file(store / "cells" / "X" / "data", 1))
    revision.discard(store)


def test_cut_table__leaves_no_trace_of_other_rows():
    obs = pd.DataFrame(
        {
            "patient": pd.Categorical(["a", "b", "a"]),
            "age": pd.array([1, None, 3], dtype="Int64"),
            "treated": pd.array([True, None, False], dtype="boolean"),
            "depth": [0.5, 1.5, 2.5],
        },
        index=["x", "y", "z"],
    )
    cut = cut_table(obs, np.array([True, False, True]))
    assert cut["patient"].cat.categories.tolist() == ["a"]
    assert cut.dtypes.astype(str).tolist() == ["category", "int64", "bool", "float64"]
    assert cut_table(obs, np.array([True, True, True])).dtypes.astype(str).tolist()[1:3] == ["Int64", "boolean"]
    assert obs["patient"].cat.categories.tolist() == ["a", "b"]


def test_cut_sources__renumbers_those_that_stay(tmp_path):
    rows = KeptRows(tmp_path, np.array([0, 2, 5, 9, 9, 10]), np.array([False, False, True, False, True]))
    sources = [
        SourceEntry("a", {"n": 1}, 0, 2, 5),
        SourceEntry("b", {"n": 2}, 2, 2, 9),
        SourceEntry("empty", {"n": 3}, 4, 0, 9),
        SourceEntry("c", {"n": 4}, 4, 1, 10),
    ]
    left = cut_sources(sources, rows, changed=lambda entry: {"cut": entry.key})
    assert left == [
        SourceEntry("b", {"cut": "b"}, 0, 1, 4),
        SourceEntry("empty", {"n": 3}, 1, 0, 4),
        SourceEntry("c", {"n": 4}, 1, 1, 5),
    ]


def test_check_parts__refuses_what_others_wrote(tmp_path):
    group = zarr.create_group(tmp_path / "cells")
    check_parts(group)
    group.create_group("obsm").create_group("X_pca")
    with pytest.raises(StoreError, match="obsm/X_pca"):
        check_parts(group)
