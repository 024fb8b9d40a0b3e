"""A cube made sample by sample: the same numbers, in whole chunks, in one pass."""

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

from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.errors import BlockTooLargeError, CountsError
from chemores_dask.results_spec import check_result
from chemores_dask.single_cell import lazy_cube as lazy_module
from chemores_dask.single_cell.cohort_cube import RESULT, cohort_cube
from chemores_dask.single_cell.lazy_cube import samples_per_chunk, samples_stand_together
from chemores_dask.store.datasets import chunk_shape
from chemores_dask.store.results import open_result, write_result

cube_module = importlib.import_module("chemores_dask.single_cell.cohort_cube")

SAMPLES, CELLS, GENES = 12, 150, 8


def example(chunks=20, seed=0, read=None, dtype=np.int32):
    random = np.random.default_rng(seed)
    dense = random.negative_binomial(0.4, 0.03, size=(CELLS, GENES)).astype(dtype)

    def block(values):
        if read is not None:
            read.append(len(values))
        return sp.csr_matrix(values)

    rows = da.from_array(dense, chunks=(chunks, GENES)).map_blocks(
        block, dtype=dtype, meta=sp.csr_matrix((0, GENES), dtype=dtype)
    )
    sizes = random.multinomial(CELLS, np.ones(SAMPLES) / SAMPLES)
    names = random.permutation([f"s{n}" for n in range(SAMPLES)])
    obs = pd.DataFrame({"sample": np.repeat(names, sizes), "state": random.choice(["u", "v", "w"], CELLS)})
    obs["patient"] = [f"p{int(name[1:]) // 2}" for name in obs["sample"]]
    obs["stage"] = np.where([int(name[1:]) % 2 for name in obs["sample"]], "relapse", "diagnosis")
    obs.index = [f"c{n}" for n in range(CELLS)]
    return AnnData(rows, obs=obs, var=pd.DataFrame(index=[f"g{n}" for n in range(GENES)]))


@pytest.fixture
def lazily(monkeypatch):
    """Cubes are lazy, three samples to a chunk."""
    monkeypatch.setattr(cube_module, "LAZY_SHARE", 0.0)
    monkeypatch.setattr(lazy_module, "CHUNK_BYTES", 3 * 3 * GENES * 8)


def assert_same(found, expected):
    assert list(found.data_vars) == list(expected.data_vars)
    for name in found.variables:
        if found[name].dtype.kind == "f":
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
        else:
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].dtype == expected[name].dtype


@pytest.mark.parametrize("chunks", [20, 1, 150, (0, 70, 0, 80)])
def test_lazy_cube__has_the_numbers_of_the_dense_one(chunks, request):
    dense = cohort_cube(example(), sample="sample", state="state")
    request.getfixturevalue("lazily")
    lazy = cohort_cube(example(chunks), sample="sample", state="state")
    check_result(RESULT, lazy)
    assert isinstance(lazy["cube_log_sum"].data, da.Array)
    assert lazy["cube_log_sum"].data.chunks == ((3, 3, 3, 3), (3,), (GENES,))
    assert lazy["sample"].values.tolist() == example().obs["sample"].unique().tolist()
    assert_same(lazy.compute(), dense.sel(sample=lazy["sample"].values))


def test_lazy_cube__without_states(request):
    dense = cohort_cube(example(), sample="sample")
    request.getfixturevalue("lazily")
    lazy = cohort_cube(example(), sample="sample")
    assert_same(lazy.compute(), dense.sel(sample=lazy["sample"].values))


def test_lazy_cube__has_the_same_bits_for_any_number_of_workers(lazily):
    found = []
    for scheduler in ({"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 4}):
        with dask.config.set(**scheduler):
            found.append(cohort_cube(example(), sample="sample", state="state").compute())
    assert found[0].identical(found[1])


def test_lazy_cube__is_written_in_one_pass_and_whole_chunks(lazily, tmp_path):
    read = []
    cube = cohort_cube(example(read=read), sample="sample", state="state")
    assert read == []
    write_result(cube, tmp_path / "cohort.zarr", step="cube", fingerprint="0123456789ab")
    assert sum(read) == CELLS
    found = open_result(tmp_path / "cohort.zarr", step="cube", fingerprint="0123456789ab")
    assert_same(found.compute(), cube.compute())


@pytest.mark.parametrize("shape", [(1000, 20, 20_000), (10, 3, 100), (70_000, 1, 5), (40, 1, 60_000), (5, 100, 20_000)])
def test_samples_per_chunk__are_those_of_the_chunks_of_a_store(shape):
    assert samples_per_chunk(*shape) == min(chunk_shape(shape, 8)[0], shape[0]) or shape[0] > 2**16


def test_lazy_cube__serves_the_analyses_of_cohorts(request):
    dense = cohort_cube(example(), sample="sample", state="state")
    request.getfixturevalue("lazily")
    lazy = cohort_cube(example(), sample="sample", state="state")
    dense = dense.sel(sample=lazy["sample"].values)
    xr.testing.assert_identical(pseudobulk(lazy, minimum_cells=1), pseudobulk(dense, minimum_cells=1))
    arguments = {"state": "u", "before": "diagnosis", "after": "relapse"}
    xr.testing.assert_identical(paired_composition(lazy, **arguments), paired_composition(dense, **arguments))


def test_lazy_cube__refuses_what_are_not_counts_when_computed(lazily):
    cells = example(dtype=np.float64)
    cells.X = cells.X * 0.5
    cube = cohort_cube(cells, sample="sample")
    with pytest.raises(CountsError, match="whole numbers"):
        cube.compute()


def test_cohort_cube__is_dense_where_samples_are_mixed(lazily):
    cells = example()
    cells.obs["sample"] = np.tile([f"s{n}" for n in range(10)], 15)
    assert isinstance(cohort_cube(cells, sample="sample")["cube_log_sum"].data, np.ndarray)


def test_cohort_cube__refuses_mixed_samples_that_do_not_fit():
    cells = AnnData(da.zeros((4000, 300_000), chunks=(1, 300_000)))
    cells.obs["sample"] = [f"s{i % 2000}" for i in range(4000)]
    cells.uns["nonzeros_per_cell"] = 1.0
    with pytest.raises(BlockTooLargeError, match=r"2,000 samples .* Sort the cells by sample"):
        cohort_cube(cells, sample="sample")


def test_samples_stand_together__says_whether_a_sample_comes_back():
    assert samples_stand_together(np.array([2, 2, 0, 1, 1]))
    assert not samples_stand_together(np.array([0, 1, 0]))
    assert samples_stand_together(np.zeros(0, dtype=int))
    assert samples_stand_together(np.zeros(3, dtype=int))
