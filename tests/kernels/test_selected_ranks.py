"""Tests of maximally selected rank statistics."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import norm

from chemores_dask.kernels.selected_ranks import (
    cut_moments,
    cut_statistics,
    log_rank_scores,
    maximum_p_1992,
    maximum_p_1994,
    share_reached,
    shuffled_maxima,
)
from chemores_dask.randomness import spawn

GENERATOR = np.random.default_rng(4)


def test_log_rank_scores__are_events_less_hazard() -> None:
    # Worked by hand: at 1 one of four dies, at 2 one of three (tied with a censored one), at 3 the last.
    scores = log_rank_scores(np.array([2.0, 1.0, 3.0, 2.0]), np.array([True, True, True, False]))
    np.testing.assert_allclose(
        scores, [1 - 1 / 4 - 1 / 3, 1 - 1 / 4, 1 - 1 / 4 - 1 / 3 - 1, -1 / 4 - 1 / 3], rtol=1e-15
    )


def test_cut_moments__are_those_of_all_orders() -> None:
    scores = np.array([0.9, -0.3, 0.4, -1.4, 0.4])
    below = np.array([1, 2, 4])
    mean, deviation = cut_moments(scores, below)
    for cut, m in enumerate(below):
        sums = [sum(order[:m]) for order in permutations(scores)]
        assert mean[cut] == pytest.approx(np.mean(sums), abs=1e-12)
        assert deviation[cut] == pytest.approx(np.std(sums), rel=1e-12)


def test_cut_statistics__standardize_sums_compiled_and_plain() -> None:
    scores = GENERATOR.normal(size=30)
    below = np.array([3, 4, 10, 27])
    mean, deviation = cut_moments(scores, below)
    expected = (np.cumsum(scores)[below - 1] - mean) / deviation
    np.testing.assert_allclose(cut_statistics(scores, below, mean, deviation), expected, rtol=1e-12)
    np.testing.assert_allclose(cut_statistics.python(scores, below, mean, deviation), expected, rtol=1e-12)


def test_shuffled_maxima__have_the_distribution_over_all_orders() -> None:
    scores = np.array([0.9, -0.3, 0.4, -1.4, 0.1, 0.3])
    below = np.array([2, 3, 4])
    mean, deviation = cut_moments(scores, below)
    all_orders = np.array(
        [np.abs(cut_statistics.python(np.array(order), below, mean, deviation)).max() for order in permutations(scores)]
    )
    streams = np.array(spawn(9, 40_000), dtype=np.uint64)
    drawn = shuffled_maxima(scores, below, mean, deviation, streams)
    for limit in np.unique(np.round(all_orders, 9))[::5]:
        share = (all_orders >= limit - 1e-9).mean()
        assert (drawn >= limit - 1e-9).mean() == pytest.approx(
            share, abs=4 * np.sqrt(share * (1 - share) / 40_000) + 1e-12
        )


def test_shuffled_maxima__are_the_same_compiled_and_plain_and_in_parts() -> None:
    scores = np.sort(GENERATOR.normal(size=25))
    below = np.arange(3, 23)
    mean, deviation = cut_moments(scores, below)
    streams = np.array(spawn(1, 40), dtype=np.uint64)
    found = shuffled_maxima(scores, below, mean, deviation, streams)
    with np.errstate(over="ignore"):
        plain = shuffled_maxima.python(scores, below, mean, deviation, streams)
    np.testing.assert_array_equal(found, plain)
    parts = [shuffled_maxima(scores, below, mean, deviation, part) for part in (streams[:7], streams[7:])]
    np.testing.assert_array_equal(found, np.concatenate(parts))


def test_maximum_p_1994__of_one_cut_is_that_of_the_normal_distribution() -> None:
    for statistic in (0.0, 1.0, 2.5, 6.0):
        assert maximum_p_1994(statistic, np.array([7]), 20) == pytest.approx(2 * norm.sf(statistic), rel=1e-12)


def test_maximum_p_1994__bounds_the_gaussian_process() -> None:
    # Statistics along the cut are a Markov process with correlations sqrt(m1 (n - m2) / ((n - m1) m2)).
    n, below = 60, np.arange(6, 55)
    ratio = below / (n - below)
    steps = np.sqrt(np.diff(ratio))
    walk = np.cumsum(
        np.concatenate([np.sqrt(ratio[:1]), steps])[:, None] * GENERATOR.normal(size=(below.size, 40_000)), axis=0
    )
    largest = np.abs(walk / np.sqrt(ratio)[:, None]).max(axis=0)
    for statistic in (2.5, 3.0, 3.5):
        share = (largest >= statistic).mean()
        assert share - 0.002 < maximum_p_1994(statistic, below, n) < 1.7 * share


def test_maximum_p_1992__falls_with_the_statistic_and_the_share() -> None:
    found = [maximum_p_1992(statistic, 0.1) for statistic in (0.5, 1.5, 2.5, 3.5, 9.0, 40.0)]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    assert 0 <= found[-1] < 1e-300
    assert maximum_p_1992(3.0, 0.3) < maximum_p_1992(3.0, 0.1)
    # Published by Lausen and Schumacher: 5 % are reached at 3.0 for the inner 80 % of the patients.
    assert maximum_p_1992(3.02, 0.1) == pytest.approx(0.05, abs=0.005)


def test_share_reached__counts_the_order_found_and_takes_rounding_for_ties() -> None:
    maxima = np.array([1.0, 2.0, 3.0])
    assert share_reached(maxima, 2.0 + 1e-12) == 3 / 4
    assert share_reached(maxima, 9.0) == 1 / 4
