"""The gallery: options are checked, and every figure can be read."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chemores_dask.cohort.enrichment.enrichment_replication import enrichment_replication
from chemores_dask.errors import ParameterError
from chemores_dask.figures import gallery
from chemores_dask.figures.claims_plot import claims_plot
from chemores_dask.figures.gallery import FIGURES, SCORES, check_figure, draw_figure
from chemores_dask.testing import cox_nouns, cutoff_nouns, incidence_nouns, signature_nouns
from chemores_dask.testing.enrichment_nouns import tiny_enrichment
from chemores_dask.testing.nouns import tiny_patients
from tests.figures import composition_results as composition
from tests.figures import examples_of_differential as differential
from tests.figures import examples_of_response as response
from tests.figures import examples_of_results as examples
from tests.figures import examples_of_states
from tests.figures import examples_of_validation as validation
from tests.figures.drawn import outside, overlaps, png_of, said

LONG = "a-very-long-name-of-a-sample-" * 4
RESULTS = {
    "quality": examples.quality_result(),
    "variable_genes": examples.variable_genes_result(),
    "pca": examples.pca_result(),
    "map": examples.umap_result(),
    "clusters": examples.leiden_result(),
    "stability": examples.stability_result(),
    "stemness": examples.score_result(),
    "states": examples.states_result(),
    "cube": examples.cube_result(),
    "expansion": examples.composition_result(),
    "changes": composition.changes_result(),
    "beta_binomial": composition.beta_binomial_result(),
    "propeller": composition.propeller_result(),
    "dirichlet": composition.dirichlet_result(),
    "pooled": composition.pooled_result(),
    "curves": examples.survival_result(),
    "test": examples.log_rank_result(),
    "model": examples.cox_model_result(),
    "scan": examples.scan_result(),
    "cutoff": cutoff_nouns.tiny_survival_cutoff(tiny_patients()),
    "markers": examples.markers_result(),
    "comparison": differential.differential_result(),
    "ranks": differential.cells_result(),
    "comparisons": differential.differential_result(states=("stem_like", "other")),
    "jenks": examples_of_states.jenks_result(),
    "mixture": examples_of_states.mixture_result(),
    "dependence": examples_of_states.dependence_result(),
    "groups": response.groups_result(),
    "classifier": response.performance_result(),
    "necrosis": response.necrosis_result(),
    "validation": validation.validation_result(),
    "null": validation.null_result(),
    "left": validation.left_result(),
    "signature": signature_nouns.tiny_risk_signature(tiny_patients()),
    "halves": signature_nouns.tiny_stability(tiny_patients()),
    "studies": validation.pooled_result(),
    "gsea": tiny_enrichment(),
    "gsea_again": tiny_enrichment(22),
    "incidence": incidence_nouns.tiny_cumulative_incidence(tiny_patients()),
    "gray": incidence_nouns.tiny_gray_test(tiny_patients()),
    "trend": cox_nouns.tiny_proportional_hazards(tiny_patients()),
    "spline": cox_nouns.tiny_cox_model(tiny_patients()),
    "prediction": cox_nouns.tiny_cox_prediction(tiny_patients()),
    "replication": enrichment_replication(tiny_enrichment(), tiny_enrichment(22)),
}
ANALYSES = {name: str(result.attrs["analysis"]) for name, result in RESULTS.items()}
TABLES = (
    {"kind": "auc_over_time", "step": "validation", "time_label": "Months"},
    {"kind": "brier_over_time", "step": "validation", "title": "Error"},
    {"kind": "coefficient_path", "step": "signature", "labels": 3},
    {"kind": "signature_choice", "step": "signature"},
    {"kind": "selection_frequencies", "step": "halves", "genes": 8},
    {"kind": "survival_calibration", "step": "validation"},
    {"kind": "survival_net_benefit", "step": "validation"},
    {"kind": "random_signature_null", "step": "null"},
    {"kind": "leave_one_gene_dots", "step": "left", "genes": 2},
    {"kind": "pooled_forest", "step": "studies"},
    {"kind": "cumulative_incidence_curves", "step": "incidence", "gray": "gray", "time_label": "Months"},
    {"kind": "quality_violins", "step": "quality"},
    {"kind": "variable_genes_plot", "step": "variable_genes", "labels": 8},
    {"kind": "embedding_map", "step": "pca", "color": "stage", "cube": "cube", "title": "Stages"},
    {"kind": "embedding_map", "step": "pca", "color": "states.cell_state"},
    {"kind": "embedding_map", "step": "pca", "color": "stemness.cell_score", "select": {"gene_set": "stemness"}},
    {"kind": "embedding_map", "step": "map", "color": "clusters.cell_cluster", "coordinates": "umap_coordinates"},
    {"kind": "variance_explained", "step": "pca"},
    {
        "kind": "score_distribution",
        "step": "stemness",
        "gene_set": "stemness",
        "states": "states",
        "by": "stage",
        "cube": "cube",
    },
    {
        "kind": "score_violins",
        "step": "stemness",
        "states": "states",
        "cube": "cube",
        "patient": "patient",
        "stage": "stage",
        "order": ["diagnosis", "relapse"],
    },
    {"kind": "score_threshold", "step": "jenks", "mixture": "mixture"},
    {"kind": "ranked_scores", "step": "stemness", "states": "states", "by": "patient", "cube": "cube"},
    {"kind": "covariate_strips", "step": "dependence"},
    {"kind": "running_sum", "step": "gsea", "gene_sets": ["raised", "lowered"]},
    {"kind": "enrichment_dots", "step": "gsea", "others": {"validation": "gsea_again"}, "sets": 4},
    {"kind": "replication_scatter", "step": "replication", "first": "discovery"},
    {"kind": "composition_slopes", "step": "expansion"},
    {
        "kind": "composition_effects",
        "step": "changes",
        "beta_binomial": "beta_binomial",
        "propeller": "propeller",
        "dirichlet": "dirichlet",
    },
    {"kind": "pooled_points", "step": "pooled", "pair": "relapse vs diagnosis"},
    {"kind": "composition_bars", "step": "cube", "order": ["stage", "patient"]},
    {
        "kind": "survival_curves",
        "step": "curves",
        "log_rank": "test",
        "cox": "model",
        "labels": {"high": "x"},
        "time_label": "Months",
    },
    {"kind": "cutoff_scan", "step": "cutoff", "title": "Age"},
    {"kind": "volcano", "step": "scan", "q": 0.1, "labels": 20},
    {"kind": "differential_volcano", "step": "comparison", "q": 0.1, "labels": 20},
    {"kind": "differential_volcano", "step": "comparisons", "state": "other"},
    {"kind": "p_value_calibration", "step": "comparison", "cells": "ranks", "group": "relapse", "level": 0.01},
    {"kind": "forest", "step": "model", "labels": {"score": "score"}},
    {"kind": "cluster_stability_plot", "step": "stability"},
    {"kind": "marker_dots", "step": "markers", "genes": 4},
    {"kind": "schoenfeld_plot", "step": "trend", "terms": 2, "labels": {"arm[standard]": "standard"}},
    {"kind": "hazard_ratio_curve", "step": "spline", "covariate": "age", "reference": 8.0, "labels": {"age": "Age"}},
    {"kind": "predicted_survival", "step": "prediction", "time_label": "Months"},
    {"kind": "scores_by_group", "step": "groups", "labels": {"M1": "below 5 %"}, "title": "Stemness by response"},
    {"kind": "roc_curve", "step": "classifier", "title": "Stemness finds M3"},
    {"kind": "calibration_curve", "step": "classifier", "title": "Probability of M3"},
    {"kind": "decision_curve", "step": "classifier", "title": "Treating by stemness"},
    {"kind": "necrosis_scatter", "step": "necrosis", "labels": {"stemness": "stem-like"}, "title": "Necrosis"},
)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table["kind"]))
def test_draw_figure__every_text_can_be_read(table):
    check_figure(table, analyses=ANALYSES)
    figure = draw_figure(table, RESULTS)
    assert not overlaps(figure)
    assert not outside(figure)
    assert png_of(figure).startswith(b"\x89PNG")


def test_draw_figure__covers_the_gallery():
    assert {table["kind"] for table in TABLES} == set(FIGURES)


def test_gallery__documents_every_figure_and_option():
    documented = gallery.__doc__
    for kind, entry in FIGURES.items():
        (line,) = [line for line in documented.splitlines() if re.match(rf"{kind}\s", line)]
        line = line.replace("any score of cells", ", ".join(SCORES))
        assert all(analysis in line for analysis in entry.draws)
        assert all(option in line for option in entry.options)


def renamed(result, dim, label=LONG):
    names = [f"{label}{number}" for number in range(result.sizes[dim])]
    return result.assign_coords({dim: (dim, names)})


def renamed_labels(values):
    return values.copy(data=np.array([f"{LONG}{value}" for value in values.values], dtype=object))


HOSTILE = {
    "few patients per response": lambda: FIGURES["scores_by_group"].function(response.few_patients_result()),
    "six responses": lambda: FIGURES["scores_by_group"].function(response.many_groups_result()),
    "long responses": lambda: FIGURES["scores_by_group"].function(
        response.groups_result(), labels={"M1": LONG, "M2": LONG, "stemness": LONG}
    ),
    "parted classes": lambda: FIGURES["roc_curve"].function(response.separated_result()),
    "no probabilities": lambda: FIGURES["calibration_curve"].function(response.separated_result()),
    "no decision": lambda: FIGURES["decision_curve"].function(response.separated_result()),
    "long score": lambda: FIGURES["necrosis_scatter"].function(response.necrosis_result(), labels={"stemness": LONG}),
    "long terms over time": lambda: FIGURES["schoenfeld_plot"].function(renamed(RESULTS["trend"], "term")),
    "long patients predicted": lambda: FIGURES["predicted_survival"].function(
        renamed(RESULTS["prediction"], "patient")
    ),
    "long spline": lambda: FIGURES["hazard_ratio_curve"].function(RESULTS["spline"], labels={"age": LONG}),
    "forty samples": lambda: FIGURES["quality_violins"].function(examples.quality_result(40, 20)),
    "one sample": lambda: FIGURES["quality_violins"].function(examples.quality_result(1, 20)),
    "one cell": lambda: FIGURES["quality_violins"].function(examples.quality_result(1, 1)),
    "sixty clusters on a map": lambda: FIGURES["embedding_map"].function(
        examples.umap_result(clusters=60), color=examples.leiden_result(clusters=60)["cell_cluster"]
    ),
    "long labels on a map": lambda: FIGURES["embedding_map"].function(
        examples.umap_result(), color=renamed_labels(examples.leiden_result()["cell_cluster"])
    ),
    "forty samples on a map": lambda: FIGURES["embedding_map"].function(examples.pca_result(40, 10)),
    "forty bars": lambda: FIGURES["composition_bars"].function(
        examples.cube_result(40, ("a", "b", "c", "d", "e", "f"))
    ),
    "one bar": lambda: FIGURES["composition_bars"].function(examples.cube_result(1)),
    "long samples": lambda: FIGURES["composition_bars"].function(renamed(examples.cube_result(), "sample")),
    "long states": lambda: FIGURES["composition_bars"].function(renamed(examples.cube_result(), "state", "<$b$>" * 30)),
    "long patients": lambda: FIGURES["composition_slopes"].function(renamed(examples.composition_result(), "patient")),
    "hundred patients": lambda: FIGURES["composition_slopes"].function(examples.composition_result(100)),
    "long terms": lambda: FIGURES["forest"].function(renamed(examples.cox_model_result(), "term")),
    "long groups": lambda: FIGURES["survival_curves"].function(
        renamed(examples.survival_result(), "group"),
        log_rank=examples.log_rank_result(),
        cox=renamed(examples.cox_model_result(), "term"),
    ),
    "six groups": lambda: FIGURES["survival_curves"].function(examples.survival_result(("a", "b", "c", "d", "e", "f"))),
    "sixty bars beside ranks": lambda: FIGURES["ranked_scores"].function(
        examples.score_result(60, 20), states=examples.states_result(60, 20)
    ),
    "long bars beside ranks": lambda: FIGURES["ranked_scores"].function(
        examples_of_states.long_samples(), states=examples.states_result()
    ),
    "fifty components": lambda: FIGURES["covariate_strips"].function(examples_of_states.dependence_result(50)),
    "long covariates": lambda: FIGURES["covariate_strips"].function(
        renamed(examples_of_states.dependence_result(), "covariate")
    ),
    "sixty clusters": lambda: FIGURES["cluster_stability_plot"].function(examples.stability_result(60)),
    "one cluster": lambda: FIGURES["cluster_stability_plot"].function(examples.stability_result(1)),
    "long clusters": lambda: FIGURES["cluster_stability_plot"].function(
        renamed(examples.stability_result(), "cluster", LONG[:60])
    ),
    "long genes of samples": lambda: FIGURES["differential_volcano"].function(
        renamed(differential.differential_result(100), "gene")
    ),
    "no gene of samples": lambda: FIGURES["differential_volcano"].function(
        differential.differential_result().isel(gene=[])
    ),
    "one gene of samples": lambda: FIGURES["p_value_calibration"].function(
        differential.differential_result().isel(gene=[3])
    ),
    "long genes": lambda: FIGURES["volcano"].function(renamed(examples.scan_result(100), "gene")),
    "forty claims": lambda: claims_plot(renamed(examples.claims_result().isel(claim=[0, 1, 2, 3, 4] * 8), "claim")),
    "ten stages": lambda: FIGURES["score_distribution"].function(examples.score_result(10, 20), by="sample"),
    "twenty pairs of violins": lambda: FIGURES["score_violins"].function(
        examples.score_result(40, 20), cube=examples.cube_result(40), stage="stage"
    ),
    "forty violins": lambda: FIGURES["score_violins"].function(examples.score_result(40, 20), patient="sample"),
    "hundred violins": lambda: FIGURES["score_violins"].function(examples.score_result(100, 5), patient="sample"),
    "long violins": lambda: FIGURES["score_violins"].function(
        examples.score_result().assign_coords(
            patient=("cell", np.array([f"{LONG}{cell // 900}" for cell in range(1800)])),
            stage=("cell", np.array([f"{LONG}{cell % 2}" for cell in range(1800)])),
        ),
        stage="stage",
    ),
    "forty rows": lambda: FIGURES["score_distribution"].function(examples.score_result(40, 20), by="sample"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_figures__stay_readable(case):
    figure = HOSTILE[case]()
    assert not overlaps(figure)
    assert not outside(figure)
    assert png_of(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"kind": "pie", "step": "quality"}, "must be one of"),
        ({"kind": "quality_violin", "step": "quality"}, "Did you mean quality_violins"),
        ({"kind": "quality_violins"}, "must name the step"),
        ({"kind": "quality_violins", "step": "qualty"}, "Did you mean quality"),
        ({"kind": "quality_violins", "step": "pca"}, "steps that fit: quality"),
        ({"kind": "volcano", "step": "scan", "label": 3}, "Did you mean labels"),
        ({"kind": "volcano", "step": "scan", "labels": "many"}, "must be a whole number"),
        ({"kind": "volcano", "step": "scan", "labels": True}, "must be a whole number"),
        ({"kind": "volcano", "step": "scan", "q": "0.1"}, "must be a number"),
        ({"kind": "composition_bars", "step": "cube", "order": "stage"}, "must be a list of texts"),
        ({"kind": "forest", "step": "model", "labels": ["a"]}, "must be a table"),
        ({"kind": "survival_curves", "step": "curves", "log_rank": "model"}, "a step of the analysis 'log_rank'"),
        ({"kind": "embedding_map", "step": "pca", "color": "state.cell_state"}, "Did you mean states"),
        ({"kind": "embedding_map", "step": "pca", "select": "stemness"}, "must be a table"),
    ],
)
def test_check_figure__refuses(table, match):
    with pytest.raises(ParameterError, match=match):
        check_figure(table, analyses=ANALYSES)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"color": "states.cell_stat"}, "Present: cell_state"),
        ({"color": "stemness.cell_score", "select": {"gene_set": "cycle"}}, "labels: stemness"),
        ({"color": "stemness.cell_score", "select": {"drug": "x"}}, "its dimensions: cell, gene_set"),
    ],
)
def test_draw_figure__refuses_variables_that_are_not_there(options, match):
    with pytest.raises(ParameterError, match=match):
        draw_figure({"kind": "embedding_map", "step": "pca", **options}, RESULTS)


def test_draw_figure__leaves_results_alone():
    before = {name: result.copy(deep=True) for name, result in RESULTS.items()}
    for table in TABLES:
        said(draw_figure(table, RESULTS))
    assert all(before[name].identical(result) for name, result in RESULTS.items())
