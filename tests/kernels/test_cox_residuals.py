"""Residuals of Cox models against sums as they are written down."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.baseline_hazard import hazard_steps
from chemores_dask.kernels.cox import cox_terms, risk_order
from chemores_dask.kernels.cox_residuals import (
    cluster_sums,
    deviance_residuals,
    martingale_residuals,
    schoenfeld_residuals,
)

RNG = np.random.default_rng(3)
N = 50
DURATION, EVENT = RNG.integers(1, 8, N).astype(float), RNG.random(N) < 0.6
ENTRY = np.where(RNG.random(N) < 0.3, DURATION - RNG.integers(1, 4, N), -np.inf)
STRATUM, WEIGHT, X = RNG.integers(0, 3, N), RNG.choice([0.5, 1.0, 3.0], N), RNG.normal(size=(N, 2))
B = np.array([0.6, -0.2])


@pytest.mark.parametrize("efron", [True, False])
def test_martingale_residuals__have_the_slope_of_the_likelihood_as_their_sum(efron):
    order, risk = risk_order(DURATION, EVENT, ENTRY, STRATUM, WEIGHT)
    design = np.ascontiguousarray(X[order])
    steps = hazard_steps(B, design, risk, efron=efron)
    martingale, score = martingale_residuals(B, design, risk, steps)
    slope = np.zeros(2)
    cox_terms(B, design, risk, efron, slope, np.zeros((2, 2)))
    np.testing.assert_allclose(risk.weight @ score, slope, atol=1e-10)
    assert risk.weight @ martingale == pytest.approx(0, abs=1e-10)
    died, schoenfeld = schoenfeld_residuals(design, risk, steps)
    np.testing.assert_allclose(risk.weight[died] @ schoenfeld, slope, atol=1e-10)


def test_martingale_residuals__are_worked_by_hand():
    order, risk = risk_order(
        np.array([1.0, 1.0, 2.0]), np.array([True, True, False]), np.full(3, -np.inf), np.zeros(3, int)
    )
    design, nothing = np.array([[1.0], [0.0], [2.0]])[order], np.zeros(1)
    # Efron: the hazard grows by 1/3 and then by 1/2, of which the two who die bear half.
    martingale, _ = martingale_residuals(nothing, design, risk, hazard_steps(nothing, design, risk, efron=True))
    found = dict(zip(order.tolist(), martingale.tolist(), strict=True))
    assert found == pytest.approx({0: 1 - 7 / 12, 1: 1 - 7 / 12, 2: -5 / 6})
    martingale, _ = martingale_residuals(nothing, design, risk, hazard_steps(nothing, design, risk, efron=False))
    assert sorted(martingale) == pytest.approx([-2 / 3, 1 / 3, 1 / 3])


def test_deviance_residuals__are_worked_by_hand():
    found = deviance_residuals(np.array([0.5, -1.0, -2.0]), np.array([True, True, False]))
    expected = [np.sqrt(-2 * (0.5 + np.log(0.5))), -np.sqrt(-2 * (-1 + np.log(2))), -2.0]
    np.testing.assert_allclose(found, expected)


def test_cluster_sums__add_rows():
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert cluster_sums(rows, np.array([1, 0, 1])).tolist() == [[3, 4], [6, 8]]
