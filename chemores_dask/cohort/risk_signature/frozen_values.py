"""What is kept of a signature: weights, cut-off, path, and how it did in patients who were left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chemores_dask.aliases import Vector
from chemores_dask.cohort.risk_signature.penalty_choice import ChosenModel, HeldOut, count_pairs
from chemores_dask.cohort.risk_signature.risk_prediction import CUTOFF_SCALES
from chemores_dask.cohort.risk_signature.training_cohort import TrainingCohort
from chemores_dask.kernels.concordance import concordance_summary


def frozen_values(training: TrainingCohort, model: ChosenModel) -> tuple[dict[str, object], Vector]:
    """Genes with a weight, and what a score needs to know of them."""
    terms, path = len(training.terms), model.curve.path
    coefficient = model.coefficients[terms:]
    kept = np.flatnonzero(coefficient)
    deviation = path.deviation[terms:]
    values: dict[str, object] = {
        "risk_signature_weight": (coefficient * deviation)[kept],
        "risk_signature_coefficient": coefficient[kept],
        "risk_signature_center": path.center[terms:][kept],
        "risk_signature_scale": deviation[kept],
        "risk_signature_patients": np.int64(training.patients.size),
        "risk_signature_events": np.int64(training.event.sum()),
        "risk_signature_genes": np.int64(kept.size),
        "risk_signature_candidates": np.int64(training.genes.size),
        "risk_signature_constant_genes": np.int64((deviation == 0).sum()),
    }
    if terms:
        values["risk_signature_term_coefficient"] = model.coefficients[:terms]
    return values, training.genes[kept]


def path_values(
    training: TrainingCohort, model: ChosenModel, alphas: Sequence[float]
) -> tuple[dict[str, object], Vector]:
    """The path of the chosen mixing with its cross-validation, and the genes that enter it."""
    terms, curve = len(training.terms), model.curve
    weights = (curve.path.coefficients * curve.path.deviation)[:, terms:]
    entering = np.flatnonzero((weights != 0).any(axis=0))
    values: dict[str, object] = {
        "risk_signature_alpha": float(alphas[model.number]),
        "risk_signature_chosen_lambda": curve.path.penalties[model.place],
        "risk_signature_minimum_lambda": curve.path.penalties[curve.minimum],
        "risk_signature_one_error_lambda": curve.path.penalties[curve.one_error],
        "risk_signature_lambda": curve.path.penalties,
        "risk_signature_path_genes": (weights != 0).sum(axis=1),
        "risk_signature_deviance_ratio": curve.path.deviance_ratio,
        "risk_signature_cv_deviance": curve.deviance,
        "risk_signature_cv_deviance_error": curve.error,
        "risk_signature_path_weight": weights[:, entering],
        "risk_signature_alpha_deviance": np.array([own.deviance[own.minimum] for own in model.curves]),
    }
    return values, training.genes[entering]


def cutoff_values(
    training: TrainingCohort, model: ChosenModel, *, scale: str, cutoff: float
) -> tuple[dict[str, object], Vector]:
    """Cut-off, scale of the scores, baseline hazard and concordance of the training patients; and the times of events."""
    terms = len(training.terms)
    center = model.curve.path.center[terms:, None]
    score = model.coefficients[terms:] @ (training.columns[terms:] - center)
    mean, deviation = float(score.mean()), float(score.std())
    at = float(np.quantile(score, cutoff)) if scale == CUTOFF_SCALES[0] else mean + cutoff * deviation
    times, hazard = _baseline(training, score)
    concordance, _ = concordance_summary(*count_pairs(training, score), np.ones(score.size))
    values: dict[str, object] = {
        "risk_signature_cutoff": float(cutoff),
        "risk_signature_cutoff_scale": np.int64(CUTOFF_SCALES.index(scale)),
        "risk_signature_cutoff_score": at,
        "risk_signature_score_mean": mean,
        "risk_signature_score_deviation": deviation,
        "risk_signature_baseline_hazard": hazard,
        "risk_signature_training_concordance": concordance,
    }
    return values, times


def held_out_values(held_out: Sequence[HeldOut]) -> dict[str, object]:
    """What nested cross-validation says."""
    own = [concordance_summary(part.counts, part.pairs, np.ones(part.patients))[0] for part in held_out]
    counts, pairs = (
        np.sum([part.counts for part in held_out], axis=0),
        np.concatenate([part.pairs for part in held_out]),
    )
    pooled, influence = concordance_summary(counts, pairs, np.ones(pairs.shape[0]))
    lost, null = (sum(getattr(part, name) for part in held_out) for name in ("deviance", "null_deviance"))
    return {
        "risk_signature_outer_concordance": np.array(own),
        "risk_signature_outer_patients": np.array([part.patients for part in held_out]),
        "risk_signature_outer_events": np.array([part.events for part in held_out]),
        "risk_signature_outer_genes": np.array([part.genes for part in held_out]),
        "risk_signature_outer_alpha": np.array([part.mixing for part in held_out]),
        "risk_signature_outer_lambda": np.array([part.penalty for part in held_out]),
        "risk_signature_concordance": pooled,
        "risk_signature_concordance_error": float(np.sqrt(np.sum(influence**2))),
        "risk_signature_held_out_deviance_ratio": 1 - lost / null,
    }


def _baseline(training: TrainingCohort, score: Vector) -> tuple[Vector, Vector]:
    """Times of events, and Breslow's cumulative hazard of a patient with score 0."""
    times = np.unique(training.duration[training.event])
    order = np.argsort(training.duration, kind="stable")
    behind = np.append(np.cumsum(np.exp(score[order])[::-1])[::-1], 0.0)
    at_risk = behind[np.searchsorted(training.duration[order], times, side="left")]
    deaths = np.array([(training.duration[training.event] == time).sum() for time in times])
    return times, np.cumsum(deaths / at_risk)
