"""Scans over genes in blocks, and two-sided P values."""

from __future__ import annotations

import numpy as np
import scipy.stats

from chemores_dask.cohort.differential import gene_scan
from chemores_dask.cohort.differential.gene_scan import GeneTests, scan_genes, two_sided


def _sums(matrix, factor):
    return matrix.sum(axis=1) * factor, matrix.max(axis=1)


def test_scan_genes__is_the_same_in_any_blocks(monkeypatch):
    counts = np.random.default_rng(1).poisson(5, (6, 23))
    whole = scan_genes(counts, _sums, ("sum", "largest"), (2.0,))
    np.testing.assert_array_equal(whole["sum"], 2 * counts.sum(axis=0))
    monkeypatch.setattr(gene_scan, "COUNTS_PER_BLOCK", 20)
    cut = scan_genes(counts, _sums, ("sum", "largest"), (2.0,))
    np.testing.assert_array_equal(cut["largest"], whole["largest"])


def test_two_sided__equals_scipy_and_is_normal_for_endless_degrees():
    statistic, degrees = np.array([-2.0, 3.0, 1.96]), np.array([4.0, 30.5, np.inf])
    expected = [2 * scipy.stats.t.sf(2, 4), 2 * scipy.stats.t.sf(3, 30.5), 2 * scipy.stats.norm.sf(1.96)]
    np.testing.assert_allclose(two_sided(statistic, degrees), expected, rtol=1e-10)


def test_gene_tests__reach_is_that_of_student():
    values = np.array([1.0, 1.0])
    tests = GeneTests(values, values * 2, values, np.array([5.0, np.inf]), values, values, values, values, values)
    np.testing.assert_allclose(tests.reach, 2 * np.array([scipy.stats.t.ppf(0.975, 5), 1.959963985]), rtol=1e-8)
