"""What all scores return: the declared variables they share, and the function that makes the result of them."""

from __future__ import annotations

from collections.abc import Mapping

import dask.array as da
import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.errors import InputError
from chemores_dask.gene_sets import GeneSet, GeneSets, measured
from chemores_dask.results_spec import ResultSpec, Variable, declare, make_result
from chemores_dask.scores.expression_rows import ExpressionRows
from chemores_dask.stream import compute

GENE_SET = "gene_set"


def declare_scores(*further: Variable, unit: str) -> ResultSpec:
    """Declare the variables that every score has, and further ones.

    Parameters
    ----------
    further
        What only this score returns.
    unit
        Of the score.

    Returns
    -------
    ``cell_score`` for cells; ``patient_score``, ``patient_score_high`` and ``patient_score_median`` for patients; ``score_genes`` and
    ``score_genes_missing`` for both.
    """
    return declare(
        Variable("cell_score", ("cell", GENE_SET), "f", unit=unit, doc="score of cells; lazy", optional=True),
        Variable("patient_score", ("patient", GENE_SET), "f", unit=unit, doc="score of patients", optional=True),
        Variable(
            "patient_score_high", ("patient", GENE_SET), "b", doc="score above the median of the cohort", optional=True
        ),
        Variable("patient_score_median", (GENE_SET,), "f", unit=unit, doc="the cut", optional=True),
        Variable("score_genes", (GENE_SET,), "i", unit="genes", doc="genes of the set that count"),
        Variable("score_genes_missing", (GENE_SET,), "i", unit="genes", doc="genes of the set that do not count"),
        *further,
    )


def measured_sets(
    gene_sets: GeneSets, found: ExpressionRows, *, minimum_share: float, caller: str, weighted: bool = False
) -> list[GeneSet]:
    """Restrict gene sets to the genes that were measured.

    Parameters
    ----------
    gene_sets
        The sets.
    found
        The rows.
    minimum_share
        Share of each set that must have been measured.
    caller
        The score, for messages.
    weighted
        Whether the score uses weights; sets that have some are refused where it does not.

    Returns
    -------
    The sets in their order, without the missing genes.

    Raises
    ------
    InputError
        If there is no set, or a set has weights that would not count.
    GeneMismatchError
        If too few genes of a set were measured.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured.
    """
    if not len(gene_sets):
        message = f"{caller} needs gene sets. Got none."
        raise InputError(message)
    for gene_set in gene_sets:
        if gene_set.weights and not weighted:
            message = (
                f"Every gene counts the same in {caller}. {gene_set.name!r} has weights; pass the set without them."
            )
            raise InputError(message)
    return [measured(gene_set, found.places, minimum_share=minimum_share) for gene_set in gene_sets]


def columns_of(genes: tuple[str, ...], found: ExpressionRows) -> Vector:
    """Columns of genes that were measured, in their order.

    Parameters
    ----------
    genes
        Names.
    found
        The rows.

    Returns
    -------
    int64.
    """
    return np.array([found.places[gene] for gene in genes], dtype=np.int64)


def make_scores(
    spec: ResultSpec,
    found: ExpressionRows,
    gene_sets: GeneSets,
    scores: da.Array | Matrix,
    *,
    score_genes: Vector,
    analysis: str,
    parameters: Mapping[str, object],
    further: Mapping[str, object] | None = None,
) -> xr.Dataset:
    """Make the result of a score.

    Parameters
    ----------
    spec
        As made by :func:`declare_scores`.
    found
        The rows that were scored.
    gene_sets
        The sets as they were asked for.
    scores
        Rows by sets, float64. Those of cells stay lazy where they are; those of patients are computed, for their median.
    score_genes
        Genes of each set that count.
    analysis, parameters
        Name of the score, and its parameters as plain values; the gene sets are added.
    further
        Values of the variables that only this score has.

    Returns
    -------
    The Dataset.
    """
    counted = np.asarray(score_genes, dtype=np.int64)
    asked = np.array([len(gene_set.genes) for gene_set in gene_sets])
    values: dict[str, object] = {"score_genes": counted, "score_genes_missing": asked - counted, **(further or {})}
    if found.of_cells:
        values["cell_score"] = scores
    else:
        (computed,) = compute(scores)
        medians = np.median(computed, axis=0)
        values["patient_score"] = computed
        values["patient_score_high"] = computed > medians
        values["patient_score_median"] = medians
    return make_result(
        spec,
        values,
        analysis=analysis,
        parameters={**parameters, "gene_sets": plain_gene_sets(gene_sets)},
        coordinates={found.dimension: found.names, GENE_SET: np.array(gene_sets.names, dtype=object)},
    )


def plain_gene_sets(gene_sets: GeneSets) -> dict[str, object]:
    """Gene sets as plain values, for the parameters of a result."""
    return {
        gene_set.name: {"up": gene_set.up, "down": gene_set.down, "weights": dict(gene_set.weights)}
        for gene_set in gene_sets
    }
