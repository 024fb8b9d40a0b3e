"""A threshold on other scales, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import SmallSampleWarning
from chemores_dask.kernels.dyadic_bins import bin_groups, pool_bins
from chemores_dask.scores.frozen_threshold import share_below, standard_scores, threshold_interval, warn_single_patient

VALUES = np.random.default_rng(3).gamma(2.0, size=5000)
BINS = pool_bins(bin_groups(VALUES, np.zeros(5000, dtype=int), most=4096))


def test_standard_scores__are_those_of_the_values():
    assert standard_scores(BINS, 4.0) == pytest.approx((4.0 - VALUES.mean()) / VALUES.std(ddof=1), rel=1e-5)
    assert np.isnan(standard_scores(pool_bins(bin_groups(np.ones(3), np.zeros(3, dtype=int), most=8)), 1.0))


@pytest.mark.parametrize("threshold", [-1.0, 0.3, 2.0, 30.0])
def test_share_below__is_that_of_the_values(threshold):
    assert share_below(BINS, threshold) == pytest.approx((threshold > VALUES).mean(), abs=4e-4)
    assert np.isnan(share_below(BINS, np.nan))


def test_threshold_interval__leaves_out_what_is_unknown():
    found = threshold_interval(np.concatenate([np.linspace(0, 1, 101), np.full(20, np.nan)]))
    np.testing.assert_allclose(found, (0.025, 0.975))
    assert np.isnan(threshold_interval(np.full(3, np.nan))).all()


def test_warn_single_patient__names_the_analysis():
    with pytest.warns(SmallSampleWarning, match="jenks_breaks"):
        warn_single_patient("jenks_breaks")
