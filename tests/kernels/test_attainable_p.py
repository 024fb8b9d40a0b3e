from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, mannwhitneyu

from chemores_dask.kernels.attainable_p import minimum_fisher_p_value, minimum_rank_sum_p_value


@pytest.mark.parametrize(("first", "second"), [(2, 3), (3, 3), (4, 7), (5, 5)])
def test_minimum_rank_sum_p_value__is_that_of_complete_separation(first, second):
    low, high = np.arange(first), 100 + np.arange(second)
    expected = mannwhitneyu(low, high, alternative="two-sided", method="exact").pvalue
    assert minimum_rank_sum_p_value(first, second) == pytest.approx(expected, rel=1e-12)


def test_minimum_rank_sum_p_value__of_two_and_three_samples_is_a_fifth():
    assert minimum_rank_sum_p_value(2, 3) == 0.2
    assert minimum_rank_sum_p_value(1, 1) == 1.0
    assert minimum_rank_sum_p_value(0, 5) == 1.0


@pytest.mark.parametrize("margins", [(8, 5, 8), (11, 7, 11), (3, 3, 3), (2, 9, 4), (20, 20, 20), (4, 0, 2)])
def test_minimum_fisher_p_value__is_the_least_over_all_tables_of_scipy(margins):
    first, second, column = margins
    inside = range(max(0, column - second), min(first, column) + 1)
    expected = min(
        fisher_exact([[found, first - found], [column - found, second - column + found]]).pvalue for found in inside
    )
    assert minimum_fisher_p_value(*margins) == pytest.approx(expected, rel=1e-9)


def test_minimum_fisher_p_value__takes_thousands_of_patients():
    assert 0 <= minimum_fisher_p_value(3000, 2500, 2800) < 1e-300


def test_minimum_rank_sum_p_value__of_thousands_is_nothing():
    assert minimum_rank_sum_p_value(1200, 1200) == 0.0
