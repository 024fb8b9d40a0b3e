"""Cox regression of survival on each gene in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr, ndtri

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_variables
from chemores_dask.cohort.outcome import check_expression, check_outcome, design_matrix
from chemores_dask.errors import InputError, TooFewEventsError
from chemores_dask.kernels.cox import OK, STATUS_FLAGS, RiskOrder, fit_cox, risk_order, standardize
from chemores_dask.kernels.cox_columns import MINIMUM_EVENTS, scan_efron
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute, scan_columns

ALGORITHM_REVISION = 1

GENES_PER_BLOCK = 512
"""Genes that one task fits, for a matrix in memory."""

_GENE = ("gene",)
RESULT = declare(
    Variable("cox_coefficient", _GENE, "f", unit="log hazard ratio per unit of expression"),
    Variable("cox_standard_error", _GENE, "f", unit="log hazard ratio"),
    Variable("cox_hazard_ratio", _GENE, "f", doc="per unit of expression"),
    Variable("cox_hazard_ratio_lower", _GENE, "f", doc="lower 95 % limit"),
    Variable("cox_hazard_ratio_upper", _GENE, "f", doc="upper 95 % limit"),
    Variable("cox_p_value", _GENE, "f", doc="two-sided Wald"),
    Variable("cox_q_value", _GENE, "f", doc="Benjamini-Hochberg over genes with status ok"),
    Variable("cox_log_likelihood", _GENE, "f", unit="log partial likelihood"),
    Variable(
        "cox_likelihood_ratio_p_value",
        _GENE,
        "f",
        doc="of the gene beside the covariates; valid for separated genes too",
    ),
    Variable("cox_status", _GENE, "i", flags=STATUS_FLAGS),
    Variable("cox_patients", _GENE, "i", unit="patients", doc="whose expression is known"),
    Variable("cox_events", _GENE, "i", unit="patients", doc="with the event, among those"),
)

_OUTPUTS = {
    "coefficient": "f8",
    "error": "f8",
    "log_likelihood": "f8",
    "without": "f8",
    "status": "i8",
    "patients": "i8",
    "events": "i8",
}


def cox_scan(
    patients: xr.Dataset,
    *,
    expression: str = "expression",
    duration: str,
    event: str,
    covariates: Sequence[str] = (),
    max_iterations: int = 50,
) -> xr.Dataset:
    """Cox regression of survival on each gene in turn.

    Fits ``h(t) = h0(t) exp(b x_gene + c'z)`` by Newton steps on Efron's partial likelihood [1]_, one gene at a time, so a genome is one
    pass over the patient x gene matrix.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)``; ``gene`` may be chunked.
    expression
        Variable over ``(patient, gene)``. A patient whose value is not a number is left out of that gene's model; ``cox_patients`` says how
        many remain.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    covariates
        Variables over ``patient`` that stand beside every gene. Text becomes an indicator for every level but the first.
    max_iterations
        Most Newton steps for one gene.

    Returns
    -------
    Dataset over ``gene``: ``cox_coefficient``, ``cox_standard_error`` (log hazard ratio per unit of expression), ``cox_hazard_ratio`` with
    95 % limits, ``cox_p_value``, ``cox_q_value``, ``cox_log_likelihood``, ``cox_likelihood_ratio_p_value``, ``cox_status``,
    ``cox_patients``, ``cox_events``. Where the status is not ``ok`` the estimates, P and q are not numbers; for ``separated`` genes
    the likelihood-ratio P value remains.

    Raises
    ------
    MissingVariableError
        If a named variable is absent. The message lists the variables present.
    InputError
        If an outcome or a covariate is missing or impossible, or the covariates alone cannot be fitted.
    TooFewEventsError
        If there are fewer than two events, or not more than covariates.

    Notes
    -----
    Passes over the counts: 0; over the expression: 1, computed. Memory: patients x genes per chunk x 8 bytes. A gene never raises;
    its status is ``constant`` (no variation while patients are at risk together), ``separated`` (the likelihood rises without
    end), ``not_converged``, ``collinear`` (it follows from the covariates), ``too_few_events`` (fewer than two) or ``infinite``
    (a value is infinite or beyond 1e100). Expression that is nowhere larger than 1e-100 counts as constant.

    References
    ----------
    .. [1] Efron B (1977). The efficiency of Cox's likelihood function for censored data. JASA 72:557-565.
    """
    check_between(max_iterations, parameter="max_iterations", caller="cox_scan", minimum=1)
    outcome = check_outcome(patients, duration=duration, event=event, caller="cox_scan")
    check_variables(patients, [expression], dims=_order(patients, expression), what="patients", caller="cox_scan")
    check_expression(patients[expression], caller="cox_scan")
    matrix, terms = design_matrix(patients, covariates, caller="cox_scan")
    needed = max(MINIMUM_EVENTS, len(terms) + 2)
    if outcome.event.sum() < needed:
        message = (
            f"cox_scan needs at least {needed} events with {len(terms)} covariates. Found {outcome.event.sum()} with {event!r} among "
            f"{outcome.event.size} patients; leave covariates out, or take a cohort with longer follow-up."
        )
        raise TooFewEventsError(message)
    order, risk = risk_order(
        outcome.duration, outcome.event, outcome.entry, np.zeros(outcome.duration.size, dtype=np.int64)
    )
    beside = np.ascontiguousarray(standardize(matrix)[0][order])
    if terms:
        _check_covariates(beside, risk, terms, max_iterations)
    lazy = scan_columns(
        _in_blocks(patients[[expression]], expression),
        _scan,
        variable=expression,
        over="gene",
        outputs=_OUTPUTS,
        shared=(order, risk.duration, risk.event, beside, max_iterations),
    )
    found = dict(zip(lazy, compute(*(array.data for array in lazy.values())), strict=True))
    return make_result(
        RESULT,
        _gene_values(found),
        analysis="cox_scan",
        parameters={
            "expression": expression,
            "duration": duration,
            "event": event,
            "covariates": list(covariates),
            "max_iterations": max_iterations,
        },
        coordinates={"gene": patients["gene"].to_numpy()},
    )


def _scan(matrix: Matrix, *shared: Any) -> tuple[Vector, ...]:
    # A compiled kernel would travel as its code, and be compiled again by every worker; a function travels as its name.
    fitted: tuple[Vector, ...] = scan_efron(matrix, *shared)
    return fitted


def _order(patients: xr.Dataset, expression: str) -> tuple[str, ...]:
    # Both orders of the two dimensions will do.
    found = patients[expression].dims if expression in patients.variables else ()
    return ("gene", "patient") if tuple(found) == ("gene", "patient") else ("patient", "gene")


def _in_blocks(patients: xr.Dataset, expression: str) -> xr.Dataset:
    if patients[expression].chunks is None:
        return patients.chunk({"patient": -1, "gene": GENES_PER_BLOCK})
    return patients.chunk({"patient": -1})


def _check_covariates(beside: Matrix, risk: RiskOrder, terms: list[str], max_iterations: int) -> None:
    *_, status = fit_cox(beside, risk, True, np.zeros(len(terms)), max_iterations)
    if status != OK:
        message = (
            f"The covariates of cox_scan must give a model of their own. That of {', '.join(terms)} is {STATUS_FLAGS[status]}; look at it "
            "with cox_model, and leave out those that are constant, follow from each other or separate the patients."
        )
        raise InputError(message)


def _gene_values(found: dict[str, Vector]) -> dict[str, object]:
    coefficient, error = found["coefficient"], found["error"]
    ratio = np.maximum(2 * (found["log_likelihood"] - found["without"]), 0.0)
    p_value = 2 * ndtr(-np.abs(coefficient / error))
    reach = ndtri(0.975) * error
    with np.errstate(over="ignore"):
        return {
            "cox_coefficient": coefficient,
            "cox_standard_error": error,
            "cox_hazard_ratio": np.exp(coefficient),
            "cox_hazard_ratio_lower": np.exp(coefficient - reach),
            "cox_hazard_ratio_upper": np.exp(coefficient + reach),
            "cox_p_value": p_value,
            "cox_q_value": benjamini_hochberg(p_value),
            "cox_log_likelihood": found["log_likelihood"],
            "cox_likelihood_ratio_p_value": chdtrc(1, ratio),
            "cox_status": found["status"],
            "cox_patients": found["patients"],
            "cox_events": found["events"],
        }
