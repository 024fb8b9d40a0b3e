"""One pass over the rows: any blocks, any number of workers, one task per block."""

from __future__ import annotations

from dataclasses import dataclass

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

from chemores_dask import metering
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.reduction import Reduction, together
from chemores_dask.stream.compute import compute
from chemores_dask.stream.plan import plan_rows
from chemores_dask.stream.reduce import reduce_rows
from chemores_dask.stream.rows import as_rows, map_rows
from chemores_dask.testing.nouns import tiny_cells


@dataclass(frozen=True)
class WeightedSums:
    def __call__(self, rows, columns):
        return columns["weight"] @ rows


@dataclass(frozen=True)
class RowOrder:
    def __call__(self, rows, columns):
        return tuple(columns["weight"].tolist())


@dataclass(frozen=True)
class GrandTotal:
    def __call__(self, rows, columns):
        return float(rows.sum())


@dataclass(frozen=True)
class RowSums:
    def __call__(self, rows, columns):
        return np.asarray(rows.sum(axis=1)).reshape(-1, 1)


def add(first, second):
    return first + second


SUMS = Reduction(WeightedSums(), add)
ORDER = Reduction(RowOrder(), add)
WEIGHT = np.random.default_rng(1).normal(size=101)
DENSE = np.random.default_rng(0).gamma(1.0, 3.0, (101, 9))


def lazy(chunks):
    return da.from_array(DENSE, chunks=(chunks, 9)).map_blocks(sp.csr_matrix)


def reduced(rows, reduction=SUMS, **options):
    (value,) = compute(reduce_rows(rows, reduction, columns={"weight": WEIGHT}, **options))
    return value


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(0, 101), max_size=20), fan_in=st.integers(2, 9))
def test_reduce_rows__gives_the_same_for_any_blocks(cuts, fan_in):
    chunks = tuple(int(size) for size in np.diff([0, *sorted(cuts), 101]))
    both = together(sums=SUMS, order=ORDER)
    value = reduced(lazy(chunks), both, fan_in=fan_in)
    np.testing.assert_allclose(value["sums"], WEIGHT @ DENSE, rtol=1e-9)
    assert value["order"] == tuple(WEIGHT.tolist())


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_reduce_rows__has_the_same_bits_for_any_number_of_threads(scheduler):
    values = []
    for workers in (1, 2, 4):
        with dask.config.set(scheduler=scheduler, num_workers=workers):
            values.append(reduced(lazy((5,) * 20 + (1,))))
    assert all((value == values[0]).all() for value in values)


@pytest.mark.cluster
def test_reduce_rows__has_the_same_bits_on_a_cluster():
    here = reduced(lazy((5,) * 20 + (1,)))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        there = reduced(lazy((5,) * 20 + (1,)))
        plan = plan_rows(lazy(5))
    assert (here == there).all()
    assert plan.tasks_in_flight == 1, "one thread per worker"


def test_reduce_rows__reads_each_block_in_one_task():
    delayed = reduce_rows(as_rows(DENSE, rows_per_block=5), SUMS, columns={"weight": WEIGHT}, fan_in=8)
    (optimized,) = dask.optimize(delayed)
    keys = [str(key) for key in optimized.__dask_graph__()]
    merges = [key for key in keys if "merge-" in key]
    assert len(merges) == 3 + 1, "21 blocks become 3, then 1"
    finish = [key for key in keys if key.startswith("finish-")]
    blocks = [key for key in keys if key.startswith("(") and not key.startswith(("('column", "('merge"))]
    assert len(finish) == 1
    assert len(blocks) == 21


def test_reduce_rows__has_a_lasting_name():
    assert (
        reduce_rows(lazy(50), SUMS, columns={"weight": WEIGHT}).key
        == reduce_rows(lazy(50), SUMS, columns={"weight": WEIGHT}).key
    )
    assert (
        reduce_rows(lazy(50), SUMS, columns={"weight": WEIGHT}).key
        != reduce_rows(lazy(50), ORDER, columns={"weight": WEIGHT}).key
    )
    assert (
        reduce_rows(lazy(50), SUMS, columns={"weight": WEIGHT}).key
        != reduce_rows(lazy(50), SUMS, columns={"weight": -WEIGHT}).key
    )


def test_reduce_rows__takes_no_rows_and_one_block():
    (nothing,) = compute(reduce_rows(as_rows(DENSE[:0]), SUMS, columns={"weight": WEIGHT[:0]}))
    assert (nothing == 0).all()
    np.testing.assert_allclose(reduced(as_rows(DENSE)), WEIGHT @ DENSE)


def test_reduce_rows__refuses_a_tree_that_does_not_merge():
    with pytest.raises(ParameterError, match="'fan_in'"):
        reduce_rows(lazy(50), SUMS, columns={"weight": WEIGHT}, fan_in=1)


def test_reduce_rows__lets_errors_of_kernels_through():
    with pytest.raises(KeyError, match="weight"):
        compute(reduce_rows(lazy(50), SUMS))


def test_reduce_rows__shares_its_reads_with_what_is_computed_along():
    rows = tiny_cells(rows_per_block=16).X
    total = Reduction(GrandTotal(), add)
    mapped = map_rows(rows, RowSums(), width=1, dtype="f8")
    before = metering.snapshot().get(metering.ROWS_DECODED, 0)
    first, second, sums = compute(reduce_rows(rows, total), reduce_rows(rows, total, fan_in=3), mapped)
    assert first == second == sums.sum()
    assert metering.snapshot()[metering.ROWS_DECODED] - before == rows.shape[0]


@dataclass(frozen=True)
class SharedProduct:
    def __call__(self, rows, columns):
        return float((rows @ np.ravel(columns["gene_weight"])).sum())


@pytest.mark.parametrize("genes", [1, 9])
def test_reduce_rows__hands_shared_arrays_whole_to_every_block(genes):
    weight = np.arange(genes) + 1.0
    rows = as_rows(DENSE[:, :genes], rows_per_block=7)
    (found,) = compute(reduce_rows(rows, Reduction(SharedProduct(), add), shared={"gene_weight": weight}))
    assert found == pytest.approx(float((DENSE[:, :genes] @ weight).sum()))
    with pytest.raises(InputError, match="one entry per column"):
        reduce_rows(rows, Reduction(SharedProduct(), add), shared={"gene_weight": np.arange(genes + 1)})
