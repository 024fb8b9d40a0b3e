"""Newton's steps: maxima that are known, and likelihoods that have none."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.newton import NOT_CONVERGED, OK, SEPARATED, maximize


def test_maximize__finds_the_top_of_a_parabola_in_one_step():
    curvature, top = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([3.0, -1.0])

    def parabola(place):
        return -0.5 * (place - top) @ curvature @ (place - top), curvature @ (top - place), curvature

    found = maximize(parabola, np.zeros(2))
    assert found.status == OK
    assert found.place == pytest.approx(top)
    assert found.covariance == pytest.approx(np.linalg.inv(curvature))
    assert not found.runaway.any()


def test_maximize__halves_steps_that_lead_down():
    def far(place):
        # Newton's full steps on this likelihood jump to and fro ever farther.
        value = -np.log(np.cosh(place[0]))
        return value, np.array([-np.tanh(place[0])]), np.array([[1 / np.cosh(place[0]) ** 2 + 1e-12]])

    found = maximize(far, np.array([1.5]))
    assert found.status == OK
    assert found.place[0] == pytest.approx(0, abs=1e-8)


def test_maximize__recognizes_a_likelihood_that_rises_without_end():
    def endless(place):
        chance = 1 / (1 + np.exp(-place[0]))
        return np.log(chance), np.array([1 - chance]), np.array([[chance * (1 - chance)]])

    found = maximize(endless, np.zeros(1))
    assert found.status == SEPARATED
    assert found.runaway.all()
    assert np.isnan(found.covariance).all()
    assert found.value == pytest.approx(0, abs=1e-6)


def test_maximize__takes_vanished_information_for_separation():
    found = maximize(lambda place: (0.0, np.zeros(1), np.zeros((1, 1))), np.zeros(1))
    assert found.status == SEPARATED


def test_maximize__gives_up_on_a_climb_without_end():
    found = maximize(lambda place: (float(place[0]), np.ones(1), np.ones((1, 1))), np.zeros(1))
    assert found.status == NOT_CONVERGED
