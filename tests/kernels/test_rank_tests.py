"""Rank tests against R, SciPy, coin and full enumeration."""

from __future__ import annotations

import json
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from chemores_dask.kernels.rank_tests import (
    differences_up_to,
    rank_sum_test,
    ranked_difference,
    shift_between,
    smallest_p_value,
    tie_sizes,
    trend_test,
)


def higher_pairs(first, second):
    return float((second[:, None] > first).sum() + 0.5 * (second[:, None] == first).sum())


def enumerated_rank_sum(first, second):
    pooled = np.concatenate([first, second])
    center = first.size * second.size / 2
    distances = []
    for chosen in combinations(range(pooled.size), first.size):
        inside = np.isin(np.arange(pooled.size), chosen)
        distances.append(abs(higher_pairs(pooled[inside], pooled[~inside]) - center))
    observed = abs(higher_pairs(first, second) - center)
    distances = np.array(distances)
    return (distances >= observed - 1e-9).mean(), (distances >= distances.max() - 1e-9).mean()


def trend_statistic(values, codes):
    groups = [values[codes == code] for code in np.unique(codes)]
    return sum(higher_pairs(a, b) for a, b in combinations(groups, 2))


def enumerated_trend(values, codes):
    found = np.array([trend_statistic(np.array(order), codes) for order in set(permutations(values))])
    distances = np.abs(found - found.mean())
    return (distances >= abs(trend_statistic(values, codes) - found.mean()) - 1e-9).mean(), (
        distances >= distances.max() - 1e-9
    ).mean()


def test_rank_sum_test__equals_r(reference_folder):
    cases = json.loads((reference_folder / "reference" / "stats" / "cases.json").read_text())["wilcox"]
    compared = 0
    for case in cases:
        first, second = (np.array(case[name], dtype=float) for name in ("y", "x"))
        if case["paired"] or case["alternative"] != "two.sided" or np.isnan([*first, *second]).any():
            continue
        found = rank_sum_test(first, second)
        assert found.statistic == case["W"]
        # With ties R has no exact P; the normal one is used here from 50 patients on, as there.
        if found.exact == case["exact_used"] and (case["correct"] or found.exact):
            assert found.p_value == pytest.approx(case["p"], rel=1e-12)
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("seed", range(6))
def test_rank_sum_test__equals_enumeration_with_and_without_ties(seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 4, 9) if seed % 2 else generator.normal(size=9)
    first, second = values[: 3 + seed % 3].astype(float), values[3 + seed % 3 :].astype(float)
    found = rank_sum_test(first, second)
    assert found.exact
    p_value, minimum = enumerated_rank_sum(first, second)
    assert found.p_value == pytest.approx(p_value, rel=1e-12)
    assert found.minimum_p_value == pytest.approx(minimum, rel=1e-9)


@pytest.mark.parametrize(("m", "n"), [(12, 20), (49, 49), (50, 49), (300, 2)])
def test_rank_sum_test__equals_scipy(m, n):
    generator = np.random.default_rng(m)
    first, second = generator.normal(size=m), generator.normal(0.5, size=n)
    method = "exact" if max(m, n) < 50 else "asymptotic"
    expected = stats.mannwhitneyu(second, first, method=method)
    found = rank_sum_test(first, second)
    assert found.exact == (method == "exact")
    assert found.statistic == expected.statistic
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_rank_sum_test__of_ties_in_large_groups_equals_scipy():
    generator = np.random.default_rng(3)
    first, second = (np.round(generator.normal(mean, size=80), 0) for mean in (0, 0.4))
    expected = stats.mannwhitneyu(second, first, method="asymptotic")
    assert rank_sum_test(first, second).p_value == pytest.approx(expected.pvalue, rel=1e-12)


def test_rank_sum_test__of_one_patient_says_what_it_can_reach():
    found = rank_sum_test(np.arange(9.0), np.array([100.0]))
    assert [found.p_value, found.minimum_p_value] == pytest.approx([0.2, 0.2])
    assert found.p_value >= found.minimum_p_value
    # The normal distribution would promise what no arrangement of 60 and 1 can give.
    found = rank_sum_test(np.arange(60.0), np.array([100.0]))
    assert found.p_value >= found.minimum_p_value == pytest.approx(2 / 61)


@pytest.mark.parametrize("size", [4, 60])
def test_rank_sum_test__of_values_that_are_all_the_same(size):
    found = rank_sum_test(np.ones(size), np.ones(size))
    assert (found.p_value, found.minimum_p_value, found.statistic) == (1.0, 1.0, size * size / 2)


@pytest.mark.parametrize("sizes", [(2, 2, 3), (1, 3, 2), (3, 4)])
def test_trend_test__equals_enumeration(sizes):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(3):
        values = np.random.default_rng(seed).normal(size=codes.size)
        found = trend_test(values, codes)
        assert found.exact
        assert found.statistic == trend_statistic(values, codes)
        p_value, minimum = enumerated_trend(values, codes)
        assert found.p_value == pytest.approx(p_value, rel=1e-9)
        assert found.minimum_p_value == pytest.approx(minimum, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_trend_test__has_the_variance_of_all_orders_with_ties(seed):
    codes = np.repeat([0, 1, 2], [2, 3, 2])
    values = np.random.default_rng(seed).integers(0, 3, 7).astype(float)
    found = trend_test(values, codes)
    assert not found.exact
    all_orders = np.array([trend_statistic(np.array(order), codes) for order in permutations(values)])
    distance = abs(trend_statistic(values, codes) - all_orders.mean())
    normal = 2 * stats.norm.sf(distance / all_orders.std()) if all_orders.std() else 1.0
    assert found.p_value == pytest.approx(max(normal, found.minimum_p_value), rel=1e-9)
    assert found.minimum_p_value == pytest.approx(enumerated_trend(values, codes)[1], rel=1e-9)


def test_trend_test__of_two_groups_is_the_rank_sum_test():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=11), generator.normal(0.6, size=14)
    trend = trend_test(np.concatenate([first, second]), np.repeat([0, 1], [11, 14]))
    assert trend.p_value == pytest.approx(rank_sum_test(first, second).p_value, rel=1e-10)


def test_trend_test__is_normal_beyond_a_hundred_and_close_to_exact_below():
    generator = np.random.default_rng(2)
    codes = np.repeat([0, 1, 2], 33)
    values = generator.normal(size=99) + 0.3 * codes
    exact = trend_test(values, codes)
    tied = trend_test(np.append(values, values[-1]), np.append(codes, 2))
    assert exact.exact
    assert not tied.exact
    assert tied.p_value == pytest.approx(exact.p_value, rel=0.25)
    assert not trend_test(np.append(values, [9.0, 9.5]), np.append(codes, [2, 2])).exact


def test_trend_test__of_values_that_are_all_the_same():
    found = trend_test(np.ones(6), np.repeat([0, 1, 2], 2))
    assert (found.p_value, found.minimum_p_value) == (1.0, 1.0)
    assert trend_test(np.array([1.0, 2.0]), np.array([0, 1])).p_value == 1.0


def test_smallest_p_value__without_ties_counts_arrangements():
    assert smallest_p_value(np.arange(6.0), np.array([2, 2, 2])) == pytest.approx(2 / 90)
    assert smallest_p_value(np.arange(300.0), np.array([100, 100, 100])) > 0


@pytest.mark.parametrize("rounding", [1, 6])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (5, 9), (13, 60)])
def test_shift_between__equals_all_differences(m, n, rounding):
    generator = np.random.default_rng(m)
    first, second = (generator.normal(mean, size=size).round(rounding) for mean, size in ((0, m), (1, n)))
    differences = np.sort((second[:, None] - first).ravel())
    found = shift_between(first, second)
    assert found.estimate == np.median(differences)
    if (m, n) == (1, 1):
        assert np.isnan([found.lower, found.upper]).all()
    else:
        assert found.lower in differences
        assert found.lower <= found.estimate <= found.upper


def test_shift_between__equals_r():
    """R 4.2.2: ``wilcox.test(second, first, conf.int = TRUE)``."""
    first = np.array([1.1, 2.3, 0.4, 5.2, 3.3, 2.9, 4.1])
    second = np.array([6.3, 2.6, 4.8, 5.9, 3.7, 7.7])
    found = shift_between(first, second)
    assert [found.estimate, found.lower, found.upper] == pytest.approx([2.5, -0.3, 4.8])


def test_shift_between__covers_as_often_as_it_says():
    generator = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        found = shift_between(generator.normal(size=60), generator.normal(0.5, size=55))
        inside += found.lower <= 0.5 <= found.upper
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.parametrize("function", [ranked_difference, ranked_difference.python])
def test_ranked_difference__finds_every_place(function):
    first, second = (
        np.sort(np.random.default_rng(1).integers(0, 9, 6) / 7),
        np.sort(np.random.default_rng(2).normal(size=5)),
    )
    differences = np.sort((second[:, None] - first).ravel())
    assert [function(first, second, place) for place in range(30)] == differences.tolist()


@pytest.mark.parametrize("function", [differences_up_to, differences_up_to.python])
def test_differences_up_to__counts(function):
    first, second = np.array([0.0, 1.0, 2.0]), np.array([0.5, 3.0])
    assert [function(first, second, limit) for limit in (-2.0, 0.0, 1.0, 9.0)] == [0, 2, 4, 6]


def test_tie_sizes__counts_equal_values():
    assert tie_sizes(np.array([2.0, 1.0, 2.0, 2.0])).tolist() == [1.0, 3.0]
