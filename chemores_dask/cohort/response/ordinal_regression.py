"""Ordered responses modeled by a score beside covariates: the proportional odds model."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, listed
from chemores_dask.cohort.response.response_design import covariate_table, response_design
from chemores_dask.cohort.response.scored_patients import events_note, read_ordered
from chemores_dask.errors import ConvergenceWarning, InputError
from chemores_dask.kernels.newton import NOT_CONVERGED, OK, SEPARATED
from chemores_dask.kernels.proportional_odds import OrdinalFit, fit_proportional_odds, parallel_test
from chemores_dask.results_spec import Variable, declare, make_result

ALGORITHM_REVISION = 1
NOT_ESTIMATED = 3
STATUS_FLAGS = ("ok", "separated", "not_converged", "not_estimated")

_TERM, _CUT = ("term",), ("cut",)
RESULT = declare(
    Variable("ordinal_patients", (), "i", unit="patients", doc="with a known response and all covariates"),
    Variable("ordinal_patients_total", (), "i", unit="patients", doc="in the cohort"),
    Variable("ordinal_patients_without_covariates", (), "i", unit="patients"),
    Variable("ordinal_patients_without_response", (), "i", unit="patients", doc="with all covariates"),
    Variable("ordinal_group_patients", ("group",), "i", unit="patients"),
    Variable("ordinal_coefficient", _TERM, "f", unit="log odds of a higher response per unit of the covariate"),
    Variable("ordinal_standard_error", _TERM, "f", unit="log odds"),
    Variable("ordinal_odds_ratio", _TERM, "f", doc="of a higher response, per unit of the covariate"),
    Variable("ordinal_odds_ratio_lower", _TERM, "f", doc="lower limit (Wald)"),
    Variable("ordinal_odds_ratio_upper", _TERM, "f", doc="upper limit (Wald)"),
    Variable("ordinal_z", _TERM, "f", doc="coefficient over its standard error"),
    Variable("ordinal_p_value", _TERM, "f", doc="Wald test, two-sided"),
    Variable(
        "ordinal_term_likelihood_ratio_p_value",
        _TERM,
        "f",
        doc="likelihood ratio test against the model without the term",
    ),
    Variable(
        "ordinal_parallel_term_p_value", _TERM, "f", doc="Brant test that the odds ratio is the same at every cut"
    ),
    Variable("ordinal_status", _TERM, "i", flags=STATUS_FLAGS),
    Variable(
        "ordinal_threshold", _CUT, "f", unit="log odds", doc="of a response up to the cut where all covariates are 0"
    ),
    Variable("ordinal_threshold_standard_error", _CUT, "f", unit="log odds"),
    Variable("ordinal_log_likelihood", (), "f", unit="log likelihood"),
    Variable("ordinal_log_likelihood_null", (), "f", unit="log likelihood", doc="without covariates"),
    Variable("ordinal_degrees_of_freedom", (), "i", doc="of the likelihood ratio test"),
    Variable("ordinal_likelihood_ratio_statistic", (), "f", unit="chi-square"),
    Variable("ordinal_likelihood_ratio_p_value", (), "f", doc="likelihood ratio test of the whole model"),
    Variable("ordinal_parallel_statistic", (), "f", unit="chi-square"),
    Variable("ordinal_parallel_degrees_of_freedom", (), "i"),
    Variable("ordinal_parallel_p_value", (), "f", doc="Brant test of proportional odds"),
)


def ordinal_regression(
    patients: xr.Dataset,
    *,
    response: str,
    formula: str,
    order: Sequence[str] = ("M1", "M2", "M3"),
    unknown: Sequence[str] = ("Unknown",),
    level: float = 0.95,
) -> xr.Dataset:
    """Proportional odds regression of an ordered response on a score and covariates.

    Fits ``logit P(response <= k) = threshold_k - b'x`` [1]_ by Newton's steps; ``exp(b)`` is the odds ratio of a higher response, the
    same at every cut. Numbers are those of R's ``MASS::polr``; with two responses those of logistic regression.

    Parameters
    ----------
    patients
        Variables over ``patient``. Those who lack a covariate or the response are left out and counted.
    response
        Variable with the response of each patient.
    formula
        Covariates in Wilkinson's notation, such as ``"~ stemness + age + log(counts)"``.
    order
        The responses, lowest first. Any other label is refused.
    unknown
        Labels that say that nothing is known, in upper or lower case; of covariates, too.
    level
        Coverage of the limits of the odds ratios.

    Returns
    -------
    Dataset over ``term``: ``ordinal_coefficient``, ``ordinal_standard_error`` (log odds), ``ordinal_odds_ratio`` with limits, Wald and
    likelihood ratio P values, and Brant's test [2]_ that the odds ratio is the same at every cut. Over ``cut``: ``ordinal_threshold``.
    Numbers: patients used and left out, log likelihoods, tests of the whole model and of proportional odds. The attribute
    ``events_per_term`` is ``n - sum(n_k^3) / n^2`` per coefficient, what an ordered response is worth in events.

    Raises
    ------
    MissingVariableError
        If the formula or ``response`` names a variable that is absent.
    InputError
        If a label is unknown, fewer than two responses have patients, or a covariate is constant or follows from others.

    Warns
    -----
    ConvergenceWarning
        If a covariate separates the responses: the likelihood rises without end. No term has an estimate then; ``ordinal_status`` says
        which ones run away, and the likelihood ratio tests stay valid.
    FewEventsWarning
        If there are fewer than ten events per coefficient.

    Notes
    -----
    Passes over the counts: 0. Responses that no patient has are left out of the model. Brant's test is not a number where a cut alone
    separates the patients.

    References
    ----------
    .. [1] McCullagh P (1980). Regression models for ordinal data. JRSS B 42:109-142.
    .. [2] Brant R (1990). Assessing proportionality in the proportional odds model for ordinal logistic regression. Biometrics
       46:1171-1178.
    """
    check_between(level, parameter="level", caller="ordinal_regression", minimum=0.5, maximum=0.9999)
    codes, labels = read_ordered(patients, response, order=order, unknown=unknown, caller="ordinal_regression")
    table, complete = covariate_table(patients, formula, unknown=unknown, caller="ordinal_regression")
    used = complete & (codes >= 0)
    present, own = np.unique(codes[used], return_inverse=True)
    if present.size < 2:
        message = (
            f"ordinal_regression needs patients with all covariates in at least two responses. {own.size} of {codes.size} have "
            f"{response!r} "
            f"and all of {formula!r}; their responses: {listed(labels[code] for code in present)}."
        )
        raise InputError(message)
    matrix, terms = response_design(table[used], formula, caller="ordinal_regression")
    if own.size <= len(terms) + present.size - 1:
        message = (
            f"ordinal_regression needs more patients than coefficients. Found {own.size} for {len(terms)} terms and {present.size - 1} "
            "thresholds; leave covariates out."
        )
        raise InputError(message)
    fit = fit_proportional_odds(matrix, own)
    status = _status(fit, terms)
    sizes = np.bincount(own).astype(float)
    return make_result(
        RESULT,
        {
            "ordinal_patients": own.size,
            "ordinal_patients_total": codes.size,
            "ordinal_patients_without_covariates": int((~complete).sum()),
            "ordinal_patients_without_response": int((complete & (codes < 0)).sum()),
            "ordinal_group_patients": np.bincount(own),
            **_term_values(fit, status, level=level),
            **_test_values(fit, matrix, own),
        },
        analysis="ordinal_regression",
        parameters={
            "response": response,
            "formula": formula,
            "order": labels,
            "unknown": list(unknown),
            "level": level,
        },
        coordinates={
            "term": terms,
            "group": [labels[code] for code in present],
            "cut": [f"{labels[a]}|{labels[b]}" for a, b in itertools.pairwise(present)],
        },
        attributes=events_note(
            float(sizes.sum() - (sizes**3).sum() / sizes.sum() ** 2), len(terms), caller="ordinal_regression"
        ),
    )


def _status(fit: OrdinalFit, terms: list[str]) -> Vector:
    if fit.status == OK:
        return np.zeros(len(terms), dtype=np.int64)
    if fit.status == NOT_CONVERGED:
        message = "Newton's method did not converge in ordinal_regression; the estimates are left out."
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
        return np.full(len(terms), NOT_CONVERGED, dtype=np.int64)
    running = fit.runaway if fit.runaway.any() else np.ones(len(terms), dtype=bool)
    found = [term for term, runs in zip(terms, running, strict=True) if runs]
    message = (
        f"The likelihood of ordinal_regression rises without end in: {listed(found)}. These covariates separate the responses; estimates "
        "are left out. Use the likelihood ratio tests, or merge levels."
    )
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return np.where(running, SEPARATED, NOT_ESTIMATED).astype(np.int64)


def _term_values(fit: OrdinalFit, status: Vector, *, level: float) -> dict[str, object]:
    cuts = fit.thresholds.size
    error = np.sqrt(np.diag(fit.covariance))
    coefficient = np.where(status == OK, fit.coefficients, np.nan)
    reach = ndtri(0.5 + level / 2) * error[cuts:]
    z = coefficient / error[cuts:]
    with np.errstate(over="ignore"):
        return {
            "ordinal_coefficient": coefficient,
            "ordinal_standard_error": error[cuts:],
            "ordinal_odds_ratio": np.exp(coefficient),
            "ordinal_odds_ratio_lower": np.exp(coefficient - reach),
            "ordinal_odds_ratio_upper": np.exp(coefficient + reach),
            "ordinal_z": z,
            "ordinal_p_value": 2 * ndtr(-np.abs(z)),
            "ordinal_status": status,
            "ordinal_threshold": np.where(fit.status == OK, fit.thresholds, np.nan),
            "ordinal_threshold_standard_error": error[:cuts],
        }


def _test_values(fit: OrdinalFit, matrix: Matrix, codes: Vector) -> dict[str, object]:
    degrees = matrix.shape[1]
    ratio = max(2 * (fit.log_likelihood - fit.null), 0.0)
    without = np.array(
        [
            fit_proportional_odds(np.delete(matrix, place, axis=1), codes).log_likelihood if degrees > 1 else fit.null
            for place in range(degrees)
        ]
    )
    parallel = parallel_test(matrix, codes)
    nothing = float("nan")
    return {
        "ordinal_log_likelihood": fit.log_likelihood,
        "ordinal_log_likelihood_null": fit.null,
        "ordinal_degrees_of_freedom": degrees,
        "ordinal_likelihood_ratio_statistic": ratio,
        "ordinal_likelihood_ratio_p_value": float(chdtrc(degrees, ratio)),
        "ordinal_term_likelihood_ratio_p_value": chdtrc(1, np.maximum(2 * (fit.log_likelihood - without), 0.0)),
        "ordinal_parallel_statistic": nothing if parallel is None else parallel.statistic,
        "ordinal_parallel_degrees_of_freedom": 0 if parallel is None else parallel.degrees,
        "ordinal_parallel_p_value": nothing if parallel is None else parallel.p_value,
        "ordinal_parallel_term_p_value": np.full(degrees, nothing) if parallel is None else parallel.term_p_values,
    }
