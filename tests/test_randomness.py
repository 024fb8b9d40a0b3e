"""Random numbers: known values, uniform, independent, and bound to seed and cell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chemores_dask.randomness import (
    GOLDEN_GAMMA,
    cell_keys,
    cell_uniforms,
    deal_folds,
    drawn_cells,
    mix,
    random_order,
    spawn,
)

# Outputs of the published SplitMix64 generator for the seeds 0 and 1234567.
SPLITMIX_0 = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
SPLITMIX_1234567 = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def counters(seed, number):
    with np.errstate(over="ignore"):
        return np.uint64(seed) + np.arange(1, number + 1, dtype=np.uint64) * GOLDEN_GAMMA


@pytest.mark.parametrize(("seed", "expected"), [(0, SPLITMIX_0), (1234567, SPLITMIX_1234567)])
def test_mix__of_a_counter_is_the_published_generator(seed, expected):
    assert mix(counters(seed, len(expected))).tolist() == expected


def test_mix__is_a_bijection_on_a_sample():
    values = np.arange(200_000, dtype=np.uint64)
    assert len(np.unique(mix(values))) == len(values)


def test_mix__changes_half_of_the_bits_when_one_changes():
    values = mix(np.arange(1, 2001, dtype=np.uint64))
    for bit in (0, 1, 17, 31, 32, 63):
        flipped = mix(values ^ np.uint64(1 << bit)) ^ mix(values)
        changed = np.unpackbits(flipped.view(np.uint8)).reshape(len(values), 64)
        assert changed.mean() == pytest.approx(0.5, abs=0.01)
        assert np.abs(changed.mean(axis=0) - 0.5).max() < 0.07


def test_mix__keeps_shape_and_input():
    values = np.arange(6, dtype=np.uint64).reshape(2, 3)
    assert mix(values).shape == (2, 3)
    np.testing.assert_array_equal(values, np.arange(6, dtype=np.uint64).reshape(2, 3))


def test_cell_keys__fixed_values():
    # First eight bytes of BLAKE2b with an eight-byte digest, little-endian.
    assert cell_keys(["D1:AAACCTGAGAAACCAT", "é", ""]).tolist() == [
        12391790435647156760,
        3394012004367669963,
        13020603013274838756,
    ]


def test_cell_keys__differ_between_many_names():
    names = [f"sample{i % 7}:{i:016d}" for i in range(50_000)]
    keys = cell_keys(names)
    assert keys.dtype == np.uint64
    assert len(np.unique(keys)) == len(names)
    assert len(cell_keys([])) == 0


def test_cell_uniforms__fixed_values():
    # Computed once with Python's own integers.
    found = cell_uniforms(7, np.array([0, 1, 2**63], dtype=np.uint64), 2)
    assert found.tolist() == [
        [0.7057653734953507, 0.4368036241616128],
        [0.39354568948935553, 0.9966961463138019],
        [0.8680646531962747, 0.7065426540658164],
    ]


@pytest.mark.parametrize("keys", [np.arange(20_000, dtype=np.uint64), cell_keys(f"cell{i}" for i in range(20_000))])
@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_cell_uniforms__are_uniform_for_counted_and_hashed_keys(keys, seed):
    draws = cell_uniforms(seed, keys, 5)
    assert draws.min() >= 0
    assert draws.max() < 1
    for column in range(5):
        assert stats.kstest(draws[:, column], "uniform").pvalue > 1e-4
    counts = np.histogram(draws, bins=100, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > 1e-4


def test_cell_uniforms__are_independent_across_cells_draws_and_seeds():
    keys = np.arange(50_000, dtype=np.uint64)
    draws = cell_uniforms(3, keys, 3)
    other = cell_uniforms(4, keys, 1)[:, 0]
    pairs = {
        "draws": (draws[:, 0], draws[:, 1]),
        "distant draws": (draws[:, 0], draws[:, 2]),
        "neighbors": (draws[:-1, 0], draws[1:, 0]),
        "diagonal": (draws[:-1, 1], draws[1:, 0]),
        "seeds": (draws[:, 0], other),
    }
    for name, (first, second) in pairs.items():
        table = np.histogram2d(first, second, bins=8, range=[[0, 1], [0, 1]])[0]
        assert stats.chisquare(table.ravel()).pvalue > 1e-4, name


def test_cell_uniforms__belong_to_the_cell():
    keys = cell_keys(f"cell{i}" for i in range(100))
    whole = cell_uniforms(5, keys, 4)
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(cell_uniforms(5, keys[order], 4), whole[order])
    np.testing.assert_array_equal(
        np.concatenate([cell_uniforms(5, keys[:33], 4), cell_uniforms(5, keys[33:], 4)]), whole
    )
    np.testing.assert_array_equal(cell_uniforms(5, keys, 2), whole[:, :2])


def test_cell_uniforms__take_any_seed_and_no_cells():
    keys = np.array([1, 2], dtype=np.uint64)
    np.testing.assert_array_equal(cell_uniforms(-1, keys), cell_uniforms(2**64 - 1, keys))
    assert cell_uniforms(0, np.empty(0, dtype=np.uint64), 3).shape == (0, 3)
    assert cell_uniforms(0, keys, 0).shape == (2, 0)


def test_spawn__halves_the_published_generator():
    assert spawn(0, 3) == [value >> 1 for value in SPLITMIX_0]


def test_spawn__lengthens_without_change():
    assert spawn(9, 5)[:2] == spawn(9, 2)
    assert spawn(9, 0) == []


def test_spawn__gives_different_seeds_within_range():
    seeds = [child for parent in range(200) for child in spawn(parent, 50)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 and type(seed) is int for seed in seeds)
    assert spawn(-1, 2) == spawn(2**64 - 1, 2)


@pytest.mark.parametrize(("cells", "wanted"), [(10, 20), (10, 10), (1000, 400), (10**9, 500), (5, 0)])
def test_drawn_cells__are_different_and_follow_the_seed(cells, wanted):
    drawn = drawn_cells(cells, wanted, seed=5)
    assert len(drawn) == len(set(drawn.tolist())) == min(cells, wanted)
    assert len(drawn) == 0 or (drawn.min() >= 0 and drawn.max() < cells)
    assert np.array_equal(drawn, drawn_cells(cells, wanted, seed=5))
    if wanted > 100:
        assert not np.array_equal(drawn, drawn_cells(cells, wanted, seed=6))


def test_drawn_cells__come_from_everywhere():
    drawn = drawn_cells(1000, 900, seed=1)
    assert abs(np.mean(drawn[:300]) - 500) < 50
    far = drawn_cells(10**6, 3000, seed=1)
    assert abs(np.mean(far) - 5e5) < 3e4


def test_random_order__holds_every_row_once_and_grows_by_inserting():
    short, long = random_order(50, seed=3), random_order(80, seed=3)
    assert sorted(long.tolist()) == list(range(80))
    assert long[long < 50].tolist() == short.tolist()
    assert short.tolist() != random_order(50, seed=4).tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.uint64])
def test_seeds__of_numpy_draw_as_those_of_python(kind):
    assert spawn(kind(7), 3) == spawn(7, 3)
    assert np.array_equal(cell_uniforms(kind(7), cell_keys(["a", "b"])), cell_uniforms(7, cell_keys(["a", "b"])))


def test_deal_folds__are_even_and_belong_to_names():
    names = np.array([f"P{number}" for number in range(17)], dtype=object)
    folds = deal_folds(names, folds=5, seed=4)
    assert sorted(np.bincount(folds)[1:].tolist()) == [3, 3, 3, 4, 4]
    order = np.random.default_rng(0).permutation(17)
    assert np.array_equal(deal_folds(names[order], folds=5, seed=4), folds[order])
    assert not np.array_equal(deal_folds(names, folds=5, seed=5), folds)
