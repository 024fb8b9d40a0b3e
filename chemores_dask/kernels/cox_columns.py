"""One Cox model per gene: estimates, three tests, robust errors, interaction with a treatment, Firth's estimate where a gene separates.

The formulas are in :mod:`chemores_dask.kernels.cox`.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.kernels.cox import (
    CONSTANT,
    INFINITE,
    OK,
    SEPARATED,
    SPREAD_TOLERANCE,
    TOO_FEW_EVENTS,
    RiskOrder,
    climb,
    cox_terms,
)
from chemores_dask.kernels.cox_firth import fit_firth_first
from chemores_dask.kernels.cox_one_gene import Moments, count_deaths, fit_univariate, list_moments
from chemores_dask.kernels.cox_robust import robust_covariance
from chemores_dask.kernels.jit import jit

LARGEST_VALUE = 1e100
"""Values beyond this, and genes that nowhere reach its inverse, are not fitted: squares would overflow, or vanish."""

ESTIMATES = (
    "coefficient",
    "error",
    "robust_error",
    "log_likelihood",
    "without",
    "score",
    "firth_coefficient",
    "firth_error",
    "firth_ratio",
    "interaction_coefficient",
    "interaction_error",
    "interaction_robust_error",
    "main",
    "interaction_firth_coefficient",
    "interaction_firth_error",
    "interaction_firth_ratio",
)
"""What is found for a gene: ``without`` is the log-likelihood of the covariates alone, ``main`` that without the interaction."""

Found: TypeAlias = tuple[Matrix, np.ndarray, Matrix, Matrix, Vector, Matrix]
"""By gene: coefficients of the standardized columns and their covariance, spreads of the gene and of its product with the treatment,
log-likelihood with that of the covariates alone, that without the interaction and the score statistic, status; patients and events."""


class GeneModel(NamedTuple):
    """The model that every gene is put into.

    Attributes
    ----------
    order
        Positions of the patients in the order of ``risk``.
    risk
        Outcome and weights.
    covariates
        Patients in that order by covariates, of mean 0 and variance 1; no column where there are none. With an interaction, the
        treatment is the last of them.
    zero
        With an interaction, one number: the value 0 of the treatment, standardized as that column is. Empty without one.
    unit
        With an interaction, one number: how far the standardized treatment rises when the treatment rises by 1.
    cluster
        Number of each patient's cluster in that order; empty for errors of the model only.
    efron
        Whether ties are treated as Efron does; as Breslow does otherwise.
    max_iterations
        Most steps of Newton's method.
    """

    order: Vector
    risk: RiskOrder
    covariates: Matrix
    zero: Vector
    unit: Vector
    cluster: Vector
    efron: bool
    max_iterations: int


@jit
def _with_weight(risk: RiskOrder, weight: Vector) -> RiskOrder:
    return RiskOrder(risk.event, risk.duration, risk.entry, weight, risk.first, risk.past, risk.opens, risk.late)


@jit
def _standardize_known(x: Vector, weight: Vector) -> tuple[float, float]:
    # To mean 0 and variance 1 over those whose weight is not 0; the others become 0. Returns the largest value and the spread before.
    known, total, largest = 0, 0.0, 0.0
    for i in range(x.size):
        if weight[i] > 0:
            known += 1
            total += x[i]
            largest = max(largest, abs(x[i]))
    center, square = total / known, 0.0
    for i in range(x.size):
        x[i] = x[i] - center if weight[i] > 0 else 0.0
        square += x[i] * x[i]
    spread = math.sqrt(square / known)
    if spread > SPREAD_TOLERANCE * largest:
        x /= spread
        return largest, spread
    return largest, 0.0


@jit
def _take_gene(row: Vector, model: GeneModel, x: Vector, weight: Vector) -> tuple[int, int, int, float]:
    # The standardized gene and the weights of those for whom it is known; how many they are, their events, status and spread.
    risk, infinite = model.risk, False
    known = events = 0
    for i in range(x.size):
        x[i] = row[model.order[i]]
        weight[i] = 0.0 if math.isnan(x[i]) else risk.weight[i]
        known += weight[i] > 0
        events += weight[i] > 0 and risk.event[i]
        infinite = infinite or abs(x[i]) > LARGEST_VALUE
    if events < 2 + model.covariates.shape[1] + model.zero.size:
        return known, events, TOO_FEW_EVENTS, np.nan
    if infinite:
        return known, events, INFINITE, np.nan
    largest, spread = _standardize_known(x, weight)
    if largest * LARGEST_VALUE < 1.0 or spread == 0:
        return known, events, CONSTANT, np.nan
    return known, events, OK, spread


@jit
def _design(x: Vector, weight: Vector, model: GeneModel) -> tuple[Matrix, float]:
    # Covariates, gene and its product with the treatment; the spread of the product.
    q = model.covariates.shape[1]
    design = np.empty((x.size, q + 1 + model.zero.size))
    design[:, :q] = model.covariates
    design[:, q] = x
    if model.zero.size == 0:
        return design, 1.0
    product = x * model.covariates[:, q - 1]
    spread = _standardize_known(product, weight)[1]
    design[:, q + 1] = product
    return design, spread


@jit
def _nothing_found(genes: int, model: GeneModel) -> Found:
    p = model.covariates.shape[1] + 1 + model.zero.size
    return (
        np.full((genes, p), np.nan),
        np.full((genes, p, p), np.nan),
        np.full((genes, 2), np.nan),
        np.full((genes, 4), np.nan),
        np.zeros(genes, dtype=np.int64),
        np.zeros((2, genes), dtype=np.int64),
    )


@jit
def scan_alone(matrix: Matrix, model: GeneModel) -> Found:
    """Fit genes (rows of ``matrix``) that stand alone, without late entry."""
    found = _nothing_found(matrix.shape[0], model)
    coefficients, covariances, spreads, likelihoods, status, counts = found
    risk, moments = model.risk, list_moments(model.risk)
    x, weight = np.empty(model.order.size), np.empty(model.order.size)
    for g in range(matrix.shape[0]):
        counts[0, g], counts[1, g], status[g], spreads[g, 0] = _take_gene(matrix[g], model, x, weight)
        if status[g] != OK:
            continue
        deaths, total = moments.known, moments.weight
        if counts[0, g] < x.size:
            deaths, total = count_deaths(risk, weight)
        shown = Moments(moments.begin, moments.end, moments.deaths, deaths, total, moments.opens)
        b, error, likelihoods[g, 0], likelihoods[g, 1], likelihoods[g, 3], status[g] = fit_univariate(
            x, risk.event, weight, shown, model.efron, model.max_iterations
        )
        if status[g] == OK:
            coefficients[g, 0], covariances[g, 0, 0] = b, error**2
    return found


@jit
def _varies_at_risk(x: Vector, risk: RiskOrder, model: GeneModel) -> bool:
    # Whether the gene varies between patients who are at risk together.
    information = np.zeros((1, 1))
    cox_terms(np.zeros(1), x.reshape(-1, 1), risk, model.efron, np.zeros(1), information)
    return bool(information[0, 0] > SPREAD_TOLERANCE * count_deaths(risk, risk.weight)[1].sum())


@jit
def scan_beside(matrix: Matrix, model: GeneModel) -> Found:
    """Fit genes (rows of ``matrix``) beside covariates, or with late entry."""
    found = _nothing_found(matrix.shape[0], model)
    coefficients, covariances, spreads, likelihoods, status, counts = found
    q, efron, most = model.covariates.shape[1], model.efron, model.max_iterations
    p = coefficients.shape[1]
    start, alone, at_everyone = np.zeros(p), np.nan, OK
    everyone = climb(model.covariates, model.risk, efron, np.zeros(q), most)
    x, weight = np.empty(model.order.size), np.empty(model.order.size)
    for g in range(matrix.shape[0]):
        counts[0, g], counts[1, g], status[g], spreads[g, 0] = _take_gene(matrix[g], model, x, weight)
        if status[g] != OK:
            continue
        risk = _with_weight(model.risk, weight)
        if not _varies_at_risk(x, risk, model):
            status[g] = CONSTANT
            continue
        fitted = everyone if counts[0, g] == x.size else climb(model.covariates, risk, efron, np.zeros(q), most)
        alone, at_everyone = fitted[2], fitted[4]
        start[:q] = fitted[0] if at_everyone == OK else np.zeros(q)
        design, spreads[g, 1] = _design(x, weight, model)
        if spreads[g, 1] == 0:
            status[g] = CONSTANT
            continue
        if model.zero.size:
            main = np.ascontiguousarray(design[:, : q + 1])
            likelihoods[g, 2] = climb(main, risk, efron, start[: q + 1].copy(), most)[2]
        b, covariance, likelihoods[g, 0], _, status[g], score = climb(design, risk, efron, start, most)
        likelihoods[g, 1] = alone
        if at_everyone == OK:
            likelihoods[g, 3] = score
        if status[g] == OK:
            coefficients[g], covariances[g] = b, covariance
    return found


@jit
def robust_genes(
    matrix: Matrix, chosen: Vector, model: GeneModel, coefficients: Matrix, covariances: np.ndarray
) -> np.ndarray:
    """Robust covariance of the coefficients of chosen genes; not a number where they are known in too few clusters."""
    p = coefficients.shape[1]
    robust = np.full((matrix.shape[0], p, p), np.nan)
    x, weight = np.empty(model.order.size), np.empty(model.order.size)
    seen = np.zeros(model.cluster.max() + 1, dtype=np.bool_)
    for g in chosen:
        _take_gene(matrix[g], model, x, weight)
        seen[:] = False
        for i in range(x.size):
            if weight[i] > 0:
                seen[model.cluster[i]] = True
        if seen.sum() > p:
            design, risk = _design(x, weight, model)[0], _with_weight(model.risk, weight)
            robust[g] = robust_covariance(coefficients[g], design, risk, model.efron, covariances[g], model.cluster)
    return robust


@jit
def firth_genes(matrix: Matrix, chosen: Vector, model: GeneModel) -> tuple[Matrix, np.ndarray, Matrix]:
    """Firth's estimates for chosen genes.

    Returns
    -------
    By gene: coefficients, their covariance, and the penalized likelihood-ratio statistics of the gene (and its interaction) and of the
    last coefficient.
    """
    coefficients, covariances, ratios = _nothing_found(matrix.shape[0], model)[:3]
    q, p = model.covariates.shape[1], coefficients.shape[1]
    x, weight = np.empty(model.order.size), np.empty(model.order.size)
    start, frees = np.zeros(p), (q, p - 1)
    for g in chosen:
        _take_gene(matrix[g], model, x, weight)
        design, risk = _design(x, weight, model)[0], _with_weight(model.risk, weight)
        b, covariance, best, _, status = fit_firth_first(design, risk, model.efron, start, model.max_iterations, p)
        if status != OK:
            continue
        coefficients[g], covariances[g] = b, covariance
        for k in range(2):
            _, _, less, _, status = fit_firth_first(design, risk, model.efron, start, model.max_iterations, frees[k])
            if status == OK:
                ratios[g, k] = 2 * (best - less)
    return coefficients, covariances, ratios


def scan_genes(matrix: Matrix, model: GeneModel) -> tuple[dict[str, Vector], Vector, Matrix]:
    """Fit one Cox model per gene. Only what the model needs is compiled.

    Parameters
    ----------
    matrix
        Genes by patients. A patient whose value is not a number is left out of that gene's model.
    model
        What stands beside each gene.

    Returns
    -------
    :data:`ESTIMATES` by name, status by gene, and patients and events by gene.
    """
    scan = scan_beside if model.covariates.shape[1] or model.risk.late else scan_alone
    coefficients, covariances, spreads, likelihoods, status, counts = scan(matrix, model)
    estimates = {name: np.full(status.size, np.nan) for name in ESTIMATES}
    for k, name in enumerate(("log_likelihood", "without", "main", "score")):
        estimates[name] = likelihoods[:, k]
    contrasts = _contrasts(model, spreads)
    fitted, separated = np.flatnonzero(status == OK), np.flatnonzero(status == SEPARATED)
    names = ("", "interaction_")[: 1 + model.zero.size]
    for name, contrast in zip(names, contrasts, strict=True):
        estimates[f"{name}coefficient"] = (contrast * coefficients).sum(axis=1)
        estimates[f"{name}error"] = _errors(contrast, covariances)
    if model.cluster.size:
        robust = robust_genes(matrix, fitted, model, coefficients, covariances)
        for name, contrast in zip(names, contrasts, strict=True):
            estimates[f"{name}robust_error"] = _errors(contrast, robust)
    if separated.size:
        coefficients, covariances, ratios = firth_genes(matrix, separated, model)
        for k, (name, contrast) in enumerate(zip(names, contrasts, strict=True)):
            estimates[f"{name}firth_coefficient"] = (contrast * coefficients).sum(axis=1)
            estimates[f"{name}firth_error"] = _errors(contrast, covariances)
            estimates[f"{name}firth_ratio"] = ratios[:, k]
    return estimates, status, counts


def _contrasts(model: GeneModel, spreads: Matrix) -> list[Matrix]:
    # What one unit of the gene (where the treatment is 0), and one of gene times treatment, are in the coefficients that were fitted.
    p = model.covariates.shape[1] + 1 + model.zero.size
    gene = np.zeros((spreads.shape[0], p))
    if not model.zero.size:
        gene[:, p - 1] = 1 / spreads[:, 0]
        return [gene]
    product = np.zeros_like(gene)
    # Where the product does not vary nothing was fitted.
    both = spreads[:, 0] * np.where(spreads[:, 1] == 0, np.nan, spreads[:, 1])
    gene[:, p - 2], gene[:, p - 1] = 1 / spreads[:, 0], model.zero[0] / both
    product[:, p - 1] = model.unit[0] / both
    return [gene, product]


def _errors(contrast: Matrix, covariances: np.ndarray) -> Vector:
    return np.asarray(np.sqrt(np.einsum("gi,gij,gj->g", contrast, covariances, contrast)))
