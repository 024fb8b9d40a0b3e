"""Areas under recovery curves: against a twin that sorts, against the mean over all orders of ties, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.errors import InputError
from chemores_dask.kernels.recovery_areas import (
    OrderSpace,
    TieDraws,
    add_recovery_areas,
    add_zeros,
    begin_levels,
    drawn_place,
    order_values,
    recovery_areas,
    scrambled,
    share_of,
)
from chemores_dask.kernels.row_ranks import rank_space
from chemores_dask.kernels.set_ranks import SetColumns, longest_row
from chemores_dask.randomness import GOLDEN_GAMMA, cell_keys, mix

ROWS, WIDTH = 12, 40
COLUMNS = [np.array([0, 4, 7, 21, 39]), np.array([7, 2, 11, 3]), np.array([5])]
SETS = SetColumns.from_lists(COLUMNS, width=WIDTH)


def draws_of(rows: int, *, seed: int = 0) -> TieDraws:
    names = np.array([f"gene{i}" for i in range(WIDTH)])
    streams = mix(cell_keys(f"{seed}:{i}" for i in range(rows)))
    return TieDraws(streams, cell_keys(names), np.argsort(names))


def rows_of(kind: str) -> sp.csr_matrix:
    generator = np.random.default_rng(5)
    dense = generator.poisson(0.6, (ROWS, WIDTH)).astype(np.int32)
    dense[4] = 0
    dense[5] = 3
    if kind == "counts":
        return sp.csr_matrix(dense)
    if kind == "explicit zeros":
        indptr = np.arange(0, ROWS * WIDTH + 1, WIDTH)
        return sp.csr_matrix((dense.ravel(), np.tile(np.arange(WIDTH), ROWS), indptr))
    if kind == "logarithms":
        return sp.csr_matrix(np.log1p(dense).astype(np.float32))
    if kind == "below zero":
        return sp.csr_matrix(dense - 2 * (generator.random((ROWS, WIDTH)) < 0.7))
    return sp.csr_matrix(generator.normal(size=(ROWS, WIDTH)))


def ranking(values: np.ndarray, stream: np.uint64, draws: TieDraws) -> np.ndarray:
    """Ranks of one row from 1: ties by draws of the genes, zeros by the turn in which they are drawn."""
    with np.errstate(over="ignore"):
        tie = mix(draws.keys ^ stream).astype(object)
        turns = mix(mix(np.array([stream]))[0] + np.arange(1, 4000, dtype=np.uint64) * GOLDEN_GAMMA)
    named = draws.order[((turns >> np.uint64(32)) * np.uint64(len(values)) >> np.uint64(32)).astype(int)]
    for gene in np.flatnonzero(values == 0):
        tie[gene] = int(np.flatnonzero(named == gene)[0])
    ranks = np.empty(len(values), dtype=int)
    ranks[sorted(range(len(values)), key=lambda gene: (-values[gene], tie[gene]))] = np.arange(1, len(values) + 1)
    return ranks


def areas_of(ranks: np.ndarray, last_rank: int) -> list[float]:
    """The published sums over the steps of the curves."""
    areas = []
    for columns in COLUMNS:
        inside = np.sort(ranks[columns][ranks[columns] < last_rank])
        areas.append(float(np.sum(np.diff(np.append(inside, last_rank)) * np.arange(1, len(inside) + 1))))
    return areas


@pytest.mark.parametrize("last_rank", [2, 9, 40])
@pytest.mark.parametrize("kind", ["counts", "explicit zeros", "logarithms", "below zero", "dense"])
def test_recovery_areas__equal_the_curves_of_a_sorted_row(kind, last_rank):
    rows = rows_of(kind)
    draws = draws_of(ROWS)
    found = recovery_areas(rows, SETS, draws, last_rank=last_rank)
    expected = [
        areas_of(ranking(values, stream, draws), last_rank)
        for values, stream in zip(rows.toarray(), draws.streams, strict=True)
    ]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["counts", "below zero"])
def test_recovery_areas__are_those_of_any_order_of_ties_on_average(kind):
    row = rows_of(kind)[0]
    values = row.toarray()[0]
    last_rank, repeats = 15, 4000
    found = recovery_areas(sp.vstack([row] * repeats).tocsr(), SETS, draws_of(repeats, seed=1), last_rank=last_rank)
    for column, genes in enumerate(COLUMNS):
        expected = 0.0
        for gene in genes:
            above, equal = (values > values[gene]).sum(), (values == values[gene]).sum()
            expected += np.maximum(last_rank - np.arange(above + 1, above + equal + 1), 0).mean()
        error = found[:, column].std() / np.sqrt(repeats)
        assert abs(found[:, column].mean() - expected) <= 4 * error + 1e-9


def test_recovery_areas__agree_with_their_plain_twins():
    rows = rows_of("below zero")
    draws = draws_of(ROWS)
    longest = longest_row(rows)
    space = OrderSpace(
        begins=np.empty(longest, dtype=np.int64),
        fallen=np.empty(longest + 1, dtype=np.int64),
        draws=np.empty(longest, dtype=np.uint64),
        buckets=np.empty(longest, dtype=np.int64),
        ordered=np.empty(longest, dtype=np.uint64),
        stamps=np.full(WIDTH, -1, dtype=np.int64),
    )
    areas = np.zeros((ROWS, 3))
    sets = (SETS.starts, SETS.members)
    arguments = (rows.data, rows.indices, rows.indptr, sets, draws, 20, rank_space(longest), space, areas)
    with np.errstate(over="ignore"):
        assert add_recovery_areas.python(*arguments) == -1
    np.testing.assert_array_equal(areas, recovery_areas(rows, SETS, draws, last_rank=20))
    broken = rows.data.astype(float)
    broken[0] = np.nan
    assert add_recovery_areas.python(broken, *arguments[1:]) == 0


def test_parts_of_recovery_areas__agree_with_their_plain_twins():
    draws = draws_of(1)
    levels = rank_space(6)
    levels.levels[:3], levels.counts[:3] = [2.0, -1.0, 5.0], [3, 2, 1]
    levels.level_of[:] = [0, 1, 0, 2, 0, 1]
    found = []
    for begin, order, add in (
        (begin_levels, order_values, add_zeros),
        (begin_levels.python, order_values.python, add_zeros.python),
    ):
        space = OrderSpace(
            *(np.zeros(size, dtype=kind) for size, kind in zip((3, 7, 6, 6, 6, WIDTH), "llQlQl", strict=True))
        )
        space.stamps[:] = -1
        positive, nonzero = begin(levels, 3, space.begins)
        assert (positive, nonzero, space.begins.tolist()) == (4, 6, [1, 4, 0])
        order(np.arange(6), levels, draws.streams[0], draws.keys, 30, 34, positive, space)
        areas = np.zeros((1, 3))
        add(0, 4, 30, 31, draws, SETS.starts, SETS.members, space.stamps, areas)
        found.append([space.fallen, space.ordered, space.buckets, space.stamps, areas])
    for compiled, plain in zip(*found, strict=True):
        np.testing.assert_array_equal(compiled, plain)
    # Negative levels begin behind the zeros, and so behind what is needed.
    assert found[0][2].tolist()[1] == -1


def test_draws__are_those_of_the_package():
    values = np.array([0, 1, 2**63, 2**64 - 1], dtype=np.uint64)
    with np.errstate(over="ignore"):
        for value, expected in zip(values, mix(values), strict=True):
            assert int(scrambled(value)) % 2**64 == scrambled.python(value) == expected
            assert share_of(value, 10) == share_of.python(value, 10) == int(value) * 10 >> 64
            assert drawn_place(value, 7, 99) == drawn_place.python(value, 7, 99)


def test_recovery_areas__do_not_depend_on_the_order_of_genes():
    rows = rows_of("counts")
    draws = draws_of(ROWS)
    expected = recovery_areas(rows, SETS, draws, last_rank=25)
    order = np.random.default_rng(1).permutation(WIDTH)
    places = np.argsort(order)
    sets = SetColumns.from_lists([places[columns] for columns in COLUMNS], width=WIDTH)
    moved = TieDraws(draws.streams, draws.keys[order], places[draws.order])
    shuffled = sp.csr_matrix(rows.toarray()[:, order])
    np.testing.assert_array_equal(recovery_areas(shuffled, sets, moved, last_rank=25), expected)


def test_recovery_areas__refuse_what_cannot_be_ranked():
    rows = rows_of("logarithms")
    rows.data[5] = np.nan
    with pytest.raises(InputError, match="missing or infinite"):
        recovery_areas(rows, SETS, draws_of(ROWS), last_rank=5)
