"""A classifier on cohorts drawn from the patients with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chemores_dask.aliases import Matrix, Vector

DRAWS_AT_ONCE = 64


@dataclass(frozen=True)
class PerformanceDraws:
    """What each drawn cohort gives; not numbers where it has one class only.

    Attributes
    ----------
    auroc, brier
        One per draw.
    net_benefit
        Draws by thresholds.
    """

    auroc: Vector
    brier: Vector
    net_benefit: Matrix


def draw_performance(
    score: Vector, probability: Vector, positive: Vector, thresholds: Vector, *, draws: int, seed: int
) -> PerformanceDraws:
    """Area under the ROC curve, Brier score and net benefit of cohorts drawn with replacement.

    Parameters
    ----------
    score, probability
        Of each patient, in an order that does not depend on the caller's.
    positive
        Boolean, both values present.
    thresholds
        Rising, above 0 and below 1.
    draws
        Cohorts to draw.
    seed
        Same seed, same bits.

    Returns
    -------
    The draws.
    """
    generator = np.random.default_rng(seed)
    n = score.size
    squares = (probability - positive) ** 2
    by_score, by_probability = np.argsort(score, kind="stable"), np.argsort(probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[by_score])), n - 1)
    # Patients below a threshold come first in order of probability.
    below = np.searchsorted(probability[by_probability], thresholds, side="left")
    weight = thresholds / (1 - thresholds)
    found = PerformanceDraws(np.empty(draws), np.empty(draws), np.empty((draws, thresholds.size)))
    for start in range(0, draws, DRAWS_AT_ONCE):
        here = slice(start, min(start + DRAWS_AT_ONCE, draws))
        counts = np.stack(
            [np.bincount(generator.integers(0, n, size=n), minlength=n) for _ in range(here.stop - start)]
        )
        positives, negatives = counts * positive, counts * ~positive
        found.brier[here] = counts @ squares / n
        found.auroc[here] = _areas(positives[:, by_score], negatives[:, by_score], ends)
        treated = [_from_places(part[:, by_probability], below) / n for part in (positives, negatives)]
        found.net_benefit[here] = treated[0] - treated[1] * weight
    return found


def _areas(positives: Matrix, negatives: Matrix, ends: Vector) -> Vector:
    """Areas of the drawn cohorts, ties half; columns in order of the score, ties ending at ``ends``."""
    upto = [np.cumsum(part, axis=1)[:, ends].astype(float) for part in (positives, negatives)]
    own = [np.diff(part, axis=1, prepend=0.0) for part in upto]
    pairs = upto[0][:, -1] * upto[1][:, -1]
    higher = (own[0] * (upto[1] - own[1] / 2)).sum(axis=1)
    return np.where(pairs > 0, higher / np.where(pairs > 0, pairs, 1.0), np.nan)


def _from_places(counts: Matrix, places: Vector) -> Matrix:
    """Sums of the columns from each place on."""
    behind = np.zeros((counts.shape[0], counts.shape[1] + 1))
    behind[:, :-1] = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(behind[:, places])
