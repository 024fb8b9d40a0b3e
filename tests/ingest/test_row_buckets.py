"""Tests of sorting entries through temporary files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.ingest.row_buckets import reordered_rows, rows_from_entries
from chemores_dask.ingest.source import BlockLimit


@pytest.mark.parametrize("limit", [BlockLimit(1, 10), BlockLimit(7, 50), BlockLimit(1000, 10**6)])
def test_rows_from_entries__sorts_any_order(counts: sp.csr_matrix, tmp_path: Path, limit: BlockLimit) -> None:
    triples = sp.coo_matrix(counts)
    order = np.random.default_rng(1).permutation(counts.nnz)
    chunks = [(triples.row[part], triples.col[part], triples.data[part]) for part in np.array_split(order, 9)]
    blocks = list(rows_from_entries(chunks, shape=counts.shape, nonzeros=counts.nnz, limit=limit, scratch=tmp_path))
    assert (sp.vstack(blocks) != counts).nnz == 0
    assert list(tmp_path.iterdir()) == []


def test_rows_from_entries__gives_empty_rows_without_entries(tmp_path: Path) -> None:
    blocks = list(rows_from_entries([], shape=(5, 3), nonzeros=0, limit=BlockLimit(2, 10), scratch=tmp_path))
    assert sum(block.shape[0] for block in blocks) == 5


def test_rows_from_entries__removes_its_files_when_abandoned(counts: sp.csr_matrix, tmp_path: Path) -> None:
    triples = sp.coo_matrix(counts)
    rows = rows_from_entries(
        [(triples.row, triples.col, triples.data)],
        shape=counts.shape,
        nonzeros=None,
        limit=BlockLimit(3, 9),
        scratch=tmp_path,
    )
    next(rows)
    rows.close()
    assert list(tmp_path.iterdir()) == []


def test_reordered_rows__brings_each_row_to_its_place(counts: sp.csr_matrix, tmp_path: Path) -> None:
    destination = np.random.default_rng(2).permutation(40)
    blocks = reordered_rows(
        [counts[:15], counts[15:]],
        destination,
        columns=30,
        nonzeros=counts.nnz,
        limit=BlockLimit(6, 99),
        scratch=tmp_path,
    )
    result = sp.vstack(list(blocks)).toarray()
    assert np.array_equal(result[destination], counts.toarray())
