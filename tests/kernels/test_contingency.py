"""Exact tests of tables, against R and scipy.

R 4.2.2: ``f <- fisher.test(matrix(c(7, 1, 1, 4), 2, byrow = TRUE)); c(f$p.value, f$estimate, f$conf.int)``.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chemores_dask.kernels.contingency import conditional_odds_ratio, draw_tail, fisher_test

R_VALUES = {
    (7, 1, 1, 4): (0.031857031857, 18.5343150137, 0.893109037078, 1541.26757585),
    (8, 3, 3, 4): (0.332202111614, 3.29271244102, 0.330801124599, 40.3045648882),
    (3, 0, 2, 9): (0.0274725274725, np.inf, 0.952613302366, np.inf),
    (10, 2, 3, 15): (0.000536724119143, 21.305331275, 2.75343836564, 300.682787419),
    (0, 5, 6, 0): (0.0021645021645, 0, 0, 0.351764748838),
    (5, 5, 5, 5): (1, 1, 0.125891615336, 7.94334076445),
    (1, 24, 5, 6): (0.0061669829222, 0.055832335287, 0.0010236468738, 0.621825805907),
}


@pytest.mark.parametrize("cells", R_VALUES, ids=str)
def test_fisher_test__equals_r(cells):
    table = np.reshape(cells, (2, 2))
    p_value, ratio, lower, upper = R_VALUES[cells]
    assert fisher_test(table)[0] == pytest.approx(p_value, rel=1e-10)
    # R finds odds ratios and their inverses to 1e-4 on a scale from 0 to 1, so small ones only to a fiftieth.
    np.testing.assert_allclose(conditional_odds_ratio(table), (ratio, lower, upper), rtol=2e-2)


def test_fisher_test__equals_scipy_on_random_tables():
    draws = np.random.default_rng(1)
    for table in draws.integers(0, 30, size=(200, 2, 2)):
        p_value, smallest = fisher_test(table)
        assert p_value == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)
        assert smallest <= p_value * (1 + 1e-12)


def test_fisher_test__knows_the_smallest_p_of_its_margins():
    # All tables with these margins, one by one.
    table = np.array([[3, 2], [1, 4]])
    p_values = [fisher_test([[a, 5 - a], [4 - a, 1 + a]])[0] for a in range(5)]
    assert fisher_test(table)[1] == pytest.approx(min(p_values))


@pytest.mark.parametrize("table", [[[0, 0], [3, 4]], [[0, 3], [0, 4]], [[0, 0], [0, 0]]])
def test_fisher_test__says_nothing_of_empty_margins(table):
    assert fisher_test(table) == (1.0, 1.0)
    ratio, lower, upper = conditional_odds_ratio(table)
    assert np.isnan(ratio)
    assert (lower, upper) == (0.0, np.inf)


def test_conditional_odds_ratio__equals_scipy_on_random_tables():
    draws = np.random.default_rng(2)
    for table in draws.integers(1, 25, size=(20, 2, 2)):
        theirs = stats.contingency.odds_ratio(table, kind="conditional")
        limits = theirs.confidence_interval(0.95)
        np.testing.assert_allclose(
            conditional_odds_ratio(table), (theirs.statistic, limits.low, limits.high), rtol=1e-6
        )


def test_draw_tail__by_hand():
    # Two of four are marked, two are drawn: both with chance 1/6, at least one with 5/6.
    assert draw_tail(2, drawn=2, marked=2, total=4) == pytest.approx((1 / 6, 1.0))
    assert draw_tail(1, drawn=2, marked=2, total=4) == pytest.approx((5 / 6, 5 / 6))
    assert draw_tail(10**6, drawn=5 * 10**8, marked=2 * 10**6, total=10**9)[0] == pytest.approx(0.5, abs=1e-3)
