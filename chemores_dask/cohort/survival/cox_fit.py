"""One fitted Cox model, as coefficients, residuals, tests and predictions need it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.outcome import Outcome, check_groups, check_outcome
from chemores_dask.cohort.survival.cox_checks import check_design, check_events, check_information
from chemores_dask.cohort.survival.cox_design import ModelDesign, labeled_strata, model_design
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.errors import ConvergenceWarning, InputError
from chemores_dask.kernels.baseline_hazard import HazardSteps, hazard_steps
from chemores_dask.kernels.cox import (
    OK,
    RUNAWAY_STEP,
    SEPARATED,
    RiskOrder,
    cox_terms,
    fit_cox,
    inverse_information,
    log_determinant,
    risk_order,
    standardize,
)
from chemores_dask.kernels.cox_firth import fit_firth, fit_firth_first
from chemores_dask.kernels.cox_residuals import cluster_sums
from chemores_dask.kernels.cox_robust import robust_covariance, score_rows

MAX_ITERATIONS = 100


@dataclass(frozen=True)
class CoxFit:
    """A Cox model of some patients. Matrices and vectors over terms are those of standardized covariates.

    Attributes
    ----------
    outcome, design
        Follow-up and covariates, in the order of the patients.
    stratum, strata
        Number of each patient's stratum, and the labels.
    cluster
        Number of each patient's cluster; the patient's own where there is none.
    robust, efron, firth
        What was asked for.
    order, risk, columns
        Positions of the patients in the order of risk; outcome and standardized covariates in that order.
    center, spread
        Of the covariates.
    coefficients, covariance
        With their model-based covariance.
    robust_covariance
        That of Lin and Wei; None unless asked for.
    log_likelihood, null
        At the coefficients, and with all of them 0; without penalty.
    objective, objective_null
        The same with Firth's penalty where that was asked for.
    score, robust_score
        Score statistics of the whole model; the second is None unless robust.
    status
        Of each term: 0 ok, 1 separated, 2 not converged.
    """

    outcome: Outcome
    design: ModelDesign
    stratum: Vector
    strata: list[str]
    cluster: Vector
    robust: bool
    efron: bool
    firth: bool
    order: Vector
    risk: RiskOrder
    columns: Matrix
    center: Vector
    spread: Vector
    coefficients: Vector
    covariance: Matrix
    robust_covariance: Matrix | None
    log_likelihood: float
    null: float
    objective: float
    objective_null: float
    score: float
    robust_score: float | None
    status: Vector

    @property
    def events(self) -> int:
        """Number of patients with the event."""
        return int(self.outcome.event.sum())

    @property
    def used_covariance(self) -> Matrix:
        """The covariance that standard errors are taken from."""
        return self.covariance if self.robust_covariance is None else self.robust_covariance

    @property
    def whole(self) -> bool:
        """Whether every coefficient was found."""
        return bool((self.status == OK).all())

    def steps(self) -> HazardSteps:
        """The baseline hazard at the mean covariates."""
        return hazard_steps(self.coefficients, self.columns, self.risk, efron=self.efron)

    def in_patient_order(self, rows: Vector | Matrix) -> Vector | Matrix:
        """Bring rows from the order of risk into that of the patients."""
        back = np.empty_like(rows)
        back[self.order] = rows
        return back


def fit_model(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    covariates: Sequence[str],
    strata: str | Sequence[str] | None,
    entry: str | None,
    options: ModelOptions,
    caller: str,
) -> CoxFit:
    """Fit a Cox model to patients.

    Parameters
    ----------
    patients, duration, event, covariates, strata, entry, options
        As for :func:`~chemores_dask.cohort.survival.cox_models.cox_model`.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The fit.

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or covariates are constant or collinear.
    TooFewEventsError
        If there are not more events than coefficients.
    """
    outcome = check_outcome(
        patients, duration=duration, event=event, entry=entry, weights=options.weights, caller=caller
    )
    design = model_design(patients, covariates, splines=options.splines, caller=caller)
    stratum, labels = labeled_strata(patients, strata, caller=caller)
    cluster = np.arange(stratum.size)
    if options.cluster is not None:
        cluster = check_groups(patients, options.cluster, caller=caller)[0]
    check_events(outcome, design.terms, event=event, caller=caller)
    check_design(design, stratum, caller=caller)
    whole_weights = bool((outcome.weight == np.round(outcome.weight)).all())
    robust = options.robust if options.robust is not None else options.cluster is not None or not whole_weights
    return _fit(outcome, design, (stratum, labels), cluster, robust=robust, options=options, caller=caller)


def _fit(
    outcome: Outcome,
    design: ModelDesign,
    strata: tuple[Vector, list[str]],
    cluster: Vector,
    *,
    robust: bool,
    options: ModelOptions,
    caller: str,
) -> CoxFit:
    efron = options.ties == "efron"
    scaled, center, spread = standardize(design.matrix)
    order, risk = risk_order(outcome.duration, outcome.event, outcome.entry, strata[0], outcome.weight)
    columns = np.ascontiguousarray(scaled[order])
    p = len(design.terms)
    slope, information, inverse = np.zeros(p), np.zeros((p, p)), np.zeros((p, p))
    null = float(cox_terms(np.zeros(p), columns, risk, efron, slope, information))
    check_information(information, design.terms, events=float(risk.weight[risk.event].sum()), caller=caller)
    inverse_information(information, inverse)
    score = float(slope @ inverse @ slope)
    climb = fit_firth if options.firth else fit_cox
    coefficients, covariance, _, step, code = climb(columns, risk, efron, np.zeros(p), MAX_ITERATIONS)
    at_end = np.zeros((p, p))
    log_likelihood = float(cox_terms(coefficients, columns, risk, efron, slope, at_end))
    penalties = (0.0, 0.0)
    if options.firth:
        penalties = (float(log_determinant(at_end)) / 2, float(log_determinant(information)) / 2)
    status = _status(code, coefficients, step, design.terms, caller=caller)
    between_clusters = robust_score = None
    if robust:
        groups = cluster[order]
        between_clusters = robust_covariance(coefficients, columns, risk, efron, covariance, groups)
        robust_score = _robust_score((columns, risk, groups), efron=efron)
    return CoxFit(
        outcome=outcome,
        design=design,
        stratum=strata[0],
        strata=strata[1],
        cluster=cluster,
        robust=robust,
        efron=efron,
        firth=options.firth,
        order=order,
        risk=risk,
        columns=columns,
        center=center,
        spread=spread,
        coefficients=coefficients,
        covariance=covariance,
        robust_covariance=between_clusters,
        log_likelihood=log_likelihood,
        null=null,
        objective=log_likelihood + penalties[0],
        objective_null=null + penalties[1],
        score=score,
        robust_score=robust_score,
        status=status,
    )


def without_terms(fit: CoxFit, out: Vector) -> float:
    """Largest log-likelihood without some terms.

    Parameters
    ----------
    fit
        Of the whole model.
    out
        Positions of the terms.

    Returns
    -------
    The log-likelihood, penalized as that of the fit; not a number where Newton's method did not converge.
    """
    kept = np.setdiff1d(np.arange(fit.columns.shape[1]), out)
    if not kept.size:
        return fit.objective_null
    columns = np.ascontiguousarray(fit.columns[:, np.concatenate([kept, out])])
    if fit.firth:
        nothing = np.zeros(columns.shape[1])
        found, code = fit_firth_first(columns, fit.risk, fit.efron, nothing, MAX_ITERATIONS, kept.size)[2::2]
    else:
        start = fit.coefficients[kept] if fit.whole else np.zeros(kept.size)
        found, code = fit_cox(columns[:, : kept.size].copy(), fit.risk, fit.efron, start, MAX_ITERATIONS)[2::2]
    return float(found) if code in (OK, SEPARATED) else float("nan")


def check_whole(fit: CoxFit, *, caller: str) -> None:
    """Refuse a model some of whose coefficients were not found.

    Raises
    ------
    InputError
        Naming them.
    """
    if not fit.whole:
        missing = [term for term, status in zip(fit.design.terms, fit.status, strict=True) if status != OK]
        message = (
            f"{caller} needs every coefficient of the model. Not found: {listed(missing)}; leave these covariates out, or fit with "
            "Firth's penalty: ModelOptions(firth=True), or --firth."
        )
        raise InputError(message)


def _robust_score(rows: tuple[Matrix, RiskOrder, Vector], *, efron: bool) -> float:
    columns, risk, groups = rows
    nothing = np.zeros(columns.shape[1])
    summed = cluster_sums(score_rows(nothing, columns, risk, efron), groups)
    slope = summed.sum(axis=0)
    products, inverse = summed.T @ summed, np.zeros((nothing.size, nothing.size))
    # With fewer clusters than coefficients the products are singular.
    return float(slope @ inverse @ slope) if inverse_information(products, inverse) else float("nan")


def _status(code: int, coefficients: Vector, step: Vector, terms: list[str], *, caller: str) -> Vector:
    status = np.zeros(len(terms), dtype=np.int64)
    if code not in (OK, SEPARATED):
        status[:] = 2
        _warn(f"Newton's method did not converge in {MAX_ITERATIONS} steps in {caller}; the coefficients are left out.")
    elif code == SEPARATED:
        runs = np.abs(step) > RUNAWAY_STEP * np.maximum(1.0, np.abs(coefficients))
        status[runs] = 1
        ways = [f"{terms[j]} (to {'plus' if step[j] > 0 else 'minus'} infinity)" for j in np.flatnonzero(runs)]
        _warn(
            f"The likelihood of {caller} rises without end in: {listed(ways)}. These covariates separate patients with the event from "
            "those who outlive them; their coefficients are left out. Use the likelihood-ratio test, merge levels, or fit with "
            "Firth's penalty: ModelOptions(firth=True), or --firth."
        )
    return status


def _warn(message: str) -> None:
    warnings.warn(message, ConvergenceWarning, stacklevel=6)
