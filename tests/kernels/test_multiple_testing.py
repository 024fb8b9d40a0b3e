"""Benjamini-Hochberg and Holm against R and SciPy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from chemores_dask.kernels.multiple_testing import benjamini_hochberg, holm


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


def test_holm__equals_r(reference_folder):
    for case in json.loads((reference_folder / "reference" / "stats" / "cases.json").read_text())["p_adjust"]:
        found = holm(np.array(case["p"], dtype=float))
        np.testing.assert_allclose(found, np.array(case["holm"], dtype=float), rtol=1e-12, equal_nan=True)


def test_holm__leaves_unknown_p_values_out_of_the_family():
    np.testing.assert_allclose(holm(np.array([np.nan, 0.02, 0.01, 0.6])), [np.nan, 0.04, 0.03, 0.6])
    assert np.isnan(holm(np.array([np.nan]))).all()
    assert holm(np.array([])).size == 0
