"""The analyses that a pipeline may name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.cohort.composition.beta_binomial_composition import beta_binomial_composition
from chemores_dask.cohort.composition.composition_changes import composition_changes
from chemores_dask.cohort.composition.detection_limits import detection_limits
from chemores_dask.cohort.composition.dirichlet_multinomial import dirichlet_multinomial_composition
from chemores_dask.cohort.composition.group_association import group_association
from chemores_dask.cohort.composition.paired_shares import paired_composition
from chemores_dask.cohort.composition.pooled_composition import pooled_composition
from chemores_dask.cohort.composition.propeller import propeller_composition
from chemores_dask.cohort.differential.differential_by_state import differential_by_state
from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.enrichment.camera import camera_enrichment
from chemores_dask.cohort.enrichment.enrichment_replication import enrichment_replication
from chemores_dask.cohort.enrichment.gene_ranking import ranking_of
from chemores_dask.cohort.enrichment.gene_selection import gene_selection
from chemores_dask.cohort.enrichment.over_representation import over_representation
from chemores_dask.cohort.enrichment.prerank import prerank_enrichment
from chemores_dask.cohort.enrichment.regulon_direction import regulon_direction
from chemores_dask.cohort.held_out_signatures import stemness_signatures
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.cohort.response.classifier_performance import classifier_performance
from chemores_dask.cohort.response.necrosis_association import necrosis_association
from chemores_dask.cohort.response.ordinal_regression import ordinal_regression
from chemores_dask.cohort.response.response_groups import response_groups
from chemores_dask.cohort.response.response_scan import response_scan
from chemores_dask.cohort.risk_signature.gene_set_signature import freeze_gene_set
from chemores_dask.cohort.risk_signature.leave_one_gene import leave_one_gene_out
from chemores_dask.cohort.risk_signature.random_signatures import random_signatures
from chemores_dask.cohort.risk_signature.risk_prediction import predict_risk
from chemores_dask.cohort.risk_signature.signature_fit import fit_risk_signature
from chemores_dask.cohort.risk_signature.stability_selection import stability_selection
from chemores_dask.cohort.risk_signature.validate_risk import validate_risk
from chemores_dask.cohort.survival.apply_cutoff import apply_cutoff
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_prediction import cox_prediction
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.cohort.survival.cumulative_incidence import cumulative_incidence
from chemores_dask.cohort.survival.fine_gray_model import fine_gray
from chemores_dask.cohort.survival.gray_tests import gray_test
from chemores_dask.cohort.survival.kaplan_meier import kaplan_meier
from chemores_dask.cohort.survival.landmark_cohort import landmark_cohort
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.cohort.survival.meta_analysis import meta_analysis
from chemores_dask.cohort.survival.model_residuals import cox_residuals
from chemores_dask.cohort.survival.nelson_aalen import nelson_aalen
from chemores_dask.cohort.survival.proportional_hazards import proportional_hazards
from chemores_dask.cohort.survival.restricted_means import restricted_mean
from chemores_dask.cohort.survival.risk_concordance import concordance
from chemores_dask.cohort.survival.survival_cutoff import survival_cutoff
from chemores_dask.errors import PipelineFileError, UnknownStepError
from chemores_dask.graph.cluster_stability import cluster_stability
from chemores_dask.graph.covariate_dependence import covariate_dependence
from chemores_dask.graph.diffusion_map import diffusion_map
from chemores_dask.graph.harmony import harmony
from chemores_dask.graph.label_transfer import label_transfer
from chemores_dask.graph.leiden import leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.graph.umap_layout import umap
from chemores_dask.scores.aucell import aucell
from chemores_dask.scores.cell_cycle import cell_cycle
from chemores_dask.scores.jenks_breaks import jenks_breaks
from chemores_dask.scores.mean_zscore import mean_zscore
from chemores_dask.scores.module_score import module_score
from chemores_dask.scores.score_changes import score_changes
from chemores_dask.scores.score_mixture import score_mixture
from chemores_dask.scores.score_states import score_states
from chemores_dask.scores.singscore import singscore
from chemores_dask.scores.ssgsea import ssgsea
from chemores_dask.scores.stemness import stemness
from chemores_dask.scores.ucell import ucell
from chemores_dask.scores.weighted_score import weighted_score
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.gene_products import gene_products
from chemores_dask.single_cell.markers.analysis import markers
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.products_pca import pca_of_products
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.workflow.stated_tests import CELL, GENE, StatedTests
from chemores_dask.workflow.steps import Reference, Step
from chemores_dask.workflow.toml_tables import close_names

Analysis = Callable[..., xr.Dataset]

COUNTS = "cells"
TABLE = "patients"
RESULT = "result"
EITHER = "cells or patients"


@dataclass(frozen=True)
class CatalogueEntry:
    """An analysis as pipelines know it.

    Attributes
    ----------
    function
        The analysis: its input is the first argument.
    takes
        ``"cells"`` (the stored cells or a view), ``"patients"`` (a cohort of patients, or a result), ``"cells or patients"`` or
        ``"result"`` (of a step).
    columns
        Parameters that name columns of the input: of the table of the cells, or of the patients.
    passes
        Passes over the counts that it and the writing of its result take together; for the estimate of the time left.
    aligned
        Parameters over the cells that are brought into the order of the cells of the input.
    by_gene
        Parameter and the value of it with which the analysis reads a view by gene, and only then.
    tests
        The tests that it makes; None where it makes none.
    cutoffs
        Variables of its result that a cut-off decides, which is chosen from the scores alone.
    """

    function: Analysis
    takes: str
    columns: tuple[str, ...] = ()
    passes: int = 0
    aligned: tuple[str, ...] = ()
    by_gene: tuple[str, object] | None = None
    tests: StatedTests | None = None
    cutoffs: tuple[str, ...] = ()

    @property
    def revision(self) -> int:
        """``ALGORITHM_REVISION`` of the module of the analysis; raised there whenever its numbers change."""
        return int(sys.modules[self.function.__module__].ALGORITHM_REVISION)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that its results may have."""
        return tuple(sys.modules[self.function.__module__].RESULT.by_name)

    def taken_by(self, *, cells: bool) -> CatalogueEntry:
        """The entry as a step uses it, which reads cells or does not."""
        if self.takes != EITHER:
            return self
        return replace(self, takes=COUNTS, columns=()) if cells else replace(self, takes=TABLE, passes=0)


SCORE_HIGH = ("patient_score_high",)
SETS = StatedTests("other", GENE, over="gene_set", correction="benjamini_hochberg")

CATALOGUE: dict[str, CatalogueEntry] = {
    "quality": CatalogueEntry(quality, COUNTS, passes=1),
    "variable_genes": CatalogueEntry(variable_genes, COUNTS, ("batch",), passes=1),
    "pca": CatalogueEntry(pca, COUNTS, ("regress",), passes=1),
    "gene_products": CatalogueEntry(gene_products, COUNTS, ("fold",), passes=1),
    "pca_of_products": CatalogueEntry(pca_of_products, RESULT),
    "project_cells": CatalogueEntry(project_cells, COUNTS, passes=1),
    "module_score": CatalogueEntry(module_score, EITHER, ("expression",), passes=2, cutoffs=SCORE_HIGH),
    "ucell": CatalogueEntry(ucell, EITHER, ("expression",), passes=1, cutoffs=SCORE_HIGH),
    "aucell": CatalogueEntry(aucell, EITHER, ("expression",), passes=1, cutoffs=SCORE_HIGH),
    "cell_cycle": CatalogueEntry(cell_cycle, COUNTS, passes=2),
    "jenks_breaks": CatalogueEntry(jenks_breaks, RESULT),
    "score_mixture": CatalogueEntry(score_mixture, RESULT),
    "stemness": CatalogueEntry(stemness, COUNTS, ("patient",), passes=2, cutoffs=SCORE_HIGH),
    "score_states": CatalogueEntry(score_states, RESULT, cutoffs=("cell_state",)),
    "score_changes": CatalogueEntry(
        score_changes,
        RESULT,
        ("patient", "stage"),
        tests=StatedTests("sign_flip", over="gene_set", correction="benjamini_hochberg", paired=True),
    ),
    "markers": CatalogueEntry(
        markers,
        COUNTS,
        ("group", "total", "patient"),
        passes=2,
        by_gene=("method", "exact"),
        tests=StatedTests("rank_sum", CELL, over=GENE, correction="benjamini_hochberg", descriptive=True),
    ),
    "cohort_cube": CatalogueEntry(cohort_cube, COUNTS, ("sample", "state"), passes=1),
    "harmony": CatalogueEntry(harmony, RESULT, ("batch", "stage")),
    "neighbors": CatalogueEntry(neighbors, RESULT),
    "leiden": CatalogueEntry(leiden, RESULT),
    "cluster_stability": CatalogueEntry(cluster_stability, RESULT, aligned=("clusters",)),
    "umap": CatalogueEntry(umap, RESULT, aligned=("embedding",)),
    "covariate_dependence": CatalogueEntry(covariate_dependence, RESULT),
    "diffusion_map": CatalogueEntry(diffusion_map, RESULT),
    "stemness_signatures": CatalogueEntry(stemness_signatures, RESULT),
    "pseudobulk": CatalogueEntry(pseudobulk, RESULT),
    "differential_expression": CatalogueEntry(
        differential_expression, RESULT, tests=StatedTests("model", over=GENE, correction="benjamini_hochberg")
    ),
    "differential_by_state": CatalogueEntry(
        differential_by_state, RESULT, tests=StatedTests("model", over=GENE, correction="benjamini_hochberg")
    ),
    "paired_composition": CatalogueEntry(paired_composition, RESULT, tests=StatedTests("sign_flip", paired=True)),
    "composition_changes": CatalogueEntry(
        composition_changes,
        RESULT,
        tests=StatedTests("sign_flip", over="state", correction="benjamini_hochberg", paired=True),
    ),
    "propeller_composition": CatalogueEntry(
        propeller_composition,
        RESULT,
        tests=StatedTests("model", over="state", correction="benjamini_hochberg"),
    ),
    "beta_binomial_composition": CatalogueEntry(
        beta_binomial_composition,
        RESULT,
        tests=StatedTests("model", over="state", correction="benjamini_hochberg", paired=True),
    ),
    "dirichlet_multinomial_composition": CatalogueEntry(dirichlet_multinomial_composition, RESULT),
    "pooled_composition": CatalogueEntry(
        pooled_composition,
        RESULT,
        tests=StatedTests("other", CELL, over="state", correction="benjamini_hochberg", descriptive=True),
    ),
    "detection_limits": CatalogueEntry(detection_limits, RESULT),
    "group_association": CatalogueEntry(
        group_association,
        RESULT,
        tests=StatedTests("fisher", over="pair", correction="benjamini_hochberg"),
    ),
    "label_transfer": CatalogueEntry(label_transfer, RESULT),
    "mean_zscore": CatalogueEntry(mean_zscore, EITHER, ("expression",), passes=2, cutoffs=SCORE_HIGH),
    "ssgsea": CatalogueEntry(ssgsea, EITHER, ("expression",), passes=1, cutoffs=SCORE_HIGH),
    "singscore": CatalogueEntry(singscore, EITHER, ("expression",), passes=1, cutoffs=SCORE_HIGH),
    "weighted_score": CatalogueEntry(weighted_score, EITHER, ("expression",), passes=1, cutoffs=SCORE_HIGH),
    "nelson_aalen": CatalogueEntry(nelson_aalen, TABLE, ("duration", "event", "group", "entry")),
    "restricted_mean": CatalogueEntry(
        restricted_mean, TABLE, ("duration", "event", "group", "entry"), tests=StatedTests("model")
    ),
    "cumulative_incidence": CatalogueEntry(cumulative_incidence, TABLE, ("duration", "cause", "group", "entry")),
    "gray_test": CatalogueEntry(
        gray_test, TABLE, ("duration", "cause", "group", "strata"), tests=StatedTests("log_rank", over="cause")
    ),
    "fine_gray": CatalogueEntry(fine_gray, TABLE, ("duration", "cause", "covariates"), tests=StatedTests("model")),
    "kaplan_meier": CatalogueEntry(kaplan_meier, TABLE, ("duration", "event", "group", "entry")),
    "log_rank": CatalogueEntry(
        log_rank, TABLE, ("duration", "event", "group", "strata", "entry"), tests=StatedTests("log_rank")
    ),
    "cox_model": CatalogueEntry(
        cox_model, TABLE, ("duration", "event", "covariates", "strata", "entry"), tests=StatedTests("model")
    ),
    "cox_prediction": CatalogueEntry(cox_prediction, TABLE),
    "cox_residuals": CatalogueEntry(cox_residuals, TABLE, ("duration", "event", "covariates", "strata", "entry")),
    "proportional_hazards": CatalogueEntry(
        proportional_hazards,
        TABLE,
        ("duration", "event", "covariates", "strata", "entry"),
        tests=StatedTests("model"),
    ),
    "concordance": CatalogueEntry(
        concordance, TABLE, ("duration", "event", "risk", "strata", "entry"), tests=StatedTests("other")
    ),
    "cox_scan": CatalogueEntry(
        cox_scan,
        TABLE,
        ("expression", "duration", "event", "covariates", "strata", "entry"),
        tests=StatedTests("model", over=GENE, correction="benjamini_hochberg"),
    ),
    "landmark_cohort": CatalogueEntry(
        landmark_cohort, TABLE, ("duration", "event", "entry", "exposure", "exposure_time")
    ),
    "survival_cutoff": CatalogueEntry(
        survival_cutoff, TABLE, ("duration", "event", "score"), tests=StatedTests("log_rank")
    ),
    "apply_cutoff": CatalogueEntry(apply_cutoff, TABLE, ("score",)),
    "ranking_of": CatalogueEntry(ranking_of, RESULT),
    "gene_selection": CatalogueEntry(gene_selection, RESULT),
    "prerank_enrichment": CatalogueEntry(prerank_enrichment, RESULT, tests=SETS),
    "camera_enrichment": CatalogueEntry(camera_enrichment, RESULT, tests=SETS),
    "over_representation": CatalogueEntry(over_representation, RESULT, tests=SETS),
    "regulon_direction": CatalogueEntry(regulon_direction, RESULT, tests=SETS),
    "enrichment_replication": CatalogueEntry(enrichment_replication, RESULT, tests=StatedTests("other", GENE)),
    "response_groups": CatalogueEntry(
        response_groups, TABLE, ("score", "response", "depth"), tests=StatedTests("rank_sum")
    ),
    "ordinal_regression": CatalogueEntry(ordinal_regression, TABLE, ("response",), tests=StatedTests("model")),
    "necrosis_association": CatalogueEntry(
        necrosis_association, TABLE, ("score", "necrosis"), tests=StatedTests("correlation")
    ),
    "classifier_performance": CatalogueEntry(
        classifier_performance, TABLE, ("score", "response", "training", "against"), tests=StatedTests("rank_sum")
    ),
    "response_scan": CatalogueEntry(
        response_scan,
        TABLE,
        ("expression", "response"),
        tests=StatedTests("rank_sum", over=GENE, correction="benjamini_hochberg"),
    ),
    "fit_risk_signature": CatalogueEntry(fit_risk_signature, TABLE, ("duration", "event", "covariates", "cohort")),
    "stability_selection": CatalogueEntry(stability_selection, TABLE, ("duration", "event", "covariates")),
    "freeze_gene_set": CatalogueEntry(freeze_gene_set, TABLE),
    "predict_risk": CatalogueEntry(predict_risk, TABLE, cutoffs=("risk_high",)),
    "validate_risk": CatalogueEntry(
        validate_risk, TABLE, ("risk", "duration", "event"), tests=StatedTests("model"), cutoffs=("validation_high",)
    ),
    "random_signatures": CatalogueEntry(random_signatures, TABLE, ("duration", "event"), tests=StatedTests("other")),
    "leave_one_gene_out": CatalogueEntry(leave_one_gene_out, TABLE, ("duration", "event"), tests=StatedTests("model")),
    "meta_analysis": CatalogueEntry(meta_analysis, RESULT, tests=StatedTests("model")),
}


def find_analysis(name: str, *, step: str) -> CatalogueEntry:
    """Look up an analysis.

    Parameters
    ----------
    name
        Name of the analysis.
    step
        The step that asks for it, for the message.

    Returns
    -------
    Its entry in the catalogue.

    Raises
    ------
    UnknownStepError
        With the names closest to the one asked for.
    """
    if name not in CATALOGUE:
        message = (
            f"The analysis of step {step!r} must be in the catalogue. Got {name!r}; "
            f"known: {listed(CATALOGUE)}.{close_names(name, CATALOGUE)}"
        )
        raise UnknownStepError(message)
    return CATALOGUE[name]


def check_variable(reference: Reference, step: Step, *, reader: str) -> None:
    """Refuse a reference to a variable that the analysis of a step never gives; one to the whole result is none.

    Raises
    ------
    PipelineFileError
        Naming the variables closest to it.
    """
    variables = find_analysis(step.analysis, step=step.name).variables
    if reference.variable and reference.variable not in variables:
        message = (
            f"{reader} must name a variable of the result of {step.name!r} ({step.analysis}). Got {reference.variable!r}; "
            f"it gives: {listed(variables)}.{close_names(reference.variable, variables)}"
        )
        raise PipelineFileError(message)
