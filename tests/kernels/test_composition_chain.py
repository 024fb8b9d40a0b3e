"""The chain over Dirichlet-multinomial models: against an exact posterior, compiled and plain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln

from chemores_dask.kernels import composition_chain as kernels
from chemores_dask.kernels.composition_chain import run_chain

KERNELS = ("log_rise", "_gain", "_move", "_accepted", "_intercepts", "_patients", "_stages", "_log_slab", "_log_pseudo")


def simulated(*, effect, patients=8, base=(0.08, 0.3, 0.37, 0.25), scatter=80.0, total=600, spread=0.3, seed=1):
    draws = np.random.default_rng(seed)
    rows = []
    for _ in range(patients):
        own = np.log(base) + spread * draws.standard_normal(len(base))
        for side in (-0.5, 0.5):
            moved = own + np.eye(len(base))[0] * effect * side
            rows.append(draws.multinomial(total, draws.dirichlet(scatter * np.exp(moved) / np.exp(own).sum())))
    return np.array(rows, dtype=float)


@pytest.mark.compiled
@pytest.mark.compiled
def chain(counts, reference, *, sweeps=3000, warm_up=800, seed=1, run=run_chain):
    kept, inclusion = np.empty((sweeps, counts.shape[1])), np.empty((sweeps, counts.shape[1]), dtype=np.uint8)
    run(counts, reference, warm_up, kept, inclusion, np.random.default_rng(seed))
    return kept, inclusion


def test_run_chain__finds_a_planted_effect_and_no_other():
    kept, inclusion = chain(simulated(effect=2.0), 2)
    assert inclusion[:, 0].mean() > 0.98
    assert kept[:, 0].mean() == pytest.approx(2.0, abs=0.8)
    assert inclusion[:, [1, 3]].mean() < 0.6
    assert not inclusion[:, 2].any()


def test_run_chain__is_the_same_for_the_same_seed_and_alike_for_another():
    counts = simulated(effect=0.5)
    first, again, other = (chain(counts, 1, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_allclose(first[1].mean(axis=0), other[1].mean(axis=0), atol=0.08)


def test_run_chain__is_the_same_compiled_and_plain(monkeypatch):
    counts = simulated(effect=1.0, patients=2)
    compiled = chain(counts, 1, sweeps=15, warm_up=10)
    for name in KERNELS:
        monkeypatch.setattr(kernels, name, getattr(getattr(kernels, name), "python", getattr(kernels, name)))
    plain = chain(counts, 1, sweeps=15, warm_up=10, run=run_chain.python)
    np.testing.assert_allclose(plain[0], compiled[0], rtol=1e-8)
    np.testing.assert_array_equal(plain[1], compiled[1])


def log_probability(counts, logs):
    """Of each draw; none where a parameter is out of the bounds of the chain."""
    inside = (np.abs(logs) < kernels.LARGEST).all(axis=(1, 2))
    own = np.exp(np.clip(logs, -kernels.LARGEST, kernels.LARGEST))
    sums, whole = own.sum(axis=2), counts.sum(axis=1)
    terms = (gammaln(counts + own) - gammaln(own)).sum(axis=2) + gammaln(sums) - gammaln(sums + whole)
    return np.where(inside, terms.sum(axis=1), -np.inf)


@pytest.mark.compiled
@pytest.mark.once
@pytest.mark.slow
def test_run_chain__has_the_inclusion_that_importance_sampling_gives():
    # Two patients, two states: evidence of both models by draws of alpha around a fit, and of all else from the prior.
    counts = np.array([[12.0, 88], [35, 65], [20, 80], [41, 59]])
    draws = np.random.default_rng(5)
    number = 100_000
    center = np.log([25.0, 75])
    alpha = center + draws.standard_t(4, (number, 1)) * 1.2 + 0.35 * draws.standard_t(4, (number, 2))
    spread = np.abs(draws.standard_normal(number))
    effects = spread[:, None, None] * draws.standard_normal((number, 2, 2))
    slab = draws.standard_cauchy(number)
    shift = alpha - center
    # The density of alpha's proposal: an integral over the common part, on a grid.
    grid = np.linspace(-15, 15, 301)
    common = np.exp(log_t(grid / 1.2)) / 1.2
    inner = np.array([np.exp(log_t((shift - point) / 0.35)).prod(axis=1) / 0.35**2 for point in grid])
    proposal = np.log((inner * common[:, None]).sum(axis=0) * (grid[1] - grid[0]))
    prior = -(alpha**2).sum(axis=1) / 50 - 2 * np.log(5 * np.sqrt(2 * np.pi))
    sides = np.array([-0.5, 0.5])
    evidence = []
    for effect in (np.zeros(number), slab):
        logs = alpha[:, None, None] + effects[:, :, None]
        logs = logs + sides[None, None, :, None] * effect[:, None, None, None] * np.array([1.0, 0.0])
        weights = log_probability(counts, logs.reshape(number, 4, 2)) + prior - proposal
        evidence.append(np.logaddexp.reduce(weights))
    expected = 1 / (1 + np.exp(evidence[0] - evidence[1]))
    _, inclusion = chain(counts, 1, sweeps=20_000, warm_up=2000)
    assert inclusion[:, 0].mean() == pytest.approx(expected, abs=0.06)


def log_t(values):
    """Logarithm of the density of Student's t with four degrees of freedom."""
    return gammaln(2.5) - gammaln(2.0) - 0.5 * np.log(4 * np.pi) - 2.5 * np.log1p(values**2 / 4)
