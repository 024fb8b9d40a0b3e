"""LOWESS against R's ``lowess``.

``expected/lowess.csv`` was made with R 4.2.2 from the columns ``trend`` and ``variance`` of ``expected/squeezed_variances.csv``:
``lowess(trend, variance, f = 0.5)`` (x, curve), and with many equal x ``lowess(rep(round(trend, 1)[1:30], 2), variance, f = 0.3)``
(tied_x, tied_curve).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chemores_dask.kernels import lowess as module
from chemores_dask.kernels.lowess import local_line, lowess, robust_lines

FOLDER = Path(__file__).parent / "expected"


@pytest.fixture(scope="module")
def expected():
    return pd.read_csv(FOLDER / "lowess.csv")


@pytest.fixture(scope="module")
def points():
    return pd.read_csv(FOLDER / "squeezed_variances.csv")


def test_lowess__equals_r(expected, points):
    x, curve = lowess(points["trend"].to_numpy(), points["variance"].to_numpy(), span=0.5)
    np.testing.assert_allclose(x, expected["x"], rtol=1e-12)
    np.testing.assert_allclose(curve, expected["curve"], rtol=1e-10)


def test_lowess__equals_r_where_many_x_are_equal(expected, points):
    tied = np.tile(points["trend"].round(1).to_numpy()[:30], 2)
    x, curve = lowess(tied, points["variance"].to_numpy(), span=0.3)
    np.testing.assert_allclose(x, expected["tied_x"], rtol=1e-12)
    np.testing.assert_allclose(curve, expected["tied_curve"], rtol=1e-10)


def test_lowess__is_the_same_in_plain_python(points, monkeypatch):
    x, y = points["trend"].to_numpy(), points["variance"].to_numpy()
    compiled = lowess(x, y, span=0.4)[1]
    monkeypatch.setattr(module, "local_line", local_line.python)
    order = np.argsort(x, kind="stable")
    plain = robust_lines.python(x[order], y[order], int(0.4 * x.size), 0.01 * np.ptp(x), 3)
    np.testing.assert_allclose(plain, compiled, rtol=1e-12)


def test_lowess__follows_a_line_exactly():
    x = np.linspace(0, 1, 50)
    np.testing.assert_allclose(lowess(x, 3 * x - 1, span=0.3)[1], 3 * x - 1, atol=1e-12)


@pytest.mark.parametrize("x", [[1.0], [2.0, 2.0, 2.0], [1.0, 2.0]])
def test_lowess__of_few_or_equal_points_is_finite(x):
    assert np.isfinite(lowess(np.array(x), np.arange(float(len(x))), span=0.5)[1]).all()
