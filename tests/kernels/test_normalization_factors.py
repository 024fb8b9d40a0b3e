"""Trimmed means of log ratios; ``test_differential_expression`` holds the factors against edgeR."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from chemores_dask.kernels.normalization_factors import (
    centered_factors,
    inner_ranks,
    reference_sample,
    scan_trimmed_means,
    scan_upper_quartiles,
)


def test_scan_trimmed_means__sees_through_a_few_strong_genes():
    reference = np.random.default_rng(1).integers(50, 500, 1000).astype(float)
    sample = reference.copy()
    sample[:30] *= 40
    (found,) = scan_trimmed_means(sample[None], reference)
    # The genes that do not change make up less of the sample, by the same factor.
    assert found[0] == pytest.approx(np.log2(reference.sum() / sample.sum()), abs=0.02)


def test_scan_trimmed_means__of_the_reference_and_of_strangers_is_nothing():
    reference = np.array([5.0, 0.0, 9.0, 3.0])
    (found,) = scan_trimmed_means(np.array([reference, 3 * reference, [0.0, 4.0, 0.0, 0.0]]), reference)
    np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("trim", [0.05, 0.3, 0.45])
def test_inner_ranks__equal_those_of_all_ranks(trim):
    rng = np.random.default_rng(3)
    for size in (1, 2, 5, 40, 333):
        for values in (rng.normal(size=size), rng.integers(0, 4, size).astype(float), np.ones(size)):
            ranks, least = scipy.stats.rankdata(values), np.floor(size * trim) + 1
            expected = (ranks >= least) & (ranks <= size + 1 - least)
            np.testing.assert_array_equal(inner_ranks(values, trim), expected)


def test_scan_upper_quartiles__equals_numpy():
    matrix = np.arange(20.0).reshape(2, 10)
    quartile, roots = scan_upper_quartiles(matrix)
    np.testing.assert_array_equal(quartile, [6.75, 16.75])
    np.testing.assert_allclose(roots, np.sqrt(matrix).sum(axis=1))


def test_reference_sample__is_in_the_middle():
    assert reference_sample(np.array([10.0, 20.0, 33.0]), np.full(3, 100.0), np.zeros(3)) == 1
    assert reference_sample(np.zeros(3), np.full(3, 100.0), np.array([1.0, 2.0, 3.0])) == 2


def test_centered_factors__have_a_geometric_mean_of_one():
    assert np.log(centered_factors(np.array([0.3, -1.0, 2.0]))).sum() == pytest.approx(0, abs=1e-12)
