"""Reductions over the same rows that make their states in common tasks."""

from __future__ import annotations

import importlib

import dask
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr
from anndata import AnnData

import chemores_dask as cd
from chemores_dask.kernels import joint_walks
from chemores_dask.kernels.reduction import Reduction
from chemores_dask.stream import compute, reduce_rows
from chemores_dask.stream.joint_passes import join_passes
from chemores_dask.stream.shared_pass import share_passes

CELLS, GENES = 90, 30


@pytest.fixture
def cells():
    """Counts in five blocks."""
    random = np.random.default_rng(2)
    counts = random.negative_binomial(0.4, 0.01, size=(CELLS, GENES)).astype(np.int32)
    rows = da.from_array(counts, chunks=(20, GENES)).map_blocks(
        sp.csr_matrix, dtype=np.int32, meta=sp.csr_matrix((0, GENES), dtype=np.int32)
    )
    obs = pd.DataFrame({"sample": np.repeat(["a", "b", "c"], 30), "batch": np.tile(["x", "y"], 45)})
    obs.index = [f"c{n}" for n in range(CELLS)]
    return AnnData(rows, obs=obs, var=pd.DataFrame(index=[f"MT-{n}" if n < 3 else f"G{n}" for n in range(GENES)]))


def analyses(cells):
    return {
        "quality": lambda: cd.quality(cells),
        "cube": lambda: cd.cohort_cube(cells, sample="sample"),
        "chosen": lambda: cd.variable_genes(cells, method="seurat_v3", genes=5, batch="batch"),
        "other cube": lambda: cd.cohort_cube(cells, sample="batch", target_sum=100),
    }


@pytest.mark.parametrize(
    "names", [("quality", "cube"), ("quality", "chosen"), ("quality", "cube", "chosen", "other cube")]
)
def test_join_passes__gives_every_analysis_the_bits_it_has_alone(cells, names, monkeypatch):
    chosen = {name: analyses(cells)[name] for name in names}
    alone = {name: analysis() for name, analysis in chosen.items()}
    walks = []
    walk = joint_walks.walk_counts
    monkeypatch.setattr(joint_walks, "walk_counts", lambda rows, wanted: walks.append(wanted) or walk(rows, wanted))
    together = share_passes(chosen)
    assert len(walks) == 5 * (2 if "other cube" in names else 1), "one walk over a block for all that can share it"
    for name, result in together.items():
        xr.testing.assert_identical(result, alone[name])


def cell_number(rows, columns):
    return rows.shape[0]


def weighted(rows, columns):
    return float(columns["weight"] @ np.asarray(rows.sum(axis=1)).ravel())


def total_count(rows, columns):
    return int(rows.sum())


def total_of(cells):
    return cells.X.compute().sum()


def add(first, second):
    return first + second


def test_join_passes__keeps_names_and_columns_apart(cells):
    ones, twos = np.ones(CELLS), np.full(CELLS, 2.0)
    lazies = [
        reduce_rows(cells.X, Reduction(cell_number, add)),
        reduce_rows(cells.X, Reduction(weighted, add), columns={"weight": ones}),
        reduce_rows(cells.X, Reduction(weighted, add), columns={"weight": twos}),
    ]
    joined = join_passes(lazies)
    assert [each.key for each in joined] == [each.key for each in lazies]
    number, total, double = compute(*lazies)
    assert (number, double) == (CELLS, 2 * total)
    assert total == total_of(cells)


def test_join_passes__reads_every_block_once(cells):
    read = []

    def note(block):
        read.append(block.shape[0])
        return block

    rows = cells.X.map_blocks(note, dtype=np.int32, meta=sp.csr_matrix((0, GENES), dtype=np.int32))
    lazies = [reduce_rows(rows, Reduction(block, add)) for block in (cell_number, total_count)]
    with dask.config.set(scheduler="synchronous"):
        assert compute(*lazies) == (CELLS, total_of(cells))
    assert sorted(read) == [10, 20, 20, 20, 20]


def test_join_passes__leaves_others_as_they_are(cells):
    other = cells.X[:5]
    alone = reduce_rows(cells.X, Reduction(cell_number, add))
    elsewhere = reduce_rows(other, Reduction(cell_number, add))
    array = da.ones(3)
    found = join_passes([alone, array, 7, elsewhere])
    assert found[0] is alone
    assert found[1] is array
    assert found[2:] == [7, elsewhere]


def test_join_passes__computes_the_same_reduction_once(cells):
    first = reduce_rows(cells.X, Reduction(cell_number, add))
    again = reduce_rows(cells.X, Reduction(cell_number, add))
    assert compute(first, again) == (CELLS, CELLS)


def test_join_passes__takes_along_what_an_interrupted_run_has_kept(cells, tmp_path):
    checkpoints = importlib.import_module("chemores_dask.stream.checkpoints")
    with checkpoints.keeping_checkpoints(tmp_path):
        alone = compute(reduce_rows(cells.X, Reduction(cell_number, add)))
        lazies = [reduce_rows(cells.X, Reduction(cell_number, add)), reduce_rows(cells.X, Reduction(total_count, add))]
        assert compute(*lazies) == (alone[0], total_of(cells))
