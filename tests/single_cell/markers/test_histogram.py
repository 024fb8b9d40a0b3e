"""Ranks from a stream of cells."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from anndata import AnnData

from chemores_dask.errors import BlockTooLargeError
from chemores_dask.memory import memory_budget
from chemores_dask.single_cell.markers import histogram
from chemores_dask.single_cell.markers.exact import exact_ranks
from chemores_dask.single_cell.markers.histogram import histogram_ranks
from chemores_dask.single_cell.markers.labeled_cells import RankedValues
from chemores_dask.stream.plan import plan_rows
from chemores_dask.stream.rows import as_rows
from tests.held_memory import budget_with_room
from tests.single_cell.markers.labeled_examples import COUNTS, LOGARITHMS, example
from tests.single_cell.markers.test_exact import labeled

SPREAD = RankedValues(None, 10.0, whole=False)


def by_cell(cells, size=50):
    return AnnData(X=as_rows(cells.X, rows_per_block=size), obs=cells.obs, var=cells.var, uns=dict(cells.uns))


def ranks_of(cells, *, values=LOGARITHMS, bins=32):
    return histogram_ranks(cells, labeled(cells), values=values, totals=None, bins=bins)


@pytest.mark.parametrize("bins", [2, 16, 512])
def test_histogram_ranks__stay_within_their_error(bins):
    cells = example()
    exact = exact_ranks(cells, labeled(cells), values=LOGARITHMS, totals=None)
    ranks, error = ranks_of(by_cell(cells), bins=bins)
    assert np.all(np.abs(ranks.doubled - exact.doubled) / 2 <= error)
    assert np.array_equal(ranks.detected, exact.detected)
    np.testing.assert_allclose(ranks.sums, exact.sums, rtol=1e-12)


def spread_cells(cells=3000):
    """Values that are all different, below 10."""
    found = example(cells, 6)
    found.X = found.X.astype(np.float64)
    found.X.data = np.random.default_rng(3).uniform(0.01, 9.9, found.X.nnz)
    return found


def test_histogram_ranks__are_nearer_with_more_bins():
    errors = [ranks_of(spread_cells(), values=SPREAD, bins=bins)[1].max() for bins in (4, 32, 256)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 0


def test_histogram_ranks__keep_the_error_that_the_documentation_states():
    cells = spread_cells()
    groups = labeled(cells)
    ranks, error = ranks_of(cells, values=SPREAD, bins=20)
    size = groups.grouped.group_cells[:, None].astype(float)
    rest = groups.grouped.cells - size
    stated = ranks.detected / size * groups.grouped.cells / (2 * 20 * rest)
    # Levels are narrow enough for so few bins.
    assert np.all(error / (size * rest) <= stated)


def test_histogram_ranks__of_counts_are_exact():
    cells = example()
    exact = exact_ranks(cells, labeled(cells), values=COUNTS, totals=None)
    ranks, error = ranks_of(by_cell(cells), values=COUNTS, bins=10**6)
    assert error.max() == 0
    assert np.array_equal(ranks.doubled, exact.doubled)


def test_histogram_ranks__are_the_same_in_several_passes(monkeypatch):
    cells = by_cell(example())
    whole, whole_error = ranks_of(cells)
    ranges = histogram._ranges

    def smaller(plan, gene_bytes):
        ranges(plan, gene_bytes)
        return [(0, 1), (1, 18), (18, 30)]

    monkeypatch.setattr(histogram, "_ranges", smaller)
    parts, parts_error = ranks_of(cells)
    for name in ("doubled", "ties", "detected", "sums"):
        assert getattr(parts, name).tobytes() == getattr(whole, name).tobytes(), name
    assert parts_error.tobytes() == whole_error.tobytes()


def test_ranges__split_genes_until_their_tables_fit():
    rows = by_cell(example()).X
    gene_bytes = np.full(30, 20_000_000)
    with memory_budget(budget_with_room("40GB")):
        assert histogram._ranges(plan_rows(rows), gene_bytes) == [(0, 30)]
    with dask.config.set(num_workers=1), memory_budget(budget_with_room("500MB")):
        found = histogram._ranges(plan_rows(rows), gene_bytes)
    assert len(found) > 1
    assert [first for first, _ in found] == [0] + [last for _, last in found[:-1]]
    assert found[-1][1] == 30
    with memory_budget("50MB"), pytest.raises(BlockTooLargeError, match="a budget of at least"):
        histogram._ranges(plan_rows(rows), gene_bytes)


@pytest.mark.parametrize("size", [1, 7, 240])
def test_histogram_ranks__do_not_depend_on_blocks(size):
    cells = example()
    whole, error = ranks_of(cells)
    found, found_error = ranks_of(by_cell(cells, size))
    assert np.array_equal(found.doubled, whole.doubled)
    assert np.array_equal(found_error, error)
    np.testing.assert_allclose(found.sums, whole.sums, rtol=1e-12)


def test_histogram_ranks__have_the_same_bits_for_any_workers():
    cells = by_cell(example(), 7)
    outcomes = set()
    for settings in ({"scheduler": "synchronous"}, {"scheduler": "threads", "num_workers": 4}):
        with dask.config.set(**settings):
            ranks, error = ranks_of(cells)
        outcomes.add((ranks.doubled.tobytes(), ranks.sums.tobytes(), error.tobytes()))
    assert len(outcomes) == 1


def test_histogram_ranks__take_empty_blocks():
    cells = example()
    pieces = [as_rows(cells.X[start:stop]) for start, stop in ((0, 0), (0, 100), (100, 100), (100, 240))]
    ragged = AnnData(X=da.concatenate(pieces, axis=0), obs=cells.obs, var=cells.var)
    assert np.array_equal(ranks_of(ragged)[0].doubled, ranks_of(cells)[0].doubled)
