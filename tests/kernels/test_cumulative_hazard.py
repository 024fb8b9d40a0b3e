"""Nelson-Aalen kernels: compiled and plain twins, hand-worked sums, limits."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.cumulative_hazard import cumulative_hazard, hazard_limits

AT_RISK, EVENTS = np.array([5, 4, 2]), np.array([1, 2, 0])


@pytest.mark.parametrize("kernel", [cumulative_hazard, cumulative_hazard.python], ids=["compiled", "plain"])
def test_cumulative_hazard__adds_up_a_hand_worked_group(kernel):
    hazard, variance = kernel(AT_RISK, EVENTS, False)
    np.testing.assert_allclose(hazard, np.cumsum([1 / 5, 2 / 4, 0]))
    np.testing.assert_allclose(variance, np.cumsum([1 / 25, 2 / 16, 0]))
    hazard, variance = kernel(AT_RISK, EVENTS, True)
    np.testing.assert_allclose(hazard, np.cumsum([1 / 5, 1 / 4 + 1 / 3, 0]))
    np.testing.assert_allclose(variance, np.cumsum([1 / 25, 1 / 16 + 1 / 9, 0]))


def test_hazard_limits__lie_around_the_hazard():
    hazard, variance = np.array([0.0, 0.5]), np.array([0.0, 0.04])
    lower, upper = hazard_limits(hazard, variance, confidence="plain", level=0.95)
    np.testing.assert_allclose(lower, [0, 0.5 - 1.959964 * 0.2], rtol=1e-6)
    np.testing.assert_allclose(upper, [0, 0.5 + 1.959964 * 0.2], rtol=1e-6)
    lower, upper = hazard_limits(hazard, variance, confidence="log", level=0.95)
    assert np.isnan([lower[0], upper[0]]).all()
    np.testing.assert_allclose(lower[1] * upper[1], 0.25)
    np.testing.assert_allclose(upper[1], 0.5 * np.exp(1.959964 * 0.4), rtol=1e-6)
