"""Drawn cohorts against their measures one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from chemores_dask.kernels.calibration import brier_score, net_benefit
from chemores_dask.kernels.performance_draws import DRAWS_AT_ONCE, draw_performance

THRESHOLDS = np.array([0.1, 0.4, 0.5])


def patients(n=40):
    generator = np.random.default_rng(1)
    positive = generator.random(n) < 0.4
    score = np.round(generator.normal(size=n) + positive, 1)
    return score, np.round(1 / (1 + np.exp(-score)), 2), positive


def test_draw_performance__measures_each_drawn_cohort():
    score, probability, positive = patients()
    found = draw_performance(score, probability, positive, THRESHOLDS, draws=DRAWS_AT_ONCE + 6, seed=3)
    generator = np.random.default_rng(3)
    for draw in range(DRAWS_AT_ONCE + 6):
        drawn = generator.integers(0, score.size, size=score.size)
        assert found.auroc[draw] == pytest.approx(roc_auc_score(positive[drawn], score[drawn]), rel=1e-12)
        assert found.brier[draw] == pytest.approx(brier_score(probability[drawn], positive[drawn]), rel=1e-12)
        expected = net_benefit(probability[drawn], positive[drawn], THRESHOLDS)[0]
        assert found.net_benefit[draw] == pytest.approx(expected, abs=1e-12)


def test_draw_performance__has_the_same_bits_with_the_same_seed():
    first, second = (draw_performance(*patients(), THRESHOLDS, draws=20, seed=5) for _ in range(2))
    assert np.array_equal(first.auroc, second.auroc)
    assert not np.array_equal(first.auroc, draw_performance(*patients(), THRESHOLDS, draws=20, seed=6).auroc)


def test_draw_performance__of_one_class_has_no_area():
    positive = np.array([True, False, False])
    found = draw_performance(np.arange(3.0), np.array([0.2, 0.4, 0.9]), positive, THRESHOLDS, draws=50, seed=1)
    assert np.isnan(found.auroc).any()
    assert np.isfinite(found.brier).all()
