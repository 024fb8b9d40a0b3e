"""What is known about a simulated cohort."""

from __future__ import annotations

import dataclasses
import tomllib

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from chemores_dask.simulation.bulk_cohort import simulated_bulk
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.gene_panel import gene_panel, planted_gene_sets
from chemores_dask.simulation.paired_patients import planned_samples
from chemores_dask.simulation.simulated_cells import simulated_cells
from chemores_dask.simulation.truth import (
    PlantedClaim,
    SampleTally,
    claims_toml,
    planted_claims,
    sample_record,
    truth_record,
)

DESIGN = SimulationDesign(genes=400, bulk_genes=400)


def tallies(design, *, seed):
    for sample in planned_samples(design, seed=seed):
        tally = SampleTally()
        tally.add(simulated_cells(sample, design=design, seed=seed, start=0, stop=design.cells_per_sample))
        yield sample, tally


def truth_of(design, *, seed=1):
    panel = gene_panel(design.genes, seed=seed)
    bulk = simulated_bulk(panel, planted_gene_sets(panel, seed=seed), design=design, seed=seed)
    return truth_record([sample_record(*pair) for pair in tallies(design, seed=seed)], bulk, design=design, seed=seed)


def test_sample_tally__adds_up_over_blocks():
    sample = planned_samples(DESIGN, seed=1)[1]
    whole, parts = SampleTally(), SampleTally()
    whole.add(simulated_cells(sample, design=DESIGN, seed=1, start=0, stop=90))
    for start in range(0, 90, 30):
        parts.add(simulated_cells(sample, design=DESIGN, seed=1, start=start, stop=start + 30))
    assert parts.axis_sum == pytest.approx(whole.axis_sum)
    assert dataclasses.replace(parts, axis_sum=0) == dataclasses.replace(whole, axis_sum=0)


def test_sample_record__has_shares_of_undamaged_cells():
    sample = planned_samples(DESIGN, seed=1)[1]
    record = sample_record(sample, SampleTally(100, 20, 80, 60, 15, 30.0))
    assert record["malignant_share_realized"] == 60 / 80
    assert record["stem_share_of_malignant_realized"] == 15 / 60
    assert record["stem_share_of_all_realized"] == 15 / 80
    assert record["axis_mean_realized"] == 0.5


def test_sample_record__of_a_sample_without_malignant_cells_has_no_ratio():
    sample = planned_samples(DESIGN, seed=1)[0]
    assert sample_record(sample, SampleTally(cells=3, kept=3))["axis_mean_realized"] is None


def test_truth_record__realizes_the_planted_means():
    stages = truth_of(DESIGN)["stages"]
    assert stages["diagnosis"]["mean_stem_share_of_malignant_realized"] == pytest.approx(0.014, abs=0.006)
    assert stages["relapse"]["mean_stem_share_of_malignant_realized"] == pytest.approx(0.26, abs=0.05)


def test_planted_claims__surround_their_values():
    claims = planted_claims(truth_of(DESIGN), design=DESIGN)
    assert {claim.variable for claim in claims} == {
        "composition_mean_share_before",
        "composition_mean_share_after",
        "composition_t_p_value",
        "cox_model_coefficient",
        "log_rank_p_value",
        "ordinal_coefficient",
    }
    assert all(claim.lower <= claim.value <= claim.upper for claim in claims)


def test_planted_claims__are_about_the_module_with_an_effect():
    design = dataclasses.replace(SimulationDesign.chemotherapy(), genes=DESIGN.genes, bulk_genes=DESIGN.bulk_genes)
    claims = {claim.variable: claim for claim in planted_claims(truth_of(design), design=design)}
    assert set(claims) == {"cox_model_coefficient", "log_rank_p_value", "necrosis_coefficient"}
    assert all("resistance" in claim.name for claim in claims.values())
    assert claims["cox_model_coefficient"].value == design.resistance_hazard
    assert claims["necrosis_coefficient"].value == -design.resistance_response


def test_planted_claims__of_a_null_design_claim_no_effect():
    design = DESIGN.null()
    claims = {claim.variable: claim for claim in planted_claims(truth_of(design), design=design)}
    assert claims["composition_t_p_value"].lower > 0
    assert claims["log_rank_p_value"].upper == 1
    assert claims["cox_model_coefficient"].value == 0
    assert "composition_mean_share_after" not in claims


def test_planted_claims__promise_no_significance_without_power():
    weak = dataclasses.replace(DESIGN, patients=3, stem_share_after=0.02, stemness_hazard=0.05)
    variables = {claim.variable for claim in planted_claims(truth_of(weak), design=weak)}
    assert not variables & {"composition_t_p_value", "log_rank_p_value"}


def test_claims_toml__is_read_back():
    claim = PlantedClaim('a "quoted" name', "step", "variable", 1e-7, 0.0, 1.0, {"term": "score"})
    read = tomllib.loads(claims_toml([claim, dataclasses.replace(claim, select={})]))["claim"]
    assert read[0]["name"] == 'a "quoted" name'
    assert read[0]["value"] == 1e-7
    assert read[0]["select"] == {"term": "score"}
    assert "select" not in read[1]


def test_null_design__expands_nothing():
    design = dataclasses.replace(DESIGN.null(), patients=6, cells_per_sample=400)
    p_values = []
    for seed in range(60):
        counts = np.array([(tally.stem_like + 0.5, tally.malignant + 1.0) for _, tally in tallies(design, seed=seed)])
        shares = logit(counts[:, 0] / counts[:, 1]).reshape(6, 2)
        p_values.append(stats.ttest_rel(shares[:, 0], shares[:, 1]).pvalue)
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_default_design__expands_clearly():
    counts = np.array([(tally.stem_like + 0.5, tally.malignant + 1.0) for _, tally in tallies(DESIGN, seed=1)])
    shares = logit(counts[:, 0] / counts[:, 1]).reshape(8, 2)
    assert stats.ttest_rel(shares[:, 0], shares[:, 1]).pvalue < 1e-4
