"""What was planted in a simulated cohort is found again, from the laboratory's files to the last number."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from chemores_dask.cli.run_command import adapted_pipeline
from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.convert import ingest
from chemores_dask.ingest.gmt_file import read_gmt
from chemores_dask.ingest.patient_cohort import ingest_patients
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_states import score_states
from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.gene_panel import STEMNESS
from chemores_dask.simulation.write import simulate
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.quality import QualityLimits, quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.store.cells import open_cells
from chemores_dask.store.patients import open_patients
from chemores_dask.workflow.claims import compare_claims, read_claims
from chemores_dask.workflow.runner import open_run_results, run_pipeline

DESIGN = SimulationDesign(
    patients=6,
    cells_per_sample=200,
    genes=1500,
    depth_median=4000.0,
    dispersion=0.1,
    gene_spread=1.5,
    stem_share_before=0.05,
    stem_share_after=0.3,
    stemness_effect=2.2,
    batch_spread=0.4,
    bulk_patients=300,
    bulk_genes=1000,
    formats="h5",
)
SEED = 11
PIPELINE = Path(__file__).resolve().parents[2] / "pipelines" / "tall_relapse"
COLUMNS = ClinicalColumns(patient="patient", durations=("time",), events=("event",))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Files and store of the cohort, and its damaged cells dropped as an analyst would."""
    folder = tmp_path_factory.mktemp("planted")
    files = simulate(folder / "files", design=DESIGN, seed=SEED)
    store = folder / "cohort.zarr"
    ingest(files / "samples.csv", store)
    ingest_patients(
        store,
        cohort="bulk",
        clinical=files / "clinical.tsv",
        expression=files / "bulk_expression.tsv.gz",
        columns=COLUMNS,
    )
    cells = open_cells(store)
    truth = pd.read_csv(files / "truth" / "cells.tsv.gz", sep="\t")
    truth = truth.set_index(truth["sample"] + ":" + truth["barcode"]).loc[cells.obs_names]
    keep = quality(cells, limits=QualityLimits(maximum_mitochondrial_share=0.2))["cell_keep"].to_numpy()
    return SimpleNamespace(
        files=files,
        store=store,
        gene_sets=read_gmt(files / "gene_sets.gmt"),
        all_truth=truth,
        keep=keep,
        cells=cells[keep].copy(),
        truth=truth[keep],
    )


@pytest.fixture(scope="module")
def scored(cohort):
    """Scores of all gene sets, and the state called from the stemness score."""
    scores = module_score(log_normalize(cohort.cells), cohort.gene_sets, method="seurat", seed=3).compute()
    states = score_states(scores, gene_set="stemness")
    return SimpleNamespace(scores=scores, state=states["cell_state"].to_numpy())


@pytest.fixture(scope="module")
def bulk(cohort):
    """The bulk cohort with its standardized stemness score."""
    patients = open_patients(cohort.store, cohort="bulk").compute()
    scores = mean_zscore(patients, cohort.gene_sets)
    score = scores["patient_score"].sel(gene_set="stemness").to_numpy()
    high = scores["patient_score_high"].sel(gene_set="stemness").to_numpy()
    score = (score - score.mean()) / score.std(ddof=1)
    return patients.assign(score=("patient", score), high=("patient", high))


def explained(values, labels):
    """Share of the variance of each column that lies between labels."""
    table = pd.DataFrame(values)
    between = table.groupby(np.asarray(labels)).transform("mean")
    return (((between - table.mean()) ** 2).sum() / ((table - table.mean()) ** 2).sum()).to_numpy()


@pytest.mark.once
@pytest.mark.slow
def test_quality__drops_the_damaged_cells_and_few_others(cohort):
    damaged = cohort.all_truth["damaged"].to_numpy() == 1
    assert damaged.sum() > 40
    assert (~cohort.keep)[damaged].mean() > 0.9
    assert cohort.keep[~damaged].mean() > 0.99


@pytest.mark.once
@pytest.mark.slow
def test_score_states__calls_stem_like_cells(cohort, scored):
    called, planted = scored.state == "stem_like", (cohort.truth["state"] == "stem_like").to_numpy()
    assert planted.sum() > 200
    assert (called & planted).sum() / called.sum() >= 0.95
    assert (called & planted).sum() / planted.sum() >= 0.95


@pytest.mark.once
@pytest.mark.slow
def test_module_score__follows_the_resistance_axis(cohort, scored):
    malignant = cohort.truth["malignant"].to_numpy() == 1
    axis = cohort.truth["axis"].to_numpy()[malignant]
    scores = scored.scores["cell_score"].to_pandas()[malignant]
    assert np.corrcoef(scores["resistance"], axis)[0, 1] > 0.6
    for stage in ("diagnosis", "relapse"):
        of_stage = (cohort.cells.obs["stage"] == stage).to_numpy()[malignant]
        assert np.corrcoef(scores["resistance"][of_stage], axis[of_stage])[0, 1] > 0.5
    for name in cohort.gene_sets.names:
        if name.startswith("decoy"):
            assert abs(np.corrcoef(scores[name], axis)[0, 1]) < 0.1


@pytest.mark.once
@pytest.mark.slow
def test_paired_composition__finds_the_expansion(cohort, scored):
    cells = cohort.cells.copy()
    cells.obs["state"] = scored.state
    cube = cohort_cube(cells, sample="sample", state="state")
    found = paired_composition(cube, state="stem_like", before="diagnosis", after="relapse")
    claims = {claim.name: claim for claim in read_claims(cohort.files / "truth" / "claims.toml")}
    for stage, side in (("diagnosis", "before"), ("relapse", "after")):
        claim = claims[f"mean share of stem-like cells among all cells at {stage}"]
        assert claim.lower <= float(found[f"composition_mean_share_{side}"]) <= claim.upper
        # What was realized in each sample, and not only on average.
        realized = (
            (cohort.truth["state"] == "stem_like")
            .groupby(cohort.truth["sample"])
            .mean()
            .loc[[f"{patient}_{stage}" for patient in found["patient"].to_numpy()]]
        )
        np.testing.assert_allclose(found[f"composition_share_{side}"], realized, atol=0.01)
    assert int(found["composition_patients_rising"]) == DESIGN.patients
    assert float(found["composition_t_p_value"]) < 0.01
    assert float(found["composition_sign_flip_p_value"]) == 2 / 2**DESIGN.patients
    # logit(0.3) - logit(0.05), diluted by the normal cells of the sample.
    assert float(found["composition_mean_logit_difference_lower"]) < 2.0
    assert float(found["composition_mean_logit_difference_upper"]) > 1.7


@pytest.mark.once
@pytest.mark.slow
def test_pca__sees_the_batch_unless_it_is_regressed(cohort):
    normalized = log_normalize(cohort.cells)
    genes = variable_genes(cohort.cells, method="seurat_v3", genes=500)["gene_variable"].to_numpy()
    batch, state = cohort.cells.obs["batch"], cohort.truth["state"]
    raw, regressed = (
        pca(normalized, components=10, genes=genes, regress=regress).compute() for regress in ((), ("batch",))
    )
    assert explained(raw["pca_scores"].to_numpy(), batch)[0] > 0.9
    scores, weights = regressed["pca_scores"].to_numpy(), regressed["pca_variance"].to_numpy()
    assert explained(scores, batch).max() < 1e-6
    assert explained(scores, state)[0] > 0.8
    assert np.average(explained(scores, state), weights=weights) > 0.5


@pytest.mark.once
@pytest.mark.slow
def test_cox_model__finds_the_hazard_ratio(bulk):
    found = cox_model(bulk, duration="time", event="event", covariates=["score"]).sel(term="score")
    assert int(found["cox_model_events"]) > 150
    error = float(found["cox_model_standard_error"])
    assert error < 0.1
    assert abs(float(found["cox_model_coefficient"]) - DESIGN.stemness_hazard) < 3 * error
    assert float(found["cox_model_p_value"]) < 1e-4
    assert float(log_rank(bulk, duration="time", event="event", group="high")["log_rank_p_value"]) < 0.001


@pytest.mark.once
@pytest.mark.slow
def test_cox_scan__ranks_the_genes_of_the_module_first(bulk):
    found = cox_scan(bulk, duration="time", event="event")[["cox_p_value", "cox_q_value"]].to_dataframe()
    module = found.index.isin(STEMNESS)
    first = found.sort_values("cox_p_value").index[: len(STEMNESS)]
    assert first.isin(STEMNESS).mean() > 0.6
    assert (
        stats.mannwhitneyu(found["cox_p_value"][module], found["cox_p_value"][~module], alternative="less").pvalue
        < 1e-6
    )
    assert (found["cox_q_value"][module] < 0.05).mean() > 0.5
    # One false discovery in twenty is what q promises; the others are as they are by chance.
    called = found["cox_q_value"] < 0.05
    assert (called & ~module).sum() <= max(2, 0.15 * called.sum())
    assert stats.kstest(found["cox_p_value"][~module], "uniform").pvalue > 0.001


@pytest.mark.once
@pytest.mark.slow
def test_mean_zscore__rises_from_response_m1_to_m3(bulk):
    response = bulk["response"].to_numpy()
    groups = [bulk["score"].to_numpy()[response == name] for name in ("M1", "M2", "M3")]
    means = [group.mean() for group in groups]
    assert means == sorted(means)
    assert stats.mannwhitneyu(groups[0], groups[2], alternative="less").pvalue < 0.001


@pytest.mark.once
@pytest.mark.slow
def test_tall_relapse__bears_out_every_planted_claim(cohort, tmp_path):
    pipeline = adapted_pipeline(PIPELINE, gene_sets=None, seed=None)
    results = open_run_results(run_pipeline(pipeline, cohort.store, out=tmp_path / "out"), cohort.store)
    claims = read_claims(cohort.files / "truth" / "claims.toml")
    outcomes = compare_claims(claims, results=results)
    assert len(outcomes) == 6
    assert [(outcome.name, outcome.found) for outcome in outcomes if not outcome.holds] == []


def test_planted_design__is_not_null():
    assert not DESIGN.is_null
    assert dataclasses.replace(DESIGN).null().is_null
