"""K-means on the sphere: planted directions, repeated runs, and cells that leave nothing to choose from."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.kernels.sphere_means import sphere_means


def test_sphere_means__find_planted_directions():
    generator = np.random.default_rng(1)
    planted = np.eye(6)[np.repeat(np.arange(6), 50)] * generator.uniform(1.0, 20.0, size=(300, 1))
    rows = planted + generator.normal(size=(300, 6)) * 0.02
    centers = sphere_means(rows, clusters=6, seed=4)
    assert centers.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 1.0, rtol=1e-6)
    assert sorted(np.argmax(centers, axis=1).tolist()) == list(range(6))
    assert (centers.max(axis=1) > 0.99).all()


def test_sphere_means__are_the_same_for_the_same_seed():
    rows = np.random.default_rng(2).normal(size=(200, 4))
    first, second = sphere_means(rows, clusters=9, seed=5), sphere_means(rows, clusters=9, seed=5)
    assert first.tobytes() == second.tobytes()
    assert sphere_means(rows, clusters=9, seed=6).tobytes() != first.tobytes()


def test_sphere_means__are_fixed_points():
    rows = np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32)
    centers = sphere_means(rows, clusters=4, seed=0)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    nearest = np.argmax(units @ centers.T, axis=1)
    sums = np.array([units[nearest == cluster].sum(axis=0) for cluster in range(4)])
    np.testing.assert_allclose(sums / np.linalg.norm(sums, axis=1, keepdims=True), centers, atol=0.02)


@pytest.mark.parametrize(
    "rows", [np.ones((5, 3)), np.zeros((5, 3)), np.eye(3)], ids=["in one place", "at zero", "one cell for each"]
)
def test_sphere_means__bear_cells_without_choice(rows):
    centers = sphere_means(rows, clusters=3, seed=1)
    assert centers.shape == (3, 3)
    assert np.isfinite(centers).all()
