"""How analyses look at the cells."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import BlockTooLargeError, InputError
from chemores_dask.scores.module_score import module_score
from chemores_dask.single_cell.cell_rows import check_cells, labels_of, planned_rows
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.testing.nouns import SIGNATURE


def test_planned_rows__takes_lazy_sparse_and_dense_matrices():
    dense = np.random.default_rng(0).poisson(1.0, (20, 6))
    lazy = da.from_array(dense, chunks=(7, 6)).map_blocks(sp.csr_matrix)
    for matrix in (dense, sp.csr_matrix(dense), sp.csc_array(dense), lazy):
        rows, plan = planned_rows(AnnData(matrix), caller="this test")
        assert rows.shape == (20, 6)
        assert plan.fits
        np.testing.assert_array_equal(sp.csr_matrix(rows.compute()).toarray(), dense)


def test_planned_rows__does_not_take_a_sparse_matrix_in_memory_for_a_dense_one():
    wide = sp.csr_matrix((np.ones(1000, np.int32), (np.arange(1000), np.arange(1000))), shape=(200_000, 30_000))
    _, plan = planned_rows(AnnData(wide), caller="this test")
    assert plan.block_bytes < 10_000_000


def test_planned_rows__refuses_what_does_not_fit():
    cells = AnnData(da.zeros((1_000_000, 300_000), chunks=(1_000_000, 300_000)))
    with pytest.raises(BlockTooLargeError, match="must fit into memory"):
        planned_rows(cells, caller="this test")


def test_planned_rows__refuses_cells_without_a_matrix():
    with pytest.raises(InputError, match="this test needs a matrix"):
        planned_rows(AnnData(obs=pd.DataFrame(index=["a"])), caller="this test")


def test_labels_of__makes_objects():
    assert labels_of(pd.Index(["a", "b"])).dtype == object


@pytest.mark.parametrize("wrong", ["cohort.zarr", np.eye(3), None])
def test_check_cells__refuses_what_is_not_cells(wrong):
    with pytest.raises(InputError, match=r"needs cells as AnnData\..*open_cells"):
        check_cells(wrong, caller="this test")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (quality, {}),
        (log_normalize, {}),
        (variable_genes, {"method": "seurat"}),
        (pca, {}),
        (module_score, {"gene_sets": SIGNATURE, "method": "seurat", "seed": 1}),
        (cohort_cube, {"sample": "sample"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_check_cells__stands_first_in_every_analysis(function, parameters):
    with pytest.raises(InputError, match=f"{function.__name__} needs cells as AnnData"):
        function("cohort.zarr", **parameters)
