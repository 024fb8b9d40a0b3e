"""Hazard ratios of several cohorts as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_variables, listed
from chemores_dask.errors import InputError, ParameterError
from chemores_dask.kernels.pooled_effects import (
    Pooled,
    between_by_likelihood,
    between_by_moments,
    between_limits,
    heterogeneity,
    pool,
    typical_variance,
)
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "meta_analysis"
MODELS = ("fixed", "dersimonian_laird", "restricted_likelihood")
LARGEST = 1e3
"""Log ratios beyond this are refused."""

RANDOM_ONLY = (
    "meta_knapp_ratio_lower",
    "meta_knapp_ratio_upper",
    "meta_knapp_p_value",
    "meta_prediction_lower",
    "meta_prediction_upper",
)

OFF_CENTER = 0.25
"""How far a ratio may lie from the middle of its limits, as a share of their length on the logarithmic scale: rounding allows some."""

_STUDY, _MODEL = ("study",), ("model",)
RESULT = declare(
    Variable("meta_log_ratio", _STUDY, "f", unit="log hazard ratio"),
    Variable("meta_standard_error", _STUDY, "f", unit="log hazard ratio"),
    Variable("meta_ratio", _STUDY, "f", doc="hazard ratio"),
    Variable("meta_ratio_lower", _STUDY, "f", doc="lower limit (Wald)"),
    Variable("meta_ratio_upper", _STUDY, "f", doc="upper limit (Wald)"),
    Variable("meta_p_value", _STUDY, "f", doc="Wald test, two-sided"),
    Variable("meta_study_patients", _STUDY, "i", unit="patients", optional=True),
    Variable("meta_study_events", _STUDY, "i", unit="patients", optional=True),
    Variable("meta_weight", ("model", "study"), "f", doc="share of the study in the pooled estimate"),
    Variable("meta_pooled_log_ratio", _MODEL, "f", unit="log hazard ratio"),
    Variable("meta_pooled_standard_error", _MODEL, "f", unit="log hazard ratio"),
    Variable("meta_pooled_ratio", _MODEL, "f", doc="hazard ratio"),
    Variable("meta_pooled_ratio_lower", _MODEL, "f", doc="lower limit (normal)"),
    Variable("meta_pooled_ratio_upper", _MODEL, "f", doc="upper limit (normal)"),
    Variable("meta_pooled_p_value", _MODEL, "f", doc="Wald test, two-sided"),
    Variable("meta_knapp_ratio_lower", _MODEL, "f", doc="lower limit (Hartung and Knapp, t); not for the fixed effect"),
    Variable("meta_knapp_ratio_upper", _MODEL, "f", doc="upper limit (Hartung and Knapp, t); not for the fixed effect"),
    Variable("meta_knapp_p_value", _MODEL, "f", doc="Hartung and Knapp's t test, two-sided"),
    Variable("meta_prediction_lower", _MODEL, "f", doc="hazard ratio of another study, lower limit"),
    Variable("meta_prediction_upper", _MODEL, "f", doc="hazard ratio of another study, upper limit"),
    Variable("meta_between_variance", _MODEL, "f", unit="squared log hazard ratio", doc="tau squared"),
    Variable("meta_between_variance_lower", (), "f", unit="squared log hazard ratio", doc="Q profile"),
    Variable("meta_between_variance_upper", (), "f", unit="squared log hazard ratio", doc="Q profile"),
    Variable("meta_inconsistency_share", _MODEL, "f", doc="I squared: of the variance, what lies between studies"),
    Variable("meta_inconsistency_share_lower", (), "f", doc="from the Q profile"),
    Variable("meta_inconsistency_share_upper", (), "f", doc="from the Q profile"),
    Variable("meta_heterogeneity_statistic", (), "f", doc="Cochran's Q"),
    Variable("meta_heterogeneity_p_value", (), "f", doc="Cochran's Q test, chi-squared with studies less 1"),
    Variable("meta_studies", (), "i", unit="studies"),
    Variable("meta_patients", (), "i", unit="patients", optional=True),
    Variable("meta_events", (), "i", unit="patients", optional=True),
)


def meta_analysis(
    studies: xr.Dataset,
    *,
    estimate: str,
    standard_error: str | None = None,
    limits: Sequence[str] | None = None,
    patients: str | None = None,
    events: str | None = None,
    study_level: float = 0.95,
    level: float = 0.95,
) -> xr.Dataset:
    """Pool hazard ratios of several studies: fixed effect, and random effects by two estimators.

    Every study weighs ``1 / (v + t)``, with its own variance ``v`` and the variance ``t`` between studies: 0 for the fixed effect, or by
    the moments of DerSimonian and Laird [1]_, or by restricted maximum likelihood [2]_. For random effects the limits of Hartung and
    Knapp [3]_ stand beside the normal ones, which are too narrow for few studies. Numbers are those of R's ``metafor::rma``.

    Parameters
    ----------
    studies
        Variables over ``study``.
    estimate
        With ``standard_error``: variable with log hazard ratios; with ``limits``: variable with hazard ratios, as papers print them.
    standard_error
        Variable with standard errors of log hazard ratios.
    limits
        Instead: the two variables with the limits of the hazard ratios. The standard error is the length of ``log(limits)`` over that of
        the normal distribution.
    patients, events
        Variables with the numbers behind each estimate, to be shown with it.
    study_level
        Coverage of the given limits.
    level
        Coverage of the limits returned.

    Returns
    -------
    Dataset over ``study`` and ``model`` (``fixed``, ``dersimonian_laird``, ``restricted_likelihood``): ``meta_ratio`` with limits for
    every study; ``meta_pooled_ratio`` with ``meta_pooled_ratio_lower``, ``meta_pooled_ratio_upper`` and ``meta_pooled_p_value``,
    ``meta_knapp_ratio_lower`` and ``_upper``, ``meta_prediction_lower`` and ``_upper`` (hazard ratio of another study, for three or more
    [4]_), ``meta_between_variance``, ``meta_inconsistency_share`` for every model, and ``meta_weight``;
    ``meta_heterogeneity_statistic`` and ``_p_value``.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    ParameterError
        If there are both standard errors and limits, or neither.
    InputError
        If there are fewer than two studies, a name occurs twice, or an estimate cannot be. The studies are named.

    Notes
    -----
    Passes over the counts: 0. Cohorts must not share patients. Limits far from symmetric about their ratio on the logarithmic scale are
    refused: then one of the numbers is not what it seems. The prediction interval is t with studies less 2 degrees of freedom.

    References
    ----------
    .. [1] DerSimonian R, Laird N (1986). Meta-analysis in clinical trials. Control Clin Trials 7:177-188.
    .. [2] Viechtbauer W (2005). Bias and efficiency of meta-analytic variance estimators in the random-effects model. J Educ Behav Stat
       30:261-293.
    .. [3] Hartung J, Knapp G (2001). A refined method for the meta-analysis of controlled clinical trials with binary outcome. Stat Med
       20:3875-3889.
    .. [4] Higgins JPT, Thompson SG, Spiegelhalter DJ (2009). A re-evaluation of random-effects meta-analysis. JRSS A 172:137-159.

    Examples
    --------
    >>> published = xr.Dataset(
    ...     {"ratio": ("study", [2.4, 2.1]), "low": ("study", [1.2, 1.1]), "high": ("study", [4.8, 4.0])},
    ...     coords={"study": ["PKPH", "TARGET"]},
    ... )
    >>> pooled = meta_analysis(published, estimate="ratio", limits=["low", "high"]).sel(model="fixed")
    >>> [round(float(pooled[f"meta_pooled_ratio{end}"]), 2) for end in ("", "_lower", "_upper")]
    [2.23, 1.39, 3.58]
    """
    for name, value in (("level", level), ("study_level", study_level)):
        check_between(value, parameter=name, caller=CALLER, minimum=0.5, maximum=0.9999)
    names = _study_names(studies)
    effect, error = _effects(studies, names, estimate, standard_error, limits, study_level)
    counts = {
        what: _counts(studies, name, names) for what, name in (("patients", patients), ("events", events)) if name
    }
    return make_result(
        RESULT,
        {
            **_study_values(effect, error, level=level),
            **_pooled_values(effect, error**2, level=level),
            **{f"meta_study_{what}": numbers for what, numbers in counts.items()},
            **{f"meta_{what}": int(numbers.sum()) for what, numbers in counts.items()},
            "meta_studies": effect.size,
        },
        analysis=CALLER,
        parameters={
            "estimate": estimate,
            "standard_error": standard_error,
            "limits": None if limits is None else list(limits),
            "patients": patients,
            "events": events,
            "study_level": study_level,
            "level": level,
        },
        coordinates={"study": names, "model": list(MODELS)},
    )


def _study_names(studies: xr.Dataset) -> list[str]:
    if studies.sizes.get("study", 0) < 2:
        message = (
            f"{CALLER} needs two studies or more along the dimension 'study'. Found dimensions {dict(studies.sizes)}."
        )
        raise InputError(message)
    names = [str(name) for name in studies["study"].to_numpy()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = (
            f"Every study must occur once in {CALLER}. Found more than once: {listed(twice)}; a cohort counts once."
        )
        raise InputError(message)
    return names


def _read(studies: xr.Dataset, name: str, names: list[str]) -> Vector:
    check_variables(studies, [name], dims=("study",), what="studies", caller=CALLER)
    (values,) = compute(studies[name].data)
    try:
        numbers = np.asarray(values).astype(float)
    except (TypeError, ValueError) as error:
        message = f"The variable {name!r} of {CALLER} must hold numbers. Found {listed(np.asarray(values))}; convert it first."
        raise InputError(message) from error
    _refuse(~np.isfinite(numbers), f"The variable {name!r} must be known and finite", names, numbers)
    return numbers


def _counts(studies: xr.Dataset, name: str, names: list[str]) -> Vector:
    numbers = _read(studies, name, names)
    _refuse(
        (numbers < 0) | (numbers % 1 != 0), f"The variable {name!r} must hold whole numbers of patients", names, numbers
    )
    return numbers.astype(np.int64)


def _refuse(wrong: Vector, demand: str, names: list[str], values: Vector) -> None:
    if wrong.any():
        found = [f"{names[i]} ({values[i]:g})" for i in np.flatnonzero(wrong)]
        message = f"{demand} for every study of {CALLER}. Not so for: {listed(found)}; correct the values, or leave these studies out."
        raise InputError(message)


def _effects(
    studies: xr.Dataset,
    names: list[str],
    estimate: str,
    standard_error: str | None,
    limits: Sequence[str] | None,
    study_level: float,
) -> tuple[Vector, Vector]:
    pair = limits is not None and not isinstance(limits, str) and len(limits) == 2
    if (standard_error is None) == (limits is None) or (limits is not None and not pair):
        message = (
            f"{CALLER} needs either 'standard_error' (with log hazard ratios) or two 'limits' (with hazard ratios). "
            f"Got standard_error={standard_error!r}, limits={limits!r}."
        )
        raise ParameterError(message)
    if standard_error is not None:
        effect, error = _read(studies, estimate, names), _read(studies, standard_error, names)
        _refuse(error <= 0, f"The standard error {standard_error!r} must be above 0", names, error)
    else:
        ratio, low, high = (_read(studies, name, names) for name in (estimate, *(limits or ())))
        for name, values in zip((estimate, *(limits or ())), (ratio, low, high), strict=True):
            _refuse(values <= 0, f"The hazard ratio {name!r} must be above 0", names, values)
        _refuse(low >= high, "The lower limit must lie below the upper one", names, low)
        effect, length = np.log(ratio), np.log(high / low)
        middle = np.log(high * low) / 2
        _refuse(
            np.abs(effect - middle) > OFF_CENTER * length,
            "A hazard ratio must lie near the middle of its limits on the logarithmic scale",
            names,
            ratio,
        )
        error = length / (2 * float(ndtri(0.5 + study_level / 2)))
    _refuse(np.abs(effect) > LARGEST, "A log hazard ratio must be within reason", names, effect)
    _refuse((error > LARGEST) | (error < 1 / LARGEST**2), "A standard error must be within reason", names, error)
    return effect, error


def _study_values(effect: Vector, error: Vector, *, level: float) -> dict[str, object]:
    reach = float(ndtri(0.5 + level / 2)) * error
    with np.errstate(over="ignore"):
        return {
            "meta_log_ratio": effect,
            "meta_standard_error": error,
            "meta_ratio": np.exp(effect),
            "meta_ratio_lower": np.exp(effect - reach),
            "meta_ratio_upper": np.exp(effect + reach),
            "meta_p_value": 2 * ndtr(-np.abs(effect / error)),
        }


def _pooled_values(effect: Vector, variance: Vector, *, level: float) -> dict[str, object]:
    between = [0.0, between_by_moments(effect, variance), between_by_likelihood(effect, variance)]
    models = [pool(effect, variance, value) for value in between]
    q = heterogeneity(effect, variance)
    typical, freedom = typical_variance(variance), effect.size - 1
    low, high = between_limits(effect, variance, level=level)
    columns = [
        _model_values(model, value, effect.size, level=level) for model, value in zip(models, between, strict=True)
    ]
    shares = [max(0.0, (q - freedom) / q) if q > 0 else 0.0, *(value / (value + typical) for value in between[1:])]
    for name in RANDOM_ONLY:
        columns[0][name] = float("nan")
    return {
        **{name: np.array([column[name] for column in columns]) for name in columns[0]},
        "meta_weight": np.stack([model.weight for model in models]),
        "meta_between_variance": np.array(between),
        "meta_between_variance_lower": low,
        "meta_between_variance_upper": high,
        "meta_inconsistency_share": np.array(shares),
        "meta_inconsistency_share_lower": low / (low + typical),
        "meta_inconsistency_share_upper": high / (high + typical),
        "meta_heterogeneity_statistic": q,
        "meta_heterogeneity_p_value": float(chdtrc(freedom, q)),
    }


def _model_values(model: Pooled, between: float, studies: int, *, level: float) -> dict[str, float]:
    mean, error, knapp = model.estimate, model.standard_error, model.knapp_error
    normal = float(ndtri(0.5 + level / 2)) * error
    student = float(stdtrit(studies - 1, 0.5 + level / 2)) * knapp
    another = float("nan")
    if studies > 2:
        another = float(stdtrit(studies - 2, 0.5 + level / 2) * np.sqrt(error**2 + between))
    p_value = 2 * float(stdtr(studies - 1, -abs(mean) / knapp)) if knapp > 0 else float("nan")
    return {
        "meta_pooled_log_ratio": mean,
        "meta_pooled_standard_error": error,
        "meta_pooled_ratio": float(np.exp(mean)),
        "meta_pooled_ratio_lower": float(np.exp(mean - normal)),
        "meta_pooled_ratio_upper": float(np.exp(mean + normal)),
        "meta_pooled_p_value": 2 * float(ndtr(-abs(mean / error))),
        "meta_knapp_ratio_lower": float(np.exp(mean - student)),
        "meta_knapp_ratio_upper": float(np.exp(mean + student)),
        "meta_knapp_p_value": p_value,
        "meta_prediction_lower": float(np.exp(mean - another)),
        "meta_prediction_upper": float(np.exp(mean + another)),
    }
