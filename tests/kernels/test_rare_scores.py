"""Splitting: its moves, its chances against many plain draws, and its stated error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chemores_dask.kernels.rare_scores import (
    SAMPLES,
    change_sets,
    exchanged_score,
    number_below,
    rare_chances,
    sets_of_sign,
)
from chemores_dask.kernels.running_sum import extreme_of, random_scores

FLOOR = math.log(1e-10)
both = pytest.mark.parametrize("twin", [lambda kernel: kernel, lambda kernel: kernel.python], ids=["compiled", "plain"])


@pytest.fixture(autouse=True)
def _plain_numbers_wrap():
    with np.errstate(over="ignore"):
        yield


@pytest.fixture(scope="module")
def weights():
    return np.abs(np.sort(np.random.default_rng(7).normal(size=2000))[::-1])


def test_number_below__stays_below():
    found = [number_below(np.uint64(3), np.uint64(position), 7) for position in range(500)]
    assert set(found) == set(range(7))
    assert [number_below.python(np.uint64(3), np.uint64(position), 7) for position in range(20)] == found[:20]


@both
@pytest.mark.parametrize("flat", [False, True])
def test_exchanged_score__is_that_of_the_other_set(twin, flat):
    draws = np.random.default_rng(8)
    values = np.zeros(50) if flat else np.sort(draws.exponential(size=50))[::-1].copy()
    for _ in range(100):
        places = np.sort(draws.choice(50, 9, replace=False))
        leaving, coming = int(draws.integers(9)), int(draws.choice(np.setdiff1d(np.arange(50), places)))
        changed, own = np.empty(9, dtype=np.int64), values[places]
        score = twin(exchanged_score)(places, own, np.delete(own, leaving).sum(), leaving, coming, values, changed)
        expected = np.sort(np.append(np.delete(places, leaving), coming))
        assert changed.tolist() == expected.tolist()
        assert score == pytest.approx(extreme_of(expected, 9, values)[0], abs=1e-12)


@both
def test_change_sets__stays_above_the_level(twin, weights):
    sets, values = np.empty((5, 12), dtype=np.int64), np.empty(5)
    assert sets_of_sign(weights, 1.0, np.uint64(1), sets, values)
    before = sets.copy()
    level = float(np.sort(values)[0])
    twin(change_sets)(weights, 1.0, level, sets, values, np.uint64(2), np.uint64(0))
    assert (values >= level).all()
    assert (before != sets).any(axis=1).all()
    for members, value in zip(sets, values, strict=True):
        assert (np.diff(members) > 0).all()
        assert extreme_of(members, 12, weights)[0] == pytest.approx(value, abs=1e-12)


@both
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sets_of_sign__have_the_sign(twin, weights, sign):
    sets, values = np.empty((5, 12), dtype=np.int64), np.empty(5)
    assert twin(sets_of_sign)(weights, sign, np.uint64(1), sets, values)
    assert (values >= 0).all()
    assert (sign * extreme_of(sets[0], 12, weights)[0]) == values[0]


def test_sets_of_sign__gives_up_where_the_sign_is_too_rare(weights, monkeypatch):
    # As many draws as sets are wanted, of which half have the other sign.
    monkeypatch.setattr("chemores_dask.kernels.rare_scores.MOST_DRAWS", 1)
    sets, values = np.empty((50, 12), dtype=np.int64), np.empty(50)
    assert not sets_of_sign.python(weights, -1.0, np.uint64(4), sets, values)


@pytest.mark.compiled
@pytest.mark.parametrize("size", [5, 40])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rare_chances__are_those_of_many_plain_draws(weights, size, sign):
    plain = np.empty((1, 400_000))
    random_scores(weights, np.array([size]), np.uint64(99), plain)
    own = np.sort(sign * plain[0][(plain[0] >= 0) == (sign > 0)])
    chances_wanted = np.array([0.02, 1e-3, 1e-4])
    targets = own[(own.size * (1 - chances_wanted)).astype(int)]
    repeats = np.empty((10, 3, 2))
    for repeat in range(10):
        assert rare_chances(weights, size, sign, targets, np.uint64(repeat), FLOOR, repeats[repeat])
    mean, error = repeats[:, :, 0].mean(axis=0), np.sqrt(repeats[:, :, 1].mean(axis=0) / 10)
    counted = np.sqrt(1 / (own.size * chances_wanted))  # of log of a count
    assert (np.abs(mean - np.log(chances_wanted)) < 4 * np.hypot(error, counted)).all()
    # The stated error is that of the repeats: the ratio of variances has an F distribution, here within 1/5 and 3.
    ratio = repeats[:, :, 0].var(axis=0, ddof=1) / repeats[:, :, 1].mean(axis=0)
    assert ((ratio > 0.1) & (ratio < 3.5)).all()


def test_rare_chances__of_a_score_do_not_depend_on_others(weights):
    alone, among = np.empty((1, 2)), np.empty((3, 2))
    rare_chances(weights, 20, 1.0, np.array([0.6]), np.uint64(5), FLOOR, alone)
    rare_chances(weights, 20, 1.0, np.array([0.3, 0.6, 0.7]), np.uint64(5), FLOOR, among)
    assert (among[1] == alone[0]).all()
    assert (np.diff(among[:, 0]) < 0).all()


def test_rare_chances__stop_at_the_floor(weights):
    found = np.empty((1, 2))
    assert rare_chances(weights, 40, 1.0, np.array([0.9999]), np.uint64(5), FLOOR, found)
    assert found[0, 0] == FLOOR
    assert found[0, 1] < 200 / SAMPLES


def test_rare_chances__are_the_same_compiled_and_plain(weights):
    compiled, plain = np.empty((2, 2)), np.empty((2, 2))
    targets = np.array([0.5, 0.8])
    rare_chances(weights, 8, -1.0, targets, np.uint64(5), FLOOR, compiled)
    rare_chances.python(weights, 8, -1.0, targets, np.uint64(5), FLOOR, plain)
    np.testing.assert_allclose(compiled, plain, rtol=1e-12)


def test_rare_chances__end_where_scores_cannot_rise():
    # Of four genes that weigh the same, one: scores are 1, 2/3, -2/3 and -1, and half of those above 0 are 1.
    found = np.empty((1, 2))
    assert rare_chances(np.ones(4), 1, 1.0, np.array([1.0]), np.uint64(5), FLOOR, found)
    assert math.exp(found[0, 0]) == pytest.approx(0.5, rel=0.3)
