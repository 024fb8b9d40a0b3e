"""Every gene held against the response of the patients."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy.special import ndtr, stdtr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_variables, listed
from chemores_dask.cohort.outcome import check_expression, patient_names
from chemores_dask.cohort.response.scored_patients import read_measurement, read_ordered
from chemores_dask.errors import InputError, SmallSampleWarning
from chemores_dask.kernels.multiple_testing import benjamini_hochberg
from chemores_dask.kernels.rank_columns import FEWEST, OK, STATUS_FLAGS, associate_ranks
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute, scan_columns

ALGORITHM_REVISION = 1
SIGNIFICANT = 0.05

GENES_PER_BLOCK = 512
"""Genes that one task ranks, for a matrix in memory."""

_GENE = ("gene",)
RESULT = declare(
    Variable(
        "response_scan_patients", _GENE, "i", unit="patients", doc="with a known response, whose expression is known"
    ),
    Variable("response_scan_correlation", _GENE, "f", doc="Spearman correlation of expression and response"),
    Variable(
        "response_scan_auroc", _GENE, "f", doc="probability that the higher response has more expression", optional=True
    ),
    Variable(
        "response_scan_p_value",
        _GENE,
        "f",
        doc="two classes: Wilcoxon rank-sum test; else Spearman correlation; two-sided",
    ),
    Variable("response_scan_q_value", _GENE, "f", doc="Benjamini-Hochberg over genes with status ok"),
    Variable("response_scan_minimum_p_value", _GENE, "f", doc="smallest P that so many patients can reach"),
    Variable("response_scan_status", _GENE, "i", flags=STATUS_FLAGS),
    Variable("response_scan_total_patients", (), "i", unit="patients", doc="in the cohort"),
    Variable("response_scan_without_response", (), "i", unit="patients"),
)

_OUTPUTS = {
    "correlation": "f8",
    "rank_sum": "f8",
    "ties": "f8",
    "log_share": "f8",
    "patients": "i8",
    "highest": "i8",
    "status": "i8",
}


def response_scan(
    patients: xr.Dataset,
    *,
    response: str,
    expression: str = "expression",
    order: Sequence[str] | None = None,
    unknown: Sequence[str] = ("Unknown",),
) -> xr.Dataset:
    """Hold every gene against the response: two classes, ordered classes, or a number.

    Two classes are compared by Wilcoxon's rank sum [1]_ (normal, with continuity correction and the variance for ties, as R's
    ``wilcox.test(exact = FALSE)``); ordered classes and numbers by Spearman's rank correlation [2]_ (Student's t, as
    ``cor.test(method = "spearman", exact = FALSE)``). A gene is ranked once, so a genome is one pass over the patient x gene matrix.

    Parameters
    ----------
    patients
        Dims ``(patient, gene)``; ``gene`` may be chunked.
    response
        Variable over ``patient``; patients without a known response are left out and counted.
    expression
        Variable over ``(patient, gene)``. A patient whose value is not a number is left out of that gene; ``response_scan_patients`` says
        how many remain.
    order
        The responses, lowest first, where they are labels; without it the response is a number.
    unknown
        Labels that say that nothing is known, in upper or lower case.

    Returns
    -------
    Dataset over ``gene``: ``response_scan_correlation``, ``response_scan_auroc`` (two classes), ``response_scan_p_value`` and ``_q_value``
    (Benjamini-Hochberg over all genes with status ok), ``response_scan_minimum_p_value``, ``response_scan_status``,
    ``response_scan_patients``.

    Raises
    ------
    MissingVariableError
        If a named variable is absent. The message lists those present.
    InputError
        If a label is neither in ``order`` nor in ``unknown``, the response is the same for all, or fewer than three patients have one.

    Warns
    -----
    SmallSampleWarning
        If so few patients respond that no expression can reach 0.05.

    Notes
    -----
    Passes over the counts: 0; over the expression: 1, computed. Memory: patients x genes per chunk x 16 bytes. A gene never raises; its
    status is ``constant``, ``one_response`` (those whose expression is known respond alike), ``too_few_patients`` (below three) or
    ``infinite``. A P value is never below the smallest that so many patients can reach, which the normal distribution does not know.

    References
    ----------
    .. [1] Wilcoxon F (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1:80-83.
    .. [2] Spearman C (1904). The proof and measurement of association between two things. Am J Psychol 15:72-101.
    """
    names = patient_names(patients, caller="response_scan")
    codes, levels = _responses(patients, response, order, unknown)
    check_variables(patients, [expression], dims=_dims(patients, expression), what="patients", caller="response_scan")
    check_expression(patients[expression], caller="response_scan")
    known = codes >= 0
    present, own = np.unique(codes[known], return_inverse=True)
    if present.size < 2 or own.size < FEWEST:
        message = (
            f"response_scan needs at least {FEWEST} patients with a known {response!r}, and two different responses. Found {own.size} of "
            f"{names.size} patients, with {listed(levels[code] for code in present)}."
        )
        raise InputError(message)
    matrix = patients[[expression]].isel(patient=np.flatnonzero(known))
    lazy = scan_columns(
        matrix.chunk(
            {"patient": -1, "gene": GENES_PER_BLOCK} if matrix[expression].chunks is None else {"patient": -1}
        ),
        _scan,
        variable=expression,
        over="gene",
        outputs=_OUTPUTS,
        shared=(own.astype(np.int64), present.size),
    )
    found = dict(zip(lazy, compute(*(array.data for array in lazy.values())), strict=True))
    values = _gene_values(found, classes=present.size == 2)
    _warn(values, own.size)
    test = "Wilcoxon rank sum, normal" if present.size == 2 else "Spearman correlation, Student's t"
    return make_result(
        RESULT,
        {**values, "response_scan_total_patients": names.size, "response_scan_without_response": int((~known).sum())},
        analysis="response_scan",
        parameters={
            "response": response,
            "expression": expression,
            "order": None if order is None else levels,
            "unknown": list(unknown),
        },
        coordinates={"gene": patients["gene"].to_numpy()},
        attributes={
            "test": test,
            "family": f"all {(found['status'] == OK).sum()} genes with status ok",
            "responses": [str(levels[code]) for code in present] if order is not None else "a number",
        },
    )


def _responses(
    patients: xr.Dataset, response: str, order: Sequence[str] | None, unknown: Sequence[str]
) -> tuple[Vector, list[object]]:
    if order is not None:
        codes, labels = read_ordered(patients, response, order=order, unknown=unknown, caller="response_scan")
        return codes, list(labels)
    numbers = read_measurement(patients, response, caller="response_scan")
    known = ~np.isnan(numbers)
    levels, codes = np.unique(numbers[known], return_inverse=True)
    placed = np.full(numbers.size, -1, dtype=np.int64)
    placed[known] = codes
    return placed, list(levels)


def _dims(patients: xr.Dataset, expression: str) -> tuple[str, ...]:
    # Both orders of the two dimensions will do.
    found = patients[expression].dims if expression in patients.variables else ()
    return ("gene", "patient") if tuple(found) == ("gene", "patient") else ("patient", "gene")


def _scan(matrix: Matrix, codes: Vector, levels: int) -> tuple[Vector, ...]:
    return associate_ranks(matrix, codes, levels)


def _gene_values(found: dict[str, Vector], *, classes: bool) -> dict[str, object]:
    n = found["patients"].astype(float)
    minimum = np.minimum(2 * np.exp(found["log_share"]), 1.0)
    values: dict[str, object] = {
        "response_scan_patients": found["patients"],
        "response_scan_correlation": found["correlation"],
        "response_scan_status": found["status"],
        "response_scan_minimum_p_value": minimum,
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        if classes:
            second = found["highest"].astype(float)
            first = n - second
            higher = found["rank_sum"] - second * (second + 1) / 2
            spread = np.sqrt(first * second / 12 * (n + 1 - found["ties"] / (n * (n - 1))))
            p_value = 2 * ndtr(-np.maximum(np.abs(higher - first * second / 2) - 0.5, 0.0) / spread)
            values["response_scan_auroc"] = higher / (first * second)
        else:
            rho = found["correlation"]
            p_value = 2 * stdtr(n - 2, -np.abs(rho) * np.sqrt((n - 2) / (1 - rho**2)))
    p_value = np.where(found["status"] == OK, np.maximum(p_value, minimum), np.nan)
    return values | {"response_scan_p_value": p_value, "response_scan_q_value": benjamini_hochberg(p_value)}


def _warn(values: dict[str, object], patients: int) -> None:
    minimum = np.asarray(values["response_scan_minimum_p_value"])
    if (minimum > SIGNIFICANT).any():
        message = (
            f"With {patients} patients of such responses no expression can give a P value of {SIGNIFICANT:g} for "
            f"{int((minimum > SIGNIFICANT).sum())} of {minimum.size} genes; read their correlations as a description."
        )
        warnings.warn(message, SmallSampleWarning, stacklevel=3)
