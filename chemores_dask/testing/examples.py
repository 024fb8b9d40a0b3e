"""One example call per analysis. A test fails when an analysis of the catalogue is missing here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.cohort.differential.differential_by_state import differential_by_state
from chemores_dask.cohort.differential.differential_expression import differential_expression
from chemores_dask.cohort.held_out_signatures import SignatureLimits, stemness_signatures
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.cohort.response.classifier_performance import classifier_performance
from chemores_dask.cohort.response.necrosis_association import necrosis_association
from chemores_dask.cohort.response.ordinal_regression import ordinal_regression
from chemores_dask.cohort.response.response_groups import response_groups
from chemores_dask.cohort.response.response_scan import response_scan
from chemores_dask.cohort.survival.apply_cutoff import apply_cutoff
from chemores_dask.cohort.survival.cox_models import cox_model
from chemores_dask.cohort.survival.cox_prediction import cox_prediction
from chemores_dask.cohort.survival.cox_scan import cox_scan
from chemores_dask.cohort.survival.kaplan_meier import kaplan_meier
from chemores_dask.cohort.survival.landmark_cohort import landmark_cohort
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.cohort.survival.meta_analysis import meta_analysis
from chemores_dask.cohort.survival.model_residuals import cox_residuals
from chemores_dask.cohort.survival.proportional_hazards import proportional_hazards
from chemores_dask.cohort.survival.risk_concordance import concordance
from chemores_dask.cohort.survival.survival_cutoff import survival_cutoff
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.graph.cluster_stability import cluster_stability
from chemores_dask.graph.covariate_dependence import covariate_dependence
from chemores_dask.graph.diffusion_map import diffusion_map
from chemores_dask.graph.harmony import harmony
from chemores_dask.graph.label_transfer import TransferOptions, label_transfer
from chemores_dask.graph.leiden import leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.graph.umap_layout import umap
from chemores_dask.results_spec import ResultSpec
from chemores_dask.scores.aucell import aucell
from chemores_dask.scores.cell_cycle import cell_cycle
from chemores_dask.scores.control_genes import ControlGenes
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
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.products_pca import pca_of_products
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.testing import cox_nouns, cutoff_nouns, response_nouns
from chemores_dask.testing.composition_nouns import COMPOSITION
from chemores_dask.testing.enrichment_nouns import ENRICHMENT
from chemores_dask.testing.graph_nouns import tiny_batches, tiny_embedding, tiny_graph
from chemores_dask.testing.incidence_nouns import INCIDENCE
from chemores_dask.testing.nouns import GENE_NAMES, SIGNATURE, tiny_cells, tiny_counts, tiny_patients
from chemores_dask.testing.signature_nouns import SIGNATURES
from chemores_dask.testing.validation_nouns import VALIDATION, tiny_meta_analysis, tiny_studies

WEIGHTS = GeneSets((GeneSet.from_weights("weights", {gene: 0.5 - 0.1 * i for i, gene in enumerate(GENE_NAMES[:20])}),))
"""Signed weights of some genes of the tiny cells."""

ON_CELLS = "cells"
ON_PATIENTS = "patients"
ON_RESULT = "result"
ON_SCORES = ("score_states", "jenks_breaks", "score_mixture", "score_changes")


@dataclass(frozen=True)
class Example:
    """A call of one analysis on a tiny input.

    Attributes
    ----------
    name
        Of the analysis, as in the catalogue.
    function
        The analysis.
    noun
        ``"cells"``, ``"patients"`` or ``"result"``: what it takes.
    call
        ``call(noun) -> Dataset``.
    tolerance
        Largest relative difference between blockings; 0 where the result must have the same bits.
    """

    name: str
    function: Callable[..., xr.Dataset]
    noun: str
    call: Callable[[Any], xr.Dataset]
    tolerance: float = 1e-10

    @property
    def spec(self) -> ResultSpec:
        """What the analysis declares beside it."""
        return sys.modules[self.function.__module__].RESULT


def tiny_cube() -> xr.Dataset:
    """The cohort cube of the tiny cells, computed once per call."""
    return cohort_cube(tiny_cells(), sample="sample", state="state")


def tiny_scores() -> xr.Dataset:
    """Module scores of the tiny cells."""
    cells = log_normalize(tiny_cells())
    scores = module_score(cells, SIGNATURE, method="seurat", seed=3, controls=ControlGenes(4, 8))
    known = {column: ("cell", tiny_cells().obs[column].to_numpy().astype(object)) for column in ("patient", "stage")}
    return scores.compute().assign(known)


def tiny_signatures(cube: xr.Dataset) -> xr.Dataset:
    """Signatures of the state of the tiny cells, without some patients at a time."""
    return stemness_signatures(cube, state="stem_like", folds=3, genes=5, limits=SignatureLimits(3, 0.0, 0.1), seed=3)


def tiny_products(cells: Any) -> xr.Dataset:
    """Products of some genes of the tiny cells, by patient."""
    return gene_products(log_normalize(cells), genes=GENE_NAMES[3:40], fold="patient")


def tiny_projection(cells: Any) -> xr.Dataset:
    """Log-normalized cells on three made-up components."""
    genes = GENE_NAMES[3:40]
    weights = np.sin(np.arange(3 * len(genes))).reshape(len(genes), 3)
    loadings = xr.DataArray(weights, dims=("gene", "component"), coords={"gene": genes, "component": [1, 2, 3]})
    return project_cells(log_normalize(cells), loadings=loadings, gene_mean=abs(loadings[:, 0]))


def make_result_noun(name: str) -> xr.Dataset:
    """The result that an analysis of results takes."""
    if name == "pca_of_products":
        return tiny_products(tiny_cells())
    if name in {"harmony", "covariate_dependence"}:
        return tiny_batches()
    if name in {"neighbors", "label_transfer"}:
        return xr.Dataset({"pca_scores": tiny_embedding()})
    if name == "diffusion_map":
        return tiny_graph(nearest=50)
    if name == "meta_analysis":
        return tiny_studies()
    if name in {"umap", "leiden", "cluster_stability"}:
        return tiny_graph()
    if name in ENRICHMENT:
        return ENRICHMENT[name][1]()
    return tiny_scores() if name in ON_SCORES else tiny_cube()


def uncounted_signatures() -> xr.Dataset:
    """The same, from counts in memory, whose reads are not metered."""
    cells = tiny_cells()
    cells.X = tiny_counts()
    return tiny_signatures(cohort_cube(cells, sample="sample", state="state"))


EXAMPLES = (
    Example("quality", quality, ON_CELLS, quality, 0.0),
    Example(
        "variable_genes",
        variable_genes,
        ON_CELLS,
        lambda cells: variable_genes(cells, method="seurat_v3", genes=20),
        1e-8,
    ),
    Example(
        "pca",
        pca,
        ON_CELLS,
        lambda cells: pca(log_normalize(cells), components=5, genes=GENE_NAMES[3:40], regress=["cycle_score"]),
        1e-7,
    ),
    Example("gene_products", gene_products, ON_CELLS, tiny_products, 1e-10),
    Example(
        "pca_of_products",
        pca_of_products,
        ON_RESULT,
        lambda products: pca_of_products(products, components=5, without=[products["fold"].values[0]]),
    ),
    Example("project_cells", project_cells, ON_CELLS, tiny_projection, 1e-10),
    Example(
        "module_score",
        module_score,
        ON_CELLS,
        lambda cells: module_score(
            log_normalize(cells), SIGNATURE, method="seurat", seed=3, controls=ControlGenes(4, 8)
        ),
    ),
    Example("ucell", ucell, ON_CELLS, lambda cells: ucell(cells, SIGNATURE, maximum_rank=30), 0.0),
    Example("aucell", aucell, ON_CELLS, lambda cells: aucell(cells, SIGNATURE, seed=3, top_share=0.4), 0.0),
    Example(
        "cohort_cube",
        cohort_cube,
        ON_CELLS,
        lambda cells: cohort_cube(cells, sample="sample", state="state"),
    ),
    Example(
        "markers",
        markers,
        ON_CELLS,
        lambda cells: markers(cells, group="state", method="histogram"),
        1e-12,
    ),
    Example(
        "cell_cycle",
        cell_cycle,
        ON_CELLS,
        lambda cells: cell_cycle(
            log_normalize(cells),
            SIGNATURE,
            phases=("signature", "decoy"),
            seed=3,
            controls=ControlGenes(4, 8),
        ),
    ),
    Example(
        "stemness",
        stemness,
        ON_CELLS,
        lambda cells: stemness(
            log_normalize(cells), signatures=uncounted_signatures(), seed=3, controls=ControlGenes(4, 8)
        ),
    ),
    Example("stemness_signatures", stemness_signatures, ON_RESULT, tiny_signatures, 0.0),
    Example(
        "jenks_breaks",
        jenks_breaks,
        ON_RESULT,
        lambda scores: jenks_breaks(scores, gene_set="signature", patient="patient", repeats=5, seed=3),
    ),
    Example(
        "score_mixture",
        score_mixture,
        ON_RESULT,
        lambda scores: score_mixture(scores, gene_set="signature", patient="patient", repeats=3, seed=3),
    ),
    Example(
        "score_states",
        score_states,
        ON_RESULT,
        lambda scores: score_states(scores, gene_set="signature"),
    ),
    Example(
        "score_changes",
        score_changes,
        ON_RESULT,
        lambda scores: score_changes(scores, before="diagnosis", after="relapse"),
    ),
    Example(
        "harmony",
        harmony,
        ON_RESULT,
        lambda scores: harmony(scores, batch=["batch", "chemistry"], stage="stage", seed=3),
        0.0,
    ),
    Example(
        "neighbors",
        neighbors,
        ON_RESULT,
        lambda scores: neighbors(scores, neighbors=5, method="lists", seed=3),
        0.0,
    ),
    Example(
        "leiden",
        leiden,
        ON_RESULT,
        lambda graph: leiden(graph, route="micro-clusters", seed=3),
        0.0,
    ),
    Example(
        "cluster_stability",
        cluster_stability,
        ON_RESULT,
        lambda graph: cluster_stability(graph, repeats=3, seed=3),
        0.0,
    ),
    Example(
        "covariate_dependence",
        covariate_dependence,
        ON_RESULT,
        lambda cells: covariate_dependence(cells, covariates=["batch", "stage"]),
    ),
    Example(
        "diffusion_map",
        diffusion_map,
        ON_RESULT,
        lambda graph: diffusion_map(graph, components=5, seed=3),
    ),
    Example(
        "umap",
        umap,
        ON_RESULT,
        lambda graph: umap(graph, embedding=tiny_embedding(), landmarks=40, rounds=5, seed=3),
        0.0,
    ),
    Example(
        "label_transfer",
        label_transfer,
        ON_RESULT,
        lambda cells: label_transfer(
            cells,
            reference=tiny_embedding()[::2],
            labels=tiny_batches()["stage"][::2],
            options=TransferOptions(neighbors=10, shares=True),
            seed=3,
        ),
    ),
    Example(
        "pseudobulk",
        pseudobulk,
        ON_RESULT,
        lambda cube: pseudobulk(cube, minimum_cells=5),
    ),
    Example(
        "differential_expression",
        differential_expression,
        ON_RESULT,
        lambda cube: differential_expression(pseudobulk(cube, minimum_cells=5), contrast="stage[T.relapse]"),
    ),
    Example(
        "differential_by_state",
        differential_by_state,
        ON_RESULT,
        lambda cube: differential_by_state(
            cube, contrast="stage[T.relapse]", states=["other"], method="voom", minimum_cells=2
        ),
    ),
    Example("ssgsea", ssgsea, ON_CELLS, lambda cells: ssgsea(log_normalize(cells), SIGNATURE)),
    Example("singscore", singscore, ON_CELLS, lambda cells: singscore(log_normalize(cells), SIGNATURE)),
    Example("weighted_score", weighted_score, ON_CELLS, lambda cells: weighted_score(log_normalize(cells), WEIGHTS)),
    Example(
        "mean_zscore",
        mean_zscore,
        ON_PATIENTS,
        lambda patients: mean_zscore(patients, _bulk_sets()),
    ),
    Example(
        "kaplan_meier",
        kaplan_meier,
        ON_PATIENTS,
        lambda patients: kaplan_meier(patients, duration="months", event="event", group="arm"),
        0.0,
    ),
    Example(
        "log_rank",
        log_rank,
        ON_PATIENTS,
        lambda patients: log_rank(patients, duration="months", event="event", group="arm"),
        0.0,
    ),
    Example(
        "cox_model",
        cox_model,
        ON_PATIENTS,
        cox_nouns.tiny_cox_model,
        0.0,
    ),
    Example("cox_prediction", cox_prediction, ON_PATIENTS, cox_nouns.tiny_cox_prediction, 0.0),
    Example("cox_residuals", cox_residuals, ON_PATIENTS, cox_nouns.tiny_cox_residuals, 0.0),
    Example("proportional_hazards", proportional_hazards, ON_PATIENTS, cox_nouns.tiny_proportional_hazards, 0.0),
    Example("concordance", concordance, ON_PATIENTS, cox_nouns.tiny_concordance, 0.0),
    Example(
        "cox_scan",
        cox_scan,
        ON_PATIENTS,
        lambda patients: cox_scan(patients, duration="months", event="event"),
    ),
    Example("landmark_cohort", landmark_cohort, ON_PATIENTS, cutoff_nouns.tiny_landmark_cohort, 0.0),
    Example("survival_cutoff", survival_cutoff, ON_PATIENTS, cutoff_nouns.tiny_survival_cutoff, 0.0),
    Example("apply_cutoff", apply_cutoff, ON_PATIENTS, cutoff_nouns.tiny_apply_cutoff, 0.0),
    *(Example(name, function, ON_PATIENTS, call, 0.0) for name, (function, call) in INCIDENCE.items()),
    *(Example(name, function, ON_RESULT, call) for name, (function, call) in COMPOSITION.items()),
    *(Example(name, function, ON_RESULT, call, 0.0) for name, (function, _, call) in ENRICHMENT.items()),
    Example("response_groups", response_groups, ON_PATIENTS, response_nouns.tiny_response_groups, 0.0),
    Example("ordinal_regression", ordinal_regression, ON_PATIENTS, response_nouns.tiny_ordinal_regression, 0.0),
    Example("necrosis_association", necrosis_association, ON_PATIENTS, response_nouns.tiny_necrosis_association, 0.0),
    Example(
        "classifier_performance", classifier_performance, ON_PATIENTS, response_nouns.tiny_classifier_performance, 0.0
    ),
    Example("response_scan", response_scan, ON_PATIENTS, response_nouns.tiny_response_scan),
    *(Example(name, function, ON_PATIENTS, call) for name, (function, call) in VALIDATION.items()),
    *(Example(name, function, ON_PATIENTS, call) for name, (function, call) in SIGNATURES.items()),
    Example("meta_analysis", meta_analysis, ON_RESULT, tiny_meta_analysis, 0.0),
)


def make_noun(example: Example, *, size: int | None = None) -> Any:
    """The tiny input of an example.

    Parameters
    ----------
    example
        Which one.
    size
        Rows (or genes) per block; one block unless given.
    """
    if example.noun == ON_CELLS:
        return tiny_cells(rows_per_block=size)
    if example.noun == ON_PATIENTS:
        return tiny_patients(genes_per_chunk=size)
    return make_result_noun(example.name)


def ragged_cells() -> Any:
    """Cells in blocks of unequal sizes, one of them empty."""
    cells = tiny_cells(rows_per_block=16)
    pieces = [cells.X[:16], cells.X[16:16], cells.X[16:17], cells.X[17:90], cells.X[90:]]
    cells.X = da.concatenate(pieces, axis=0)
    return cells


def _bulk_sets() -> GeneSets:
    return GeneSets.from_mapping({"signature": ["GENE001", "GENE002", "GENE003"]})
