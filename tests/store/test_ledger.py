from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chemores_dask.store import ledger
from chemores_dask.store.layout import Geometry, erase, group_attributes, writable_root
from chemores_dask.store.sharded_csr import ShardChecksums
from tests.store.sources import gene_table


@pytest.fixture
def root(tmp_path):
    root = writable_root(tmp_path / "c.zarr")
    ledger.start_ledger(root, ledger.Header(Geometry(4, 8), 3, "abc"))
    return root


def add_source(root, number, *, rows=2):
    entry = ledger.SourceEntry(f"s{number}", {"number": number}, number * rows, rows, 5 * (number + 1))
    obs = pd.DataFrame({"sample": [f"s{number}"] * rows}, index=[f"{number}:{row}" for row in range(rows)])
    shards = [ShardChecksums(number, 2**64 - 1, 7)]
    tail = (np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32))
    ledger.write_source(root, entry, number=number, obs=obs, row_nonzeros=np.ones(rows), shards=shards, tail=tail)
    return entry


def test_write_source__is_read_as_it_was(root):
    entries = [add_source(root, 0), add_source(root, 1)]
    assert ledger.read_sources(root) == entries
    assert ledger.read_source_obs(root, 1).index.tolist() == ["1:0", "1:1"]
    assert ledger.read_source_checksums(root, 0) == [ShardChecksums(0, 2**64 - 1, 7)]
    assert ledger.read_source_vector(root, 1, "tail_data").tolist() == [0, 1, 2]


def test_write_source__keeps_only_the_last_tail(root):
    add_source(root, 0)
    add_source(root, 1)
    assert not (ledger.source_folder(root, 0) / "tail_data").exists()


def test_read_sources__stops_at_a_torn_one(root):
    first = add_source(root, 0)
    add_source(root, 1)
    add_source(root, 2)
    erase(ledger.source_folder(root, 1))
    assert ledger.read_sources(root) == [first]


def test_read_header__is_none_without_a_ledger(tmp_path, root):
    assert ledger.read_header(root) == ledger.Header(Geometry(4, 8), 3, "abc")
    assert ledger.read_header(writable_root(tmp_path / "other.zarr")) is None


def test_genes_checksum__sees_names_order_and_columns():
    table = gene_table(4)
    others = [table.iloc[::-1], table.rename(columns={"gene_id": "id"}), table.assign(gene_id="x"), table.iloc[:3]]
    assert ledger.genes_checksum(table) == ledger.genes_checksum(table.copy())
    assert len({ledger.genes_checksum(each) for each in (table, *others)}) == 5


def test_finish_ledger__keeps_checksums_in_the_order_of_shards(root):
    shards = [ShardChecksums(1, 3, 4), ShardChecksums(0, 1, 2)]
    ledger.finish_ledger(root, sources=[add_source(root, 0)], shards=shards, facts={"cells": 2})
    assert ledger.read_checksums(root / "ledger") == shards[::-1]
    assert group_attributes(root / "ledger")["finished_sources"][0]["key"] == "s0"


def test_content_name__changes_with_counts_pointers_and_names():
    header = ledger.Header(Geometry(4, 8), 3, "abc")
    shards = [ShardChecksums(0, 1, 2), ShardChecksums(1, 3, 4)]
    pointers = np.array([0, 5])
    name = ledger.content_name(header, shards, pointers, ["a"])
    assert name == ledger.content_name(header, shards[::-1], pointers, ["a"])
    assert len(name) == 16
    others = [
        ledger.content_name(header, shards[:1], pointers, ["a"]),
        ledger.content_name(header, shards, pointers + 1, ["a"]),
        ledger.content_name(header, shards, pointers, ["b"]),
    ]
    assert name not in others
    assert len(set(others)) == 3
