"""Mean z-scores: how far the genes of a set lie above their mean over all rows, in standard deviations."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial

import dask.array as da
import numpy as np
import xarray as xr
from anndata import AnnData

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import Variable
from chemores_dask.scores.expression_rows import ExpressionRows, expression_rows
from chemores_dask.scores.score_table import columns_of, declare_scores, make_scores, measured_sets
from chemores_dask.scores.set_expression import (
    GeneSpread,
    genes_of,
    patients_expression,
    spread_of_cells,
    spread_of_patients,
    weighted_sums_of_cells,
    weighted_sums_of_patients,
)

ALGORITHM_REVISION = 2

MINIMUM_ROWS = 2

RESULT = declare_scores(
    Variable("zscore_mean", ("gene",), "f", unit="log expression", doc="of the genes of the sets over all rows"),
    Variable(
        "zscore_deviation",
        ("gene",),
        "f",
        unit="log expression",
        doc="standard deviation over all rows; 0 where constant",
    ),
    unit="standard deviations of expression",
)


def mean_zscore(
    cells_or_patients: AnnData | xr.Dataset,
    gene_sets: GeneSets,
    *,
    expression: str = "expression",
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Mean z-score of the genes of a set, within the cohort at hand.

    Every gene is brought to mean 0 and standard deviation 1 (divisor n - 1) over the rows; the score is the mean over the genes going
    up minus the mean over those going down. Sets with weights score ``sum of w z over sum of |w|`` instead. Scores are relative to the
    cohort: the same patient among others has another score. To score another cohort on the scale of this one, give ``zscore_mean`` and
    ``zscore_deviation`` to ``weighted_score``.

    Parameters
    ----------
    cells_or_patients
        Log-normalized cells; or patients, with expression on a logarithmic scale such as log2(TPM + 1).
    gene_sets
        Signatures.
    expression
        For patients, the variable over ``(patient, gene)``.
    minimum_share
        Share of each set that must have been measured and vary.

    Returns
    -------
    Dataset: ``cell_score`` over ``(cell, gene_set)``, lazy; or ``patient_score`` (standard deviations) and ``patient_score_high`` (score
    above the median of the cohort; a score equal to the median is not high) over ``(patient, gene_set)`` and ``patient_score_median``
    over ``gene_set``. ``score_genes`` and ``score_genes_missing`` over ``gene_set``; ``zscore_mean`` and ``zscore_deviation`` over
    ``gene``, the genes of the sets.

    Raises
    ------
    MissingVariableError
        If the patients lack ``expression``.
    GeneMismatchError
        If too few genes of a set were measured or vary.
    InputError
        If expression of a gene of a set is missing or infinite, genes are not unique, or there are fewer than two rows.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured, or are the same in all rows.

    Notes
    -----
    Passes over the counts: 1 computed, 1 lazy, for any number of sets. Of the expression of patients only the genes of the sets are read.

    References
    ----------
    Lee E, Chuang HY, Kim JW, Ideker T, Lee D (2008). Inferring pathway activity toward precise disease classification. PLoS Comput
    Biol 4:e1000217.

    Examples
    --------
    >>> patients = xr.Dataset(
    ...     {"expression": (("patient", "gene"), [[1.0, 5.0], [2.0, 6.0], [3.0, 10.0]])},
    ...     coords={"patient": ["p1", "p2", "p3"], "gene": ["CD44", "BCL2"]},
    ... )
    >>> result = mean_zscore(patients, GeneSets.from_mapping({"stemness": ["CD44", "BCL2"]}))
    >>> result["patient_score"].values.round(3).ravel()
    array([-0.878, -0.189,  1.067])
    """
    check_between(minimum_share, parameter="minimum_share", caller="mean_zscore", minimum=0.0, maximum=1.0)
    found = expression_rows(cells_or_patients, expression=expression, caller="mean_zscore")
    if len(found.names) < MINIMUM_ROWS:
        message = f"mean_zscore needs at least {MINIMUM_ROWS} {found.dimension}s, because it compares them. Found {len(found.names)}."
        raise InputError(message)
    used = measured_sets(gene_sets, found, minimum_share=minimum_share, caller="mean_zscore", weighted=True)
    genes = genes_of(used, found)
    columns = columns_of(genes, found)
    weigh = partial(_weights, used, gene_sets, genes, minimum_share=minimum_share, rows=f"{found.dimension}s")
    if isinstance(cells_or_patients, xr.Dataset):
        matrix = patients_expression(cells_or_patients, found, columns, expression=expression, caller="mean_zscore")
        spread = spread_of_patients(matrix)
        weights, sizes = weigh(spread)
        scores = weighted_sums_of_patients(
            (matrix - spread.mean) / np.where(spread.varies, spread.deviation, 1.0), weights
        )
    else:
        spread = spread_of_cells(found, columns, caller="mean_zscore")
        weights, sizes = weigh(spread)
        scores = _cell_scores(found, columns, spread, weights, names=gene_sets.names)
    result = make_scores(
        RESULT,
        found,
        gene_sets,
        scores,
        score_genes=sizes,
        analysis="mean_zscore",
        parameters={"expression": expression, "minimum_share": minimum_share},
        further={"zscore_mean": spread.mean, "zscore_deviation": np.where(spread.varies, spread.deviation, 0.0)},
    )
    return result.assign_coords(gene=np.array(genes, dtype=object))


def _cell_scores(
    found: ExpressionRows, columns: Vector, spread: GeneSpread, weights: Matrix, *, names: tuple[str, ...]
) -> da.Array:
    scaled = weights / np.where(spread.varies, spread.deviation, 1.0)[:, None]
    return weighted_sums_of_cells(found, columns, scaled, -(spread.mean @ scaled), sets=names, caller="mean_zscore")


def _weights(
    used: Sequence[GeneSet],
    asked: GeneSets,
    genes: tuple[str, ...],
    spread: GeneSpread,
    *,
    minimum_share: float,
    rows: str,
) -> tuple[Matrix, Vector]:
    """Weight of the z-score of each gene in each set, and how many genes of each set count."""
    place = {gene: number for number, gene in enumerate(genes)}
    weights, sizes = np.zeros((len(genes), len(used))), np.zeros(len(used), dtype=np.int64)
    for column, (gene_set, original) in enumerate(zip(used, asked, strict=True)):
        varying = {gene: place[gene] for gene in gene_set.genes if spread.varies[place[gene]]}
        _check_variation(gene_set, len(original.genes), varying, minimum_share=minimum_share, rows=rows)
        of_genes = gene_set.weights or _equal_weights(gene_set, varying)
        chosen = np.array([of_genes.get(gene, 0.0) for gene in varying])
        if not np.abs(chosen).sum() > 0:
            message = (
                f"A weighted gene set needs weights of genes that vary. {gene_set.name!r} has none among "
                f"{listed(gene_set.genes)}; add weights, or remove them all."
            )
            raise GeneMismatchError(message)
        scale = np.abs(chosen).sum() if gene_set.weights else 1.0
        weights[list(varying.values()), column] = chosen / scale
        sizes[column] = len(varying)
    return weights, sizes


def _equal_weights(gene_set: GeneSet, varying: Mapping[str, int]) -> dict[str, float]:
    up, down = ([gene for gene in side if gene in varying] for side in (gene_set.up, gene_set.down))
    return {gene: 1 / len(up) for gene in up} | {gene: -1 / len(down) for gene in down}


def _check_variation(
    gene_set: GeneSet, asked: int, varying: Mapping[str, int], *, minimum_share: float, rows: str
) -> None:
    constant = [gene for gene in gene_set.genes if gene not in varying]
    if not varying or len(varying) < minimum_share * asked:
        message = (
            f"At least {minimum_share:.0%} of the genes of {gene_set.name!r} must vary between {rows}. {len(varying)} of {asked} do; "
            f"the same in all {rows}: {listed(constant)}. Take a larger cohort, or lower minimum_share."
        )
        raise GeneMismatchError(message)
    if constant:
        message = f"{len(constant)} genes of {gene_set.name!r} are the same in all {rows} and are left out: {listed(constant)}."
        warnings.warn(message, MissingGenesWarning, stacklevel=3)
