"""Ranks from genes across all cells."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData

from chemores_dask.errors import BlockTooLargeError, InputError
from chemores_dask.kernels.rank_sums import rank_sums
from chemores_dask.memory import memory_budget
from chemores_dask.metering import BLOCKS_DECODED, count, difference, snapshot
from chemores_dask.single_cell.markers.exact import exact_ranks, gene_rows
from chemores_dask.single_cell.markers.labeled_cells import label_cells
from tests.single_cell.markers.labeled_examples import COUNTS, LOGARITHMS, example


def counted(block):
    count(**{BLOCKS_DECODED: 1})
    return block


def by_gene(cells, size=7):
    """The same cells in blocks of whole genes, as a store gives them."""
    columns = sp.csc_matrix(cells.X)
    starts = range(0, cells.n_vars, size)
    blocks = [da.from_array(columns[:, start : start + size], chunks=-1, asarray=False) for start in starts]
    lazy = da.concatenate(blocks, axis=1).map_blocks(
        counted, dtype=columns.dtype, meta=sp.csc_matrix((0, 0), dtype=columns.dtype)
    )
    return AnnData(X=lazy, obs=cells.obs, var=cells.var, uns=dict(cells.uns))


def labeled(cells):
    return label_cells(cells, group="label", patient="patient")


def same_bits(first, second):
    return all(
        getattr(first, name).tobytes() == getattr(second, name).tobytes()
        for name in ("doubled", "ties", "detected", "sums")
    )


def test_exact_ranks__are_those_of_the_kernel():
    cells = example()
    groups = labeled(cells)
    found = exact_ranks(by_gene(cells), groups, values=COUNTS, totals=None)
    assert same_bits(found, rank_sums(sp.csr_matrix(cells.X.T), groups.grouped))


@pytest.mark.parametrize("values", [LOGARITHMS, COUNTS])
def test_exact_ranks__have_the_same_bits_for_any_blocks_and_workers(values):
    cells = example()
    whole = exact_ranks(cells, labeled(cells), values=values, totals=None)
    for size in (1, 7, 30):
        for settings in ({"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 4}):
            with dask.config.set(**settings):
                found = exact_ranks(by_gene(cells, size), labeled(cells), values=values, totals=None)
            assert same_bits(found, whole)


def test_exact_ranks__read_once_where_totals_are_known():
    cells = example()
    totals = np.asarray(cells.X.sum(axis=1), dtype=np.float64).ravel()
    lazy = by_gene(cells, 10)
    before = snapshot()
    given = exact_ranks(lazy, labeled(cells), values=LOGARITHMS, totals=totals)
    once = difference(before, snapshot())[BLOCKS_DECODED]
    summed = exact_ranks(lazy, labeled(cells), values=LOGARITHMS, totals=None)
    assert once == 3
    assert difference(before, snapshot())[BLOCKS_DECODED] == 9
    assert same_bits(given, summed)


def test_exact_ranks__do_not_need_totals_of_values_as_they_are():
    cells = example()
    first = exact_ranks(cells, labeled(cells), values=COUNTS, totals=None)
    assert same_bits(first, exact_ranks(cells, labeled(cells), values=COUNTS, totals=np.ones(cells.n_obs)))


def test_gene_rows__turns_matrices_of_any_kind():
    cells = example()
    wanted = cells.X.toarray().T
    for matrix in (cells.X, sp.csc_array(cells.X), cells.X.toarray(), by_gene(cells).X):
        found = gene_rows(AnnData(X=matrix, obs=cells.obs, var=cells.var))
        assert found.shape == wanted.shape
        assert np.array_equal(found.compute().toarray(), wanted)


def test_gene_rows__turns_half_precision_that_scipy_does_not_know():
    values = np.arange(12).reshape(4, 3).astype(np.float16)
    turned = gene_rows(AnnData(values)).compute()
    assert turned.dtype == np.float32
    assert np.array_equal(turned.toarray(), values.T)


def test_gene_rows__refuses_blocks_of_cells_and_says_what_to_do():
    cells = example()
    lazy = da.from_array(cells.X.toarray(), chunks=(50, -1)).map_blocks(sp.csr_matrix)
    rows = AnnData(X=lazy, obs=cells.obs, var=cells.var, uns={"store": "/data/cohort.zarr"})
    with pytest.raises(
        InputError, match=r"in 5 blocks of cells; run: chemores by-gene /data/cohort.zarr .*method=\"histogram\""
    ):
        gene_rows(rows)


def test_exact_ranks__refuse_what_does_not_fit():
    cells = by_gene(example())
    with memory_budget("50MB"), pytest.raises(BlockTooLargeError, match="a budget of at least"):
        exact_ranks(cells, labeled(cells), values=COUNTS, totals=None)
