"""Fine and Gray's likelihood: compiled and plain twins, slopes by differences, residuals, Cox as the case of one cause."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.subdistribution import (
    risk_sums,
    score_residuals,
    subdistribution_risk,
    subdistribution_terms,
)


def _patients(patients=50, causes=3, seed=2):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(1, 15, patients).astype(float),
        rng.integers(0, causes, patients),
        rng.normal(size=(patients, 2)),
    )


def _problem(**options):
    duration, ending, design = _patients(**options)
    risk, order, _ = subdistribution_risk(duration, ending)
    return np.ascontiguousarray(design[order]), risk


def test_subdistribution_risk__follows_the_censored():
    risk, order, times = subdistribution_risk(np.array([3.0, 1, 2, 2]), np.array([1, 0, 2, 0]))
    assert times.tolist() == [1, 2, 3]
    assert order.tolist() == [1, 3, 2, 0]
    assert risk.at_risk.tolist() == [4, 3, 1]
    assert risk.lost.tolist() == [1, 1, 0]
    np.testing.assert_allclose(risk.uncensored, [1, 3 / 4, 1 / 2])


def test_risk_sums__are_the_same_compiled_and_plain():
    design, risk = _problem()
    place = np.array([0.3, -0.2])
    for compiled, plain in zip(risk_sums(place, design, risk), risk_sums.python(place, design, risk), strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sums", [risk_sums, risk_sums.python], ids=["compiled", "plain"])
def test_risk_sums__keep_the_ended_with_less_and_less_weight(sums):
    # Another cause at 1; censored at 2; the cause at 3 and 4.
    risk, order, _ = subdistribution_risk(np.array([1.0, 2, 3, 4]), np.array([2, 0, 1, 1]))
    design = np.array([[1.0], [2.0], [3.0], [4.0]])[order]
    _, total, first, _, events = sums(np.zeros(1), design, risk)
    np.testing.assert_allclose(total, [4, 4, 2 + 2 / 3, 1 + 2 / 3])
    np.testing.assert_allclose(first[:, 0], [10, 10, 7 + 2 / 3, 4 + 2 / 3])
    assert events.tolist() == [0, 0, 1, 1]


def test_subdistribution_terms__have_the_slopes_of_their_value():
    design, risk = _problem()
    place, step = np.array([0.3, -0.2]), 1e-6
    _, slope, information = subdistribution_terms(place, design, risk)
    for axis, unit in enumerate(np.eye(2)):
        ahead = subdistribution_terms(place + step * unit, design, risk)
        behind = subdistribution_terms(place - step * unit, design, risk)
        assert slope[axis] == pytest.approx((ahead[0] - behind[0]) / (2 * step), rel=1e-6)
        np.testing.assert_allclose(information[axis], -(ahead[1] - behind[1]) / (2 * step), rtol=1e-6)


def test_score_residuals__add_up_to_the_slope():
    design, risk = _problem()
    place = np.array([0.3, -0.2])
    residuals = score_residuals(place, design, risk)
    np.testing.assert_allclose(residuals.sum(axis=0), subdistribution_terms(place, design, risk)[1], atol=1e-10)


def test_score_residuals__of_one_cause_are_those_of_cox():
    # Without other causes the weights are 0 and 1: a loop over patients and times.
    design, risk = _problem(causes=2)
    place = np.array([0.3, -0.2])
    hazard = np.exp(design @ place)
    expected = np.zeros(design.shape)
    for k in range(risk.at_risk.size):
        present = risk.place >= k
        mean = (hazard[present, None] * design[present]).sum(axis=0) / hazard[present].sum()
        ended = present & (risk.place == k) & (risk.ending == 1)
        expected[ended] += design[ended] - mean
        expected[present] -= (ended.sum() / hazard[present].sum()) * hazard[present, None] * (design[present] - mean)
    np.testing.assert_allclose(score_residuals(place, design, risk), expected, atol=1e-12)
