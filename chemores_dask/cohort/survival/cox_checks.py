"""What the covariates and the events of a Cox model must be like."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import listed
from chemores_dask.cohort.outcome import Outcome
from chemores_dask.cohort.survival.cox_design import ModelDesign
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.cox import SPREAD_TOLERANCE, inverse_information, standardize

COLLINEAR_TOLERANCE = 1e-10


def check_events(outcome: Outcome, terms: list[str], *, event: str, caller: str) -> None:
    """Refuse a model without covariates, or with as many coefficients as events.

    Raises
    ------
    TooFewEventsError
        With both numbers.
    """
    events = int(outcome.event.sum())
    if not terms:
        message = f"{caller} needs at least one covariate. Got none; name some variables over 'patient'."
        raise InputError(message)
    if events <= len(terms):
        message = (
            f"{caller} needs more events than coefficients. Found {events} with {event!r} among {outcome.event.size} patients, for "
            f"{len(terms)} coefficients ({listed(terms)}); leave covariates out."
        )
        raise TooFewEventsError(message)


def check_design(design: ModelDesign, stratum: Vector, *, caller: str) -> None:
    """Refuse covariates that are constant, or follow from others or from the strata.

    Raises
    ------
    InputError
        Naming them.
    """
    terms = design.terms
    scaled, _, spread = standardize(design.matrix)
    constant = [term for term, value in zip(terms, spread, strict=True) if value == 0]
    if constant:
        message = f"Covariates of {caller} must vary between patients. Constant: {listed(constant)}; leave them out."
        raise InputError(message)
    sizes = np.bincount(stratum)
    within = np.column_stack(
        [scaled[:, j] - (np.bincount(stratum, scaled[:, j]) / sizes)[stratum] for j in range(len(terms))]
    )
    # Up to the first that is determined, a column's part that the columns before it leave stands on the diagonal.
    left = np.diag(np.linalg.qr(within, mode="r")) ** 2 / len(within)
    determined = np.flatnonzero(left <= COLLINEAR_TOLERANCE)
    if determined.size:
        first = int(determined[0])
        message = (
            f"Covariates of {caller} must not be determined by each other or by the strata. {terms[first]!r} follows from the strata and "
            f"{listed(terms[:first])}; leave one out."
        )
        raise InputError(message)


def check_information(information: Matrix, terms: list[str], *, events: float, caller: str) -> None:
    """Refuse covariates about which no risk set says anything.

    Raises
    ------
    InputError
        Naming them.
    """
    flat = np.diag(information) <= SPREAD_TOLERANCE * events
    if flat.any() or not inverse_information(information, np.zeros_like(information)):
        found = [term for term, still in zip(terms, flat, strict=True) if still] or terms
        message = (
            f"Covariates of {caller} must vary, each in its own way, between patients who are at risk together when an event "
            f"happens. Not so: {listed(found)}; leave one out."
        )
        raise InputError(message)
