"""Folds of patients for cross-validation of survival."""

from __future__ import annotations

import numpy as np

from chemores_dask.aliases import Seed, Vector
from chemores_dask.checks import check_whole, listed
from chemores_dask.cohort.risk_signature.training_cohort import TrainingCohort
from chemores_dask.errors import TooFewEventsError
from chemores_dask.randomness import cell_keys, cell_uniforms, deal_folds


def risk_folds(training: TrainingCohort, *, folds: int, seed: Seed, caller: str) -> Vector:
    """Share patients out among folds that have events alike.

    Patients with and without the event are dealt out apart, by a number drawn from each name and the seed. Where there are several cohorts,
    each stays whole: cohorts go, by falling number of events, to the fold that has the fewest so far.

    Parameters
    ----------
    training
        Patients.
    folds
        How many; fewer where there are fewer cohorts.
    seed
        Of the dealing out.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    The fold of each patient, from 1 on.

    Raises
    ------
    TooFewEventsError
        If a fold has no event.
    """
    check_whole(folds, parameter="folds", caller=caller, minimum=2)
    labels = np.unique(training.cohort.astype(str))
    fold = _whole_cohorts(training, labels, folds, seed) if labels.size > 1 else _dealt(training, folds, seed)
    events = np.bincount(fold, weights=training.event, minlength=fold.max() + 1)[1:]
    if (events == 0).any():
        empty = np.flatnonzero(events == 0) + 1
        held = (
            f", which hold the cohorts {listed(np.unique(training.cohort[np.isin(fold, empty)]))}"
            if labels.size > 1
            else ""
        )
        message = (
            f"Every fold of {caller} needs an event. With {int(training.event.sum())} events in {fold.size} patients, {empty.size} of "
            f"{events.size} folds have none{held}; ask for fewer folds (folds, outer_folds), or leave cohorts without events out."
        )
        raise TooFewEventsError(message)
    return fold


def _dealt(training: TrainingCohort, folds: int, seed: Seed) -> Vector:
    fold = np.empty(training.patients.size, dtype=np.int64)
    died = training.event
    fold[died] = deal_folds(training.patients[died], folds=folds, seed=seed)
    # Those without the event are dealt out from the other end, so that sizes stay equal.
    fold[~died] = folds + 1 - deal_folds(training.patients[~died], folds=folds, seed=seed)
    return fold


def _whole_cohorts(training: TrainingCohort, labels: Vector, folds: int, seed: Seed) -> Vector:
    own = [training.cohort.astype(str) == label for label in labels]
    events = np.array([int(training.event[members].sum()) for members in own])
    draws = cell_uniforms(seed, cell_keys(labels))[:, 0]
    fold = np.empty(training.patients.size, dtype=np.int64)
    held = np.zeros((min(folds, labels.size), 2))
    for number in np.lexsort((draws, -events)):
        place = int(np.lexsort((held[:, 1], held[:, 0]))[0])
        held[place] += events[number], own[number].sum()
        fold[own[number]] = place + 1
    return fold
