from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.graph.label_limits import in_limits, limits_of


def test_in_limits__knows_only_zero_and_infinity_at_a_limit_of_zero():
    assert in_limits(np.array([0.0, 1.0, 3.0]), np.array([0.0, 0.0, 2.0])).tolist() == [0.0, np.inf, 1.5]


def test_limits_of__few_cells_take_the_limit_of_all():
    distance = np.concatenate([np.linspace(0, 1, 101), [50.0]])
    codes = np.array([0] * 101 + [1])
    limits = limits_of(distance, codes, labels=2)
    assert limits[0] == pytest.approx(0.99)
    assert limits[1] == np.quantile(distance, 0.99)
