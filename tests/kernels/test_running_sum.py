"""The running sum: by hand, compiled and plain, against a sum over all genes; random sets and their draws."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.running_sum import draw_places, extreme_of, random_scores, running_sum, set_scores

both = pytest.mark.parametrize("twin", [lambda kernel: kernel, lambda kernel: kernel.python], ids=["compiled", "plain"])


@pytest.fixture(autouse=True)
def _plain_numbers_wrap():
    with np.errstate(over="ignore"):
        yield


def _random_set(draws, genes=60):
    size = int(draws.integers(1, genes - 1))
    return np.sort(draws.choice(genes, size, replace=False)), np.sort(draws.exponential(size=genes))[::-1].copy()


@both
def test_extreme_of__is_what_one_finds_by_hand(twin):
    # Five genes with weights 3 2 1 1 2; the set holds the first and the third: up 3/4, down 1/3, up 1/4, down 1/3 twice.
    weights = np.array([3.0, 2.0, 1.0, 1.0, 2.0])
    assert twin(extreme_of)(np.array([0, 2]), 2, weights) == (0.75, 0)
    # The last two: down 1/3 three times, then up.
    score, turn = twin(extreme_of)(np.array([3, 4]), 2, weights)
    assert score == pytest.approx(-1.0)
    assert turn == 0


@both
def test_extreme_of__is_that_of_the_whole_running_sum(twin):
    draws = np.random.default_rng(1)
    for _ in range(50):
        places, weights = _random_set(draws)
        whole = running_sum(places, weights)
        score, turn = twin(extreme_of)(places, places.size, weights)
        expected = whole.max() if whole.max() > -whole.min() else whole.min()
        assert score == pytest.approx(expected, abs=1e-12)
        reached = places[turn] if score > 0 else places[turn] - 1
        assert whole[reached] == pytest.approx(expected, abs=1e-12)


@both
def test_extreme_of__is_0_where_the_sum_goes_as_far_up_as_down(twin):
    # One gene in the middle of five: down to -1/2, up to 1/2.
    assert twin(extreme_of)(np.array([2]), 1, np.ones(5)) == (0.0, -1)


@both
def test_extreme_of__counts_members_alike_where_none_weighs_anything(twin):
    weights = np.array([5.0, 0.0, 0.0, 4.0])
    assert twin(extreme_of)(np.array([1, 2]), 2, weights) == twin(extreme_of)(np.array([1, 2]), 2, np.ones(4))


def test_running_sum__ends_at_0():
    places, weights = _random_set(np.random.default_rng(2))
    assert running_sum(places, weights)[-1] == pytest.approx(0, abs=1e-12)
    assert running_sum(np.array([1, 2]), np.array([5.0, 0.0, 0.0, 4.0])).tolist() == [-0.5, 0.0, 0.5, 0.0]


@both
@pytest.mark.parametrize("size", [1, 7, 63, 64, 130])
def test_draw_places__draws_different_genes_in_order(twin, size):
    words, places = np.zeros(3, dtype=np.uint64), np.empty(130, dtype=np.int64)
    twin(draw_places)(np.uint64(5), 130, size, words, places)
    drawn = places[:size]
    assert (np.diff(drawn) > 0).all()
    assert drawn[0] >= 0
    assert drawn[-1] < 130
    assert not words.any()


def test_draw_places__draws_every_gene_as_often():
    words, places, counts = np.zeros(2, dtype=np.uint64), np.empty(20, dtype=np.int64), np.zeros(100)
    for stream in range(20_000):
        draw_places(np.uint64(stream * 7919), 100, 20, words, places)
        counts[places] += 1
    # Each gene comes 4,000 times, with a standard deviation of 57.
    assert abs(counts - 4000).max() < 5 * np.sqrt(20_000 * 0.2 * 0.8)


def test_random_scores__are_the_same_compiled_and_plain():
    weights = np.sort(np.random.default_rng(3).exponential(size=90))[::-1].copy()
    sizes = np.array([1, 4, 80])
    compiled, plain = np.empty((3, 12)), np.empty((3, 12))
    random_scores(weights, sizes, np.uint64(11), compiled)
    random_scores.python(weights, sizes, np.uint64(11), plain)
    assert (compiled == plain).all()


def test_random_scores__of_a_size_do_not_depend_on_other_sizes():
    weights = np.sort(np.random.default_rng(4).exponential(size=90))[::-1].copy()
    alone, among = np.empty((1, 9)), np.empty((3, 9))
    random_scores(weights, np.array([7]), np.uint64(1), alone)
    random_scores(weights, np.array([3, 7, 9]), np.uint64(1), among)
    assert (among[1] == alone[0]).all()


def test_random_scores__of_one_gene_have_a_known_distribution():
    # One gene at place p of N: highest 1 - p / (N - 1), lowest -p / (N - 1); the score is above 0 for half of the places.
    scores = np.empty((1, 4000))
    random_scores(np.ones(101), np.array([1]), np.uint64(6), scores)
    assert set(np.unique(np.round(np.abs(scores) * 100)).astype(int)) <= {0, *range(51, 101)}
    assert (scores > 0).mean() == pytest.approx(50 / 101, abs=5 * np.sqrt(0.25 / 4000))


@both
def test_set_scores__are_those_of_each_set(twin):
    weights = np.array([3.0, 2.0, 1.0, 1.0, 2.0])
    scores, turns = np.empty(2), np.empty(2, dtype=np.int64)
    twin(set_scores)(weights, np.array([0, 2, 4]), np.array([0, 2, 3, 4]), scores, turns)
    np.testing.assert_allclose(scores, [0.75, -1.0])
    assert turns.tolist() == [0, 0]
