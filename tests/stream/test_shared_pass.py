"""Several analyses in one pass."""

from __future__ import annotations

import threading
import time

import anndata as ad
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

import chemores_dask as cd
from chemores_dask.errors import CountsError, InterruptedPassError, ParameterError
from chemores_dask.stream.compute import compute
from chemores_dask.stream.rows import map_rows
from chemores_dask.stream.shared_pass import share_passes

READ: list[int] = []


def sums(rows, columns):
    return np.asarray(rows.sum(axis=1), dtype=np.float64)


def largest(rows, columns):
    return rows.max(axis=1).toarray()


def total(cells, kernel=sums):
    return float(compute(map_rows(cells.X, kernel, width=1, dtype=np.float64))[0].sum())


def read(block):
    READ.append(len(block))
    return sp.csr_matrix(block)


@pytest.fixture
def cells():
    """Cells whose reads are noted: 40 cells in blocks of ten, 30 genes, two samples."""
    counts = np.random.default_rng(5).poisson(1.0, (40, 30))
    rows = da.from_array(counts, chunks=(10, 30)).map_blocks(
        read, dtype=np.int64, meta=sp.csr_matrix((0, 30), dtype=np.int64)
    )
    obs = pd.DataFrame({"sample": np.repeat(["a", "b"], 20)}, index=[f"c{n}" for n in range(40)])
    READ.clear()
    return ad.AnnData(X=rows, obs=obs, var=pd.DataFrame(index=[f"g{n}" for n in range(30)]))


def test_share_passes__reads_once_and_gives_what_each_gives_alone(cells):
    alone = {"quality": cd.quality(cells), "cube": cd.cohort_cube(cells, sample="sample")}
    READ.clear()
    shared = share_passes(
        {"quality": lambda: cd.quality(cells), "cube": lambda: cd.cohort_cube(cells, sample="sample")}
    )
    assert READ == [10, 10, 10, 10]
    assert list(shared) == ["quality", "cube"]
    for name, result in shared.items():
        xr.testing.assert_identical(result, alone[name])


def test_share_passes__goes_on_with_those_that_need_more_passes(cells):
    def twice():
        return total(cells) + total(cells)

    shared = share_passes({"one": lambda: total(cells), "two": twice, "none": lambda: 3})
    assert len(READ) == 8
    assert shared["two"] == 2 * shared["one"]
    assert shared["none"] == 3


def test_share_passes__fails_only_for_the_analysis_at_fault(cells):
    done = []
    normalized = cd.log_normalize(cells)
    with pytest.raises(CountsError, match="raw counts"):
        share_passes(
            {
                "good": lambda: done.append(cd.cohort_cube(cells, sample="sample")),
                "bad": lambda: cd.quality(normalized),
            }
        )
    assert done[0]["cube_count_sum"].sum() > 0


def test_share_passes__can_be_nested(cells):
    def inner():
        return share_passes({"a": lambda: total(cells), "b": lambda: total(cells, largest)})

    shared = share_passes({"inner": inner, "outer": lambda: total(cells)})
    assert len(READ) == 4
    assert shared["inner"]["b"] < shared["outer"] == shared["inner"]["a"]


def test_share_passes__takes_nothing():
    assert share_passes({}) == {}


def test_share_passes__refuses_values():
    with pytest.raises(ParameterError, match="wrap each call in a lambda"):
        share_passes({"quality": 3})


def test_share_passes__lets_the_analyses_go_when_the_caller_is_interrupted():
    ended = threading.Event()
    said = []

    def interrupted(block):
        raise KeyboardInterrupt

    def analysis():
        try:
            compute(da.ones(3).map_blocks(interrupted, dtype=float, meta=np.empty(0)))
        except InterruptedPassError as error:
            said.append(str(error))
            raise
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        share_passes({"one": analysis, "two": lambda: compute(da.ones(2).sum())})
    assert ended.wait(5)
    assert "run it again" in said[0]


def test_share_passes__runs_one_analysis_at_a_time():
    inside, most = [], []

    def analysis():
        for _ in range(3):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.001)
            inside.pop()
            compute(da.ones(1).sum())

    share_passes(dict.fromkeys(range(4), analysis))
    assert max(most) == 1
