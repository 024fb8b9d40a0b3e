"""One example call per analysis. A test fails when an analysis of the catalogue is missing here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.cohort.composition import paired_composition
from chemores_dask.cohort.cox_models import cox_model
from chemores_dask.cohort.cox_scan import cox_scan
from chemores_dask.cohort.gene_set_scores import mean_zscore
from chemores_dask.cohort.kaplan_meier import kaplan_meier
from chemores_dask.cohort.log_rank import log_rank
from chemores_dask.cohort.pseudobulk import pseudobulk
from chemores_dask.gene_sets import GeneSets
from chemores_dask.graph.cluster_stability import cluster_stability
from chemores_dask.graph.diffusion_map import diffusion_map
from chemores_dask.graph.harmony import harmony
from chemores_dask.graph.label_transfer import TransferOptions, label_transfer
from chemores_dask.graph.leiden import leiden
from chemores_dask.graph.neighbors import neighbors
from chemores_dask.graph.umap_layout import umap
from chemores_dask.results_spec import ResultSpec
from chemores_dask.single_cell.cohort_cube import cohort_cube
from chemores_dask.single_cell.gene_products import gene_products
from chemores_dask.single_cell.markers.analysis import markers
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.pca import pca
from chemores_dask.single_cell.products_pca import pca_of_products
from chemores_dask.single_cell.projection import project_cells
from chemores_dask.single_cell.quality import quality
from chemores_dask.single_cell.score_states import score_states
from chemores_dask.single_cell.scores.module_score import module_score
from chemores_dask.single_cell.variable_genes import variable_genes
from chemores_dask.testing.graph_nouns import tiny_batches, tiny_embedding, tiny_graph
from chemores_dask.testing.nouns import GENE_NAMES, SIGNATURE, tiny_cells, tiny_patients

ON_CELLS = "cells"
ON_PATIENTS = "patients"
ON_RESULT = "result"


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
    scores = module_score(cells, SIGNATURE, method="seurat", seed=3, bins=4, controls=8)
    return scores.compute()


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
    if name == "harmony":
        return tiny_batches()
    if name in {"neighbors", "label_transfer"}:
        return xr.Dataset({"pca_scores": tiny_embedding()})
    if name == "diffusion_map":
        return tiny_graph(nearest=50)
    if name in {"umap", "leiden", "cluster_stability"}:
        return tiny_graph()
    return tiny_scores() if name == "score_states" else tiny_cube()


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
        lambda cells: module_score(log_normalize(cells), SIGNATURE, method="seurat", seed=3, bins=4, controls=8),
    ),
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
        "score_states",
        score_states,
        ON_RESULT,
        lambda scores: score_states(scores, gene_set="signature"),
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
        "paired_composition",
        paired_composition,
        ON_RESULT,
        lambda cube: paired_composition(cube, state="stem_like", before="diagnosis", after="relapse"),
    ),
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
        lambda patients: cox_model(patients, duration="months", event="event", covariates=["age"]),
        0.0,
    ),
    Example(
        "cox_scan",
        cox_scan,
        ON_PATIENTS,
        lambda patients: cox_scan(patients, duration="months", event="event"),
    ),
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
