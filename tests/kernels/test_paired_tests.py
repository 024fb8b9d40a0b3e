"""Paired tests against enumeration, SciPy and R."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from chemores_dask.kernels.paired_tests import (
    binomial_limits,
    minimum_p_value,
    paired_t_test,
    sign_flip_test,
    signed_rank_test,
)


def _enumerated(differences, statistic):
    observed = abs(statistic(differences))
    patterns = itertools.product((-1, 1), repeat=differences.size)
    hits = [abs(statistic(np.array(signs) * differences)) >= observed - 1e-9 for signs in patterns]
    return np.mean(hits)


@pytest.mark.parametrize("size", [2, 3, 8, 11])
def test_sign_flip_test__equals_full_enumeration(size):
    differences = np.random.default_rng(size).normal(0.4, 1, size)
    p_value, exact = sign_flip_test(differences)
    assert exact
    assert p_value == pytest.approx(_enumerated(differences, np.sum), rel=1e-12)


def test_sign_flip_test__counts_ties_of_equal_sums():
    differences = np.array([0.1, 0.2, 0.3, -0.3, 0.1])
    assert sign_flip_test(differences)[0] == pytest.approx(_enumerated(differences, np.sum))
    assert sign_flip_test(np.zeros(4)) == (1.0, True)
    assert sign_flip_test(np.array([1.0, -1.0])) == (1.0, True)


def test_sign_flip_test__is_normal_beyond_forty():
    differences = np.random.default_rng(2).normal(0.3, 1, 41)
    exact_p, exact = sign_flip_test(differences[:40])
    normal_p, still_exact = sign_flip_test(differences)
    assert exact
    assert not still_exact
    z = differences[:40].sum() / np.sqrt((differences[:40] ** 2).sum())
    assert exact_p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.1)
    assert 0 < normal_p < 1


def test_signed_rank_test__equals_scipy_without_ties():
    differences = np.random.default_rng(5).normal(0.5, 1, 15)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank_test(differences) == (pytest.approx(expected, rel=1e-12), True)


def test_signed_rank_test__is_exact_with_ties_and_drops_zeros():
    differences = np.array([1.0, 1.0, -1.0, 2.0, 3.0, 3.0, 0.0])
    kept = differences[differences != 0]
    ranks = stats.rankdata(np.abs(kept))
    expected = _enumerated(np.sign(kept) * ranks, np.sum)
    assert signed_rank_test(differences)[0] == pytest.approx(expected)
    assert signed_rank_test(np.zeros(3)) == (1.0, True)


def test_signed_rank_test__is_normal_for_many():
    differences = np.random.default_rng(5).normal(0.1, 1, 250)
    p_value, exact = signed_rank_test(differences)
    assert not exact
    assert p_value == pytest.approx(stats.wilcoxon(differences, method="asymptotic", correction=True).pvalue, rel=1e-9)


def test_signed_rank_test__equals_r(reference_folder):
    cases = json.loads((reference_folder / "reference" / "stats" / "cases.json").read_text())["wilcox"]
    checked = 0
    for case in cases:
        if not (case["paired"] and case["alternative"] == "two.sided" and "exact" in case["method"]):
            continue
        differences = np.array(case["x"]) - np.array(case["y"])
        if np.unique(np.abs(differences)).size == differences.size and (differences != 0).all():
            assert signed_rank_test(differences)[0] == pytest.approx(case["p"], rel=1e-9)
            checked += 1
    assert checked


def test_paired_t_test__equals_scipy():
    differences = np.random.default_rng(3).normal(0.5, 1, 9)
    expected = stats.ttest_1samp(differences, 0)
    assert paired_t_test(differences) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize("differences", [np.array([1.0]), np.full(4, 0.3), np.zeros(3), np.array([])])
def test_paired_t_test__is_unknown_without_spread(differences):
    assert np.isnan(paired_t_test(differences)).all()


def test_paired_tests__reproduce_the_published_percentages():
    before = np.array([0, 0.46, 0.80, 2.16, 0.57, 1.38, 0, 1.71])
    after = np.array([10.68, 29.37, 23.3, 29.39, 30.02, 26.47, 43.52, 29.6])
    t, p_value = paired_t_test(after - before)
    assert t == pytest.approx(8.408, abs=5e-4)
    assert p_value == pytest.approx(6.63e-5, abs=5e-8)
    assert signed_rank_test(after - before)[0] == pytest.approx(2 / 256)
    assert sign_flip_test(after - before)[0] == pytest.approx(2 / 256)


def test_paired_tests__reproduce_the_published_drug_response():
    diagnosis = np.array([3.539, 6.675, 3.775, 4.340, 5.812, 5.484, 5.321])
    relapse = np.array([3.585, 6.737, 4.397, 7.537, 6.743, 6.684, 6.359])
    assert paired_t_test(relapse - diagnosis)[1] == pytest.approx(0.0453, abs=1e-4)
    assert signed_rank_test(relapse - diagnosis)[0] == pytest.approx(0.0156, abs=5e-5)


def test_minimum_p_value__halves_with_every_patient():
    assert [minimum_p_value(n) for n in (0, 1, 2, 3, 8)] == [1.0, 1.0, 0.5, 0.25, 2 / 256]


def test_binomial_limits__equal_scipy_and_the_rule_for_none():
    found, total = np.array([0, 3, 650, 12]), np.array([650, 646, 650, 700])
    lower, upper = binomial_limits(found, total)
    assert upper[0] == pytest.approx(1 - 0.025 ** (1 / 650))
    assert lower[0] == 0
    assert upper[2] == 1
    for k in range(4):
        expected = stats.binomtest(int(found[k]), int(total[k])).proportion_ci(method="exact")
        assert (lower[k], upper[k]) == pytest.approx((expected.low, expected.high), abs=1e-12)
