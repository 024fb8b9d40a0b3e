"""Pairs of samples."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit, logit

from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.paired_patients import logit_location, planned_samples


@pytest.mark.parametrize("mean", [1e-4, 0.014, 0.5, 0.95])
@pytest.mark.parametrize("spread", [0.0, 0.4, 2.0])
def test_logit_location__gives_the_mean(mean, spread):
    location = logit_location(mean, spread=spread)
    integral, _ = quad(lambda z: expit(location + spread * z) * stats.norm.pdf(z), -12, 12)
    assert integral == pytest.approx(mean, rel=1e-4)


def test_planned_samples__pair_every_patient():
    design = SimulationDesign(patients=5, batches=2)
    samples = planned_samples(design, seed=1)
    assert [sample.stage for sample in samples] == ["diagnosis", "relapse"] * 5
    assert len({sample.name for sample in samples}) == 10
    for patient in {sample.patient for sample in samples}:
        pair = [sample for sample in samples if sample.patient == patient]
        assert pair[0].batch == pair[1].batch
        assert pair[0].subtype == pair[1].subtype
    assert set(Counter(sample.batch for sample in samples)) == {"batch_1", "batch_2"}


def test_planned_samples__have_the_planted_means():
    design = SimulationDesign(patients=600)
    samples = planned_samples(design, seed=1)
    for stage, mean in (("diagnosis", 0.014), ("relapse", 0.26)):
        shares = np.array([sample.stem_share for sample in samples if sample.stage == stage])
        assert abs(shares.mean() - mean) < 4 * shares.std() / np.sqrt(600)
        assert np.std(logit(shares)) == pytest.approx(design.stem_share_spread, rel=0.15)


def test_planned_samples__share_half_the_variance_within_patients():
    samples = planned_samples(SimulationDesign(patients=600), seed=2)
    shares = logit([sample.stem_share for sample in samples]).reshape(600, 2)
    assert np.corrcoef(shares.T)[0, 1] == pytest.approx(0.5, abs=0.12)


def test_planned_samples__without_spread_are_alike():
    samples = planned_samples(SimulationDesign(stem_share_spread=0.0), seed=1)
    assert {round(sample.stem_share, 9) for sample in samples} == {0.014, 0.26}


def test_planned_samples__keep_patients_when_more_come():
    few = planned_samples(SimulationDesign(patients=2), seed=1)
    assert planned_samples(SimulationDesign(patients=6), seed=1)[:4] == few


@pytest.mark.parametrize(
    ("formats", "cells", "folders"),
    [("mtx", 10, 4), ("h5", 10, 0), ("alternate", 20_000, 2), ("auto", 10, 2), ("auto", 20_000, 0)],
)
def test_planned_samples__follow_the_formats(formats, cells, folders):
    design = dataclasses.replace(SimulationDesign(), patients=2, formats=formats, cells_per_sample=cells)
    paths = [sample.path for sample in planned_samples(design, seed=1)]
    assert sum(not path.endswith(".h5") for path in paths) == folders
