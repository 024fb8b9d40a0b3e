"""The parts of the performance of a classifier, as variables of its result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri

from chemores_dask.aliases import Vector
from chemores_dask.kernels.calibration import (
    brier_score,
    calibration_intercept,
    calibration_slope,
    net_benefit,
    probability_bins,
    spiegelhalter_test,
)
from chemores_dask.kernels.logistic import fit_logistic
from chemores_dask.kernels.newton import OK, SEPARATED
from chemores_dask.kernels.paired_tests import binomial_limits
from chemores_dask.kernels.performance_draws import draw_performance
from chemores_dask.kernels.rank_tests import rank_sum_test
from chemores_dask.kernels.roc import area_limits, areas_under_curves, compare_areas, roc_points

THRESHOLDS = np.arange(1, 100) / 100
"""Threshold probabilities of the decision curve."""

CALLS = ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value")


@dataclass(frozen=True)
class Classified:
    """Patients in whom a classifier is measured, in order of their names.

    Attributes
    ----------
    score
        Finite.
    positive
        Whether the patient is of the class to be found.
    """

    score: Vector
    positive: Vector


def curve_values(patients: Classified, *, level: float) -> dict[str, object]:
    """ROC curve, and its area with DeLong's limits."""
    areas = areas_under_curves(patients.score[None, :], patients.positive)
    lower, upper = area_limits(float(areas.estimates[0]), float(areas.covariance[0, 0]), level=level)
    curve = roc_points(patients.score, patients.positive)
    test = rank_sum_test(patients.score[~patients.positive], patients.score[patients.positive])
    return {
        "performance_auroc": float(areas.estimates[0]),
        "performance_auroc_lower": lower,
        "performance_auroc_upper": upper,
        "performance_auroc_p_value": test.p_value,
        "performance_minimum_p_value": test.minimum_p_value,
        "performance_roc_cutoff": curve.cutoff,
        "performance_roc_sensitivity": curve.sensitivity,
        "performance_roc_specificity": curve.specificity,
    }


def comparison_values(first: Vector, second: Vector, positive: Vector, *, level: float) -> dict[str, object]:
    """Areas of two scores of the same patients, compared by DeLong's test."""
    areas = areas_under_curves(np.stack([first, second]), positive)
    difference, _, p_value = compare_areas(areas)
    variance = areas.covariance[0, 0] + areas.covariance[1, 1] - 2 * areas.covariance[0, 1]
    known = np.isfinite(p_value)
    reach = float(ndtri(0.5 + level / 2) * np.sqrt(variance)) if known else float("nan")
    lower, upper = area_limits(float(areas.estimates[1]), float(areas.covariance[1, 1]), level=level)
    return {
        "performance_against_patients": first.size,
        "performance_against_auroc": float(areas.estimates[1]),
        "performance_against_auroc_lower": lower,
        "performance_against_auroc_upper": upper,
        "performance_against_difference": difference,
        "performance_against_difference_lower": difference - reach,
        "performance_against_difference_upper": difference + reach,
        "performance_against_p_value": p_value,
    }


def call_values(patients: Classified, cutoff: float, *, level: float) -> dict[str, object]:
    """What calling everybody at or above a cut-off positive does."""
    called = patients.score >= cutoff
    right, missed = int((called & patients.positive).sum()), int((~called & patients.positive).sum())
    wrong, cleared = int((called & ~patients.positive).sum()), int((~called & ~patients.positive).sum())
    found = np.array([right, cleared, right, cleared])
    total = np.array([right + missed, cleared + wrong, right + wrong, cleared + missed])
    known = np.maximum(total, 1)
    lower, upper = binomial_limits(np.minimum(found, known), known, level=level)
    shares = [np.where(total > 0, values, np.nan) for values in (found / known, lower, upper)]
    values: dict[str, object] = {
        "performance_cutoff": cutoff,
        "performance_true_positives": right,
        "performance_false_positives": wrong,
        "performance_true_negatives": cleared,
        "performance_false_negatives": missed,
    }
    for place, name in enumerate(CALLS):
        for ending, share in zip(("", "_lower", "_upper"), shares, strict=True):
            values[f"performance_{name}{ending}"] = float(share[place])
    return values


def learn_probabilities(score: Vector, positive: Vector, of: Vector) -> tuple[Vector, int]:
    """Probabilities by a logistic model of the score.

    Parameters
    ----------
    score, positive
        Patients to learn from.
    of
        Scores whose probabilities are wanted.

    Returns
    -------
    Probabilities, not numbers where the score separates the classes or does not vary; and the status of the model.
    """
    if np.ptp(score) == 0:
        return np.full(of.size, np.nan), SEPARATED
    fit = fit_logistic(score[:, None], positive)
    if fit.status != OK:
        return np.full(of.size, np.nan), fit.status
    return np.asarray(expit(fit.coefficients[0] + fit.coefficients[1] * of)), OK


def calibration_values(probability: Vector, positive: Vector, *, bins: int, level: float) -> dict[str, object]:
    """Whether probabilities come true: intercept, slope, Spiegelhalter's test, Brier score, and bins for the curve."""
    reach = float(ndtri(0.5 + level / 2))
    slope, error = float("nan"), float("nan")
    if np.ptp(probability) > 0:
        fit = calibration_slope(probability, positive)
        if fit.status == OK:
            slope, error = float(fit.coefficients[1]), float(np.sqrt(fit.covariance[1, 1]))
    large = calibration_intercept(probability, positive)
    shift, shift_error = (
        (float(large.place[0]), float(np.sqrt(large.covariance[0, 0]))) if large.status == OK else (np.nan, np.nan)
    )
    z, p_value = spiegelhalter_test(probability, positive)
    groups = probability_bins(probability, positive, bins)
    lower, upper = binomial_limits(groups.positives, groups.patients, level=level)
    share = float(positive.mean())
    brier = brier_score(probability, positive)
    return {
        "performance_calibration_intercept": shift,
        "performance_calibration_intercept_lower": shift - reach * shift_error,
        "performance_calibration_intercept_upper": shift + reach * shift_error,
        "performance_calibration_slope": slope,
        "performance_calibration_slope_lower": slope - reach * error,
        "performance_calibration_slope_upper": slope + reach * error,
        "performance_spiegelhalter_z": z,
        "performance_spiegelhalter_p_value": p_value,
        "performance_brier": brier,
        "performance_brier_null": share * (1 - share),
        "performance_brier_skill": 1 - brier / (share * (1 - share)),
        "performance_bin_patients": groups.patients,
        "performance_bin_predicted": groups.predicted,
        "performance_bin_observed": groups.positives / groups.patients,
        "performance_bin_observed_lower": lower,
        "performance_bin_observed_upper": upper,
    }


def drawn_values(
    patients: Classified, probability: Vector | None, *, draws: int, level: float, seed: int
) -> dict[str, object]:
    """Limits over cohorts drawn from the patients, and the decision curve."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    drawn = draw_performance(
        patients.score,
        np.full(patients.score.size, 0.5) if probability is None else probability,
        patients.positive,
        THRESHOLDS,
        draws=draws,
        seed=seed,
    )
    # A score that parts the classes does so in every drawn cohort, which says nothing of other patients.
    area = np.nanquantile(drawn.auroc, tails) if np.nanmax(drawn.auroc) > np.nanmin(drawn.auroc) else np.full(2, np.nan)
    values: dict[str, object] = {
        "performance_auroc_bootstrap_lower": float(area[0]),
        "performance_auroc_bootstrap_upper": float(area[1]),
    }
    if probability is None:
        return values
    brier, benefit = np.quantile(drawn.brier, tails), np.quantile(drawn.net_benefit, tails, axis=0)
    by_model, by_all = net_benefit(probability, patients.positive, THRESHOLDS)
    return values | {
        "performance_brier_lower": float(brier[0]),
        "performance_brier_upper": float(brier[1]),
        "performance_net_benefit": by_model,
        "performance_net_benefit_lower": benefit[0],
        "performance_net_benefit_upper": benefit[1],
        "performance_net_benefit_all": by_all,
    }
