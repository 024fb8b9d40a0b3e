"""Two Gaussians: against scikit-learn, roots by formula, and a density drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from chemores_dask.kernels.gaussian_pair import (
    GaussianPair,
    crossing,
    expectation_steps,
    fit_pair,
    split_starts,
    valley_depth,
)


def drawn(seed, *, cells=600, gap=3.0, share=0.2):
    generator = np.random.default_rng(seed)
    upper = generator.random(cells) < share
    return np.sort(np.where(upper, generator.normal(gap, 0.7, size=cells), generator.normal(size=cells)))


def pair_of(weight, lower, upper):
    return GaussianPair(
        np.array([1 - weight, weight]), np.array([lower[0], upper[0]]), np.array([lower[1], upper[1]]), 0.0
    )


@pytest.mark.parametrize("seed", range(4))
def test_fit_pair__equals_scikit_learn(seed):
    values = drawn(seed)
    ours = fit_pair(np.ones(len(values)), values)
    theirs = GaussianMixture(
        2, tol=1e-12, max_iter=20000, reg_covar=0, n_init=10, random_state=0, init_params="random_from_data"
    ).fit(values[:, None])
    order = np.argsort(theirs.means_[:, 0])
    assert ours.log_likelihood / len(values) == pytest.approx(theirs.score(values[:, None]), rel=1e-8)
    np.testing.assert_allclose(ours.weights, theirs.weights_[order], rtol=2e-4)
    np.testing.assert_allclose(ours.means, theirs.means_[order, 0], atol=2e-4)
    np.testing.assert_allclose(ours.variances, theirs.covariances_[order, 0, 0], rtol=5e-4)


def test_fit_pair__counts_are_repeats():
    values = np.round(drawn(1), 1)
    levels, counts = np.unique(values, return_counts=True)
    binned, each = fit_pair(counts.astype(float), levels), fit_pair(np.ones(len(values)), values)
    np.testing.assert_allclose(binned.start, each.start, rtol=1e-4)


def test_expectation_steps__compiled_and_plain_agree():
    values = drawn(2, cells=40)
    start = np.array([[0.5, 0.0, 1.0], [0.5, 2.0, 1.0]])
    arguments = (np.ones(40), values, start, 1e-6, 1e-9, 200)
    compiled, plain = expectation_steps(*arguments), expectation_steps.python(*arguments)
    np.testing.assert_allclose(compiled[0], plain[0], rtol=1e-10)
    assert compiled[1] == pytest.approx(plain[1], rel=1e-12)
    assert compiled[2] == plain[2]


def test_expectation_steps__never_lose_likelihood():
    values = drawn(3)
    start = split_starts(np.ones(len(values)), values, least=1e-6)[0]
    found = [expectation_steps(np.ones(len(values)), values, start, 1e-6, 0.0, most)[1] for most in range(1, 30)]
    assert (np.diff(found) >= -1e-9).all()


def test_split_starts__hold_the_moments_of_both_sides():
    starts = split_starts(np.array([2.0, 1.0, 1.0]), np.array([0.0, 3.0, 5.0]), least=0.01)
    np.testing.assert_allclose(starts[0], [[0.5, 0.0, 0.01], [0.5, 4.0, 1.0]])
    np.testing.assert_allclose(starts[1], [[0.75, 1.0, 2.0], [0.25, 5.0, 0.01]])
    assert len(starts) == 2
    assert split_starts(np.ones(1), np.zeros(1), least=1.0) == []


def test_fit_pair__needs_a_start():
    with pytest.raises(ValueError, match="two different values"):
        fit_pair(np.array([3.0]), np.array([1.0]))


def test_crossing__of_equal_variances_has_a_formula():
    # Log odds = (m2 - m1) (x - middle) / v + log(w2 / w1).
    found = crossing(pair_of(0.2, (0.0, 1.0), (3.0, 1.0)))
    assert found == pytest.approx(1.5 + np.log(0.8 / 0.2) / 3)


def test_crossing__splits_the_posterior_in_halves():
    pair = pair_of(0.1, (0.0, 1.0), (4.0, 0.3))
    place = crossing(pair)
    densities = pair.weights * norm.pdf(place, pair.means, np.sqrt(pair.variances))
    assert densities[0] == pytest.approx(densities[1], rel=1e-9)


@pytest.mark.parametrize(
    "pair",
    [pair_of(0.01, (0.0, 1.0), (0.5, 1.0)), pair_of(0.5, (0.0, 1.0), (0.0, 9.0)), pair_of(0.9, (0.0, 9.0), (0.1, 0.1))],
)
def test_crossing__is_unknown_where_one_leads_all_the_way(pair):
    assert np.isnan(crossing(pair))


def test_valley_depth__of_far_groups_is_1_and_of_one_peak_0():
    assert valley_depth(pair_of(0.3, (0.0, 1.0), (20.0, 1.0))) == pytest.approx(1.0)
    assert valley_depth(pair_of(0.5, (0.0, 1.0), (1.5, 1.0))) == 0.0
    # By hand: equal halves at -2 and 2: f(0) / f(2) = 2 exp(-2) / (1 + exp(-8)).
    assert valley_depth(pair_of(0.5, (-2.0, 1.0), (2.0, 1.0))) == pytest.approx(
        1 - 2 * np.exp(-2) / (1 + np.exp(-8)), abs=1e-3
    )
