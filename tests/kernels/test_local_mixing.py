"""The local inverse Simpson index against harmonypy and against cases known beforehand."""

from __future__ import annotations

import math

import harmonypy
import numpy as np
import pandas as pd
import pytest

from chemores_dask.kernels.local_mixing import inverse_simpson, local_inverse_simpson


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_local_inverse_simpson__equals_harmonypy(far):
    generator = np.random.default_rng(8)
    points = generator.normal(size=(700, 5)) + far
    codes = [generator.integers(0, 3, 700), (points[:, 0] > far).astype(int)]
    found = local_inverse_simpson(points, codes, labels=[3, 2])
    labels = pd.DataFrame({"first": codes[0].astype(str), "second": codes[1].astype(str)})
    wanted = harmonypy.compute_lisi(points, labels, ["first", "second"], perplexity=30)
    np.testing.assert_allclose(found[0], wanted[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found[1], wanted[:, 1], rtol=1e-6)


def test_local_inverse_simpson__is_one_in_pure_places_and_all_in_mixed_ones():
    generator = np.random.default_rng(9)
    points = np.vstack([generator.normal(size=(400, 2)), generator.normal(size=(400, 2)) + 100.0])
    (apart,) = local_inverse_simpson(points, [np.repeat([0, 1], 400)], labels=[2])
    np.testing.assert_allclose(apart, 1.0, rtol=1e-12)
    (mixed,) = local_inverse_simpson(points, [np.tile([0, 1], 400)], labels=[2])
    assert 1.85 < mixed.mean() < 2.0


@pytest.mark.parametrize("cells", [1, 2, 3, 20])
def test_local_inverse_simpson__bears_few_cells(cells):
    points = np.random.default_rng(1).normal(size=(cells, 2))
    (found,) = local_inverse_simpson(points, [np.arange(cells) % 2], labels=[2])
    assert found.shape == (cells,)
    assert ((found >= 1.0 - 1e-12) & (found <= 2.0 + 1e-12)).all()


def test_local_inverse_simpson__bears_cells_in_one_place():
    (found,) = local_inverse_simpson(np.zeros((200, 2)), [np.arange(200) % 2], labels=[2])
    assert np.isfinite(found).all()


def test_inverse_simpson__agrees_with_its_plain_twin():
    generator = np.random.default_rng(10)
    distances, codes = generator.random((20, 30)), generator.integers(0, 4, (20, 30))
    found = []
    for kernel in (inverse_simpson, inverse_simpson.python):
        out = np.zeros(20)
        kernel(distances, codes, 4, math.log(10.0), out)
        found.append(out)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
