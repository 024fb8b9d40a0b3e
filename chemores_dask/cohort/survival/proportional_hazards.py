"""Whether hazard ratios of a Cox model change with time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtri
from scipy.stats import rankdata

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.cohort.outcome import Outcome
from chemores_dask.cohort.survival.cox_fit import CoxFit, check_whole, fit_model
from chemores_dask.cohort.survival.cox_options import ModelOptions
from chemores_dask.cohort.survival.model_residuals import event_order
from chemores_dask.kernels.baseline_hazard import moment_information
from chemores_dask.kernels.cox_residuals import schoenfeld_residuals
from chemores_dask.kernels.product_limit import product_limit, risk_table
from chemores_dask.kernels.spline_basis import spline_basis, spline_knots
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1

TRANSFORMS = ("km", "rank", "identity", "log")

SMOOTH_KNOTS, SMOOTH_POINTS, SMOOTH_LEVEL = 4, 40, 0.95

_TEST, _EVENT, _SMOOTH = ("transform", "covariate"), ("event",), ("point", "term")
RESULT = declare(
    Variable(
        "hazard_trend_statistic", _TEST, "f", unit="chi-square", doc="score test of a trend of the covariate's effect"
    ),
    Variable("hazard_trend_p_value", _TEST, "f"),
    Variable("hazard_trend_degrees_of_freedom", ("covariate",), "i"),
    Variable("hazard_trend_global_statistic", ("transform",), "f", unit="chi-square", doc="of all covariates together"),
    Variable("hazard_trend_global_p_value", ("transform",), "f"),
    Variable("hazard_trend_global_degrees_of_freedom", (), "i"),
    Variable(
        "hazard_trend_residual",
        ("event", "term"),
        "f",
        unit="log hazard ratio per unit of the covariate",
        doc="scaled Schoenfeld residual plus the coefficient: about the coefficient at that time",
    ),
    Variable("hazard_trend_time", _EVENT, "f", unit="time", doc="of the event"),
    Variable("hazard_trend_scale", ("transform", "event"), "f", doc="the transformed time"),
    Variable(
        "hazard_trend_smooth", _SMOOTH, "f", doc="spline of the residuals over time (km): the coefficient as it goes"
    ),
    Variable("hazard_trend_smooth_lower", _SMOOTH, "f", doc="limit of 95 %"),
    Variable("hazard_trend_smooth_upper", _SMOOTH, "f", doc="limit of 95 %"),
    Variable("hazard_trend_point_scale", ("point",), "f", doc="where the spline is taken, on the scale km"),
    Variable("hazard_trend_coefficient", ("term",), "f", unit="log hazard ratio per unit of the covariate"),
    Variable("hazard_trend_covariate", ("term",), "U", doc="the covariate it belongs to"),
    Variable("hazard_trend_patients", (), "i", unit="patients"),
    Variable("hazard_trend_events", (), "i", unit="patients"),
)


def proportional_hazards(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    covariates: Sequence[str],
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
) -> xr.Dataset:
    """Test whether the hazard ratios of a Cox model stay the same over time.

    For every covariate, the score test of adding ``g(t) x`` to the model [1]_, where ``g`` is one of four transforms of time. Numbers are
    those of ``cox.zph`` of R's ``survival`` 3.0 or later (older versions, and others, approximate this test).

    Parameters
    ----------
    patients, duration, event, covariates, strata, entry, options
        As for ``cox_model``, which is fitted anew.

    Returns
    -------
    Dataset over ``(transform, covariate)``: ``hazard_trend_statistic``, ``hazard_trend_p_value``; over ``transform`` the same of all
    covariates together (``hazard_trend_global_...``). ``transform`` is ``km`` (one minus the Kaplan-Meier curve of all, the default of R:
    few late events do not decide), ``rank``, ``identity`` and ``log``. Over ``(event, term)``: ``hazard_trend_residual``, with
    ``hazard_trend_time`` and, transformed, ``hazard_trend_scale``; over ``(point, term)`` a spline of these residuals with limits of 95 %
    (not a number with few different times).

    Raises
    ------
    MissingVariableError
        If a named variable is absent.
    InputError
        If a value is missing or impossible, or a coefficient is infinite.
    TooFewEventsError
        If there are not more events than coefficients.

    Notes
    -----
    Passes over the counts: 0. The test takes patients as independent. With an event at time 0, that of ``log`` is not a number.

    References
    ----------
    .. [1] Grambsch PM, Therneau TM (1994). Proportional hazards tests and diagnostics based on weighted residuals. Biometrika 81:515-526.
    """
    fit = fit_model(
        patients,
        duration=duration,
        event=event,
        covariates=covariates,
        strata=strata,
        entry=entry,
        options=options,
        caller="proportional_hazards",
    )
    check_whole(fit, caller="proportional_hazards")
    died, schoenfeld = schoenfeld_residuals(fit.columns, fit.risk, fit.steps())
    scales = _scales(fit.outcome)[:, fit.order[died]]
    information = moment_information(fit.coefficients, fit.columns, fit.risk, efron=fit.efron)
    values = _tests(fit, scales, died, fit.risk.weight[died, None] * schoenfeld, information)
    by_time = event_order(fit, fit.order[died])
    rows = fit.order[died][by_time]
    covariance = np.linalg.inv(information.sum(axis=0))
    scaled = (schoenfeld @ covariance * died.size + fit.coefficients) / fit.spread
    error = np.sqrt(np.diag(covariance) * died.size) / fit.spread
    return make_result(
        RESULT,
        {
            **values,
            **_smooth(scales[TRANSFORMS.index("km")], scaled, error),
            "hazard_trend_residual": scaled[by_time],
            "hazard_trend_time": fit.outcome.duration[rows],
            "hazard_trend_scale": scales[:, by_time],
            "hazard_trend_coefficient": fit.coefficients / fit.spread,
            "hazard_trend_covariate": np.array(fit.design.covariates, dtype=object)[fit.design.owner],
            "hazard_trend_patients": fit.outcome.duration.size,
            "hazard_trend_events": fit.events,
        },
        analysis="proportional_hazards",
        parameters={
            "duration": duration,
            "event": event,
            "covariates": list(covariates),
            "strata": strata if strata is None or isinstance(strata, str) else list(strata),
            "entry": entry,
            "options": options.plain(),
        },
        coordinates={
            "transform": list(TRANSFORMS),
            "covariate": fit.design.covariates,
            "event": fit.outcome.patients[rows],
            "term": fit.design.terms,
        },
    )


def _scales(outcome: Outcome) -> Matrix:
    # Transformed ends of follow-up of all patients, by transform.
    by_time = np.argsort(outcome.duration, kind="stable")
    times = np.unique(outcome.duration)
    at_risk, events, _ = risk_table(np.sort(outcome.entry), outcome.duration[by_time], outcome.event[by_time], times)
    survival = np.concatenate([[1.0], product_limit(at_risk, events)[0]])
    with np.errstate(divide="ignore"):
        logarithm = np.log(outcome.duration)
    return np.stack(
        [
            1 - survival[np.searchsorted(times, outcome.duration)],
            rankdata(outcome.duration),
            outcome.duration,
            logarithm,
        ]
    )


def _tests(fit: CoxFit, scales: Matrix, died: Vector, slopes: Matrix, information: Matrix) -> dict[str, object]:
    terms, covariates = slopes.shape[1], len(fit.design.covariates)
    groups = [np.flatnonzero(fit.design.owner == covariate) for covariate in range(covariates)]
    statistic = np.full((len(TRANSFORMS), covariates), np.nan)
    whole = np.full(len(TRANSFORMS), np.nan)
    own = information.sum(axis=0)
    moment = fit.risk.first[died]
    for row, scale in enumerate(scales):
        if not np.isfinite(scale).all():
            continue
        # In units of its own spread, so that no unit of time spoils the inverse.
        trend = scale - scale.mean()
        trend = trend / (np.abs(trend).max() or 1.0)
        at_moment = np.zeros(information.shape[0])
        at_moment[moment] = trend
        slope = trend @ slopes
        cross = np.einsum("k,kij->ij", at_moment, information)
        left = np.einsum("k,kij->ij", at_moment**2, information) - cross @ np.linalg.solve(own, cross)
        statistic[row] = [_quadratic(slope[places], left[np.ix_(places, places)]) for places in groups]
        whole[row] = _quadratic(slope, left)
    degrees = np.array([places.size for places in groups])
    return {
        "hazard_trend_statistic": statistic,
        "hazard_trend_p_value": chdtrc(degrees, statistic),
        "hazard_trend_degrees_of_freedom": degrees,
        "hazard_trend_global_statistic": whole,
        "hazard_trend_global_p_value": chdtrc(terms, whole),
        "hazard_trend_global_degrees_of_freedom": terms,
    }


def _smooth(scale: Vector, residuals: Matrix, error: Vector) -> dict[str, object]:
    # A restricted cubic spline of the residuals; they all have about the same variance, that of a coefficient times the events.
    points = np.linspace(scale.min(), scale.max(), SMOOTH_POINTS)
    drawn = reach = np.full((SMOOTH_POINTS, residuals.shape[1]), np.nan)
    knots = spline_knots(scale, SMOOTH_KNOTS)
    if knots.size == SMOOTH_KNOTS and (np.diff(knots) > 1e-6 * (scale.max() - scale.min())).all():
        basis, at = (np.column_stack([np.ones(x.size), spline_basis(x, knots)]) for x in (scale, points))
        drawn = at @ np.linalg.lstsq(basis, residuals, rcond=None)[0]
        wide = np.sqrt(np.einsum("ij,jk,ik->i", at, np.linalg.pinv(basis.T @ basis), at))
        reach = float(ndtri(0.5 + SMOOTH_LEVEL / 2)) * np.outer(wide, error)
    return {
        "hazard_trend_smooth": drawn,
        "hazard_trend_smooth_lower": drawn - reach,
        "hazard_trend_smooth_upper": drawn + reach,
        "hazard_trend_point_scale": points,
    }


def _quadratic(slope: Vector, information: Matrix) -> float:
    # With too few times for a trend there is none to test.
    if np.linalg.matrix_rank(information, hermitian=True) < slope.size:
        return float("nan")
    return float(slope @ np.linalg.solve(information, slope))
