"""A score of patients and the share of the tumor that chemotherapy killed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, listed
from chemores_dask.cohort.outcome import patient_names
from chemores_dask.cohort.response.response_design import covariate_table, response_design
from chemores_dask.cohort.response.scored_patients import count_flow, events_note, flow_values, read_measurement
from chemores_dask.errors import ConvergenceWarning, InputError
from chemores_dask.kernels.correlation import correlation_limits, pearson, smallest_spearman_p_value, spearman
from chemores_dask.kernels.design_rank import independent_columns
from chemores_dask.kernels.logistic import LogisticFit, firth_without, fit_logistic
from chemores_dask.kernels.newton import OK, SEPARATED
from chemores_dask.kernels.rank_tests import rank_sum_test
from chemores_dask.kernels.roc import area_limits, areas_under_curves
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 2
STATUS_FLAGS = ("ok", "separated", "not_converged", "not_estimated", "one_class")
NOT_ESTIMATED, ONE_CLASS = 3, 4
GRADES = ("I", "II", "III", "IV")
GRADE_LIMITS = (50.0, 90.0, 100.0)
"""Percent of necrosis at which Huvos's grades II, III and IV begin."""

FEWEST = 3

_PATIENT, _GRADE, _TERM = ("patient",), ("grade",), ("term",)
RESULT = declare(
    Variable("necrosis_patients", (), "i", unit="patients", doc="with a score and a known necrosis"),
    Variable("necrosis_patients_total", (), "i", unit="patients", doc="in the cohort"),
    Variable("necrosis_patients_without_score", (), "i", unit="patients"),
    Variable("necrosis_patients_without_response", (), "i", unit="patients", doc="with a score, but no known necrosis"),
    Variable("necrosis_missing_auroc", (), "f", doc="probability that a score is higher where no necrosis is known"),
    Variable(
        "necrosis_missing_p_value", (), "f", doc="Wilcoxon rank-sum test of the score, necrosis unknown against known"
    ),
    Variable("necrosis_score", _PATIENT, "f", unit="of the score"),
    Variable("necrosis_percent", _PATIENT, "f", unit="percent"),
    Variable("necrosis_grade", _PATIENT, "U", unit="Huvos grade"),
    Variable("necrosis_grade_patients", _GRADE, "i", unit="patients"),
    Variable("necrosis_grade_median", _GRADE, "f", unit="of the score"),
    Variable("necrosis_spearman_correlation", (), "f"),
    Variable("necrosis_spearman_p_value", (), "f", doc="Spearman correlation, two-sided"),
    Variable("necrosis_spearman_minimum_p_value", (), "f", doc="smallest P that so many patients can reach"),
    Variable("necrosis_pearson_correlation", (), "f"),
    Variable("necrosis_pearson_correlation_lower", (), "f", doc="lower limit (Fisher's z)"),
    Variable("necrosis_pearson_correlation_upper", (), "f", doc="upper limit (Fisher's z)"),
    Variable("necrosis_pearson_p_value", (), "f", doc="Pearson correlation, two-sided"),
    Variable("necrosis_good_patients", (), "i", unit="patients", doc="good responders"),
    Variable("necrosis_good_auroc", (), "f", doc="probability that a good responder scores higher"),
    Variable("necrosis_good_auroc_lower", (), "f", doc="lower limit (DeLong)"),
    Variable("necrosis_good_auroc_upper", (), "f", doc="upper limit (DeLong)"),
    Variable("necrosis_good_rank_sum_p_value", (), "f", doc="Wilcoxon rank-sum test, good against poor responders"),
    Variable("necrosis_good_minimum_p_value", (), "f", doc="smallest P of that test that so many patients can reach"),
    Variable("necrosis_logistic_patients", (), "i", unit="patients", doc="of those, with all covariates"),
    Variable("necrosis_logistic_good_patients", (), "i", unit="patients", doc="of those, good responders"),
    Variable("necrosis_coefficient", _TERM, "f", unit="log odds of a good response per unit of the covariate"),
    Variable("necrosis_standard_error", _TERM, "f", unit="log odds"),
    Variable("necrosis_odds_ratio", _TERM, "f", doc="of a good response, per unit of the covariate"),
    Variable("necrosis_odds_ratio_lower", _TERM, "f", doc="lower limit (Wald)"),
    Variable("necrosis_odds_ratio_upper", _TERM, "f", doc="upper limit (Wald)"),
    Variable("necrosis_p_value", _TERM, "f", doc="Wald test of the logistic model, two-sided"),
    Variable(
        "necrosis_likelihood_ratio_p_value", _TERM, "f", doc="likelihood ratio test against the model without the term"
    ),
    Variable("necrosis_status", _TERM, "i", flags=STATUS_FLAGS),
    Variable("necrosis_intercept", (), "f", unit="log odds", doc="of a good response where all covariates are 0"),
    Variable("necrosis_log_likelihood", (), "f", unit="log likelihood"),
)


@dataclass(frozen=True)
class _Logistic:
    matrix: Matrix
    terms: list[str]
    good: Vector


def necrosis_association(
    patients: xr.Dataset,
    *,
    score: str,
    necrosis: str,
    good_from: float = 90.0,
    formula: str | None = None,
    unknown: Sequence[str] = ("Unknown",),
    penalty: str = "none",
    level: float = 0.95,
) -> xr.Dataset:
    """Hold a score against the percentage of necrosis after chemotherapy.

    The percentage itself by Spearman's and Pearson's correlations; good responders (90 % and more [1]_) against the others by Wilcoxon's
    rank sum, the area under the ROC curve, and logistic regression of a good response on the score beside covariates.

    Parameters
    ----------
    patients
        Variables over ``patient``. Those who lack the score or the necrosis are left out and counted.
    score
        Variable with numbers.
    necrosis
        Variable with percentages from 0 to 100.
    good_from
        Percentage from which a response is good.
    formula
        Covariates of the logistic model beside the score, such as ``"~ age + site"``; patients who lack one are left out of this model
        only.
    unknown
        Labels of covariates that say that nothing is known.
    penalty
        ``"none"`` for maximum likelihood; ``"firth"`` for Firth's penalty [2]_, which has estimates also where a covariate separates good
        from poor responders, and less bias with few patients.
    level
        Coverage of all limits.

    Returns
    -------
    Dataset over ``patient`` (those used): ``necrosis_score``, ``necrosis_percent``, ``necrosis_grade`` (Huvos: I below 50, II below 90,
    III below 100, IV 100 %); over ``grade``: patients and median score; over ``term``: ``necrosis_odds_ratio`` of a good response with
    limits, Wald and likelihood ratio P, status. Numbers: both correlations with P, patients used and left out, area under the curve.

    Raises
    ------
    MissingVariableError
        If a variable is absent. The message lists those present.
    InputError
        If a percentage lies outside 0 to 100, all lie between 0 and 1 (shares), or fewer than three patients are left.

    Warns
    -----
    ConvergenceWarning
        If a covariate separates good from poor responders and ``penalty`` is ``"none"``: the status says ``separated``, no term has an
        estimate, and the likelihood ratio P stays valid.
    FewEventsWarning
        If the rarer response has fewer than ten patients per coefficient.

    Notes
    -----
    Passes over the counts: 0. Spearman's P is exact up to nine patients, ties included; from an Edgeworth series up to 1,289 without ties;
    from Student's t otherwise. Where all patients respond alike the status is ``one_class``.

    References
    ----------
    .. [1] Rosen G et al. (1982). Preoperative chemotherapy for osteogenic sarcoma. Cancer 49:1221-1230.
    .. [2] Firth D (1993). Bias reduction of maximum likelihood estimates. Biometrika 80:27-38.
    """
    caller = "necrosis_association"
    check_between(good_from, parameter="good_from", caller=caller, minimum=1.0, maximum=100.0)
    check_between(level, parameter="level", caller=caller, minimum=0.5, maximum=0.9999)
    check_one_of(penalty, ("none", "firth"), parameter="penalty", caller=caller)
    names = patient_names(patients, caller=caller)
    values = read_measurement(patients, score, caller=caller)
    percent = read_measurement(patients, necrosis, caller=caller)
    used = _check_percentages(percent, values, names, necrosis=necrosis, score=score)
    good = percent >= good_from
    model = _logistic_input(patients, used, values, good, score=score, formula=formula, unknown=unknown)
    terms, status, fitted = _fit(model, penalty=penalty, level=level)
    rarer = min(int(model.good.sum()), int((~model.good).sum()))
    return make_result(
        RESULT,
        {
            **flow_values(count_flow(values, ~np.isnan(percent)), "necrosis"),
            **_grade_values(values[used], percent[used]),
            **_correlation_values(values[used], percent[used], level=level),
            **_class_values(values[used], good[used], level=level),
            "necrosis_logistic_patients": model.good.size,
            "necrosis_logistic_good_patients": int(model.good.sum()),
            "necrosis_status": status,
            **fitted,
        },
        analysis=caller,
        parameters={
            "score": score,
            "necrosis": necrosis,
            "good_from": good_from,
            "formula": formula,
            "unknown": list(unknown),
            "penalty": penalty,
            "level": level,
        },
        coordinates={"patient": names[used], "grade": list(GRADES), "term": terms},
        attributes={
            "spearman_method": spearman(values[used], percent[used]).method,
            **(events_note(rarer, len(terms), caller=caller) if rarer else {}),
        },
    )


def _check_percentages(percent: Vector, values: Vector, names: Vector, *, necrosis: str, score: str) -> Vector:
    outside = (percent < 0) | (percent > 100)
    if outside.any():
        found = [f"{name} ({value:g})" for name, value in zip(names[outside], percent[outside], strict=True)]
        message = (
            f"The variable {necrosis!r} of necrosis_association must hold percentages from 0 to 100. Not so for: {listed(found)}; correct "
            "them, or set them to missing."
        )
        raise InputError(message)
    known = percent[~np.isnan(percent)]
    if known.size and 0 < known.max() <= 1:
        message = (
            f"The variable {necrosis!r} of necrosis_association must hold percentages from 0 to 100. All lie between 0 and 1, "
            "so they seem to "
            "be shares; multiply them by 100."
        )
        raise InputError(message)
    used = ~np.isnan(percent) & ~np.isnan(values)
    if used.sum() < FEWEST:
        message = (
            f"necrosis_association needs at least {FEWEST} patients with {score!r} and {necrosis!r}. Found {used.sum()}: "
            f"{listed(names[used])}; {known.size} of {names.size} have {necrosis!r}."
        )
        raise InputError(message)
    return used


def _grade_values(values: Vector, percent: Vector) -> dict[str, object]:
    grade = np.digitize(percent, GRADE_LIMITS)
    groups = [values[grade == place] for place in range(len(GRADES))]
    return {
        "necrosis_score": values,
        "necrosis_percent": percent,
        "necrosis_grade": np.array([GRADES[place] for place in grade], dtype=object),
        "necrosis_grade_patients": [group.size for group in groups],
        "necrosis_grade_median": [float(np.median(group)) if group.size else np.nan for group in groups],
    }


def _correlation_values(values: Vector, percent: Vector, *, level: float) -> dict[str, object]:
    ranks, moments = spearman(values, percent), pearson(values, percent)
    lower, upper = correlation_limits(moments.estimate, values.size, level=level)
    return {
        "necrosis_spearman_correlation": ranks.estimate,
        "necrosis_spearman_p_value": ranks.p_value,
        "necrosis_spearman_minimum_p_value": smallest_spearman_p_value(values, percent),
        "necrosis_pearson_correlation": moments.estimate,
        "necrosis_pearson_correlation_lower": lower,
        "necrosis_pearson_correlation_upper": upper,
        "necrosis_pearson_p_value": moments.p_value,
    }


def _class_values(values: Vector, good: Vector, *, level: float) -> dict[str, object]:
    found = dict.fromkeys(("auroc", "auroc_lower", "auroc_upper", "rank_sum_p_value", "minimum_p_value"), float("nan"))
    if good.any() and not good.all():
        test = rank_sum_test(values[~good], values[good])
        areas = areas_under_curves(values[None, :], good)
        lower, upper = area_limits(float(areas.estimates[0]), float(areas.covariance[0, 0]), level=level)
        found = {
            "auroc": test.statistic / test.pairs,
            "auroc_lower": lower,
            "auroc_upper": upper,
            "rank_sum_p_value": test.p_value,
            "minimum_p_value": test.minimum_p_value,
        }
    return {"necrosis_good_patients": int(good.sum())} | {
        f"necrosis_good_{name}": value for name, value in found.items()
    }


def _logistic_input(
    patients: xr.Dataset,
    used: Vector,
    values: Vector,
    good: Vector,
    *,
    score: str,
    formula: str | None,
    unknown: Sequence[str],
) -> _Logistic:
    if formula is None:
        return _Logistic(values[used][:, None], [score], good[used])
    table, complete = covariate_table(patients, formula, unknown=unknown, caller="necrosis_association")
    used = used & complete
    if used.sum() < FEWEST:
        message = (
            f"The logistic model of necrosis_association needs patients with all of {formula!r}. Found {used.sum()}."
        )
        raise InputError(message)
    matrix, terms = response_design(table[used], formula, caller="necrosis_association")
    matrix, terms = np.column_stack([values[used], matrix]), [score, *terms]
    if not independent_columns(np.column_stack([np.ones(len(matrix)), matrix])).all():
        message = f"The score {score!r} of necrosis_association must not be constant or follow from {formula!r}; take it out there."
        raise InputError(message)
    return _Logistic(matrix, terms, good[used])


def _fit(model: _Logistic, *, penalty: str, level: float) -> tuple[list[str], Vector, dict[str, object]]:
    size, constant = len(model.terms), np.ptp(model.matrix[:, 0]) == 0
    if model.good.all() or not model.good.any() or constant:
        status = np.full(size, NOT_ESTIMATED if constant else ONE_CLASS, dtype=np.int64)
        return model.terms, status, _term_values(None, np.full(size, np.nan), size=size, level=level)
    firth = penalty == "firth"
    fit = fit_logistic(model.matrix, model.good, firth=firth)
    without = [_without(model, place, firth=firth) for place in range(size)]
    ratio = chdtrc(1, np.maximum(2 * (fit.log_likelihood - np.array(without)), 0.0))
    status = np.full(size, fit.status, dtype=np.int64)
    if fit.status != OK:
        if fit.status == SEPARATED:
            status = np.where(fit.runaway[1:] | ~fit.runaway.any(), SEPARATED, NOT_ESTIMATED).astype(np.int64)
        running = [term for term, code in zip(model.terms, status, strict=True) if code == fit.status]
        message = (
            f"The logistic model of necrosis_association has no finite estimates: {listed(running)} {STATUS_FLAGS[fit.status]}. Use the "
            'likelihood ratio test, or penalty="firth".'
        )
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return model.terms, status, _term_values(fit, ratio, size=size, level=level)


def _without(model: _Logistic, place: int, *, firth: bool) -> float:
    if firth:
        return firth_without(model.matrix, model.good, place)
    if model.matrix.shape[1] > 1:
        return fit_logistic(np.delete(model.matrix, place, axis=1), model.good).log_likelihood
    counts = np.array([model.good.sum(), (~model.good).sum()])
    return float((counts * np.log(counts / counts.sum())).sum())


def _term_values(fit: LogisticFit | None, ratio: Vector, *, size: int, level: float) -> dict[str, object]:
    place, error = np.full((2, size + 1), np.nan)
    if fit is not None and fit.status == OK:
        place, error = fit.coefficients, np.sqrt(np.diag(fit.covariance))
    coefficient, error = place[1:], error[1:]
    reach = ndtri(0.5 + level / 2) * error
    with np.errstate(over="ignore"):
        return {
            "necrosis_coefficient": coefficient,
            "necrosis_standard_error": error,
            "necrosis_odds_ratio": np.exp(coefficient),
            "necrosis_odds_ratio_lower": np.exp(coefficient - reach),
            "necrosis_odds_ratio_upper": np.exp(coefficient + reach),
            "necrosis_p_value": 2 * ndtr(-np.abs(coefficient / error)),
            "necrosis_likelihood_ratio_p_value": ratio,
            "necrosis_intercept": float(place[0]),
            "necrosis_log_likelihood": float("nan") if fit is None else fit.log_likelihood,
        }
