"""Correlations against R, SciPy and all orders."""

from __future__ import annotations

import json
import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from chemores_dask.kernels.correlation import (
    correlation_limits,
    correlation_p_value,
    pearson,
    smallest_spearman_p_value,
    spearman,
)


def r_cases(reference_folder, method):
    for case in json.loads((reference_folder / "reference" / "stats" / "cases.json").read_text())["cor_test"]:
        first, second = (np.array(case[name], dtype=float) for name in ("x", "y"))
        known = np.isfinite(first) & np.isfinite(second)
        if case["method"] == method:
            yield case, first[known], second[known]


def test_pearson__equals_r(reference_folder):
    cases = list(r_cases(reference_folder, "pearson"))
    assert len(cases) == 24
    for case, first, second in cases:
        found = pearson(first, second)
        assert found.estimate == pytest.approx(case["estimate"], abs=1e-13)
        assert found.p_value == pytest.approx(case["p"], rel=1e-9)
        if case["conf_int"]:
            assert correlation_limits(found.estimate, first.size) == pytest.approx(tuple(case["conf_int"]), abs=1e-12)


def test_spearman__equals_r(reference_folder):
    methods = set()
    for case, first, second in r_cases(reference_folder, "spearman"):
        found = spearman(first, second)
        assert found.estimate == pytest.approx(case["estimate"], abs=1e-13)
        tied = np.unique(first).size < first.size or np.unique(second).size < second.size
        if not (found.method == "exact" and tied):  # R takes Student's t there
            assert found.p_value == pytest.approx(case["p"], rel=1e-9)
            methods.add(found.method)
    assert methods == {"exact", "Edgeworth series", "Student's t"}


@pytest.mark.parametrize("tied", [False, True])
def test_spearman__of_few_patients_counts_all_orders(tied):
    generator = np.random.default_rng(4)
    first, second = generator.normal(size=6), generator.integers(0, 3, 6) if tied else generator.normal(size=6)
    rho = [abs(stats.spearmanr(first, order).statistic) for order in permutations(second)]
    found = spearman(first, second)
    assert found.method == "exact"
    assert found.p_value == pytest.approx(np.mean(np.array(rho) >= abs(found.estimate) - 1e-9))
    assert smallest_spearman_p_value(first, second) == pytest.approx(np.mean(np.array(rho) >= max(rho) - 1e-9))


def test_spearman__of_ties_equals_scipy():
    generator = np.random.default_rng(5)
    first, second = generator.integers(0, 6, 40), generator.normal(size=40)
    expected = stats.spearmanr(first, second)
    found = spearman(first, second)
    assert (found.estimate, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)


def test_correlation_p_value__tells_how_many_patients_a_published_p_has():
    # Osteosarcoma: r = -0.35 with P = 0.006 of a cohort of 70.
    found = {patients: round(correlation_p_value(-0.35, patients), 4) for patients in (60, 70)}
    assert found == {60: 0.0061, 70: 0.003}
    generator = np.random.default_rng(6)
    first, second = generator.normal(size=30), generator.normal(size=30)
    assert correlation_p_value(stats.pearsonr(first, second).statistic, 30) == pytest.approx(
        stats.pearsonr(first, second).pvalue, rel=1e-10
    )


def test_correlations__of_nothing_to_correlate_are_not_numbers():
    for function in (pearson, spearman):
        for first, second in ((np.ones(5), np.arange(5.0)), (np.arange(1.0), np.arange(1.0))):
            found = function(first, second)
            assert np.isnan([found.estimate, found.p_value]).all()
    assert np.isnan(correlation_p_value(0.5, 2))
    assert np.isnan(correlation_limits(0.5, 3)).all()


def test_correlations__of_perfect_agreement():
    first = np.arange(12.0)
    assert (pearson(first, 3 - 2 * first).estimate, pearson(first, first).p_value) == (-1.0, 0.0)
    assert spearman(first, first**3).estimate == 1.0
    assert correlation_limits(1.0, 12) == (1.0, 1.0)
    assert pearson(first * 1e150, first * 1e-150).estimate == pytest.approx(1.0)


def test_smallest_spearman_p_value__counts_the_orders_side_by_side():
    first = np.arange(12.0)
    assert smallest_spearman_p_value(first, first) == pytest.approx(2 / math.factorial(12))
    assert smallest_spearman_p_value(np.ones(12), first) == 1.0
    # Five against five on both sides: as in a table of fours, one of the 252 ways at either end.
    halves = np.repeat([0.0, 1.0], 5)
    assert smallest_spearman_p_value(halves, halves) == pytest.approx(2 / 252)
    # One end only is as far as this: three and seven of ten.
    assert smallest_spearman_p_value(np.repeat([0.0, 1.0], [3, 7]), np.repeat([0.0, 1.0], [3, 7])) == pytest.approx(
        1 / 120
    )


@pytest.mark.parametrize("seed", range(6))
def test_smallest_spearman_p_value__is_the_least_over_all_orders_with_ties(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 3, 7), generator.integers(0, 4, 7)
    products = [stats.rankdata(first) @ np.array(order) for order in permutations(stats.rankdata(second))]
    distance = np.abs(np.array(products) - 7 * 4.0**2)
    assert smallest_spearman_p_value(first, second) == pytest.approx(np.mean(distance >= distance.max() - 1e-9))
