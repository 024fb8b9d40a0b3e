"""The analyses that a pipeline may name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.cohort.composition import paired_composition
from chemores_dask.cohort.cox_models import cox_model
from chemores_dask.cohort.cox_scan import cox_scan
from chemores_dask.cohort.gene_set_scores import mean_zscore
from chemores_dask.cohort.kaplan_meier import kaplan_meier
from chemores_dask.cohort.log_rank import log_rank
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.errors import PipelineFileError, UnknownStepError
from chemores_dask.graph.cluster_stability import cluster_stability
from chemores_dask.graph.diffusion_map import diffusion_map
from chemores_dask.graph.harmony import harmony
from chemores_dask.graph.label_transfer import label_transfer
from chemores_dask.graph.leiden import leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.graph.umap_layout import umap
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.gene_products import gene_products
from chemores_dask.single_cell.markers.analysis import markers
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.products_pca import pca_of_products
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.score_states import score_states
from chemores_dask.single_cell.scores.module_score import module_score
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.workflow.steps import Reference, Step
from chemores_dask.workflow.toml_tables import close_names

Analysis = Callable[..., xr.Dataset]

COUNTS = "cells"
TABLE = "patients"
RESULT = "result"


@dataclass(frozen=True)
class CatalogueEntry:
    """An analysis as pipelines know it.

    Attributes
    ----------
    function
        The analysis: its input is the first argument.
    takes
        ``"cells"`` (the stored cells or a view), ``"patients"`` (a cohort of patients, or a result) or ``"result"`` (of a step).
    columns
        Parameters that name columns of the input: of the table of the cells, or of the patients.
    passes
        Passes over the counts that it and the writing of its result take together; for the estimate of the time left.
    aligned
        Parameters over the cells that are brought into the order of the cells of the input.
    by_gene
        Parameter and the value of it with which the analysis reads a view by gene, and only then.
    """

    function: Analysis
    takes: str
    columns: tuple[str, ...] = ()
    passes: int = 0
    aligned: tuple[str, ...] = ()
    by_gene: tuple[str, object] | None = None

    @property
    def revision(self) -> int:
        """``ALGORITHM_REVISION`` of the module of the analysis; raised there whenever its numbers change."""
        return int(sys.modules[self.function.__module__].ALGORITHM_REVISION)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that its results may have."""
        return tuple(sys.modules[self.function.__module__].RESULT.by_name)


CATALOGUE: dict[str, CatalogueEntry] = {
    "quality": CatalogueEntry(quality, COUNTS, passes=1),
    "variable_genes": CatalogueEntry(variable_genes, COUNTS, ("batch",), passes=1),
    "pca": CatalogueEntry(pca, COUNTS, ("regress",), passes=1),
    "gene_products": CatalogueEntry(gene_products, COUNTS, ("fold",), passes=1),
    "pca_of_products": CatalogueEntry(pca_of_products, RESULT),
    "project_cells": CatalogueEntry(project_cells, COUNTS, passes=1),
    "module_score": CatalogueEntry(module_score, COUNTS, passes=2),
    "score_states": CatalogueEntry(score_states, RESULT),
    "markers": CatalogueEntry(markers, COUNTS, ("group", "total", "patient"), passes=2, by_gene=("method", "exact")),
    "cohort_cube": CatalogueEntry(cohort_cube, COUNTS, ("sample", "state"), passes=1),
    "harmony": CatalogueEntry(harmony, RESULT, ("batch", "stage")),
    "neighbors": CatalogueEntry(neighbors, RESULT),
    "leiden": CatalogueEntry(leiden, RESULT),
    "cluster_stability": CatalogueEntry(cluster_stability, RESULT, aligned=("clusters",)),
    "umap": CatalogueEntry(umap, RESULT, aligned=("embedding",)),
    "diffusion_map": CatalogueEntry(diffusion_map, RESULT),
    "pseudobulk": CatalogueEntry(pseudobulk, RESULT),
    "paired_composition": CatalogueEntry(paired_composition, RESULT),
    "label_transfer": CatalogueEntry(label_transfer, RESULT),
    "mean_zscore": CatalogueEntry(mean_zscore, TABLE, ("expression",)),
    "kaplan_meier": CatalogueEntry(kaplan_meier, TABLE, ("duration", "event", "group", "entry")),
    "log_rank": CatalogueEntry(log_rank, TABLE, ("duration", "event", "group", "strata")),
    "cox_model": CatalogueEntry(cox_model, TABLE, ("duration", "event", "covariates", "strata", "entry")),
    "cox_scan": CatalogueEntry(cox_scan, TABLE, ("expression", "duration", "event", "covariates")),
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
    """Refuse a reference to a variable that the analysis of a step never gives.

    Raises
    ------
    PipelineFileError
        Naming the variables closest to it.
    """
    variables = find_analysis(step.analysis, step=step.name).variables
    if reference.variable not in variables:
        message = (
            f"{reader} must name a variable of the result of {step.name!r} ({step.analysis}). Got {reference.variable!r}; "
            f"it gives: {listed(variables)}.{close_names(reference.variable, variables)}"
        )
        raise PipelineFileError(message)
