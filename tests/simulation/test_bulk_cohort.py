"""The bulk cohort."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from lifelines import CoxPHFitter
from scipy import stats
from statsmodels.discrete.discrete_model import Logit
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools import add_constant

from chemores_dask.errors import ParameterError
from chemores_dask.simulation.bulk_cohort import bulk_genes, longest_follow_up, module_zscore, simulated_bulk
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.gene_panel import STEMNESS, gene_panel, planted_gene_sets

PANEL = gene_panel(3000, seed=5)
GENE_SETS = planted_gene_sets(PANEL, seed=5)
DESIGN = SimulationDesign(genes=3000, bulk_genes=600)


def cox(bulk, columns):
    table = bulk.truth[columns].assign(time=bulk.clinical["time"], event=bulk.clinical["event"])
    return CoxPHFitter().fit(table, "time", "event").summary


@pytest.mark.parametrize("hazard", [-0.4, 0.0, 0.5, 1.0])
def test_simulated_bulk__ties_survival_to_the_score(hazard):
    design = dataclasses.replace(DESIGN, stemness_hazard=hazard)
    summary = cox(simulated_bulk(PANEL, GENE_SETS, design=design, seed=5), ["stemness"])
    assert abs(summary.loc["stemness", "coef"] - hazard) < 3 * summary.loc["stemness", "se(coef)"]


def test_simulated_bulk__ties_survival_to_both_modules():
    design = dataclasses.replace(SimulationDesign.chemotherapy(), genes=3000, bulk_genes=600, stemness_hazard=-0.3)
    summary = cox(simulated_bulk(PANEL, GENE_SETS, design=design, seed=5), ["stemness", "resistance"])
    for name, hazard in (("stemness", -0.3), ("resistance", 0.6)):
        assert abs(summary.loc[name, "coef"] - hazard) < 3 * summary.loc[name, "se(coef)"]


def test_simulated_bulk__ties_response_to_the_score():
    bulk = simulated_bulk(PANEL, GENE_SETS, design=dataclasses.replace(DESIGN, bulk_patients=1000), seed=5)
    codes = bulk.clinical["response"].map({"M1": 0, "M2": 1, "M3": 2})
    fit = OrderedModel(codes, bulk.truth[["stemness"]], distr="logit").fit(method="bfgs", disp=False)
    assert abs(fit.params["stemness"] - DESIGN.stemness_response) < 3 * fit.bse["stemness"]


def test_simulated_bulk__ties_necrosis_to_the_score():
    design = dataclasses.replace(SimulationDesign.chemotherapy(), genes=3000, bulk_genes=600, bulk_patients=1000)
    bulk = simulated_bulk(PANEL, GENE_SETS, design=design, seed=5)
    necrosis = bulk.clinical["necrosis"]
    assert necrosis.between(0, 100).all()
    assert necrosis.groupby(bulk.clinical["response"]).median().is_monotonic_decreasing
    fit = Logit((necrosis >= 90).astype(int), add_constant(bulk.truth[["resistance"]])).fit(disp=False)
    assert abs(fit.params["resistance"] + design.resistance_response) < 3 * fit.bse["resistance"]


def test_simulated_bulk__has_the_planted_share_of_events():
    for share in (0.2, 0.6, 0.9):
        design = dataclasses.replace(DESIGN, bulk_patients=1000, event_share=share, hazard_shape=1.4)
        bulk = simulated_bulk(PANEL, GENE_SETS, design=design, seed=5)
        assert bulk.clinical["event"].mean() == pytest.approx(share, abs=0.05)
        assert bulk.clinical["time"].min() > 0


def test_simulated_bulk__has_the_planted_median_without_effects():
    design = dataclasses.replace(DESIGN.null(), bulk_patients=3000, event_share=0.99, bulk_genes=400)
    bulk = simulated_bulk(PANEL, GENE_SETS, design=design, seed=5)
    assert bulk.clinical["time"].median() == pytest.approx(design.follow_up_median, rel=0.08)


def test_simulated_bulk__in_null_mode_gives_uniform_p_values():
    design = dataclasses.replace(DESIGN.null(), bulk_genes=1500, bulk_patients=200)
    bulk = simulated_bulk(PANEL, GENE_SETS, design=design, seed=6)
    values = bulk.expression.to_numpy()
    p_values = score_test_p_values(values, bulk.clinical["time"].to_numpy(), bulk.clinical["event"].to_numpy())
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_simulated_bulk__of_planted_design_finds_the_module():
    bulk = simulated_bulk(PANEL, GENE_SETS, design=DESIGN, seed=6)
    time, event = bulk.clinical["time"].to_numpy(), bulk.clinical["event"].to_numpy()
    module = score_test_p_values(bulk.expression.loc[list(STEMNESS)].to_numpy(), time, event)
    others = score_test_p_values(bulk.expression[bulk.expression.index.str.startswith("GENE")].to_numpy(), time, event)
    assert np.median(module) < 0.001
    assert stats.kstest(others, "uniform").pvalue > 0.001


def score_test_p_values(values, time, event):
    """Score test of Cox's partial likelihood, gene by gene, without a correction for ties."""
    order = np.argsort(time)
    values, event = values[:, order], event[order].astype(bool)
    at_risk = np.arange(len(time), 0, -1)
    means = np.cumsum(values[:, ::-1], axis=1)[:, ::-1] / at_risk
    squares = np.cumsum(values[:, ::-1] ** 2, axis=1)[:, ::-1] / at_risk
    score = (values - means)[:, event].sum(axis=1)
    information = (squares - means**2)[:, event].sum(axis=1)
    return stats.chi2.sf(score**2 / information, 1)


def test_simulated_bulk__is_the_same_for_the_same_seed():
    first, second, other = (simulated_bulk(PANEL, GENE_SETS, design=DESIGN, seed=seed) for seed in (5, 5, 6))
    assert first.expression.equals(second.expression)
    assert first.clinical.equals(second.clinical)
    assert not first.expression.equals(other.expression)


def test_simulated_bulk__is_on_a_log_scale():
    values = simulated_bulk(PANEL, GENE_SETS, design=DESIGN, seed=5).expression.to_numpy()
    assert values.min() >= 0
    assert values.max() < 20


def test_bulk_genes__hold_all_sets_and_no_gene_twice():
    places = bulk_genes(PANEL, GENE_SETS, genes=500)
    assert len(np.unique(places)) == 500
    assert {gene for gene_set in GENE_SETS for gene in gene_set.genes} <= set(PANEL.symbols[places])


@pytest.mark.parametrize("genes", [50, 3001])
def test_bulk_genes__refuses_too_few_or_too_many(genes):
    with pytest.raises(ParameterError, match=rf"Got {genes}"):
        bulk_genes(PANEL, GENE_SETS, genes=genes)


def test_module_zscore__is_standardized():
    bulk = simulated_bulk(PANEL, GENE_SETS, design=DESIGN, seed=5)
    scores = module_zscore(bulk.expression, STEMNESS)
    assert scores.mean() == pytest.approx(0, abs=1e-12)
    assert scores.std(ddof=1) == pytest.approx(1)
    by_hand = stats.zscore(bulk.expression.loc[list(STEMNESS)].to_numpy(), axis=1).mean(axis=0)
    assert np.corrcoef(by_hand, scores)[0, 1] == pytest.approx(1)


def test_longest_follow_up__solves_the_exponential_case():
    end = longest_follow_up(np.zeros(5), event_share=0.6, shape=1.0)
    assert 1 - (1 - np.exp(-end)) / end == pytest.approx(0.6, abs=1e-4)
