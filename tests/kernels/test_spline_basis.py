"""Restricted cubic splines against R's Hmisc, and by what makes them restricted and cubic."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.spline_basis import spline_basis, spline_knots
from tests.cohort.survival.cox_cases import by_r, our_patients


def test_spline_knots__are_those_of_r():
    expected = by_r()["knots"]
    values = np.array(expected["values"])
    for place, number in enumerate(range(3, 8)):
        np.testing.assert_allclose(spline_knots(values, number), expected["k"][place])
        np.testing.assert_allclose(spline_knots(np.maximum(values, 4), number), expected["floor"][place])
    for place, number in enumerate(range(3, 7)):
        np.testing.assert_allclose(spline_knots(np.clip(values, 4, 50), number), expected["both"][place])
    few = our_patients()["age"].values
    for number in (3, 4, 5):
        np.testing.assert_allclose(spline_knots(few, number), by_r()[f"spline_{number}"]["knots"])


def test_spline_knots__of_three_with_one_in_the_middle():
    values = np.concatenate([np.zeros(20), np.linspace(1, 2, 160), np.full(20, 3.0)])
    np.testing.assert_allclose(spline_knots(values, 3), [1, 1.5, 2])


def test_spline_basis__is_that_of_r():
    expected = by_r()["spline_4"]
    found = spline_basis(our_patients()["age"].values, np.array(expected["knots"]))
    np.testing.assert_allclose(found, expected["basis"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("knots", [[0.0, 1.0, 3.0], [-2.0, 0.0, 0.5, 4.0], [0.0, 1.0, 2.0, 3.0, 7.0]])
def test_spline_basis__is_smooth_within_and_straight_beyond_the_knots(knots):
    knots = np.array(knots)
    step = 1e-3

    def bend(places):
        around = [spline_basis(places + shift, knots) for shift in (-step, 0, step)]
        return (around[0] - 2 * around[1] + around[2]) / step**2

    beyond = np.concatenate([knots[0] - np.linspace(0.1, 5, 9), knots[-1] + np.linspace(0.1, 5, 9)])
    np.testing.assert_allclose(bend(beyond), 0, atol=1e-6)
    assert np.abs(bend(np.linspace(knots[0], knots[-1], 50))[:, 1:]).max(axis=0).min() > 1e-2
    for knot in knots:
        left, right = bend(np.array([knot - 2 * step])), bend(np.array([knot + 2 * step]))
        np.testing.assert_allclose(left, right, atol=0.05)


def test_spline_basis__keeps_its_digits_far_from_zero():
    values, knots = np.linspace(0, 10, 50), np.array([1.0, 4.0, 6.0, 9.0])
    far = spline_basis(values + 1e7, knots + 1e7)
    np.testing.assert_allclose(far[:, 1:], spline_basis(values, knots)[:, 1:], atol=1e-7)
