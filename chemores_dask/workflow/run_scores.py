"""What a finished run adds to its design: scores beside total counts and outcomes, and counts of sex genes in each sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.auditor.study_design import ScoredDepth, ScoredOutcome, StudyDesign
from chemores_dask.workflow.inputs import pick
from chemores_dask.workflow.planning import PlannedStep
from chemores_dask.workflow.steps import Join

CELL_SCORE, PATIENT_SCORE, CELL_TOTAL, COUNT_SUM = "cell_score", "patient_score", "cell_total", "cube_count_sum"
WINDOWS, ROWS = 100, 200
"""Cells that are looked at: so many windows of so many cells, spread evenly, since a chunk holds neighbors."""

OUTCOMES = ("response", "necrosis", "event")
FEMALE_GENE = "XIST"
MALE_GENES = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY", "USP9Y", "ZFY")
UNKNOWN = "unknown"


def scored_design(
    design: StudyDesign,
    planned: Sequence[PlannedStep],
    *,
    results: Mapping[str, xr.Dataset],
    cohorts: Mapping[str, xr.Dataset],
) -> StudyDesign:
    """Add to a design what is known once its steps have run.

    Parameters
    ----------
    design
        As read off the pipeline.
    planned
        The steps.
    results
        Results by the name of their step.
    cohorts
        Cohorts of patients by ``"patients/<cohort>"``.

    Returns
    -------
    The design with scores of cells beside total counts (of up to 20,000 cells), scores of patients beside whether their outcome is known,
    and the sex genes of each sample, where a step gives them.
    """
    samples = _with_sex_genes(design, [results[each.step.name] for each in planned])
    return replace(
        design,
        samples=samples,
        depths=(*design.depths, *_depths(design, planned, results)),
        outcomes=(*design.outcomes, *_outcomes(planned, results, cohorts)),
    )


def _depths(
    design: StudyDesign, planned: Sequence[PlannedStep], results: Mapping[str, xr.Dataset]
) -> Iterator[ScoredDepth]:
    totals = next((found[CELL_TOTAL] for found in results.values() if CELL_TOTAL in found), None)
    if totals is None:
        return
    for each in planned:
        found = results[each.step.name]
        if CELL_SCORE not in found or found[CELL_SCORE].dims != ("cell", "gene_set"):
            continue
        rows = spread_rows(found.sizes["cell"])
        scores = found[CELL_SCORE].isel(cell=rows).values
        names = found["cell"].values[rows]
        total = _totals_of(totals, names)
        owners = _owners(design, names)
        for number, gene_set in enumerate(found["gene_set"].values):
            yield ScoredDepth(f"{gene_set} ({each.step.name})", scores[:, number], total, owners)


def spread_rows(cells: int) -> Vector:
    """Rows that stand for all: all of a few, and of many windows that are spread evenly.

    Parameters
    ----------
    cells
        How many there are.

    Returns
    -------
    Row numbers in order.
    """
    if cells <= WINDOWS * ROWS:
        return np.arange(cells)
    starts = np.linspace(0, cells - ROWS, WINDOWS).astype(np.int64)
    return (starts[:, None] + np.arange(ROWS)).ravel()


def _totals_of(totals: xr.DataArray, names: Vector) -> Vector:
    # The index of a Dataset keeps its table of places, so that it is made once for all scores.
    places = totals.indexes["cell"].get_indexer(names)
    found = np.asarray(totals.values, dtype=np.float64)[np.maximum(places, 0)]
    return np.where(places >= 0, found, np.nan)


def _owners(design: StudyDesign, names: Vector) -> Vector:
    """The patient of each cell, by the sample that its name begins with."""
    columns, table = design.columns, design.samples
    known = columns.patient in table.columns and columns.sample in table.columns
    patients = (
        dict(zip(table[columns.sample].astype(str), table[columns.patient].astype(str), strict=True)) if known else {}
    )
    return np.array([patients.get(str(name).rpartition(":")[0], UNKNOWN) for name in names], dtype=object)


def _outcomes(
    planned: Sequence[PlannedStep], results: Mapping[str, xr.Dataset], cohorts: Mapping[str, xr.Dataset]
) -> Iterator[ScoredOutcome]:
    seen = set()
    for each in planned:
        cohort = cohorts.get(each.step.of)
        if cohort is None:
            continue
        for parameter in OUTCOMES:
            column = each.arguments.get(parameter)
            if not isinstance(column, str) or column not in cohort or cohort[column].dims != ("patient",):
                continue
            known = _known(cohort[column].values, each.arguments.get("unknown"))
            for join in (join for join in each.step.join if join.reference.variable == PATIENT_SCORE):
                name = f"{join.select.get('gene_set', join.name)} and {column}"
                if (name, each.step.of) not in seen:
                    seen.add((name, each.step.of))
                    yield ScoredOutcome(name, _score(join, results, cohort["patient"].values), known)


def _score(join: Join, results: Mapping[str, xr.Dataset], patients: Vector) -> Vector:
    found = pick(results[join.reference.step][PATIENT_SCORE], join.select, what=str(join.reference))
    return found.reindex(patient=patients).values.astype(np.float64)


def _known(values: Vector, unknown: object) -> Vector:
    labels = {str(label) for label in unknown} if isinstance(unknown, (tuple, list)) else set()
    return np.array([not pd.isna(value) and str(value) not in {"", *labels} for value in values], dtype=bool)


def _with_sex_genes(design: StudyDesign, found: Sequence[xr.Dataset]) -> pd.DataFrame:
    columns, table = design.columns, design.samples
    cube = next((result for result in found if COUNT_SUM in result and result[COUNT_SUM].dims[0] == "sample"), None)
    if cube is None or columns.sample not in table.columns or columns.female_counts in table.columns:
        return table
    genes = pd.Index(cube["gene"].values.astype(str))
    male = [gene for gene in MALE_GENES if gene in genes]
    if FEMALE_GENE not in genes or not male:
        return table
    names = [str(name) for name in cube["sample"].values]

    def counts(wanted: list[str]) -> Vector:
        chosen = cube[COUNT_SUM].isel(gene=np.sort(genes.get_indexer(wanted)))
        summed = pd.Series(chosen.sum([dim for dim in chosen.dims if dim != "sample"]).values, index=names)
        return summed.reindex(table[columns.sample].astype(str)).fillna(0).to_numpy()

    return table.assign(**{columns.female_counts: counts([FEMALE_GENE]), columns.male_counts: counts(male)})
