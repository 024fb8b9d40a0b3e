"""One Cox model per gene: estimates, three tests, robust errors, interaction with a treatment, Firth's estimate where a gene separates.

The formulas are in :mod:`chemores_dask.kernels.cox`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

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
    "interaction",
    "interaction_error",
    "interaction_robust_error",
    "main",
    "interaction_firth_coefficient",
    "interaction_firth_error",
    "interaction_firth_ratio",
)
"""What is found for a gene: ``without`` is the log-likelihood of the covariates alone, ``main`` that without the interaction."""

(
    _COEFFICIENT,
    _ERROR,
    _ROBUST,
    _LOG_LIKELIHOOD,
    _WITHOUT,
    _SCORE,
    _FIRTH,
    _FIRTH_ERROR,
    _FIRTH_RATIO,
    _INTERACTION,
    _INTERACTION_ERROR,
    _INTERACTION_ROBUST,
    _MAIN,
    _INTERACTION_FIRTH,
    _INTERACTION_FIRTH_ERROR,
    _INTERACTION_FIRTH_RATIO,
) = range(len(ESTIMATES))


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
def _contrasts(model: GeneModel, spread: float, product_spread: float) -> Matrix:
    # What one unit of the gene (where the treatment is 0), and one of gene times treatment, are in the coefficients that were fitted.
    p = model.covariates.shape[1] + 1 + model.zero.size
    contrasts = np.zeros((1 + model.zero.size, p))
    if model.zero.size == 0:
        contrasts[0, p - 1] = 1 / spread
    else:
        contrasts[0, p - 2] = 1 / spread
        contrasts[0, p - 1] = model.zero[0] / (spread * product_spread)
        contrasts[1, p - 1] = model.unit[0] / (spread * product_spread)
    return contrasts


@jit
def _value_and_error(contrast: Vector, b: Vector, covariance: Matrix) -> tuple[float, float]:
    value = variance = 0.0
    for j in range(b.size):
        value += contrast[j] * b[j]
        for c in range(b.size):
            variance += contrast[j] * covariance[j, c] * contrast[c]
    return value, math.sqrt(variance)


@jit
def _count_clusters(cluster: Vector, weight: Vector) -> int:
    # Of patients who are not left out.
    seen = np.zeros(cluster.max() + 1, dtype=np.bool_)
    for i in range(cluster.size):
        if weight[i] > 0:
            seen[cluster[i]] = True
    return int(seen.sum())


@jit
def _keep_fit(
    b: Vector, covariance: Matrix, design: Matrix, risk: RiskOrder, model: GeneModel, contrasts: Matrix, found: Vector
) -> None:
    found[_COEFFICIENT], found[_ERROR] = _value_and_error(contrasts[0], b, covariance)
    if model.zero.size:
        found[_INTERACTION], found[_INTERACTION_ERROR] = _value_and_error(contrasts[1], b, covariance)
    if model.cluster.size and _count_clusters(model.cluster, risk.weight) > b.size:
        robust = robust_covariance(b, design, risk, model.efron, covariance, model.cluster)
        found[_ROBUST] = _value_and_error(contrasts[0], b, robust)[1]
        if model.zero.size:
            found[_INTERACTION_ROBUST] = _value_and_error(contrasts[1], b, robust)[1]


@jit
def _keep_firth(design: Matrix, risk: RiskOrder, model: GeneModel, contrasts: Matrix, found: Vector) -> None:
    p, q = design.shape[1], model.covariates.shape[1]
    start = np.zeros(p)
    b, covariance, most, _, status = fit_firth_first(design, risk, model.efron, start, model.max_iterations, p)
    if status != OK:
        return
    found[_FIRTH], found[_FIRTH_ERROR] = _value_and_error(contrasts[0], b, covariance)
    _, _, less, _, status = fit_firth_first(design, risk, model.efron, start, model.max_iterations, q)
    if status == OK:
        found[_FIRTH_RATIO] = 2 * (most - less)
    if model.zero.size:
        found[_INTERACTION_FIRTH], found[_INTERACTION_FIRTH_ERROR] = _value_and_error(contrasts[1], b, covariance)
        _, _, less, _, status = fit_firth_first(design, risk, model.efron, start, model.max_iterations, p - 1)
        if status == OK:
            found[_INTERACTION_FIRTH_RATIO] = 2 * (most - less)


@jit
def _fit_alone(x: Vector, spread: float, risk: RiskOrder, moments: Moments, model: GeneModel, found: Vector) -> int:
    # Neither covariates nor late entry.
    b, error, found[_LOG_LIKELIHOOD], found[_WITHOUT], found[_SCORE], status = fit_univariate(
        x, risk.event, risk.weight, moments, model.efron, model.max_iterations
    )
    if status == OK and model.cluster.size == 0:
        found[_COEFFICIENT], found[_ERROR] = b / spread, error / spread
    elif status == OK:
        _keep_fit(
            np.full(1, b), np.full((1, 1), error**2), x.reshape(-1, 1), risk, model, np.full((1, 1), 1 / spread), found
        )
    elif status == SEPARATED:
        _keep_firth(x.reshape(-1, 1), risk, model, np.full((1, 1), 1 / spread), found)
    return status


@jit
def _varies_at_risk(x: Vector, risk: RiskOrder, model: GeneModel) -> bool:
    # Whether the gene varies between patients who are at risk together.
    information = np.zeros((1, 1))
    cox_terms(np.zeros(1), x.reshape(-1, 1), risk, model.efron, np.zeros(1), information)
    return bool(information[0, 0] > SPREAD_TOLERANCE * count_deaths(risk, risk.weight)[1].sum())


@jit
def _fit_beside(
    x: Vector, spread: float, risk: RiskOrder, model: GeneModel, alone: tuple[Vector, float, int], found: Vector
) -> int:
    # Beside covariates or with late entry; ``alone`` are coefficients, log-likelihood and status of the covariates alone.
    if not _varies_at_risk(x, risk, model):
        return CONSTANT
    q = model.covariates.shape[1]
    p = q + 1 + model.zero.size
    design = np.empty((x.size, p))
    design[:, :q] = model.covariates
    design[:, q] = x
    start = np.zeros(p)
    if alone[2] == OK:
        start[:q] = alone[0]
    product_spread = 1.0
    if model.zero.size:
        main = climb(np.ascontiguousarray(design[:, : q + 1]), risk, model.efron, start[: q + 1], model.max_iterations)
        found[_MAIN] = main[2]
        product = x * model.covariates[:, q - 1]
        product_spread = _standardize_known(product, risk.weight)[1]
        if product_spread == 0:
            return CONSTANT
        design[:, p - 1] = product
    b, covariance, found[_LOG_LIKELIHOOD], _, status, score = climb(
        design, risk, model.efron, start, model.max_iterations
    )
    found[_WITHOUT] = alone[1]
    if alone[2] == OK:
        found[_SCORE] = score
    contrasts = _contrasts(model, spread, product_spread)
    if status == OK:
        _keep_fit(b, covariance, design, risk, model, contrasts, found)
    elif status == SEPARATED:
        _keep_firth(design, risk, model, contrasts, found)
    return status


@jit
def _fit_covariates(risk: RiskOrder, model: GeneModel) -> tuple[Vector, float, int]:
    q = model.covariates.shape[1]
    b, _, log_likelihood, _, status, _ = climb(model.covariates, risk, model.efron, np.zeros(q), model.max_iterations)
    return b, log_likelihood, status


@jit
def scan_genes(matrix: Matrix, model: GeneModel) -> tuple[Matrix, Vector, Matrix]:
    """Fit one Cox model per gene.

    Parameters
    ----------
    matrix
        Genes by patients. A patient whose value is not a number is left out of that gene's model.
    model
        What stands beside each gene.

    Returns
    -------
    Rows of :data:`ESTIMATES` by gene, status by gene, and patients and events by gene.
    """
    genes, patients, risk = matrix.shape[0], model.order.size, model.risk
    q = model.covariates.shape[1]
    estimates = np.full((genes, len(ESTIMATES)), np.nan)
    status, counts = np.zeros(genes, dtype=np.int64), np.zeros((2, genes), dtype=np.int64)
    single = q == 0 and not risk.late
    moments = list_moments(risk)
    everyone = _fit_covariates(risk, model)
    x, weight = np.empty(patients), np.empty(patients)
    for g in range(genes):
        known = events = 0
        infinite = False
        for i in range(patients):
            x[i] = matrix[g, model.order[i]]
            weight[i] = 0.0 if math.isnan(x[i]) else risk.weight[i]
            known += weight[i] > 0
            events += weight[i] > 0 and risk.event[i]
            infinite = infinite or abs(x[i]) > LARGEST_VALUE
        counts[0, g], counts[1, g] = known, events
        if events < 2 + q + model.zero.size:
            status[g] = TOO_FEW_EVENTS
            continue
        if infinite:
            status[g] = INFINITE
            continue
        largest, spread = _standardize_known(x, weight)
        if largest * LARGEST_VALUE < 1.0 or spread == 0:
            status[g] = CONSTANT
            continue
        whole = known == patients
        own = risk if whole else _with_weight(risk, weight.copy())
        if single:
            if not whole:
                deaths, total = count_deaths(own, weight)
                shown = Moments(moments.begin, moments.end, moments.deaths, deaths, total, moments.opens)
            else:
                shown = moments
            status[g] = _fit_alone(x, spread, own, shown, model, estimates[g])
        else:
            alone = everyone if whole else _fit_covariates(own, model)
            status[g] = _fit_beside(x, spread, own, model, alone, estimates[g])
    return estimates, status, counts
