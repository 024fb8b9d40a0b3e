from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels import penalized_cox
from chemores_dask.kernels.penalized_cox import breslow_residuals, lane_dot, order_of_risk
from tests.kernels.penalized_models import likelihood, made


@pytest.fixture(params=["compiled", "python"])
def plain(request, monkeypatch):
    if request.param == "python":
        for name in ("lane_dot", "breslow_residuals", "gene_slopes"):
            monkeypatch.setattr(penalized_cox, name, getattr(penalized_cox, name).python)
    return penalized_cox


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100])
def test_lane_dot__is_a_sum_of_products(plain, size):
    a, b = np.random.default_rng(1).normal(size=(2, size))
    assert plain.lane_dot(a, b) == pytest.approx(float(a @ b), abs=1e-12)
    assert plain.lane_dot(a, b) == lane_dot(a, b)


def test_order_of_risk__puts_strata_side_by_side_and_late_times_first():
    order, starts, opens = order_of_risk(np.array([3.0, 5.0, 5.0, 1.0]), np.array([0, 1, 1, 0]))
    assert order.tolist() == [0, 3, 1, 2]
    assert starts.tolist() == [0, 1, 2, 4]
    assert opens.tolist() == [True, False, True]


@pytest.mark.parametrize("strata", [1, 3])
def test_breslow_residuals__are_the_slope_of_the_likelihood(plain, strata):
    cox = made(strata=strata)
    b = np.linspace(-0.5, 0.5, 15)
    residual, curvature = np.empty(60), np.empty(60)
    found = plain.breslow_residuals(b @ cox.columns, cox.event, cox.starts, cox.opens, residual, curvature)
    assert found == pytest.approx(likelihood(cox, b), rel=1e-12)
    slope = plain.gene_slopes(cox.columns, residual)
    step = np.zeros(15)
    step[3] = 1e-5
    assert slope[3] == pytest.approx((likelihood(cox, b + step) - likelihood(cox, b - step)) / 2e-5 / 60, abs=1e-8)
    assert (curvature >= 0).all()


def test_breslow_residuals__by_hand():
    # Two deaths at 2 with three at risk: -2 log 3; one at 1 with four at risk: -log 4.
    order, starts, opens = order_of_risk(np.array([1.0, 2.0, 2.0, 3.0]), np.zeros(4))
    event = np.array([True, True, True, False])[order]
    residual, curvature = np.empty(4), np.empty(4)
    found = breslow_residuals(np.zeros(4), event, starts, opens, residual, curvature)
    assert found == pytest.approx(-2 * np.log(3) - np.log(4))
    # Each is the event less the hazard up to the time: 2/3 at 2, and 1/4 more for all at risk at 1.
    assert residual == pytest.approx([-1 / 4 - 2 / 3, 1 - 1 / 4 - 2 / 3, 1 - 1 / 4 - 2 / 3, 1 - 1 / 4])


def test_breslow_residuals__refuses_exponents_out_of_bounds(plain):
    cox = made()
    exponents = np.zeros(60)
    exponents[0] = 600.0
    spare = np.empty(60)
    assert plain.breslow_residuals(exponents, cox.event, cox.starts, cox.opens, spare, spare.copy()) == -np.inf
