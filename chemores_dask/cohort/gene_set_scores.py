"""Scores of gene sets in bulk expression, one number per patient."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_variables, listed
from chemores_dask.cohort.outcome import check_expression, patient_names
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning
from chemores_dask.gene_sets import GeneSet, GeneSets, measured
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

MINIMUM_PATIENTS = 2
CONSTANT_TOLERANCE = 1e-12

LARGEST_VALUE = 1e100
"""Expression beyond this is refused, and genes below its inverse count as constant: squares would overflow, or vanish."""

RESULT = declare(
    Variable("patient_score", ("patient", "gene_set"), "f", unit="standard deviations of expression"),
    Variable("patient_score_high", ("patient", "gene_set"), "b", doc="score above the cohort's median"),
    Variable("patient_score_median", ("gene_set",), "f", unit="standard deviations of expression", doc="the cut"),
    Variable("patient_score_genes", ("gene_set",), "i", unit="genes", doc="that were measured and vary"),
)


def mean_zscore(
    patients: xr.Dataset, gene_sets: GeneSets, *, expression: str = "expression", minimum_share: float = 0.5
) -> xr.Dataset:
    """Mean z-score of the genes of a set, within the cohort at hand.

    Every gene is brought to mean 0 and standard deviation 1 (divisor n - 1) over the patients; the score is the mean over the genes going
    up minus the mean over those going down. Sets with weights score ``sum of w z over sum of |w|`` instead. Scores are relative to the
    cohort: the same patient among others has another score.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)``; ``gene`` holds the names that the sets use.
    gene_sets
        Signatures.
    expression
        Variable over ``(patient, gene)``, on a logarithmic scale such as log2(TPM + 1).
    minimum_share
        Share of each set that must have been measured and vary.

    Returns
    -------
    Dataset over ``(patient, gene_set)``: ``patient_score`` (standard deviations) and ``patient_score_high`` (score above the median of
    the cohort; a score equal to the median is not high). Over ``gene_set``: ``patient_score_median``, ``patient_score_genes``.

    Raises
    ------
    MissingVariableError
        If ``expression`` is absent.
    GeneMismatchError
        If too few genes of a set were measured or vary.
    InputError
        If expression of a gene of a set is missing or infinite, genes are not unique, or there are fewer than two patients.

    Warns
    -----
    MissingGenesWarning
        If some genes of a set were not measured, or are the same in all patients.

    Notes
    -----
    Passes over the counts: 0. Of the expression only the genes of the sets are read.

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
    names = patient_names(patients, caller="mean_zscore")
    dims = (
        ("gene", "patient")
        if tuple(getattr(patients.get(expression), "dims", ())) == ("gene", "patient")
        else ("patient", "gene")
    )
    check_variables(patients, [expression], dims=dims, what="patients", caller="mean_zscore")
    if names.size < MINIMUM_PATIENTS:
        message = (
            f"mean_zscore needs at least {MINIMUM_PATIENTS} patients, because it compares them. Found {names.size}."
        )
        raise InputError(message)
    positions = _positions(patients["gene"].to_numpy())
    kept = [measured(gene_set, positions, minimum_share=minimum_share) for gene_set in gene_sets]
    genes = list(dict.fromkeys(gene for gene_set in kept for gene in gene_set.genes))
    check_expression(patients[expression], caller="mean_zscore")
    values = patients[expression].transpose("patient", "gene")[:, [positions[gene] for gene in genes]]
    (matrix,) = compute(values.data)
    zscores, varies = _zscores(np.array(matrix, dtype=float, order="C"), genes)
    variable = {gene: column for column, gene in enumerate(genes) if varies[column]}
    columns, sizes = [], []
    for original, gene_set in zip(gene_sets, kept, strict=True):
        _check_variation(gene_set, len(original.genes), variable, minimum_share)
        score, size = _score(gene_set, zscores, variable)
        columns.append(score)
        sizes.append(size)
    scores = np.column_stack(columns) if columns else np.zeros((names.size, 0))
    medians = np.median(scores, axis=0)
    return make_result(
        RESULT,
        {
            "patient_score": scores,
            "patient_score_high": scores > medians,
            "patient_score_median": medians,
            "patient_score_genes": np.array(sizes, dtype=np.int64),
        },
        analysis="mean_zscore",
        parameters={
            "gene_sets": {
                gene_set.name: {"up": gene_set.up, "down": gene_set.down, "weights": dict(gene_set.weights)}
                for gene_set in gene_sets
            },
            "expression": expression,
            "minimum_share": minimum_share,
        },
        coordinates={"patient": names, "gene_set": list(gene_sets.names)},
    )


def _positions(genes: Vector) -> dict[str, int]:
    positions = {str(gene): position for position, gene in enumerate(genes)}
    if len(positions) != genes.size:
        names, counts = np.unique(genes.astype(str), return_counts=True)
        message = f"Genes must have unique names in mean_zscore. Found more than once: {listed(names[counts > 1])}; merge or rename them."
        raise InputError(message)
    return positions


def _zscores(matrix: Matrix, genes: list[str]) -> tuple[Matrix, Vector]:
    largest = np.abs(matrix).max(axis=0)
    unknown = ~(largest <= LARGEST_VALUE)
    if unknown.any():
        message = (
            f"Expression must be known and finite in mean_zscore. Not so for: {listed(np.array(genes)[unknown])} (beyond "
            f"{LARGEST_VALUE:g} counts as infinite); impute it, or leave these genes or patients out."
        )
        raise InputError(message)
    centered = matrix - matrix.mean(axis=0)
    spread = centered.std(axis=0, ddof=1)
    varies = (spread > CONSTANT_TOLERANCE * largest) & (largest >= 1 / LARGEST_VALUE)
    return centered / np.where(varies, spread, 1.0), varies


def _check_variation(gene_set: GeneSet, asked: int, variable: dict[str, int], minimum_share: float) -> None:
    constant = [gene for gene in gene_set.genes if gene not in variable]
    size = len(gene_set.genes) - len(constant)
    if size == 0 or size < minimum_share * asked:
        message = (
            f"At least {minimum_share:.0%} of the genes of {gene_set.name!r} must vary between patients. {size} of {asked} do; "
            f"the same in all patients: {listed(constant)}. Take a larger cohort, or lower minimum_share."
        )
        raise GeneMismatchError(message)
    if constant:
        message = f"{len(constant)} genes of {gene_set.name!r} are the same in all patients and are left out: {listed(constant)}."
        warnings.warn(message, MissingGenesWarning, stacklevel=3)


def _score(gene_set: GeneSet, zscores: Matrix, variable: dict[str, int]) -> tuple[Vector, int]:
    up = [variable[gene] for gene in gene_set.up if gene in variable]
    down = [variable[gene] for gene in gene_set.down if gene in variable]
    if gene_set.weights:
        weights = np.array([gene_set.weights.get(gene, 0.0) for gene in gene_set.genes if gene in variable])
        if not np.abs(weights).sum() > 0:
            message = (
                f"A weighted gene set needs weights of genes that vary. {gene_set.name!r} has none among "
                f"{listed(gene_set.genes)}; add weights, or remove them all."
            )
            raise GeneMismatchError(message)
        return zscores[:, up + down] @ weights / np.abs(weights).sum(), len(weights)
    score = np.zeros(zscores.shape[0])
    if up:
        score += zscores[:, up].mean(axis=1)
    if down:
        score -= zscores[:, down].mean(axis=1)
    return score, len(up) + len(down)
