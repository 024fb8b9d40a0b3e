"""The penalty and the mixing that foretell left-out patients best, and an honest estimate of what such a choice is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from dask import delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.cohort.risk_signature.penalty_path import (
    PathSettings,
    PenaltyPath,
    added_deviance,
    fit_path,
    left_out_deviance,
    refit,
)
from chemores_dask.cohort.risk_signature.risk_folds import risk_folds
from chemores_dask.cohort.risk_signature.training_cohort import TrainingCohort
from chemores_dask.kernels.concordance import concordance_pairs
from chemores_dask.randomness import spawn

RULES = ("minimum", "one_error")
REFITS = ("penalized", "unpenalized")


@dataclass(frozen=True)
class ChoiceSettings:
    """How a penalty is chosen.

    Attributes
    ----------
    paths
        One for every mixing.
    folds
        Of the cross-validation.
    rule
        ``"minimum"``: the penalty of the lowest deviance; ``"one_error"``: the largest within one standard error of it.
    refit
        ``"penalized"`` or ``"unpenalized"``: what the chosen genes weigh.
    """

    paths: Sequence[PathSettings]
    folds: int
    rule: str
    refit: str


@dataclass(frozen=True)
class PenaltyCurve:
    """Cross-validated deviance along one path.

    Attributes
    ----------
    path
        Fitted in all patients.
    deviance, error
        Per event: mean over folds, weighted by events, and its standard error, as cv.glmnet has them.
    minimum, one_error
        Positions on the path.
    """

    path: PenaltyPath
    deviance: Vector
    error: Vector
    minimum: int
    one_error: int


@dataclass(frozen=True)
class ChosenModel:
    """What a choice comes to.

    Attributes
    ----------
    curves
        One for every mixing.
    number
        Of the best mixing.
    place
        Of the chosen penalty on its path.
    coefficients
        Per unit, of covariates and genes.
    """

    curves: tuple[PenaltyCurve, ...]
    number: int
    place: int
    coefficients: Vector

    @property
    def curve(self) -> PenaltyCurve:
        """The curve of the best mixing."""
        return self.curves[self.number]


@dataclass(frozen=True)
class HeldOut:
    """What a model made without some patients says of them.

    Attributes
    ----------
    counts, pairs
        Concordant, discordant and tied pairs of the score of the genes, and those of every patient.
    deviance, null_deviance
        Added by the patients, with the model and without any.
    patients, events, genes
        Numbers.
    mixing, penalty
        Chosen without them.
    """

    counts: Vector
    pairs: Matrix
    deviance: float
    null_deviance: float
    patients: int
    events: int
    genes: int
    mixing: float
    penalty: float


def choose_lazily(training: TrainingCohort, shared: Any, settings: ChoiceSettings, *, seed: Seed, caller: str) -> Any:
    """Plan a choice: one task per mixing and fold.

    Parameters
    ----------
    training
        Patients.
    shared
        The same, as one delayed value for all tasks.
    settings
        How to choose.
    seed
        Of the folds.
    caller
        Name of the analysis, for messages.

    Returns
    -------
    Delayed :class:`ChosenModel`.
    """
    fold = risk_folds(training, folds=settings.folds, seed=seed, caller=caller)
    curves = []
    for path in settings.paths:
        whole = delayed(fit_path, pure=True)(shared, path)
        parts = [
            delayed(_fold_deviance, pure=True)(shared, fold == number, path, whole)
            for number in range(1, int(fold.max()) + 1)
        ]
        curves.append(delayed(_curve, pure=True)(whole, parts, _fold_events(training, fold)))
    return delayed(_choose, pure=True)(shared, curves, settings.rule, settings.refit)


def hold_out_lazily(
    training: TrainingCohort, shared: Any, settings: ChoiceSettings, *, folds: int, seed: Seed, caller: str
) -> list[Any]:
    """Plan nested cross-validation: each outer fold is foretold by a model chosen and fitted without it.

    Parameters
    ----------
    training, shared, settings, caller
        As in :func:`choose_lazily`.
    folds
        Outer folds.
    seed
        Of the outer folds, and of the inner ones.

    Returns
    -------
    Delayed :class:`HeldOut`, one per outer fold.
    """
    fold = risk_folds(training, folds=folds, seed=seed, caller=caller)
    numbers = range(1, int(fold.max()) + 1)
    seeds = spawn(seed, len(numbers))
    planned = []
    for number, own in zip(numbers, seeds, strict=True):
        left_out = fold == number
        kept = training.part(~left_out)
        lazy = delayed(_part, pure=True)(shared, ~left_out)
        model = choose_lazily(kept, lazy, settings, seed=own, caller=f"{caller} (without fold {number})")
        planned.append(delayed(_judge, pure=True)(shared, left_out, model, [path.mixing for path in settings.paths]))
    return planned


def _part(training: TrainingCohort, chosen: Vector) -> TrainingCohort:
    return training.part(chosen)


def _fold_deviance(training: TrainingCohort, left_out: Vector, settings: PathSettings, whole: PenaltyPath) -> Vector:
    return left_out_deviance(training, left_out, settings, whole.penalties)


def _fold_events(training: TrainingCohort, fold: Vector) -> Vector:
    return np.bincount(fold, weights=training.event)[1:]


def _curve(path: PenaltyPath, parts: Sequence[Vector], events: Vector) -> PenaltyCurve:
    table = np.stack(parts) / events[:, None]
    # A penalty that was not reached without some fold cannot be compared; one that foretells a fold infinitely badly has no error.
    deviance = events @ table / events.sum()
    finite = np.isfinite(deviance)
    error = np.full(deviance.size, np.nan)
    scatter = events @ (table[:, finite] - deviance[finite]) ** 2 / events.sum()
    error[finite] = np.sqrt(scatter / (events.size - 1))
    minimum = int(np.nanargmin(deviance))
    near = np.flatnonzero(deviance <= deviance[minimum] + error[minimum])
    return PenaltyCurve(path, deviance, error, minimum, int(near[0]))


def _choose(training: TrainingCohort, curves: Sequence[PenaltyCurve], rule: str, weights: str) -> ChosenModel:
    number = int(np.argmin([curve.deviance[curve.minimum] for curve in curves]))
    curve = curves[number]
    place = curve.minimum if rule == RULES[0] else curve.one_error
    coefficients = curve.path.coefficients[place]
    if weights == REFITS[1]:
        chosen = coefficients != 0
        chosen[: len(training.terms)] = True
        coefficients = refit(training, chosen)
    return ChosenModel(tuple(curves), number, place, coefficients)


def _judge(training: TrainingCohort, left_out: Vector, model: ChosenModel, mixings: Sequence[float]) -> HeldOut:
    own = training.part(left_out)
    terms = len(training.terms)
    score = model.coefficients[terms:] @ own.columns[terms:]
    return HeldOut(
        *count_pairs(own, score),
        added_deviance(training, left_out, model.coefficients),
        added_deviance(training, left_out, np.zeros_like(model.coefficients)),
        int(left_out.sum()),
        int(own.event.sum()),
        int(np.count_nonzero(model.coefficients[terms:])),
        mixings[model.number],
        float(model.curve.path.penalties[model.place]),
    )


def count_pairs(training: TrainingCohort, score: Vector) -> tuple[Vector, Matrix]:
    """Concordant, discordant and tied pairs within strata, of all patients and of each."""
    entry, once = np.full(score.size, -np.inf), np.ones(score.size)
    counts, pairs = concordance_pairs(score, training.duration, training.event, entry, training.stratum, once, once)
    return counts, pairs


def with_mixings(settings: PathSettings, mixings: Sequence[float]) -> list[PathSettings]:
    """The same path for several shares of the absolute values."""
    return [replace(settings, mixing=float(mixing)) for mixing in mixings]
