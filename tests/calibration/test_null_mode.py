"""Without any effect, P values are uniform: nothing is found more often than chance would have it."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import stats

from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.errors import SmallSampleWarning
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.gene_panel import gene_panel, planted_gene_sets
from tests.calibration.simulated_tables import bulk_patients, cell_counts

LEVEL = 0.05
DOUBT = 0.001
"""Tests of calibration fail by chance this seldom; their seeds are fixed."""


def assert_uniform(p_values):
    p_values = np.asarray(p_values)
    assert np.isfinite(p_values).all()
    assert stats.kstest(p_values, "uniform").pvalue > DOUBT
    assert_error_rate(p_values)


def assert_error_rate(p_values, *, exact=True):
    """The share of P values up to the level lies within binomial limits of the level, or below where P values are discrete."""
    found = int((np.asarray(p_values) <= LEVEL).sum())
    assert found <= stats.binom.ppf(1 - DOUBT, len(p_values), LEVEL)
    if exact:
        assert found >= stats.binom.ppf(DOUBT, len(p_values), LEVEL)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(("event_share", "patients"), [(0.6, 200), (0.2, 100)])
def test_cox_scan__has_uniform_p_values_over_genes(event_share, patients):
    panel = gene_panel(1700, seed=1)
    gene_sets = planted_gene_sets(panel, seed=1)
    design = SimulationDesign(genes=1700, bulk_genes=1500, bulk_patients=patients, event_share=event_share).null()
    wald, ratio, discoveries = [], [], 0
    for seed in range(5):
        cohort = bulk_patients(panel, gene_sets, design=design, seed=seed)
        found = cox_scan(cohort, duration="time", event="event")
        assert not found["cox_status"].any()
        assert_uniform(found["cox_p_value"])
        # Where nothing is true, the false discovery rate is the chance of calling anything at all.
        discoveries += bool((found["cox_q_value"] < LEVEL).any())
        wald.append(found["cox_p_value"].to_numpy())
        ratio.append(found["cox_likelihood_ratio_p_value"].to_numpy())
    assert_uniform(np.concatenate(wald))
    assert_uniform(np.concatenate(ratio))
    assert discoveries <= stats.binom.ppf(1 - DOUBT, 5, LEVEL)


@pytest.mark.once
@pytest.mark.slow
def test_cox_scan__has_uniform_p_values_beside_a_covariate_that_matters():
    panel = gene_panel(400, seed=2)
    gene_sets = planted_gene_sets(panel, seed=2)
    design = SimulationDesign(genes=400, bulk_genes=320, bulk_patients=150, stemness_hazard=0.8)
    p_values = []
    # Few genes of many cohorts: those of one cohort share its outcome, and with it the chance deviation of their spread.
    for seed in range(100):
        cohort = bulk_patients(panel, gene_sets, design=design, seed=seed)
        score = mean_zscore(cohort, gene_sets)["patient_score"].sel(gene_set="stemness").variable
        genes = list(gene_sets["decoy_1"].genes[:4])
        beside = cohort.sel(gene=genes).assign(score=score)
        p_values.append(
            cox_scan(beside, duration="time", event="event", covariates=["score"])["cox_p_value"].to_numpy()
        )
    assert_uniform(np.concatenate(p_values))


@pytest.mark.once
@pytest.mark.slow
def test_log_rank_and_cox_model__have_uniform_p_values_over_cohorts():
    panel = gene_panel(400, seed=1)
    gene_sets = planted_gene_sets(panel, seed=1)
    design = SimulationDesign(genes=400, bulk_genes=320, bulk_patients=150).null()
    groups, wald, ratio, score_test = [], [], [], []
    for seed in range(100):
        cohort = bulk_patients(panel, gene_sets, design=design, seed=1000 + seed)
        scores = mean_zscore(cohort, gene_sets)
        # Sets without common genes: their scores are independent.
        for name in ("stemness", "resistance", "decoy_1"):
            of_set = scores.sel(gene_set=name)
            scored = cohort.assign(score=of_set["patient_score"].variable, high=of_set["patient_score_high"].variable)
            groups.append(float(log_rank(scored, duration="time", event="event", group="high")["log_rank_p_value"]))
            if name == "stemness":
                model = cox_model(scored, duration="time", event="event", covariates=["score"])
                wald.append(float(model["cox_model_p_value"][0]))
                ratio.append(float(model["cox_model_likelihood_ratio_p_value"]))
                score_test.append(float(model["cox_model_score_p_value"]))
    for p_values in (groups, wald, ratio, score_test):
        assert_uniform(p_values)


@pytest.mark.once
@pytest.mark.slow
def test_cox_model__limits_cover_the_planted_hazard():
    panel = gene_panel(400, seed=3)
    gene_sets = planted_gene_sets(panel, seed=3)
    design = SimulationDesign(genes=400, bulk_genes=320, bulk_patients=150)
    z, missed = [], []
    for seed in range(100):
        cohort = bulk_patients(panel, gene_sets, design=design, seed=2000 + seed)
        score = mean_zscore(cohort, gene_sets)["patient_score"].sel(gene_set="stemness").to_numpy()
        cohort = cohort.assign(score=("patient", score / score.std(ddof=1)))
        found = cox_model(cohort, duration="time", event="event", covariates=["score"]).isel(term=0)
        z.append(
            (float(found["cox_model_coefficient"]) - design.stemness_hazard) / float(found["cox_model_standard_error"])
        )
        planted = np.exp(design.stemness_hazard)
        missed.append(not found["cox_model_hazard_ratio_lower"] <= planted <= found["cox_model_hazard_ratio_upper"])
    assert np.sum(missed) <= stats.binom.ppf(1 - DOUBT, len(missed), LEVEL)
    assert abs(np.mean(z)) < stats.norm.isf(DOUBT / 2) / np.sqrt(len(z))
    assert 0.75 < np.std(z, ddof=1) < 1.25


def composition_p_values(design, *, cohorts, cells_after=None):
    names = ("t", "sign_flip", "signed_rank", "share_t")
    p_values = {name: [] for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        for seed in range(cohorts):
            cube = cell_counts(design, seed=seed, cells_after=cells_after)
            found = paired_composition(cube, state="stem_like", before=design.before, after=design.after)
            for name in names:
                p_values[name].append(float(found[f"composition_{name}_p_value"]))
    return p_values


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(("patients", "cells", "share"), [(8, 300, 0.014), (6, 300, 0.1)])
def test_paired_composition__has_uniform_p_values_over_cohorts(patients, cells, share):
    design = SimulationDesign(patients=patients, cells_per_sample=cells, stem_share_before=share).null()
    p_values = composition_p_values(design, cohorts=200)
    assert_uniform(p_values["t"])
    assert_error_rate(p_values["share_t"], exact=False)
    # Tests of signs have few different P values: they may be found less often than the level, never more.
    for name in ("sign_flip", "signed_rank"):
        assert_error_rate(p_values[name], exact=False)
        assert min(p_values[name]) >= 2 / 2**patients


@pytest.mark.once
@pytest.mark.slow
def test_paired_composition__holds_its_level_with_unequal_numbers_of_cells():
    # About three stem-like cells at diagnosis and eleven at relapse.
    design = SimulationDesign(patients=8, cells_per_sample=250).null()
    p_values = composition_p_values(design, cohorts=200, cells_after=900)
    for found in p_values.values():
        assert_error_rate(found, exact=False)


@pytest.mark.once
@pytest.mark.slow
def test_paired_composition__has_power_for_the_planted_expansion():
    design = SimulationDesign(patients=5, cells_per_sample=200)
    p_values = composition_p_values(design, cohorts=40)
    assert np.mean(np.array(p_values["t"]) < LEVEL) > 0.95
    # Five pairs cannot reach 0.05 by signs alone.
    assert min(p_values["sign_flip"]) == 2 / 2**5


def test_null__holds_no_trend_over_responses():
    panel = gene_panel(400, seed=4)
    gene_sets = planted_gene_sets(panel, seed=4)
    design = SimulationDesign(genes=400, bulk_genes=320, bulk_patients=200)
    found = {}
    for name, used in (("planted", design), ("null", design.null())):
        p_values = []
        for seed in range(30):
            cohort = bulk_patients(panel, gene_sets, design=used, seed=3000 + seed)
            score = mean_zscore(cohort, gene_sets)["patient_score"].sel(gene_set="stemness").to_numpy()
            response = cohort["response"].to_numpy()
            p_values.append(stats.mannwhitneyu(score[response == "M1"], score[response == "M3"]).pvalue)
        found[name] = p_values
    assert np.median(found["planted"]) < 0.01
    assert stats.kstest(found["null"], "uniform").pvalue > DOUBT


def test_null__changes_sizes_of_nothing():
    design = SimulationDesign(patients=5, cells_per_sample=321, bulk_patients=77)
    null = design.null()
    assert null.is_null
    assert dataclasses.replace(null).cells == design.cells
    assert null.bulk_patients == 77
