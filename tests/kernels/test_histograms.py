"""Histograms: every value in its bin, sums exact."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.histograms import bin_numbers, histogram

KERNELS = pytest.mark.parametrize("kernel", [bin_numbers, bin_numbers.python])


@KERNELS
def test_bin_numbers__hand_worked(kernel):
    values = np.array([0.0, 0.24, 0.25, 0.5, 0.99, 1.0])
    assert kernel(values, 0.0, 1.0, 4).tolist() == [0, 0, 1, 2, 3, 3]


@KERNELS
def test_bin_numbers__keeps_what_lies_beyond_in_the_outer_bins(kernel):
    assert kernel(np.array([-1e300, -1.0, 3.0, 1e300]), 0.0, 1.0, 4).tolist() == [0, 0, 3, 3]


@KERNELS
def test_bin_numbers__puts_constant_values_into_the_first_bin(kernel):
    assert kernel(np.full(3, 7.0), 7.0, 7.0, 4).tolist() == [0, 0, 0]


@KERNELS
def test_bin_numbers__never_falls_as_values_rise(kernel):
    values = np.sort(np.random.default_rng(0).normal(size=2000))
    numbers = kernel(values, values[0], values[-1], 64)
    assert (np.diff(numbers) >= 0).all()
    assert (numbers[0], numbers[-1]) == (0, 63)


@KERNELS
def test_bin_numbers__of_nothing_is_nothing(kernel):
    assert len(kernel(np.empty(0), 0.0, 1.0, 4)) == 0


def test_histogram__equals_numpy():
    values = np.random.default_rng(1).random(5000)
    bins = histogram(values, lower=0.0, upper=1.0, bins=50)
    edges = np.linspace(0, 1, 51)
    np.testing.assert_array_equal(bins.counts, np.histogram(values, edges)[0])
    np.testing.assert_allclose(bins.sums, np.histogram(values, edges, weights=values)[0], rtol=1e-12)
    np.testing.assert_allclose(bins.squares, np.histogram(values, edges, weights=values**2)[0], rtol=1e-12)
