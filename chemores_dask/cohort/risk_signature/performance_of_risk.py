"""Discrimination, calibration, error and net benefit of a risk in a cohort, with limits over cohorts drawn from its patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from dask import delayed

from chemores_dask.aliases import Matrix, Seed, Vector
from chemores_dask.kernels.survival_performance import Measured, measure_draws, measure_risk
from chemores_dask.kernels.weighted_survival import TimedRisk, timed_risk
from chemores_dask.randomness import cell_uniforms
from chemores_dask.stream import compute

DRAWS_IN_A_TASK = 50
THRESHOLDS = np.arange(1, 100) / 100


@dataclass(frozen=True)
class Question:
    """What is asked of a risk.

    Attributes
    ----------
    risk, duration, event
        Of each patient, in an order that does not depend on the caller's.
    predicted
        Patients by times, probability to live beyond; None where nothing is predicted.
    horizons, times
        Horizons, and times of the curves.
    """

    risk: Vector
    duration: Vector
    event: Vector
    predicted: Matrix | None
    horizons: Vector
    times: Vector


@dataclass(frozen=True)
class Performance:
    """Answers, the first row from the cohort itself, the others from drawn cohorts.

    Attributes
    ----------
    values
        By quantity; each has one row per cohort. Quantities of times have them along the second axis, horizons first.
    """

    values: dict[str, Matrix]

    def limited(self, name: str, *, level: float) -> tuple[Matrix, Matrix, Matrix]:
        """A quantity with percentile limits; not numbers where half of the drawn cohorts do not give it."""
        values = np.where(np.isfinite(self.values[name]), self.values[name], np.nan)
        own, drawn = values[0], values[1:]
        known = np.isfinite(drawn).mean(axis=0) > 0.5
        safe = np.where(known, drawn, 0.0)
        tails = np.nanquantile(safe, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return own, np.where(known, tails[0], np.nan), np.where(known, tails[1], np.nan)


def measure_performance(question: Question, *, draws: int, seed: Seed) -> Performance:
    """Measure a risk in a cohort, and in cohorts drawn from its patients with replacement.

    Parameters
    ----------
    question
        The risk, the outcome, what is predicted, and the times.
    draws
        Cohorts to draw.
    seed
        A draw depends on it, its number and the number of patients only.

    Returns
    -------
    The answers.
    """
    order, patients = timed_risk(question.risk, question.duration, question.event)
    times = np.concatenate([question.horizons, question.times])
    ends = question.duration[order][patients.starts[:-1]]
    n = question.risk.size
    predicted = np.empty((n, 0)) if question.predicted is None else np.ascontiguousarray(question.predicted[order])
    measured = Measured(np.searchsorted(ends, times, side="right"), question.horizons.size, predicted, THRESHOLDS)
    own = measure_risk(patients, np.ones(n), measured)
    shared = delayed((patients, measured, order), pure=True)
    parts = [
        delayed(_measure_draws, pure=True)(shared, first, min(first + DRAWS_IN_A_TASK, draws), int(seed))
        for first in range(0, draws, DRAWS_IN_A_TASK)
    ]
    found = np.concatenate([own[None, :], *compute(*parts)])
    return Performance(_derive(_split(found, times.size, question), question))


def _measure_draws(shared: tuple[TimedRisk, Measured, Vector], first: int, last: int, seed: Seed) -> Matrix:
    patients, measured, order = shared
    n = order.size
    uniforms = cell_uniforms(seed, np.arange(first, last, dtype=np.uint64), n)
    weights = np.stack([np.bincount((row * n).astype(np.int64), minlength=n) for row in uniforms])
    return measure_draws(patients, weights[:, order].astype(np.float64), measured)


def _split(found: Matrix, times: int, question: Question) -> dict[str, Matrix]:
    values = {"concordance": found[:, 0], "uno_concordance": found[:, 1]}
    names = ["auc", "survival"] + ([] if question.predicted is None else ["predicted", "brier", "brier_null"])
    for place, name in enumerate(names):
        values[name] = found[:, 2 + place * times : 2 + (place + 1) * times]
    if question.predicted is not None:
        benefits = found[:, 2 + 5 * times :].reshape(found.shape[0], question.horizons.size, 2, THRESHOLDS.size)
        values |= {"net_benefit": benefits[:, :, 0], "net_benefit_all": benefits[:, :, 1]}
    return values


def _derive(values: dict[str, Matrix], question: Question) -> dict[str, Matrix]:
    if question.predicted is None:
        return values
    h = question.horizons.size
    times = np.append(0.0, question.times - question.times[0] + np.diff(question.times)[0])
    integrated = {
        f"integrated_{name}": np.trapezoid(
            np.concatenate([np.zeros((values[name].shape[0], 1)), values[name][:, h:]], axis=1), times, axis=1
        )
        / times[-1]
        for name in ("brier", "brier_null")
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return (
            values
            | integrated
            | {
                "observed_over_expected": (1 - values["survival"]) / (1 - values["predicted"]),
                "prediction_accuracy": 1 - values["brier"] / values["brier_null"],
                "integrated_prediction_accuracy": 1
                - integrated["integrated_brier"] / integrated["integrated_brier_null"],
            }
        )
