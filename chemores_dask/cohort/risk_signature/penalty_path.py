"""Coefficients along falling penalties, and how well they foretell patients who were left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.risk_signature.training_cohort import (
    StandardizedCohort,
    TrainingCohort,
    cox_deviance,
    standardize_columns,
)
from chemores_dask.errors import InputError
from chemores_dask.kernels.blas_threads import single_blas_thread
from chemores_dask.kernels.cox_elastic_net import PATH_NOT_CONVERGED, descend_path, fit_unpenalized

TOLERANCE = 1e-10
"""Squared step of a coefficient, in the metric of the information per patient, at which a penalty is done."""

MOST_ROUNDS = 100_000
SMALLEST_MIXING = 1e-3
"""Without absolute values no penalty sets all to 0; the first one is that of this share of them, as in glmnet."""


@dataclass(frozen=True)
class PathSettings:
    """How a path is fitted.

    Attributes
    ----------
    mixing
        Share of the absolute values (alpha).
    penalties
        How many.
    ratio
        Of the last to the first penalty; None: 0.01 with fewer patients than columns, else 0.0001.
    scaled
        Whether penalties apply to coefficients per standard deviation.
    """

    mixing: float
    penalties: int
    ratio: float | None
    scaled: bool


@dataclass(frozen=True)
class PenaltyPath:
    """A fitted path.

    Attributes
    ----------
    penalties
        Falling.
    coefficients
        Penalties by columns, per unit.
    deviance_ratio
        Share of the deviance that is explained.
    center, deviation
        Of every column: mean and standard deviation (divisor n).
    """

    penalties: Vector
    coefficients: Matrix
    deviance_ratio: Vector
    center: Vector
    deviation: Vector


def fit_path(training: TrainingCohort, settings: PathSettings, penalties: Vector | None = None) -> PenaltyPath:
    """Fit a path.

    Parameters
    ----------
    training
        Patients.
    settings
        How.
    penalties
        Falling; without them a sequence from the largest that has an effect, which ends early where hardly any deviance is left.

    Returns
    -------
    The path; shorter than ``penalties`` where a smaller one has no finite coefficients.

    Raises
    ------
    InputError
        If what is not penalized cannot be fitted alone.
    """
    cohort = standardize_columns(training, mixing=settings.mixing, scaled=settings.scaled)
    with single_blas_thread():
        sequence = _penalty_sequence(training, cohort, settings) if penalties is None else penalties
        found, log_likelihood, ended = descend_path(
            cohort.cox,
            sequence,
            cohort.limits,
            tolerance=TOLERANCE,
            most_rounds=MOST_ROUNDS,
            most_genes=cohort.cox.factor.size + 1,
            stop_early=penalties is None,
        )
    fitted = log_likelihood.size
    if not fitted and ended == PATH_NOT_CONVERGED:
        raise InputError(_unfit(training))
    explained = (log_likelihood - cohort.limits[0]) / (cohort.limits[1] - cohort.limits[0])
    return PenaltyPath(sequence[:fitted], found / cohort.scale, explained, cohort.center, cohort.deviation)


def first_genes(training: TrainingCohort, settings: PathSettings, genes: int) -> Vector:
    """Walk a path until so many genes have entered.

    Parameters
    ----------
    training
        Patients.
    settings
        The path.
    genes
        How many; of those that enter at the same penalty the ones with the largest weights per standard deviation, ties by name.

    Returns
    -------
    Sign of the coefficient of each column where it entered, else 0; covariates count as not entered.
    """
    cohort = standardize_columns(training, mixing=settings.mixing, scaled=True)
    with single_blas_thread():
        sequence = _penalty_sequence(training, cohort, settings)
        found, _, _ = descend_path(
            cohort.cox,
            sequence,
            cohort.limits,
            tolerance=TOLERANCE,
            most_rounds=MOST_ROUNDS,
            most_genes=genes,
            stop_early=False,
        )
    found[:, cohort.cox.factor == 0] = 0.0
    signs = np.zeros(found.shape[1])
    for coefficients in found:
        fresh = np.flatnonzero((coefficients != 0) & (signs == 0))
        largest = fresh[np.argsort(-np.abs(coefficients[fresh]), kind="stable")]
        room = genes - np.count_nonzero(signs)
        signs[largest[:room]] = np.sign(coefficients[largest[:room]])
    return signs


def left_out_deviance(training: TrainingCohort, left_out: Vector, settings: PathSettings, penalties: Vector) -> Vector:
    """What patients who were left out add to the deviance (Verweij and van Houwelingen), for every penalty.

    Parameters
    ----------
    training
        All patients.
    left_out
        Boolean: the fold.
    settings, penalties
        The path.

    Returns
    -------
    Deviance of all patients less that of those in whom coefficients were fitted; not a number where there are none.
    """
    kept = training.part(~left_out)
    path = fit_path(kept, settings, penalties)
    deviances = np.full(penalties.size, np.nan)
    for number, coefficients in enumerate(path.coefficients):
        deviances[number] = added_deviance(training, left_out, coefficients)
    return deviances


def added_deviance(training: TrainingCohort, left_out: Vector, coefficients: Vector) -> float:
    """Deviance of all patients less that of those who were not left out."""
    used = np.flatnonzero(coefficients)
    exponents = coefficients[used] @ training.columns[used] if used.size else np.zeros(left_out.size)
    return cox_deviance(training, exponents) - cox_deviance(training.part(~left_out), exponents[~left_out])


def refit(training: TrainingCohort, chosen: Vector) -> Vector:
    """Coefficients without a penalty.

    Parameters
    ----------
    training
        Patients.
    chosen
        Boolean over columns.

    Returns
    -------
    Coefficients per unit, 0 for columns that were not chosen.

    Raises
    ------
    InputError
        If there are none.
    """
    cohort = standardize_columns(training, mixing=1.0, scaled=True)
    factor = np.where(chosen & (cohort.deviation > 0), 0.0, np.inf)
    with single_blas_thread():
        state, _, converged = fit_unpenalized(cohort.cox._replace(factor=factor), TOLERANCE**1.5, MOST_ROUNDS)
    largest = np.abs(state.b).max(initial=0.0)
    if not converged or largest > LARGEST_COEFFICIENT:
        names = np.concatenate([np.array(training.terms, dtype=object), training.genes])[chosen]
        message = (
            f"A refit without penalty needs patients whom the genes do not separate. {names.size} columns in {training.patients.size} "
            f"patients with {training.event.sum()} events have no finite coefficients: {', '.join(names[:12])}. Keep the penalized weights "
            "(refit 'penalized'), or choose the penalty by 'one_error'."
        )
        raise InputError(message)
    return state.b / cohort.scale


LARGEST_COEFFICIENT = 15.0
"""Per standard deviation; beyond, patients are separated."""


def _penalty_sequence(training: TrainingCohort, cohort: StandardizedCohort, settings: PathSettings) -> Vector:
    """Penalties from the first that has an effect on, as glmnet spaces them."""
    cox = cohort.cox
    state, slopes, converged = fit_unpenalized(cox, TOLERANCE, MOST_ROUNDS)
    if not converged or np.abs(state.b).max(initial=0.0) > LARGEST_COEFFICIENT:
        raise InputError(_unfit(training))
    penalized = np.isfinite(cox.factor) & (cox.factor > 0)
    largest = (np.abs(slopes[penalized]) / cox.factor[penalized]).max(initial=0.0)
    if not largest > 0:
        message = "A path of penalties needs a gene that varies between patients at risk together. None does; take other genes or patients."
        raise InputError(message)
    ratio = settings.ratio
    if ratio is None:
        ratio = 0.01 if cox.event.size < cox.factor.size else 1e-4
    first = largest / max(settings.mixing, SMALLEST_MIXING)
    return first * ratio ** (np.arange(settings.penalties) / max(settings.penalties - 1, 1))


def _unfit(training: TrainingCohort) -> str:
    free = [*training.terms, *training.genes[training.factor[len(training.terms) :] == 0]]
    return (
        f"What is not penalized must give a Cox model of its own. That of {', '.join(map(str, free[:12]))} has no finite coefficients in "
        f"{training.patients.size} patients with {training.event.sum()} events; look at it with cox_model, and leave out what separates "
        "the patients or follows from the others."
    )
