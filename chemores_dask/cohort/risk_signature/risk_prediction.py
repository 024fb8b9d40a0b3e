"""The risk of patients by a signature that was frozen in another cohort."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between, check_one_of, check_variables, listed
from chemores_dask.cohort.outcome import LARGEST_NUMBER, check_expression, patient_names
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "predict_risk"
CUTOFF_SCALES = ("quantile", "zscore")
STANDARDIZATIONS = ("training", "cohort")
GENE_FLAGS = ("measured", "missing", "constant")
MEASURED, MISSING, CONSTANT = range(len(GENE_FLAGS))

SPREAD_TOLERANCE = 1e-12
"""A standard deviation below this share of the largest value is rounding."""

_PATIENT, _GENE = ("patient",), ("gene",)
RESULT = declare(
    Variable("risk_score", _PATIENT, "f", unit="log hazard ratio", doc="not a number where too little was measured"),
    Variable("risk_zscore", _PATIENT, "f", unit="standard deviations of the score"),
    Variable("risk_high", _PATIENT, "b", doc="score above the frozen cut-off; false without a score"),
    Variable("risk_missing_share", _PATIENT, "f", doc="of the absolute weights, not measured in the patient"),
    Variable("risk_gene_weight", _GENE, "f", unit="log hazard ratio per standard deviation"),
    Variable("risk_gene_status", _GENE, "i", flags=GENE_FLAGS),
    Variable("risk_gene_missing_patients", _GENE, "i", unit="patients", doc="without a value of the gene"),
    Variable("risk_cutoff", (), "f", unit="log hazard ratio", doc="score that divides this cohort"),
    Variable("risk_cutoff_scale", (), "i", flags=CUTOFF_SCALES, doc="on which the cut-off is frozen"),
    Variable("risk_standardization", (), "i", flags=STANDARDIZATIONS, doc="whose mean and deviation genes have"),
    Variable("risk_patients", (), "i", unit="patients"),
    Variable("risk_scored_patients", (), "i", unit="patients"),
    Variable("risk_high_patients", (), "i", unit="patients"),
    Variable("risk_genes", (), "i", unit="genes", doc="of the signature"),
    Variable("risk_missing_genes", (), "i", unit="genes", doc="of the signature, not measured or constant"),
    Variable("risk_missing_weight_share", (), "f", doc="of the absolute weights, in genes that are missing"),
)

NEEDED = ("risk_signature_weight", "risk_signature_center", "risk_signature_scale")
NEEDED_NUMBERS = (
    "risk_signature_cutoff",
    "risk_signature_cutoff_scale",
    "risk_signature_score_mean",
    "risk_signature_score_deviation",
)


def predict_risk(
    patients: xr.Dataset,
    *,
    signature: xr.Dataset,
    expression: str = "expression",
    standardize: str = "training",
    minimum_weight: float = 0.8,
) -> xr.Dataset:
    """Score patients by a frozen signature, and divide them at its frozen cut-off.

    The score is the sum over genes of ``weight * (x - center) / scale``. Nothing is learned from outcomes here.

    Parameters
    ----------
    patients
        A cohort over ``patient`` and ``gene``.
    signature
        Result of :func:`fit_risk_signature`, or some of its genes.
    expression
        Variable over ``(patient, gene)``, in the unit in which the signature was made.
    standardize
        ``"training"``: center and scale of every gene are those of the training cohort, so a patient's score depends on nobody else.
        ``"cohort"``: mean and standard deviation (divisor n) of this cohort, for platforms whose values cannot be compared; a score is
        then relative to the cohort.
    minimum_weight
        Least share of the sum of absolute weights that must have been measured, in the cohort and in a patient.

    Returns
    -------
    Dataset over ``patient``: ``risk_score``, ``risk_zscore`` (on the scale of the training scores with ``"training"``, of this cohort's
    with ``"cohort"``), ``risk_high``, ``risk_missing_share``; over ``gene`` of the signature: ``risk_gene_status``, ``risk_gene_weight``;
    ``risk_cutoff`` and ``risk_cutoff_scale``: a cut-off frozen as a quantile is that quantile of this cohort's scores, one frozen as a
    z score is held against ``risk_zscore``. Patients strictly above it are high.

    Raises
    ------
    MissingVariableError
        If expression or a variable of the signature is absent.
    GeneMismatchError
        If genes of the signature occur twice, or those measured hold less than ``minimum_weight``.
    InputError
        If a value is infinite, or all weights are 0.

    Warns
    -----
    MissingGenesWarning
        If genes of the signature were not measured, or do not vary with ``"cohort"``. They count as average, which adds 0.

    Notes
    -----
    Passes over the counts: 0. Of the expression only the genes of the signature are read.

    References
    ----------
    Royston P, Altman DG (2013). External validation of a Cox prognostic model: principles and methods. BMC Med Res Methodol 13:33.

    Examples
    --------
    >>> signature = xr.Dataset(
    ...     {
    ...         "risk_signature_weight": ("gene", [0.5]),
    ...         "risk_signature_center": ("gene", [4.0]),
    ...         "risk_signature_scale": ("gene", [2.0]),
    ...         "risk_signature_cutoff": 0.0,
    ...         "risk_signature_cutoff_scale": 1,
    ...         "risk_signature_score_mean": 0.0,
    ...         "risk_signature_score_deviation": 0.5,
    ...     },
    ...     coords={"gene": ["CD44"]},
    ... )
    >>> patients = xr.Dataset({"expression": (("patient", "gene"), [[8.0], [2.0]])}, coords={"patient": ["p1", "p2"], "gene": ["CD44"]})
    >>> predict_risk(patients, signature=signature)["risk_score"].values
    array([ 1. , -0.5])
    """
    check_one_of(standardize, STANDARDIZATIONS, parameter="standardize", caller=CALLER)
    check_between(minimum_weight, parameter="minimum_weight", caller=CALLER, minimum=0.0, maximum=1.0)
    names = patient_names(patients, caller=CALLER)
    weight, genes = _check_signature(signature)
    values, status = _read_genes(patients, genes, expression=expression, names=names)
    center, scale = _spread(signature, values, status, standardize=standardize)
    share = np.abs(weight) / np.abs(weight).sum()
    missing = _check_missing(genes, status, share, minimum_weight=minimum_weight)
    known = np.isfinite(values) & (status == MEASURED)
    # Row by row: products of matrices may round a patient differently in other company.
    scores = np.ascontiguousarray(np.where(known, (values - center) / scale * weight, 0.0)).sum(axis=1)
    lacking = np.minimum((~known) @ share, 1.0)
    scores[lacking > 1 - minimum_weight + SPREAD_TOLERANCE] = np.nan
    scores[~known.any(axis=1)] = np.nan
    cut = _cut(signature, scores, own=standardize == "cohort")
    return make_result(
        RESULT,
        {
            "risk_score": scores,
            "risk_missing_share": lacking,
            "risk_gene_weight": weight,
            "risk_gene_status": status,
            "risk_gene_missing_patients": np.isnan(values).sum(axis=0),
            **cut,
            "risk_standardization": np.int64(STANDARDIZATIONS.index(standardize)),
            "risk_patients": np.int64(names.size),
            "risk_scored_patients": np.int64(np.isfinite(scores).sum()),
            "risk_genes": np.int64(genes.size),
            "risk_missing_genes": np.int64((status != MEASURED).sum()),
            "risk_missing_weight_share": missing,
        },
        analysis=CALLER,
        parameters={"expression": expression, "standardize": standardize, "minimum_weight": minimum_weight},
        coordinates={"patient": patients["patient"].to_numpy(), "gene": genes},
    )


def _check_signature(signature: xr.Dataset) -> tuple[Vector, Vector]:
    check_variables(signature, NEEDED, dims=_GENE, what="signature", caller=CALLER)
    check_variables(signature, NEEDED_NUMBERS, dims=(), what="signature", caller=CALLER)
    genes = np.array([str(name) for name in signature["gene"].to_numpy()], dtype=object)
    weight, center, scale = (np.asarray(signature[name].to_numpy(), dtype=float) for name in NEEDED)
    if not (np.isfinite([weight, center, scale]).all() and (scale > 0).all() and np.any(weight)):
        message = (
            f"The signature of {CALLER} needs finite weights and centers, scales above 0, and a weight that is not 0. Not so for: "
            f"{listed(genes[~(np.isfinite(weight) & np.isfinite(center) & (scale > 0))])} ({np.count_nonzero(weight)} weights are not 0). "
            "Fit it again, or correct these genes."
        )
        raise InputError(message)
    _check_unique(genes, what="signature")
    return weight, genes


def _check_unique(genes: Vector, *, what: str) -> None:
    found, times = np.unique(genes.astype(str), return_counts=True)
    if (times > 1).any():
        message = (
            f"A gene of the signature must occur once in the {what} of {CALLER}. More than once: {listed(found[times > 1])}; "
            "combine these rows first."
        )
        raise GeneMismatchError(message)


def _read_genes(patients: xr.Dataset, genes: Vector, *, expression: str, names: Vector) -> tuple[Matrix, Vector]:
    """Expression of the genes of the signature (not a number where missing), and whether each was measured."""
    found = patients[expression].dims if expression in patients.variables else ()
    order = ("gene", "patient") if tuple(found) == ("gene", "patient") else ("patient", "gene")
    check_variables(patients, [expression], dims=order, what="patients", caller=CALLER)
    check_expression(patients[expression], caller=CALLER)
    measured = np.array([str(name) for name in patients["gene"].to_numpy()], dtype=object)
    _check_unique(measured[np.isin(measured.astype(str), genes.astype(str))], what="cohort")
    place = {name: number for number, name in enumerate(measured)}
    columns = np.array([place.get(name, -1) for name in genes])
    present = columns >= 0
    values = np.full((names.size, genes.size), np.nan)
    chosen = patients[expression].transpose("patient", "gene").isel(gene=columns[present])
    values[:, present] = np.asarray(compute(chosen.data)[0], dtype=float)
    wrong = np.isinf(values) | (np.abs(values) > LARGEST_NUMBER)
    if wrong.any():
        message = (
            f"The variable {expression!r} of {CALLER} must be finite. Infinite or beyond {LARGEST_NUMBER:g} for the genes "
            f"{listed(genes[wrong.any(axis=0)])} in the patients {listed(names[wrong.any(axis=1)])}; correct these values, or make "
            "them missing (not a number)."
        )
        raise InputError(message)
    return values, np.where(np.isfinite(values).any(axis=0), MEASURED, MISSING)


def _spread(signature: xr.Dataset, values: Matrix, status: Vector, *, standardize: str) -> tuple[Vector, Vector]:
    """Center and scale of each gene; genes without variation are marked in ``status``."""
    if standardize == "training":
        center, scale = (signature[name].to_numpy().astype(float) for name in NEEDED[1:])
        return center, scale
    known = np.isfinite(values)
    number = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, values, 0.0).sum(axis=0) / number
    deviation = np.sqrt((np.where(known, values - center, 0.0) ** 2).sum(axis=0) / number)
    flat = deviation <= SPREAD_TOLERANCE * np.abs(np.where(known, values, 0.0)).max(axis=0, initial=0.0)
    status[(status == MEASURED) & flat] = CONSTANT
    return center, np.where(flat, 1.0, deviation)


def _check_missing(genes: Vector, status: Vector, share: Vector, *, minimum_weight: float) -> float:
    lost = status != MEASURED
    missing = min(float(share[lost].sum()), 1.0)
    what = f"{lost.sum()} of {genes.size} genes of the signature are not measured or do not vary, with {missing:.1%} of its weight"
    if missing > 1 - minimum_weight + SPREAD_TOLERANCE or lost.all():
        message = (
            f"The genes measured must hold at least {minimum_weight:.0%} of the weight of the signature. {what}: {listed(genes[lost])}. "
            "Look at the names of the genes, lower minimum_weight, or fit the signature on the genes that both platforms have."
        )
        raise GeneMismatchError(message)
    if lost.any():
        warnings.warn(
            f"{CALLER}: {what}, and count as average: {listed(genes[lost])}.", MissingGenesWarning, stacklevel=3
        )
    return missing


def _cut(signature: xr.Dataset, scores: Vector, *, own: bool) -> dict[str, object]:
    """Z scores, the score at the cut-off, and who lies above it."""
    frozen, scale, mean, deviation = (float(signature[name]) for name in NEEDED_NUMBERS)
    known = scores[np.isfinite(scores)]
    if own and known.size:
        mean, deviation = float(known.mean()), float(known.std())
    zscores = (scores - mean) / deviation if deviation > 0 else np.where(np.isfinite(scores), 0.0, np.nan)
    if int(scale) == CUTOFF_SCALES.index("zscore"):
        cutoff = mean + frozen * deviation
    else:
        cutoff = float(np.quantile(known, frozen)) if known.size else np.nan
    high = np.isfinite(scores) & (scores > cutoff)
    return {
        "risk_zscore": zscores,
        "risk_high": high,
        "risk_cutoff": cutoff,
        "risk_cutoff_scale": np.int64(scale),
        "risk_high_patients": np.int64(high.sum()),
    }
