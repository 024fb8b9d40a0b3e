"""Counts follow their distributions, and the compiled kernels do what the plain ones do."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from chemores_dask.kernels.sampled_counts import (
    NOISE_LEVELS,
    bits_at,
    noise_level_at,
    poisson_at,
    poisson_by_inversion,
    sample_counts,
    split_profiles,
    uniform_at,
)
from chemores_dask.randomness import cell_uniforms, mix


def keys_of(cells):
    return mix(np.arange(1, cells + 1, dtype=np.uint64))


def gamma_levels(dispersion):
    levels = stats.gamma.ppf((np.arange(NOISE_LEVELS) + 0.5) / NOISE_LEVELS, 1 / dispersion, scale=dispersion)
    return levels / levels.mean()


@pytest.fixture
def profiles():
    generator = np.random.default_rng(3)
    shares = generator.lognormal(0, 1.5, size=(2, 60))
    shares /= shares.sum(axis=1, keepdims=True)
    groups = np.zeros(60, dtype=np.int64)
    groups[5:9] = 1
    common = (shares.max(axis=0) > 0.01) | (groups > 0)
    return shares, groups, split_profiles(shares, groups, common=common, noise=gamma_levels(0.3))


def dense(drawn, genes):
    indptr, indices, data = drawn
    counts = np.zeros((len(indptr) - 1, genes), dtype=np.int64)
    for cell in range(len(indptr) - 1):
        counts[cell, indices[indptr[cell] : indptr[cell + 1]]] = data[indptr[cell] : indptr[cell + 1]]
    return counts


def test_uniform_at__equals_the_numbers_of_cell_uniforms():
    keys = np.array([11, 12], dtype=np.uint64)
    streams = mix(keys ^ mix(np.array([5], dtype=np.uint64))[0])
    ours = [[uniform_at(stream, np.uint64(position)) for position in (1, 2, 3)] for stream in streams]
    np.testing.assert_array_equal(ours, cell_uniforms(5, keys, 3))


@pytest.mark.parametrize("kernel", [bits_at, uniform_at, noise_level_at])
def test_draw__is_the_same_compiled_and_plain(kernel):
    with np.errstate(over="ignore"):
        for key in keys_of(20):
            for position in (0, 7, 2**32 + 1):
                assert kernel(key, np.uint64(position)) == kernel.python(key, np.uint64(position))


@pytest.mark.parametrize("mean", [0.001, 0.7, 5.0, 32.0])
def test_poisson_by_inversion__equals_scipys_quantile(mean):
    uniforms = np.concatenate([np.random.default_rng(0).uniform(size=500), [0.0, 1 - 2.0**-53]])
    ours = [poisson_by_inversion(uniform, math.exp(-mean), mean) for uniform in uniforms]
    plain = [poisson_by_inversion.python(uniform, math.exp(-mean), mean) for uniform in uniforms]
    assert ours == plain
    np.testing.assert_array_equal(ours[:500], stats.poisson.ppf(uniforms[:500], mean))


@pytest.mark.parametrize("mean", [0.0, 0.3, 20.0, 100.0, 700.0])
def test_poisson_at__has_mean_and_variance_of_poisson(mean):
    values = np.array([poisson_at(key, np.uint64(3), mean) for key in keys_of(4000)])
    assert abs(values.mean() - mean) <= 5 * math.sqrt(mean / 4000)
    assert abs(values.var() - mean) <= 0.15 * mean
    assert values[:20].tolist() == [poisson_at.python(key, np.uint64(3), mean) for key in keys_of(20)]


def test_sample_counts__is_the_same_compiled_and_plain(profiles):
    keys, depths = keys_of(6), np.array([0.0, 1.0, 50.0, 300.0, 2000.0, 50_000.0])
    states, factors = np.array([0, 1, 0, 1, 0, 1]), np.random.default_rng(1).lognormal(size=(6, 2))
    compiled = sample_counts(keys, depths, states, factors, profiles[2])
    with np.errstate(over="ignore"):
        plain = sample_counts.python(keys, depths, states, factors, profiles[2])
    for ours, theirs in zip(compiled, plain, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.compiled
@pytest.mark.compiled
def test_sample_counts__gives_sorted_rows_of_positive_counts(profiles):
    cells = 300
    drawn = sample_counts(keys_of(cells), np.full(cells, 400.0), np.arange(cells) % 2, np.ones((cells, 2)), profiles[2])
    indptr, indices, data = drawn
    assert data.min() > 0
    assert all(np.all(np.diff(indices[a:b]) > 0) for a, b in itertools.pairwise(indptr))


def test_sample_counts__follows_proportions_and_factors(profiles):
    shares, groups, prepared = profiles
    cells = 20_000
    factors = np.ones((cells, 2))
    factors[:, 1] = 4.0
    counts = dense(sample_counts(keys_of(cells), np.full(cells, 500.0), np.ones(cells, int), factors, prepared), 60)
    weights = shares[1] * np.where(groups == 1, 4.0, 1.0)
    expected = 500 * weights / weights.sum()
    errors = np.sqrt((expected + 0.3 * expected**2) / cells)
    assert np.all(np.abs(counts.mean(axis=0) - expected) < 5 * errors)


def test_sample_counts__is_negative_binomial_where_common_and_poisson_where_rare(profiles):
    shares, _, prepared = profiles
    cells = 20_000
    counts = dense(
        sample_counts(keys_of(cells), np.full(cells, 500.0), np.zeros(cells, int), np.ones((cells, 2)), prepared), 60
    )
    means = 500 * shares[0]
    top = prepared.common_genes[np.argmax(means[prepared.common_genes])]
    assert counts[:, top].var() == pytest.approx(means[top] + 0.3 * means[top] ** 2, rel=0.08)
    rare = prepared.rare_genes
    np.testing.assert_allclose(counts[:, rare].var(axis=0) / counts[:, rare].mean(axis=0), 1, atol=0.07)


def test_sample_counts__draws_a_cell_by_its_key_alone(profiles):
    keys, depths, states = keys_of(9), np.linspace(50, 500, 9), np.arange(9) % 2
    factors = np.random.default_rng(2).lognormal(size=(9, 2))
    whole = dense(sample_counts(keys, depths, states, factors, profiles[2]), 60)
    some = np.array([7, 2, 3])
    alone = dense(sample_counts(keys[some], depths[some], states[some], factors[some], profiles[2]), 60)
    np.testing.assert_array_equal(alone, whole[some])


def test_sample_counts__grows_its_arrays():
    shares = np.full((1, 5000), 1 / 5000)
    prepared = split_profiles(shares, np.zeros(5000, int), common=np.ones(5000, bool), noise=np.ones(NOISE_LEVELS))
    indptr, indices, data = sample_counts(keys_of(3), np.full(3, 50_000.0), np.zeros(3, int), np.ones((3, 1)), prepared)
    assert indptr[-1] == len(indices) == len(data)
    assert indptr[-1] > 3 * 4900


def test_sample_counts__takes_no_cells(profiles):
    indptr, indices, data = sample_counts(keys_of(0), np.empty(0), np.empty(0, int), np.empty((0, 2)), profiles[2])
    assert indptr.tolist() == [0]
    assert len(indices) == len(data) == 0


@pytest.mark.parametrize("common", [True, False])
def test_split_profiles__allows_all_genes_common_or_none(common):
    shares = np.array([[0.5, 0.3, 0.2]])
    prepared = split_profiles(shares, np.zeros(3, int), common=np.full(3, common), noise=np.ones(NOISE_LEVELS))
    counts = dense(
        sample_counts(keys_of(2000), np.full(2000, 10.0), np.zeros(2000, int), np.ones((2000, 1)), prepared), 3
    )
    np.testing.assert_allclose(counts.mean(axis=0), [5, 3, 2], atol=0.3)


def test_split_profiles__keeps_genes_with_factors_common():
    with pytest.raises(AssertionError):
        split_profiles(
            np.full((1, 2), 0.5), np.array([0, 1]), common=np.array([True, False]), noise=np.ones(NOISE_LEVELS)
        )
