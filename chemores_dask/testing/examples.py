"""One example call per analysis. A test fails when an analysis of the catalogue is missing here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask.array as da
import xarray as xr

from chemores_dask.cohort import (
    composition,
    cox_models,
    cox_scan,
    gene_set_scores,
    kaplan_meier,
    log_rank,
    pseudobulk,
)
from chemores_dask.gene_sets import GeneSets
from chemores_dask.results_spec import ResultSpec
from chemores_dask.single_cell import cohort_cube, pca, quality, score_states, variable_genes
from chemores_dask.single_cell.normalize import log_normalize
from chemores_dask.single_cell.scores import module_score
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
    spec
        What it declares.
    noun
        ``"cells"``, ``"patients"`` or ``"result"``: what it takes.
    call
        ``call(noun) -> Dataset``.
    tolerance
        Largest relative difference between blockings; 0 where the result must have the same bits.
    """

    name: str
    function: Callable[..., xr.Dataset]
    spec: ResultSpec
    noun: str
    call: Callable[[Any], xr.Dataset]
    tolerance: float = 1e-10


def tiny_cube() -> xr.Dataset:
    """The cohort cube of the tiny cells, computed once per call."""
    return cohort_cube.cohort_cube(tiny_cells(), sample="sample", state="state")


def tiny_scores() -> xr.Dataset:
    """Module scores of the tiny cells."""
    cells = log_normalize(tiny_cells())
    scores = module_score.module_score(cells, SIGNATURE, method="seurat", seed=3, bins=4, controls=8)
    return scores.compute()


def make_result_noun(name: str) -> xr.Dataset:
    """The result that an analysis of results takes."""
    return tiny_scores() if name == "score_states" else tiny_cube()


EXAMPLES = (
    Example("quality", quality.quality, quality.RESULT, ON_CELLS, lambda cells: quality.quality(cells), 0.0),
    Example(
        "variable_genes",
        variable_genes.variable_genes,
        variable_genes.RESULT,
        ON_CELLS,
        lambda cells: variable_genes.variable_genes(cells, method="seurat_v3", genes=20),
        1e-8,
    ),
    Example(
        "pca",
        pca.pca,
        pca.RESULT,
        ON_CELLS,
        lambda cells: pca.pca(log_normalize(cells), components=5, genes=GENE_NAMES[3:40], regress=["cycle_score"]),
        1e-7,
    ),
    Example(
        "module_score",
        module_score.module_score,
        module_score.RESULT,
        ON_CELLS,
        lambda cells: module_score.module_score(
            log_normalize(cells), SIGNATURE, method="seurat", seed=3, bins=4, controls=8
        ),
    ),
    Example(
        "cohort_cube",
        cohort_cube.cohort_cube,
        cohort_cube.RESULT,
        ON_CELLS,
        lambda cells: cohort_cube.cohort_cube(cells, sample="sample", state="state"),
    ),
    Example(
        "score_states",
        score_states.score_states,
        score_states.RESULT,
        ON_RESULT,
        lambda scores: score_states.score_states(scores, gene_set="signature"),
    ),
    Example(
        "pseudobulk",
        pseudobulk.pseudobulk,
        pseudobulk.RESULT,
        ON_RESULT,
        lambda cube: pseudobulk.pseudobulk(cube, minimum_cells=5),
    ),
    Example(
        "paired_composition",
        composition.paired_composition,
        composition.RESULT,
        ON_RESULT,
        lambda cube: composition.paired_composition(cube, state="stem_like", before="diagnosis", after="relapse"),
    ),
    Example(
        "mean_zscore",
        gene_set_scores.mean_zscore,
        gene_set_scores.RESULT,
        ON_PATIENTS,
        lambda patients: gene_set_scores.mean_zscore(patients, _bulk_sets()),
    ),
    Example(
        "kaplan_meier",
        kaplan_meier.kaplan_meier,
        kaplan_meier.RESULT,
        ON_PATIENTS,
        lambda patients: kaplan_meier.kaplan_meier(patients, duration="months", event="event", group="arm"),
        0.0,
    ),
    Example(
        "log_rank",
        log_rank.log_rank,
        log_rank.RESULT,
        ON_PATIENTS,
        lambda patients: log_rank.log_rank(patients, duration="months", event="event", group="arm"),
        0.0,
    ),
    Example(
        "cox_model",
        cox_models.cox_model,
        cox_models.RESULT,
        ON_PATIENTS,
        lambda patients: cox_models.cox_model(patients, duration="months", event="event", covariates=["age"]),
        0.0,
    ),
    Example(
        "cox_scan",
        cox_scan.cox_scan,
        cox_scan.RESULT,
        ON_PATIENTS,
        lambda patients: cox_scan.cox_scan(patients, duration="months", event="event"),
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
