from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from chemores_dask.graph.label_densities import label_moments, learn_densities, own_distances, with_limits


def labeled(cells=300, components=4, seed=0):
    random = np.random.default_rng(seed)
    codes = random.integers(-1, 3, cells)
    spread = random.normal(size=(components, components))
    return (codes[:, None] * 2 + random.normal(size=(cells, components)) @ spread).astype(np.float32), codes


def densities_of(reference, codes, *, cuts=(), labels=3):
    parts = zip(np.split(reference, cuts), np.split(codes, cuts), strict=True)
    return learn_densities([label_moments(block, own, labels=labels) for block, own in parts])


def covariances(reference, codes, labels=3):
    components = reference.shape[1]
    groups = [reference[codes == label].astype(np.float64) for label in range(labels)]
    within = [(group - group.mean(axis=0)).T @ (group - group.mean(axis=0)) for group in groups]
    pooled = sum(within) / (sum(map(len, groups)) - labels)
    pooled += 1e-6 * np.trace(pooled) / components * np.eye(components)
    return [
        (w + (components + 1) * pooled) / (len(g) + components) for w, g in zip(within, groups, strict=True)
    ], groups


def test_densities__equal_the_posterior_of_scipy():
    reference, codes = labeled()
    found, groups = covariances(reference, codes)
    density = np.column_stack(
        [multivariate_normal(g.mean(axis=0), c).pdf(reference) for g, c in zip(groups, found, strict=True)]
    )
    shares, _ = densities_of(reference, codes)(reference)
    np.testing.assert_allclose(shares, density / density.sum(axis=1, keepdims=True), atol=1e-8)


def test_densities__do_not_depend_on_blocks():
    reference, codes = labeled()
    whole, cut = densities_of(reference, codes), densities_of(reference, codes, cuts=(1, 50, 50, 299))
    np.testing.assert_allclose(cut.whitening, whole.whitening, rtol=1e-9)
    np.testing.assert_allclose(cut.center, whole.center, rtol=1e-12)
    chosen = reference[codes >= 0].astype(np.float64)
    np.testing.assert_allclose(whole.scale, chosen.std(axis=0), rtol=1e-6)


def test_own_distances__are_those_of_mahalanobis_without_the_cell_itself():
    reference, codes = labeled(80)
    found, groups = covariances(reference, codes)
    components = reference.shape[1]
    expected = np.full(len(codes), np.nan)
    for cell in np.flatnonzero(codes >= 0):
        label = codes[cell]
        # What is added to the sum of squares of the label is the same with the cell and without it.
        cells = len(groups[label])
        whole = (groups[label] - groups[label].mean(axis=0)).T @ (groups[label] - groups[label].mean(axis=0))
        added = found[label] * (cells + components) - whole
        others = reference[(codes == label) & (np.arange(80) != cell)].astype(np.float64)
        centered = others - others.mean(axis=0)
        covariance = (centered.T @ centered + added) / (cells - 1 + components)
        difference = reference[cell] - others.mean(axis=0)
        expected[cell] = np.sqrt(difference @ np.linalg.solve(covariance, difference))
    distances = own_distances(reference, codes, densities_of(reference, codes))
    np.testing.assert_allclose(distances, expected[codes >= 0], rtol=1e-6)


@pytest.mark.parametrize("cells", [20, 40, 200])
def test_with_limits__new_cells_of_a_small_label_are_not_far(cells):
    random = np.random.default_rng(3)
    turned = np.linalg.qr(random.normal(size=(30, 30)))[0]
    spread = np.linspace(3, 0.3, 30)
    many, few, new = random.normal(size=(1600, 30)), random.normal(size=(cells, 30)), random.normal(size=(500, 30))
    reference = np.concatenate([many * spread, 5 + (few * spread) @ turned]).astype(np.float32)
    codes = np.repeat([0, 1], [1600, cells])
    plain = densities_of(reference, codes, labels=2)
    limited = with_limits(plain, [own_distances(reference, codes, plain)], codes)
    away = limited.away(limited.square_distances(5 + (new * spread) @ turned), np.ones(500, dtype=np.int64))
    assert (away > 1.25).mean() < 0.02


def test_own_distances__of_the_only_cell_of_a_label_are_zero():
    reference, codes = labeled()
    codes = np.where(codes == 2, -1, codes)
    codes[np.flatnonzero(codes < 0)[0]] = 2
    distances = own_distances(reference, codes, densities_of(reference, codes))
    assert distances[codes[codes >= 0] == 2] == pytest.approx(0, abs=1e-6)


def test_with_limits__one_percent_of_a_label_is_farther():
    reference, codes = labeled(4000)
    plain = densities_of(reference, codes)
    distances = own_distances(reference, codes, plain)
    limited = with_limits(plain, [distances], codes)
    away = distances[codes[codes >= 0] == 1] / limited.limits[1]
    assert (away > 1).mean() == pytest.approx(0.01, abs=0.002)


def test_learn_densities__a_label_with_one_cell_takes_the_spread_of_all():
    reference, codes = labeled()
    codes = np.where(codes == 2, -1, codes)
    codes[np.flatnonzero(codes < 0)[0]] = 2
    shares, _ = densities_of(reference, codes)(reference)
    assert np.isfinite(shares).all()


def test_learn_densities__constant_components_do_no_harm():
    reference, codes = labeled()
    reference[:, 1] = 3
    shares, away = densities_of(reference, codes)(reference)
    assert np.isfinite(shares).all()
    assert np.isfinite(away).all()


@pytest.mark.parametrize("places", [np.eye(3), np.ones((3, 3))])
def test_learn_densities__without_spread_all_other_places_are_far(places):
    reference, codes = np.repeat(places.astype(np.float32), 4, axis=0), np.repeat(np.arange(3), 4)
    plain = densities_of(reference, codes)
    densities = with_limits(plain, [own_distances(reference, codes, plain)], codes)
    shares, away = densities(np.concatenate([reference, reference + np.float32(0.5)]))
    assert np.isfinite(shares).all()
    assert (away[:12] == 0).all()
    assert np.isinf(away[12:]).all()
