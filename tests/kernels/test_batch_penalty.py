"""Penalties and shifts of batches against their formulas, and against one regression over all cells."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.batch_penalty import batch_counts, batch_shifts, diversity_penalty, uneven_mixing

LEVELS = np.array([[0, 2], [0, 3], [1, 2], [1, 3]])
THETA = np.array([2.0, 2.0, 1.0, 1.0])
SHARES = np.array([0.6, 0.4, 0.5, 0.5])


def test_batch_counts__add_groups_up_for_every_variable():
    counts = np.array([[1.0], [2.0], [4.0], [8.0]])
    assert batch_counts(counts, levels=LEVELS, batches=4).ravel().tolist() == [3.0, 12.0, 5.0, 10.0]


def test_diversity_penalty__follows_the_formula():
    counts = np.array([[6.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, 3.0]])
    found = diversity_penalty(counts, levels=LEVELS, theta=THETA, shares=SHARES)
    total = counts.sum(axis=0)
    for group, (first, second) in enumerate(LEVELS):
        wanted = np.zeros(2)
        for batch in (first, second):
            observed = counts[(batch == LEVELS).any(axis=1)].sum(axis=0)
            expected = SHARES[batch] * total
            wanted += THETA[batch] * np.log(expected / (observed + expected))
        np.testing.assert_allclose(found[group], wanted, rtol=1e-6)


def test_diversity_penalty__of_an_empty_cluster_is_none():
    found = diversity_penalty(np.zeros((4, 3)), levels=LEVELS, theta=THETA, shares=SHARES)
    assert found.dtype == np.float32
    assert not found.any()


def test_diversity_penalty__bears_counts_a_little_below_zero():
    counts = np.array([[-1e-12, 5.0], [0.0, 1.0], [3.0, -1e-9], [1.0, 2.0]])
    assert np.isfinite(diversity_penalty(counts, levels=LEVELS, theta=THETA, shares=SHARES)).all()


def test_uneven_mixing__is_zero_for_even_batches_and_positive_else():
    even = 10.0 * np.outer([0.3, 0.3, 0.2, 0.2], [1.0, 2.0, 0.0])
    assert uneven_mixing(even, levels=LEVELS, theta=THETA, shares=SHARES) == pytest.approx(0.0, abs=1e-12)
    generator = np.random.default_rng(5)
    for _ in range(20):
        counts = generator.gamma(0.3, 10.0, size=(4, 6))
        shares = batch_counts(counts, levels=LEVELS, batches=4).sum(axis=1) / counts.sum()
        assert uneven_mixing(counts, levels=LEVELS, theta=THETA, shares=shares) > 0.0


@pytest.mark.parametrize("ridge", [None, 1.0])
@pytest.mark.parametrize("variables", [1, 2])
def test_batch_shifts__are_a_weighted_ridge_regression_over_cells(ridge, variables):
    generator = np.random.default_rng(6)
    groups = generator.integers(0, 4, 300)
    levels = LEVELS[:, :variables]
    batches = 2 * variables
    rows, shares = generator.normal(size=(300, 5)), generator.dirichlet(np.ones(3), size=300)
    design = np.zeros((300, batches + 1))
    design[:, 0] = 1.0
    for column in levels.T:
        design[np.arange(300), column[groups] + 1] = 1.0
    of_all = design[:, 1:].mean(axis=0)
    counts = np.array([shares[groups == group].sum(axis=0) for group in range(4)])
    sums = np.einsum("ib,ik,id->bkd", design[:, 1:], shares, rows)
    shifts, centers = batch_shifts(counts, sums, levels=levels, shares=of_all, ridge=ridge, ridge_share=0.2)
    for cluster in range(3):
        penalty = np.full(batches, 1.0) if ridge else 0.2 * shares[:, cluster].sum() * of_all
        # The penalty as further rows of an ordinary least-squares problem.
        root = np.sqrt(shares[:, cluster])
        left = np.vstack([design * root[:, None], np.diag(np.sqrt([0.0, *penalty]))])
        right = np.vstack([rows * root[:, None], np.zeros((batches + 1, 5))])
        wanted = np.linalg.lstsq(left, right, rcond=None)[0]
        np.testing.assert_allclose(centers[cluster], wanted[0], atol=1e-10)
        np.testing.assert_allclose(shifts[:, cluster], wanted[1:], atol=1e-10)


def test_batch_shifts__of_empty_clusters_are_zero():
    counts = np.array([[5.0, 0.0], [5.0, 0.0]])
    sums = np.ones((2, 2, 3))
    shifts, centers = batch_shifts(
        counts, sums, levels=np.array([[0], [1]]), shares=np.array([0.5, 0.5]), ridge=None, ridge_share=0.2
    )
    assert not shifts[:, 1].any()
    assert not centers[1].any()


def test_batch_shifts__of_a_batch_that_a_cluster_lacks_are_zero():
    sums = np.zeros((2, 1, 2))
    sums[0, 0] = [10.0, 0.0]
    shifts, centers = batch_shifts(
        np.array([[5.0], [0.0]]),
        sums,
        levels=np.array([[0], [1]]),
        shares=np.array([0.5, 0.5]),
        ridge=None,
        ridge_share=0.2,
    )
    np.testing.assert_allclose(shifts, 0.0, atol=1e-12)
    np.testing.assert_allclose(centers, [[2.0, 0.0]])
