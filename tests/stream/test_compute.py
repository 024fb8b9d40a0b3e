"""The one door where analyses compute."""

from __future__ import annotations

import dask.array as da
import numpy as np
import scipy.sparse as sp

from chemores_dask.metering import TASKS, difference, snapshot
from chemores_dask.stream.compute import compute
from chemores_dask.stream.rows import map_rows

READ = []


def read(block):
    READ.append(len(block))
    return sp.csr_matrix(block)


def sums(rows, columns):
    return np.asarray(rows.sum(axis=1))


def squares(rows, columns):
    return np.asarray(rows.power(2).sum(axis=1))


def test_compute__returns_values_in_order_and_leaves_plain_ones_alone():
    first, second, third = compute(da.ones(3), 7, da.arange(3))
    assert first.tolist() == [1, 1, 1]
    assert second == 7
    assert third.tolist() == [0, 1, 2]


def test_compute__counts_tasks():
    before = snapshot()
    compute(da.ones(10, chunks=5))
    assert difference(before, snapshot())[TASKS] >= 2


def test_compute__reads_once_for_several_results():
    rows = da.from_array(np.ones((20, 4)), chunks=(5, 4)).map_blocks(read, dtype=float, meta=sp.csr_matrix((0, 4)))
    READ.clear()
    one, other = compute(map_rows(rows, sums, width=1, dtype=float), map_rows(rows, squares, width=1, dtype=float))
    assert one.shape == other.shape == (20, 1)
    assert sorted(READ) == [5, 5, 5, 5]
