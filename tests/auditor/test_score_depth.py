from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from chemores_dask.auditor.score_depth import check_depth, spearman
from chemores_dask.auditor.study_design import ScoredDepth, StudyDesign
from tests.auditor.designs import clean_samples


def look(score, total, patients=None):
    return check_depth(StudyDesign(clean_samples(), depths=(ScoredDepth("s", score, total, patients),)))


def counts(seed, patients=8, cells=60):
    generator = np.random.default_rng(seed)
    return (
        generator,
        generator.lognormal(8, 0.4, patients * cells),
        np.repeat([f"P{n}" for n in range(patients)], cells),
    )


@pytest.mark.parametrize("seed", range(3))
def test_spearman__equals_scipy_with_ties(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 8, 50), generator.normal(size=50)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, rel=1e-12)


def test_spearman__is_unknown_without_spread_or_rows():
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))


def test_check_depth__finds_a_raw_sum_of_counts():
    generator, total, patients = counts(1)
    (finding,) = look(generator.poisson(total / 50), total, patients).findings
    assert finding.code == "depth_correlation"
    assert finding.value > 0.8
    assert finding.patients == 8


def test_check_depth__finds_depth_that_patients_hide():
    # Within patients the score follows depth; between them it goes the other way, so that the whole shows nothing.
    generator, total, patients = counts(2, patients=10)
    number = np.array([int(name[1:]) for name in patients])
    total = total * np.exp(number * 0.4)
    score = np.log(total) - number * 0.8 + generator.normal(0, 0.3, total.size)
    (finding,) = look(score, total, patients).findings
    assert "within 10 patients" in finding.text


def test_check_depth__over_patients_needs_more_than_chance():
    generator = np.random.default_rng(4)
    total = generator.lognormal(10, 0.5, 80)
    assert look(np.log(total) + generator.normal(0, 0.3, 80), total).findings[0].patients == 80
    assert look(np.arange(6.0), np.arange(6.0) ** 2 + np.array([0, 30, 0, 0, 0, 0])).findings == ()


def test_check_depth__is_silent_by_chance():
    alarms = 0
    for seed in range(200):
        generator, total, patients = counts(seed, patients=3, cells=12)
        alarms += len(look(generator.normal(size=total.size), total, patients).findings)
    assert alarms == 0


def test_check_depth__leaves_out_what_is_not_a_number():
    generator, total, patients = counts(5)
    score = generator.poisson(total / 50).astype(float)
    score[::3] = np.nan
    outcome = look(score, total, patients)
    assert "over 320 cells" in outcome.looked_at
    assert look(np.full(20, np.nan), np.ones(20)).findings == ()
