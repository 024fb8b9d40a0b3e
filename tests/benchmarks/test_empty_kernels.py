from __future__ import annotations

from benchmarks.empty_kernels import NONZEROS_PER_BLOCK, NONZEROS_PER_CELL, empty_rows, graphs, measure


def test_empty_rows__has_as_many_blocks_as_a_real_store():
    rows = empty_rows(1_000_000)
    assert rows.shape == (1_000_000, 20_000)
    assert rows.numblocks[0] == -(-1_000_000 // (NONZEROS_PER_BLOCK // NONZEROS_PER_CELL))


def test_measure__counts_tasks_and_bytes():
    rows = measure(20_000, None)
    assert [row["pass"] for row in rows] == list(graphs(1_000))
    assert all(row["tasks"] >= 3 and row["graph_mb"] > 0 for row in rows)
