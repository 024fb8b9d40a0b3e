"""Beta-binomial composition: the published expansion, rare states, seeds, hostile tables, and its level."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit, logit

from chemores_dask.cohort.composition.beta_binomial_composition import RESULT, beta_binomial_composition
from chemores_dask.errors import DroppedPatientsWarning, InputError, ParameterError, SmallSampleWarning
from chemores_dask.kernels.likelihood_ratio import bartlett_factor, fit_pairs, ratio_p_value
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import check_result
from tests.published_counts import EXPANSION

STAGES = {"before": "diagnosis", "after": "relapse"}


def cube_of(pairs, *, split=3):
    cells, patients, stages = [], [], []
    for patient, counts in pairs.items():
        for stage, found, total in (("diagnosis", *counts[:2]), ("relapse", *counts[2:])):
            rest = (total - found) // split
            cells.append([found, rest, total - found - rest])
            patients.append(patient)
            stages.append(stage)
    return xr.Dataset(
        {"cube_cells": (("sample", "state"), np.array(cells))},
        coords={"state": ["stem_like", "T", "blast"], "patient": ("sample", patients), "stage": ("sample", stages)},
    )


def test_beta_binomial_composition__finds_the_published_expansion():
    result = beta_binomial_composition(cube_of(EXPANSION), **STAGES, draws=60, seed=1)
    check_result(RESULT, result)
    stem = result.sel(state="stem_like")
    assert float(stem["beta_binomial_p_value"]) < 1e-3
    assert 2 < float(stem["beta_binomial_effect_lower"]) < float(stem["beta_binomial_effect"]) < 5
    assert float(stem["beta_binomial_share_before"]) == pytest.approx(0.009, abs=0.003)
    assert float(stem["beta_binomial_share_after"]) == pytest.approx(0.27, abs=0.03)
    assert float(stem["beta_binomial_likelihood_ratio"]) == pytest.approx(33.04, abs=0.01)
    assert int(stem["beta_binomial_cells"]) == sum(a + c for a, _, c, _ in EXPANSION.values())
    assert int(result["beta_binomial_patients"]) == 8
    assert float(result["beta_binomial_minimum_p_value"]) == 2 / 256
    np.testing.assert_allclose(
        result["beta_binomial_q_value"], benjamini_hochberg(result["beta_binomial_p_value"].values)
    )


def test_beta_binomial_composition__does_not_depend_on_other_states():
    cube = cube_of(EXPANSION)
    every = beta_binomial_composition(cube, **STAGES, draws=5, seed=7)
    again = beta_binomial_composition(cube, **STAGES, draws=5, seed=7)
    assert every.identical(again)
    alone = beta_binomial_composition(cube, **STAGES, states=["stem_like"], draws=5, seed=7)
    merged = cube_of(EXPANSION)
    merged["cube_cells"][:, 1] += merged["cube_cells"][:, 2]
    merged = merged.drop_sel(state="blast")
    other = beta_binomial_composition(merged, **STAGES, states=["stem_like"], draws=5, seed=7)
    for found in (alone, other):
        assert float(found["beta_binomial_p_value"][0]) == float(every["beta_binomial_p_value"][0])
    assert alone["state"].values.tolist() == ["stem_like"]


def test_beta_binomial_composition__gives_states_without_cells_no_values():
    cube = cube_of(EXPANSION)
    cube["cube_cells"][:, 1] = 0
    result = beta_binomial_composition(cube, **STAGES, draws=5, seed=1)
    nowhere = result.sel(state="T")
    assert np.isnan(nowhere["beta_binomial_p_value"])
    assert int(nowhere["beta_binomial_cells"]) == 0
    assert np.isfinite(result["beta_binomial_q_value"].sel(state="stem_like"))


def test_beta_binomial_composition__warns_of_few_and_unpaired_patients():
    few = dict(list(EXPANSION.items())[:3])
    with pytest.warns(SmallSampleWarning, match="With 3 patients"):
        result = beta_binomial_composition(cube_of(few), **STAGES, draws=5, seed=1)
    assert float(result["beta_binomial_minimum_p_value"]) == 0.25
    with pytest.warns(DroppedPatientsWarning, match="P7"):
        beta_binomial_composition(cube_of(EXPANSION).isel(sample=slice(15)), **STAGES, states=["T"], draws=5, seed=1)
    with pytest.warns(SmallSampleWarning, match="With 1 patients"):
        one = beta_binomial_composition(cube_of({"P1": EXPANSION["P1"]}), **STAGES, draws=5, seed=1)
    assert np.isfinite(one["beta_binomial_p_value"]).all()


def test_beta_binomial_composition__refuses():
    cube = cube_of(EXPANSION)
    with pytest.raises(InputError, match="Got 'B'; present: stem_like, T, blast"):
        beta_binomial_composition(cube, **STAGES, states=["B"], seed=1)
    with pytest.raises(ParameterError, match="at least 1"):
        beta_binomial_composition(cube, **STAGES, draws=0, seed=1)
    with pytest.raises(InputError, match="two values of 'stage'"):
        beta_binomial_composition(cube, before="diagnosis", after="remission", seed=1)
    with pytest.raises(InputError, match="in at least two states"):
        beta_binomial_composition(cube.where(cube["state"] == "T", 0), **STAGES, seed=1)


def null_p_values(*, cohorts, patients, cells, share, rho, seed, draws=40):
    """P values of the corrected ratio where nothing changes."""
    generator = np.random.default_rng(seed)
    total, found = np.tile(np.array(cells, dtype=float), (patients, 1)), []
    for _ in range(cohorts):
        mean = np.repeat(expit(logit(share) + 0.5 * generator.standard_normal((patients, 1))), 2, axis=1)
        own = generator.beta(mean * (1 - rho) / rho, (1 - mean) * (1 - rho) / rho) if rho else mean
        table = generator.binomial(total.astype(int), own).astype(float)
        fit = fit_pairs(table, total)
        factor = bartlett_factor(fit.null, total, draws=draws, generator=generator)
        found.append(ratio_p_value(fit.ratio, factor))
    return np.array(found)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(
    ("patients", "cells", "share", "rho"),
    [(8, (100, 700), 0.014, 0.0), (8, (400, 600), 0.1, 0.02), (5, (400, 600), 0.1, 0.02)],
)
def test_beta_binomial__holds_its_level(patients, cells, share, rho):
    # 40 draws, rather than 200, raise the level to about 5.7 %.
    found = null_p_values(cohorts=120, patients=patients, cells=cells, share=share, rho=rho, seed=5)
    assert (found < 0.05).sum() <= stats.binom.ppf(0.999, found.size, 0.05)
    assert stats.kstest(found, "uniform").pvalue > 0.001
