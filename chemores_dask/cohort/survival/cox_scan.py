"""Cox regression of survival on each gene in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables
from chemores_dask.cohort.outcome import (
    Outcome,
    check_expression,
    check_groups,
    check_outcome,
    check_strata,
    design_matrix,
)
from chemores_dask.cohort.survival.cox_options import ScanOptions
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.cox import NOT_CONVERGED, OK, SEPARATED, STATUS_FLAGS, fit_cox, risk_order, standardize
from chemores_dask.kernels.cox_columns import ESTIMATES, GeneModel, scan_genes
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute, scan_columns

ALGORITHM_REVISION = 2

GENES_PER_BLOCK = 512
"""Genes that one task fits, for a matrix in memory."""

_GENE = ("gene",)
_LOG_HAZARD = "log hazard ratio per unit of expression"
_PENALIZED = "penalized likelihood ratio"
_FAMILY = "Benjamini-Hochberg over genes fitted; one that is separated or did not converge counts as a test with P 1"
RESULT = declare(
    Variable("cox_coefficient", _GENE, "f", unit=_LOG_HAZARD, doc="with an interaction, where the treatment is 0"),
    Variable("cox_standard_error", _GENE, "f", unit=_LOG_HAZARD, doc="model-based"),
    Variable("cox_robust_standard_error", _GENE, "f", unit=_LOG_HAZARD, doc="Lin and Wei's, by cluster", optional=True),
    Variable("cox_hazard_ratio", _GENE, "f", doc="per unit of expression"),
    Variable("cox_hazard_ratio_lower", _GENE, "f", doc="lower 95 % limit"),
    Variable("cox_hazard_ratio_upper", _GENE, "f", doc="upper 95 % limit"),
    Variable("cox_z", _GENE, "f", doc="coefficient over its standard error (the robust one where there is one)"),
    Variable("cox_p_value", _GENE, "f", doc="two-sided Wald"),
    Variable("cox_q_value", _GENE, "f", doc=_FAMILY),
    Variable("cox_log_likelihood", _GENE, "f", unit="log partial likelihood"),
    Variable(
        "cox_likelihood_ratio_p_value",
        _GENE,
        "f",
        doc="of the gene (and its interaction) beside the covariates; valid for separated genes too",
    ),
    Variable(
        "cox_score_p_value",
        _GENE,
        "f",
        doc="of the gene (and its interaction) beside the covariates; valid for separated genes too",
    ),
    Variable(
        "cox_firth_coefficient", _GENE, "f", unit=_LOG_HAZARD, doc="with Firth's penalty; of separated genes only"
    ),
    Variable("cox_firth_standard_error", _GENE, "f", unit=_LOG_HAZARD, doc="of that estimate"),
    Variable("cox_firth_p_value", _GENE, "f", doc=f"{_PENALIZED} of the gene (and its interaction)"),
    Variable(
        "cox_interaction_coefficient", _GENE, "f", unit=_LOG_HAZARD, doc="per unit of the treatment", optional=True
    ),
    Variable("cox_interaction_standard_error", _GENE, "f", unit=_LOG_HAZARD, doc="model-based", optional=True),
    Variable("cox_interaction_robust_standard_error", _GENE, "f", unit=_LOG_HAZARD, doc="by cluster", optional=True),
    Variable("cox_interaction_p_value", _GENE, "f", doc="two-sided Wald", optional=True),
    Variable("cox_interaction_q_value", _GENE, "f", doc=_FAMILY, optional=True),
    Variable("cox_interaction_likelihood_ratio_p_value", _GENE, "f", doc="against the gene alone", optional=True),
    Variable(
        "cox_interaction_firth_coefficient", _GENE, "f", unit=_LOG_HAZARD, doc="of separated genes", optional=True
    ),
    Variable("cox_interaction_firth_standard_error", _GENE, "f", unit=_LOG_HAZARD, optional=True),
    Variable("cox_interaction_firth_p_value", _GENE, "f", doc=_PENALIZED, optional=True),
    Variable("cox_status", _GENE, "i", flags=STATUS_FLAGS),
    Variable("cox_patients", _GENE, "i", unit="patients", doc="whose expression is known"),
    Variable("cox_events", _GENE, "i", unit="patients", doc="with the event, among those"),
)

_RECORD = np.dtype([*((name, "f8") for name in ESTIMATES), ("status", "i8"), ("patients", "i8"), ("events", "i8")])


def cox_scan(
    patients: xr.Dataset,
    *,
    duration: str,
    event: str,
    expression: str = "expression",
    covariates: Sequence[str] = (),
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    options: ScanOptions = ScanOptions(),  # noqa: B008 - frozen
) -> xr.Dataset:
    """Cox regression of survival on each gene in turn.

    Fits ``h(t) = h0(t) exp(b x_gene + c'z)`` by Newton steps on the partial likelihood [1]_, one gene at a time, so a genome is one
    pass over the patient x gene matrix. Numbers are those of R's ``coxph``.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)``; ``gene`` may be chunked.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    expression
        Variable over ``(patient, gene)``. A patient whose value is not a number is left out of that gene's model; ``cox_patients`` says how
        many remain.
    covariates
        Variables over ``patient`` that stand beside every gene. Text becomes an indicator for every level but the first.
    strata
        Variable or variables: every stratum has a baseline hazard of its own.
    entry
        Variable with the time at which the patient came under observation (left truncation).
    options
        Ties, weights, clusters, interaction with a treatment.

    Returns
    -------
    Dataset over ``gene``: ``cox_coefficient``, ``cox_standard_error`` (log hazard ratio per unit of expression), ``cox_hazard_ratio`` with
    95 % limits, ``cox_z``, ``cox_p_value``, ``cox_q_value``, ``cox_log_likelihood``, ``cox_likelihood_ratio_p_value``,
    ``cox_score_p_value``, ``cox_status``, ``cox_patients``, ``cox_events``. With clusters, or weights that are no whole numbers, also
    ``cox_robust_standard_error``, which then decides limits, z, P and q (as in R). With an interaction, ``cox_interaction_coefficient``
    with standard errors, P, q and likelihood-ratio P; the coefficient of the gene is then that where the treatment is 0 (for text: its
    first value), and the likelihood-ratio and score tests of the gene have two degrees of freedom. Where the status is not ``ok`` the
    estimates, P and q are not numbers; for ``separated`` genes the likelihood-ratio and score P values remain, and Firth's penalized
    estimate [3]_ stands in ``cox_firth_coefficient``, with ``cox_firth_standard_error`` and ``cox_firth_p_value``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent. The message lists the variables present.
    InputError
        If an outcome, a weight or a covariate is missing or impossible, or the covariates alone cannot be fitted.
    TooFewEventsError
        If there are fewer than two events, or not more than coefficients.

    Notes
    -----
    Passes over the counts: 0; over the expression: 1, computed. Memory: patients x genes per chunk x 8 bytes. A gene never raises;
    its status is ``constant`` (no variation while patients are at risk together), ``separated`` (the likelihood rises without
    end), ``not_converged``, ``collinear`` (it follows from the covariates), ``too_few_events`` (not more than coefficients) or ``infinite``
    (a value is infinite or beyond 1e100). Expression that is nowhere larger than 1e-100 counts as constant. Likelihood-ratio and score
    tests take patients as independent, also where there are clusters. Where a gene is known in no more clusters than the model has
    coefficients, its robust error, and with it P, is not a number.

    References
    ----------
    .. [1] Efron B (1977). The efficiency of Cox's likelihood function for censored data. JASA 72:557-565.
    .. [2] Lin DY, Wei LJ (1989). The robust inference for the Cox proportional hazards model. JASA 84:1074-1078.
    .. [3] Heinze G, Schemper M (2001). A solution to the problem of monotone likelihood in Cox regression. Biometrics 57:114-119.
    """
    outcome = check_outcome(
        patients, duration=duration, event=event, entry=entry, weights=options.weights, caller="cox_scan"
    )
    check_variables(patients, [expression], dims=_order(patients, expression), what="patients", caller="cox_scan")
    check_expression(patients[expression], caller="cox_scan")
    model, terms = _gene_model(patients, outcome, covariates, strata, options)
    _check_events(outcome, len(terms) + (options.interaction is not None), event=event)
    _check_clusters(model, options.cluster)
    if terms:
        _check_covariates(model, terms)
    lazy = scan_columns(
        _in_blocks(patients[[expression]], expression),
        _scan,
        variable=expression,
        over="gene",
        outputs={"fit": _RECORD},
        shared=(model,),
    )
    (found,) = compute(lazy["fit"].data)
    attributes: dict[str, object] = {"ties": options.ties}
    if model.cluster.size:
        attributes["clusters"] = int(model.cluster.max()) + 1
    if options.interaction is not None:
        attributes["treatment"] = terms[-1]
    return make_result(
        RESULT,
        _gene_values(found, model),
        analysis="cox_scan",
        parameters={
            "duration": duration,
            "event": event,
            "expression": expression,
            "covariates": list(covariates),
            "strata": strata if strata is None or isinstance(strata, str) else list(strata),
            "entry": entry,
            "options": options.plain(),
        },
        coordinates={"gene": patients["gene"].to_numpy()},
        attributes=attributes,
    )


def _scan(matrix: Matrix, model: GeneModel) -> tuple[Vector]:
    # A compiled kernel would travel as its code, and be compiled again by every worker; a function travels as its name. What comes from
    # another process may be read-only, which is another type to the compiler.
    risk = model.risk._replace(**{name: _writable(value) for name, value in model.risk._asdict().items()})
    own = model._replace(**{name: _writable(value) for name, value in model._asdict().items()} | {"risk": risk})
    estimates, status, counts = scan_genes(_writable(matrix), own)
    records = np.empty(status.size, dtype=_RECORD)
    for name, values in zip(_RECORD.names or (), (*estimates.values(), status, *counts), strict=True):
        records[name] = values
    return (records,)


def _writable(value: Any) -> Any:
    return np.require(value, requirements=["C", "W"]) if isinstance(value, np.ndarray) else value


def _order(patients: xr.Dataset, expression: str) -> tuple[str, ...]:
    # Both orders of the two dimensions will do.
    found = patients[expression].dims if expression in patients.variables else ()
    return ("gene", "patient") if tuple(found) == ("gene", "patient") else ("patient", "gene")


def _in_blocks(patients: xr.Dataset, expression: str) -> xr.Dataset:
    if patients[expression].chunks is None:
        return patients.chunk({"patient": -1, "gene": GENES_PER_BLOCK})
    return patients.chunk({"patient": -1})


def _gene_model(
    patients: xr.Dataset,
    outcome: Outcome,
    covariates: Sequence[str],
    strata: str | Sequence[str] | None,
    options: ScanOptions,
) -> tuple[GeneModel, list[str]]:
    # The model beside each gene, and the names of its columns; the treatment is the last one.
    matrix, terms = design_matrix(patients, covariates, caller="cox_scan")
    if options.interaction is not None:
        treatment, names = design_matrix(patients, [options.interaction], caller="cox_scan")
        if options.interaction in covariates or len(names) > 1:
            message = (
                "The interaction of cox_scan must name one treatment: numbers, booleans or text of two values, and no covariate, because "
                f"it stands beside the genes anyway. {options.interaction!r} gives the terms {', '.join(names)}, beside the covariates "
                f"{list(covariates)}; leave it out there, or make two values of it."
            )
            raise InputError(message)
        matrix, terms = np.column_stack([matrix, treatment]), terms + names
    scaled, center, spread = standardize(matrix)
    order, risk = risk_order(
        outcome.duration,
        outcome.event,
        outcome.entry,
        check_strata(patients, strata, caller="cox_scan"),
        outcome.weight,
    )
    cluster = np.zeros(0, dtype=np.int64)
    if options.cluster is not None:
        cluster = check_groups(patients, options.cluster, caller="cox_scan")[0]
    elif (outcome.weight != np.round(outcome.weight)).any():
        cluster = np.arange(order.size)
    treated = spread[-1:] if options.interaction is not None else np.zeros(0)
    divisor = np.where(treated > 0, treated, 1.0)
    model = GeneModel(
        order,
        risk,
        np.ascontiguousarray(scaled[order]),
        zero=-center[center.size - treated.size :] / divisor,
        unit=1 / divisor,
        cluster=cluster[order] if cluster.size else cluster,
        efron=options.ties == "efron",
        max_iterations=options.max_iterations,
    )
    return model, terms


def _check_events(outcome: Outcome, beside: int, *, event: str) -> None:
    needed = beside + 2
    if outcome.event.sum() < needed:
        message = (
            f"cox_scan needs at least {needed} events with {beside} coefficients beside the gene's. Found {outcome.event.sum()} with "
            f"{event!r} among {outcome.event.size} patients; leave covariates out, or take a cohort with longer follow-up."
        )
        raise TooFewEventsError(message)


def _check_clusters(model: GeneModel, name: str | None) -> None:
    clusters, coefficients = int(model.cluster.max(initial=-1)) + 1, model.covariates.shape[1] + 1 + model.zero.size
    if 0 < clusters <= coefficients:
        message = (
            f"cox_scan needs more clusters than coefficients for robust errors. {name!r} has {clusters} clusters, for {coefficients} "
            "coefficients; leave covariates out, or take the variable as strata."
        )
        raise InputError(message)


def _check_covariates(model: GeneModel, terms: list[str]) -> None:
    *_, status = fit_cox(model.covariates, model.risk, model.efron, np.zeros(len(terms)), model.max_iterations)
    if status != OK:
        message = (
            f"The covariates of cox_scan must give a model of their own. That of {', '.join(terms)} is {STATUS_FLAGS[status]}; look at it "
            "with cox_model, and leave out those that are constant, follow from each other or separate the patients."
        )
        raise InputError(message)


def _q_values(p_value: Vector, status: Vector) -> Vector:
    # A gene that separates the patients was tested, too: without it the family, and the q of all others, would be smaller than R's.
    tested = np.where(np.isnan(p_value) & np.isin(status, (SEPARATED, NOT_CONVERGED)), 1.0, p_value)
    return np.where(np.isnan(p_value), np.nan, benjamini_hochberg(tested))


def _gene_values(found: Vector, model: GeneModel) -> dict[str, object]:
    robust, interaction = model.cluster.size > 0, model.zero.size > 0
    coefficient, error = found["coefficient"], found["robust_error" if robust else "error"]
    z = coefficient / error
    p_value = 2 * ndtr(-np.abs(z))
    reach = ndtri(0.975) * error
    degrees = 1 + model.zero.size
    with np.errstate(over="ignore"):
        values: dict[str, object] = {
            "cox_coefficient": coefficient,
            "cox_standard_error": found["error"],
            "cox_hazard_ratio": np.exp(coefficient),
            "cox_hazard_ratio_lower": np.exp(coefficient - reach),
            "cox_hazard_ratio_upper": np.exp(coefficient + reach),
            "cox_z": z,
            "cox_p_value": p_value,
            "cox_q_value": _q_values(p_value, found["status"]),
            "cox_log_likelihood": found["log_likelihood"],
            "cox_likelihood_ratio_p_value": _ratio_p(found["log_likelihood"], found["without"], degrees),
            "cox_score_p_value": chdtrc(degrees, found["score"]),
            "cox_firth_coefficient": found["firth_coefficient"],
            "cox_firth_standard_error": found["firth_error"],
            "cox_firth_p_value": chdtrc(degrees, np.maximum(found["firth_ratio"], 0.0)),
            "cox_status": found["status"],
            "cox_patients": found["patients"],
            "cox_events": found["events"],
        }
    if robust:
        values["cox_robust_standard_error"] = error
    return values | _interaction_values(found, robust=robust) if interaction else values


def _interaction_values(found: Vector, *, robust: bool) -> dict[str, object]:
    error = found["interaction_robust_error" if robust else "interaction_error"]
    p_value = 2 * ndtr(-np.abs(found["interaction_coefficient"] / error))
    values: dict[str, object] = {
        "cox_interaction_coefficient": found["interaction_coefficient"],
        "cox_interaction_standard_error": found["interaction_error"],
        "cox_interaction_p_value": p_value,
        "cox_interaction_q_value": _q_values(p_value, found["status"]),
        "cox_interaction_likelihood_ratio_p_value": _ratio_p(found["log_likelihood"], found["main"], 1),
        "cox_interaction_firth_coefficient": found["interaction_firth_coefficient"],
        "cox_interaction_firth_standard_error": found["interaction_firth_error"],
        "cox_interaction_firth_p_value": chdtrc(1, np.maximum(found["interaction_firth_ratio"], 0.0)),
    }
    if robust:
        values["cox_interaction_robust_standard_error"] = error
    return values


def _ratio_p(larger: Vector, smaller: Vector, degrees: int) -> Vector:
    return np.asarray(chdtrc(degrees, np.maximum(2 * (larger - smaller), 0.0)))
