"""Benjamini-Hochberg against R and SciPy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from chemores_dask.kernels.multiple_testing import benjamini_hochberg


def test_benjamini_hochberg__equals_r(reference_folder):
    cases = json.loads((reference_folder / "reference" / "stats" / "cases.json").read_text())["p_adjust"]
    assert len(cases) >= 6
    for case in cases:
        found = benjamini_hochberg(np.array(case["p"], dtype=float))
        np.testing.assert_allclose(found, np.array(case["BH"], dtype=float), rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize("size", [1, 2, 37])
def test_benjamini_hochberg__equals_scipy(size):
    p_values = np.random.default_rng(size).random(size) ** 2
    np.testing.assert_allclose(benjamini_hochberg(p_values), false_discovery_control(p_values), rtol=1e-13)


def test_benjamini_hochberg__leaves_unknown_p_values_out_of_the_family():
    found = benjamini_hochberg(np.array([np.nan, 0.02, np.nan, 0.01]))
    np.testing.assert_allclose(found, [np.nan, 0.02, np.nan, 0.02])
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()
    assert benjamini_hochberg(np.array([])).size == 0
