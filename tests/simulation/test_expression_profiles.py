"""Proportions of genes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chemores_dask.kernels.sampled_counts import NOISE_LEVELS
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.expression_profiles import STATES, STEM_CODE, sample_profiles, state_profiles
from chemores_dask.simulation.gene_panel import (
    MITOCHONDRIAL_GROUP,
    RIBOSOMAL_GROUP,
    STEMNESS_GROUP,
    gene_panel,
)

DESIGN = SimulationDesign(genes=5000)
PANEL = gene_panel(5000, seed=3)


def of_sample(design, **names):
    given = {"patient": "P01", "batch": "batch_1", "sample": "P01_relapse", **names}
    profiles = state_profiles(PANEL, design=design, seed=3)
    return sample_profiles(profiles, design=design, seed=3, **given)


def test_state_profiles__hold_the_planted_shares():
    shares = np.exp(state_profiles(PANEL, design=DESIGN, seed=3).log_shares[0])
    assert shares.sum() == pytest.approx(1, rel=0.3)
    assert shares[PANEL.groups == MITOCHONDRIAL_GROUP].sum() == pytest.approx(0.04)
    assert shares[PANEL.groups == RIBOSOMAL_GROUP].sum() == pytest.approx(0.25)


def test_state_profiles__raise_stemness_in_stem_like_cells_only():
    log_shares = state_profiles(PANEL, design=DESIGN, seed=3).log_shares
    folds = (
        log_shares[:, PANEL.groups == STEMNESS_GROUP].mean(axis=1)
        - log_shares[0][PANEL.groups == STEMNESS_GROUP].mean()
    )
    expected = np.where(np.arange(len(STATES)) == STEM_CODE, DESIGN.stemness_effect, 0.0)
    np.testing.assert_allclose(folds, expected, atol=1e-12)


@pytest.mark.parametrize("dispersion", [0.0, 0.05, 0.3, 2.0])
def test_state_profiles__noise_has_mean_one_and_the_dispersion(dispersion):
    design = dataclasses.replace(DESIGN, dispersion=dispersion)
    noise = state_profiles(PANEL, design=design, seed=3).noise
    assert len(noise) == NOISE_LEVELS
    assert noise.mean() == pytest.approx(1)
    assert noise.var() == pytest.approx(dispersion, rel=0.03)


def test_sample_profiles__sum_to_one():
    profiles = of_sample(DESIGN)
    np.testing.assert_allclose(profiles.group_shares.sum(axis=1), 1)
    np.testing.assert_allclose(profiles.common_shares.sum(axis=1) + profiles.rare_shares, 1)


def test_sample_profiles__differ_by_patient_batch_and_sample_as_planted():
    reference = of_sample(DESIGN)
    still = dataclasses.replace(DESIGN, patient_spread=0.0, batch_spread=0.0, sample_spread=0.0)
    for name, spread in (("patient", "patient_spread"), ("batch", "batch_spread"), ("sample", "sample_spread")):
        assert not np.array_equal(of_sample(DESIGN, **{name: "other"}).group_shares, reference.group_shares)
        alone = dataclasses.replace(still, **{spread: 0.3})
        first, second = (of_sample(alone, **{name: label}).rare_cumulative[0, -1] for label in ("a", "b"))
        assert first == second == 1
        np.testing.assert_array_equal(
            of_sample(still, **{name: "a"}).group_shares, of_sample(still, **{name: "b"}).group_shares
        )
