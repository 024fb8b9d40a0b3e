"""Tests of carrying a cut-off to other patients."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.cohort.survival.frozen_cutoff import SCALES, as_score, on_scales
from chemores_dask.errors import InputError

VALUES = np.random.default_rng(3).normal(4.0, 2.0, size=101)


@pytest.mark.parametrize("scale", SCALES)
def test_as_score__brings_a_threshold_back_to_the_same_patients(scale: str) -> None:
    ordered = np.sort(VALUES)
    for below in (1, 20, 50, 100):
        threshold = (ordered[below - 1] + ordered[below]) / 2
        again = as_score(on_scales(threshold, VALUES)[scale], VALUES, scale=scale)
        np.testing.assert_array_equal(again <= VALUES, threshold <= VALUES)


def test_as_score__follows_the_patients_or_not() -> None:
    frozen = on_scales(5.0, VALUES)
    stretched = 10 * VALUES - 3
    high = VALUES >= 5.0
    for scale in ("zscore", "quantile"):
        np.testing.assert_array_equal(stretched >= as_score(frozen[scale], stretched, scale=scale), high)
    assert as_score(frozen["score"], stretched, scale="score") == 5.0


def test_as_score__of_extreme_quantiles() -> None:
    assert as_score(0.0, VALUES, scale="quantile") == VALUES.min()
    assert as_score(1.0, VALUES, scale="quantile") > VALUES.max()
    assert as_score(0.07, np.arange(100.0), scale="quantile") == 7.0


@pytest.mark.parametrize("values", [np.array([1.0]), np.array([2.0, 2.0])])
def test_as_score__needs_patients_who_differ(values: np.ndarray) -> None:
    for scale in ("zscore", "quantile"):
        with pytest.raises(InputError, match=f"'{scale}'"):
            as_score(0.5, values, scale=scale)
    assert as_score(0.5, values, scale="score") == 0.5
