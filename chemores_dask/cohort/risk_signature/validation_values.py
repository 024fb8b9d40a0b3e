"""Estimates of a validation by what they are made of: a Cox model, Kaplan-Meier curves, drawn cohorts."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import ndtr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.risk_signature.hazard_of_risk import fit_risk
from chemores_dask.cohort.risk_signature.performance_of_risk import Performance
from chemores_dask.cohort.risk_signature.scored_cohort import ScoredCohort
from chemores_dask.cohort.survival.log_rank import log_rank
from chemores_dask.kernels.product_limit import product_limit, risk_table, survival_limits

ENDINGS = ("", "_lower", "_upper")
LIMITED_AT_TIMES = ("auc", "brier")
LIMITED_AT_HORIZONS = ("observed_over_expected", "prediction_accuracy", "net_benefit")
LIMITED = ("concordance", "uno_concordance", "integrated_brier", "integrated_prediction_accuracy")


def hazard_values(cohort: ScoredCohort, *, level: float, log_hazard: bool) -> dict[str, object]:
    """The risk in a Cox model: hazard ratio per standard deviation, and slope.

    Parameters
    ----------
    cohort
        The patients.
    level
        Coverage of the limits.
    log_hazard
        Whether the risk is a log hazard ratio, so that its slope should be 1.

    Returns
    -------
    Values by the name of their variable.
    """
    fit = fit_risk(cohort.risk, cohort.duration, cohort.event)
    values: dict[str, object] = {
        "validation_risk_deviation": fit.deviation,
        "validation_p_value": fit.p_value,
        "validation_cox_status": fit.status,
    }
    slopes, ratios = fit.limits(level), np.exp(fit.limits(level, unit=fit.deviation))
    for place, ending in enumerate(ENDINGS):
        values[f"validation_calibration_slope{ending}"] = float(slopes[place])
        values[f"validation_hazard_ratio{ending}"] = float(ratios[place])
    if log_hazard:
        values["validation_slope_p_value"] = float(2 * ndtr(-abs((fit.coefficient - 1) / fit.standard_error)))
    return values


def survival_at(duration: Vector, event: Vector, times: Vector, *, level: float) -> tuple[Vector, Vector, Vector]:
    """Kaplan-Meier at some times, with log-log limits; not numbers beyond follow-up.

    Limits are not numbers either where survival is 0 or 1.
    """
    order = np.argsort(duration, kind="stable")
    ends = np.unique(duration)
    at_risk, events, _ = risk_table(np.full(duration.size, -np.inf), duration[order], event[order], ends)
    survival, variance = product_limit(at_risk, events)
    lower, upper = survival_limits(survival, variance, confidence="log-log", level=level)
    place = np.searchsorted(ends, times, side="right")
    beyond = (times >= ends[-1]) & (survival[-1] > 0)
    found = []
    for curve, start in ((survival, 1.0), (lower, np.nan), (upper, np.nan)):
        found.append(np.where(beyond, np.nan, np.append(start, curve)[place]))
    return found[0], found[1], found[2]


def horizon_values(cohort: ScoredCohort, horizons: Vector, *, level: float) -> dict[str, object]:
    """Survival and patients at the horizons."""
    by_then = cohort.duration[:, None] <= horizons
    curves = survival_at(cohort.duration, cohort.event, horizons, level=level)
    return {
        "validation_horizon_events": (by_then & cohort.event[:, None]).sum(axis=0),
        "validation_at_risk": (~by_then).sum(axis=0),
        **{f"validation_survival{ending}": curve for ending, curve in zip(ENDINGS, curves, strict=True)},
    }


def performance_values_of(performance: Performance, horizons: int, *, level: float) -> dict[str, object]:
    """What was measured in the cohort, with limits over the drawn ones."""
    values: dict[str, object] = {}
    for name in performance.values:
        parts = performance.limited(name, level=level)
        if name in LIMITED:
            values |= {f"validation_{name}{e}": float(part) for e, part in zip(ENDINGS, parts, strict=True)}
        if name in LIMITED_AT_TIMES:
            values |= {f"validation_{name}{e}": part[:horizons] for e, part in zip(ENDINGS, parts, strict=True)}
            values |= {f"validation_curve_{name}{e}": part[horizons:] for e, part in zip(ENDINGS, parts, strict=True)}
        if name in LIMITED_AT_HORIZONS:
            values |= {f"validation_{name}{e}": part[:horizons] for e, part in zip(ENDINGS, parts, strict=True)}
    own = {name: found[0] for name, found in performance.values.items()}
    values["validation_curve_survival"] = own["survival"][horizons:]
    if "brier" in own:
        values |= {
            "validation_predicted_survival": own["predicted"][:horizons],
            "validation_brier_null": own["brier_null"][:horizons],
            "validation_curve_brier_null": own["brier_null"][horizons:],
            "validation_integrated_brier_null": float(own["integrated_brier_null"]),
            "validation_net_benefit_all": own["net_benefit_all"],
        }
    return values


def group_values(
    cohort: ScoredCohort, horizons: Vector, predicted: Matrix, *, groups: int, level: float
) -> dict[str, object]:
    """Predicted against observed shares with the event, in groups of rising risk.

    Parameters
    ----------
    cohort
        The patients.
    horizons
        Times.
    predicted
        Patients by horizons: probability to live beyond.
    groups
        Groups of about equal size; equal risks stay together, so there may be fewer.
    level
        Coverage of the limits.

    Returns
    -------
    Values by the name of their variable.
    """
    edges = np.unique(np.quantile(cohort.risk, np.arange(1, groups) / groups))
    code = np.unique(np.searchsorted(edges, cohort.risk, side="left"), return_inverse=True)[1]
    number = int(code.max()) + 1
    found = np.full((4, horizons.size, number), np.nan)
    for group in range(number):
        members = code == group
        survival, lower, upper = survival_at(cohort.duration[members], cohort.event[members], horizons, level=level)
        found[:, :, group] = 1 - np.stack([predicted[members].mean(axis=0), survival, upper, lower])
    return {
        "validation_group_patients": np.bincount(code, minlength=number),
        "validation_group_predicted": found[0],
        **{f"validation_group_observed{ending}": found[1 + place] for place, ending in enumerate(ENDINGS)},
    }


def cutoff_values(cohort: ScoredCohort, high: Vector, *, level: float) -> dict[str, object]:
    """Patients above a cut-off against the others."""
    fit = fit_risk(high.astype(float), cohort.duration, cohort.event)
    p_value = float("nan")
    if 0 < high.sum() < high.size:
        groups = xr.Dataset(
            {
                "duration": ("patient", cohort.duration),
                "event": ("patient", cohort.event),
                "high": ("patient", high.astype(np.int64)),
            },
            coords={"patient": cohort.patients},
        )
        p_value = float(log_rank(groups, duration="duration", event="event", group="high")["log_rank_p_value"])
    ratios = np.exp(fit.limits(level))
    return {
        "validation_high_patients": int(high.sum()),
        "validation_high_events": int(cohort.event[high].sum()),
        **{f"validation_high_hazard_ratio{e}": float(ratio) for e, ratio in zip(ENDINGS, ratios, strict=True)},
        "validation_high_p_value": fit.p_value,
        "validation_high_cox_status": fit.status,
        "validation_log_rank_p_value": p_value,
    }
