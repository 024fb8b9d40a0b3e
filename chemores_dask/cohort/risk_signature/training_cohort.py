"""The patients in whom a signature is made: outcome, expression and covariates, checked once, in an order of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.cohort.outcome import (
    LARGEST_NUMBER,
    check_expression,
    check_outcome,
    check_strata,
    design_matrix,
)
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.penalized_cox import PenalizedCox, breslow_residuals, order_of_risk
from chemores_dask.stream import compute

SPREAD_TOLERANCE = 1e-12
"""A standard deviation below this share of the largest value is rounding."""

MINIMUM_EVENTS = 5


@dataclass(frozen=True)
class TrainingCohort:
    """Patients in order of their names, so that the order in which they came does not matter.

    Attributes
    ----------
    patients
        Names.
    duration, event
        Outcome.
    stratum
        Number of each patient's stratum.
    cohort
        Label of each patient's cohort; empty texts where there is none.
    columns
        Covariates, then genes, by patients.
    terms
        Names of the covariates.
    genes
        Names of the genes.
    factor
        Factor of the penalty of each column.
    """

    patients: Vector
    duration: Vector
    event: Vector
    stratum: Vector
    cohort: Vector
    columns: Matrix
    terms: tuple[str, ...]
    genes: Vector
    factor: Vector

    def part(self, chosen: Vector) -> TrainingCohort:
        """Some of the patients."""
        return replace(
            self,
            patients=self.patients[chosen],
            duration=self.duration[chosen],
            event=self.event[chosen],
            stratum=self.stratum[chosen],
            cohort=self.cohort[chosen],
            columns=self.columns[:, chosen],
        )


@dataclass(frozen=True)
class StandardizedCohort:
    """A cohort as the kernels take it.

    Attributes
    ----------
    cox
        Patients in order of risk sets, columns centered, and scaled where that was asked for.
    center, scale
        What was taken off every column, and by what it was divided.
    deviation
        Standard deviation (divisor n) of every column; 0 where it does not vary.
    limits
        Log-likelihood without coefficients, and of a saturated model.
    """

    cox: PenalizedCox
    center: Vector
    scale: Vector
    deviation: Vector
    limits: tuple[float, float]


def read_training(
    patients: xr.Dataset,
    *,
    outcome: tuple[str, str],
    expression: str,
    covariates: Sequence[str],
    columns: tuple[str | None, str | None, str | None],
    caller: str,
) -> TrainingCohort:
    """Read a cohort, and refuse what a signature cannot be made of.

    Parameters
    ----------
    patients
        Over ``patient`` and ``gene``.
    outcome
        Names of duration and event.
    expression
        Variable over ``(patient, gene)``.
    covariates
        Variables that stand beside the genes, not penalized.
    columns
        Names of the variables with strata and cohorts (over ``patient``) and factors of the penalty (over ``gene``).
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The cohort.

    Raises
    ------
    MissingVariableError, InputError, TooFewEventsError
        Naming variables, patients and genes.
    """
    strata, cohort, factor = columns
    found = check_outcome(patients, duration=outcome[0], event=outcome[1], caller=caller)
    if found.event.sum() < MINIMUM_EVENTS:
        message = (
            f"{caller} needs at least {MINIMUM_EVENTS} events. Found {found.event.sum()} with {outcome[1]!r} among {found.event.size} "
            "patients; take a cohort with longer follow-up."
        )
        raise TooFewEventsError(message)
    genes, matrix = _read_expression(patients, expression, found.patients, caller=caller)
    beside, terms = design_matrix(patients, covariates, caller=caller)
    order = np.argsort(found.patients.astype(str), kind="stable")
    sequence = np.argsort(genes.astype(str), kind="stable")
    factors = _factors(patients, factor, genes, caller=caller)
    labels = np.full(order.size, "", dtype=object) if cohort is None else _labels(patients, cohort, caller=caller)
    return TrainingCohort(
        found.patients[order],
        found.duration[order],
        found.event[order],
        check_strata(patients, strata, caller=caller)[order],
        labels[order],
        np.ascontiguousarray(np.concatenate([beside.T, matrix.T[sequence]])[:, order]),
        tuple(terms),
        genes[sequence],
        np.concatenate([np.zeros(len(terms)), factors[sequence]]),
    )


def standardize_columns(training: TrainingCohort, *, mixing: float, scaled: bool) -> StandardizedCohort:
    """Bring the columns to mean 0, and to standard deviation 1 (divisor n) if asked.

    Parameters
    ----------
    training
        Patients.
    mixing
        Share of absolute values in the penalty.
    scaled
        Whether penalties apply to coefficients per standard deviation.

    Returns
    -------
    What kernels take. A column that does not vary stays out: its factor is infinite.
    """
    order, starts, opens = order_of_risk(training.duration, training.stratum)
    columns = training.columns[:, order]
    center = columns.mean(axis=1)
    largest = np.abs(columns).max(axis=1, initial=0.0)
    columns -= center[:, None]
    deviation = np.sqrt(np.einsum("ij,ij->i", columns, columns) / order.size)
    flat = deviation <= SPREAD_TOLERANCE * largest
    deviation[flat] = 0.0
    scale = np.where(flat | (not scaled), 1.0, deviation)
    if scaled:
        columns /= scale[:, None]
    factor = _rescaled(training.factor)
    factor[flat] = np.inf
    event = training.event[order]
    cox = PenalizedCox(columns, event, starts, opens, factor, float(mixing))
    return StandardizedCohort(cox, center, scale, deviation, (_likelihood(cox, np.zeros(order.size)), _saturated(cox)))


def cox_deviance(training: TrainingCohort, exponents: Vector) -> float:
    """Twice the log-likelihood that given exponents lack to a saturated model."""
    order, starts, opens = order_of_risk(training.duration, training.stratum)
    cox = PenalizedCox(training.columns[:0], training.event[order], starts, opens, training.factor[:0], 1.0)
    return 2 * (_saturated(cox) - _likelihood(cox, np.ascontiguousarray(exponents[order])))


def _likelihood(cox: PenalizedCox, exponents: Vector) -> float:
    spare = np.empty(exponents.size), np.empty(exponents.size)
    return float(breslow_residuals(exponents, cox.event, cox.starts, cox.opens, *spare))


def _saturated(cox: PenalizedCox) -> float:
    deaths = np.add.reduceat(cox.event.astype(float), cox.starts[:-1])
    deaths = deaths[deaths > 0]
    return float(-np.sum(deaths * np.log(deaths)))


def _read_expression(patients: xr.Dataset, expression: str, names: Vector, *, caller: str) -> tuple[Vector, Matrix]:
    found = patients[expression].dims if expression in patients.variables else ()
    dims = ("gene", "patient") if tuple(found) == ("gene", "patient") else ("patient", "gene")
    check_variables(patients, [expression], dims=dims, what="patients", caller=caller)
    check_expression(patients[expression], caller=caller)
    genes = np.array([str(name) for name in patients["gene"].to_numpy()], dtype=object)
    found_names, times = np.unique(genes.astype(str), return_counts=True)
    if not genes.size or (times > 1).any():
        message = (
            f"Every gene must occur once in {caller}, and there must be one. Found {genes.size} genes; more than once: "
            f"{listed(found_names[times > 1])}. Combine these rows first."
        )
        raise InputError(message)
    matrix = np.asarray(compute(patients[expression].transpose("patient", "gene").data)[0], dtype=float)
    wrong = ~np.isfinite(matrix) | (np.abs(matrix) > LARGEST_NUMBER)
    if wrong.any():
        message = (
            f"The variable {expression!r} of {caller} must be known and finite for every gene and patient. Not so for the genes "
            f"{listed(genes[wrong.any(axis=0)])} in the patients {listed(names[wrong.any(axis=1)])}; leave these genes out "
            "(patients.dropna('gene')), or these patients, or fill the values in."
        )
        raise InputError(message)
    return genes, matrix


def _factors(patients: xr.Dataset, factor: str | None, genes: Vector, *, caller: str) -> Vector:
    if factor is None:
        return np.ones(genes.size)
    check_variables(patients, [factor], dims=("gene",), what="patients", caller=caller)
    values = np.asarray(compute(patients[factor].data)[0], dtype=float)
    if np.isnan(values).any() or (values < 0).any() or not (np.isfinite(values) & (values > 0)).any():
        message = (
            f"The factors of the penalty {factor!r} of {caller} must be 0 or above (infinite leaves a gene out), and one of them must be "
            f"finite and above 0. Not so for: {listed(genes[np.isnan(values) | (values < 0)])}."
        )
        raise InputError(message)
    return values


def _rescaled(factor: Vector) -> Vector:
    """Factors of mean 1, as glmnet has them: what stays out counts as 1."""
    counted = np.where(np.isinf(factor), 1.0, factor)
    return np.where(np.isinf(factor), np.inf, counted * counted.size / counted.sum())


def _labels(patients: xr.Dataset, cohort: str, *, caller: str) -> Vector:
    check_variables(patients, [cohort], dims=("patient",), what="patients", caller=caller)
    values = compute(patients[cohort].data)[0]
    labels = np.array([str(value) for value in np.asarray(values)], dtype=object)
    missing = np.isin(labels.astype(str), ("", "nan", "None", "NaT"))
    if missing.any():
        names = patients["patient"].to_numpy()[missing]
        message = f"The cohort {cohort!r} must be known for every patient of {caller}. Not so for: {listed(names)}."
        raise InputError(message)
    if np.unique(labels.astype(str)).size == 1:
        message = (
            f"{caller} keeps whole cohorts together, and needs two or more. {cohort!r} is {labels[0]!r} for all {labels.size} patients; "
            "leave it out, and patients are shared out among the folds."
        )
        raise InputError(message)
    return labels
