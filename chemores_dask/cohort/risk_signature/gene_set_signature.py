"""A gene set as a frozen signature: a score that was published elsewhere, made fit to travel between cohorts."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

from chemores_dask.aliases import Vector
from chemores_dask.checks import check_between, check_one_of, listed
from chemores_dask.cohort.risk_signature.risk_prediction import CUTOFF_SCALES, SPREAD_TOLERANCE
from chemores_dask.cohort.risk_signature.signature_genes import gene_rows
from chemores_dask.cohort.risk_signature.signature_table import FROZEN
from chemores_dask.errors import GeneMismatchError, InputError, MissingGenesWarning, ParameterError
from chemores_dask.gene_sets import GeneSet, GeneSets
from chemores_dask.results_spec import declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "freeze_gene_set"
QUANTILE = CUTOFF_SCALES[0]
RESULT = declare(*FROZEN)


def freeze_gene_set(
    patients: xr.Dataset,
    gene_sets: GeneSets,
    *,
    gene_set: str | None = None,
    expression: str = "expression",
    cutoff_scale: str = QUANTILE,
    cutoff: float = 0.5,
    minimum_share: float = 0.5,
) -> xr.Dataset:
    """Turn a gene set into a signature that :func:`predict_risk`, :func:`validate_risk` and :func:`random_signatures` take.

    The score is the mean over the measured genes of their z scores in this cohort, genes that go down with a minus; where the set has
    weights, it is ``sum(w z) / sum(|w|)``. No outcome is looked at. Mean and standard deviation of every gene, and the cut-off, are kept,
    so that a patient of another cohort gets a score that depends on nobody else there: a predictor must be locked before it is held
    against new patients [1]_.

    Parameters
    ----------
    patients
        The cohort in which genes are standardized, over ``patient`` and ``gene``.
    gene_sets
        Sets of genes.
    gene_set
        Name of the one to freeze; may be left out where there is one only.
    expression
        Variable over ``(patient, gene)``. A value that is not a number is left out of its gene's mean, and adds 0 to its patient's score.
    cutoff_scale, cutoff
        ``"quantile"``: the cut-off travels as this quantile of the scores of whatever cohort; ``"zscore"``: as this many standard
        deviations from the mean of the scores.
    minimum_share
        Least share of the genes that must have been measured and vary.

    Returns
    -------
    Dataset without any patient: over ``gene`` (of the set, measured) ``risk_signature_weight``, ``risk_signature_center``,
    ``risk_signature_scale``; the cut-off with its scale, mean and standard deviation of the scores, numbers of patients and genes. The
    attribute ``missing_genes`` names the others.

    Raises
    ------
    MissingVariableError
        If the expression is absent.
    InputError
        If the set cannot be told, a value is infinite, or a gene occurs twice.
    GeneMismatchError
        If fewer than ``minimum_share`` of the genes were measured and vary.
    ParameterError
        If the cut-off is outside its limits.

    Warns
    -----
    MissingGenesWarning
        If genes of the set are left out.

    Notes
    -----
    Passes over the counts: 0. Only the genes of the set are read.

    References
    ----------
    .. [1] McShane LM et al. (2013). Criteria for the use of omics-based predictors in clinical trials. Nature 502:317-320.

    Examples
    --------
    >>> patients = xr.Dataset(
    ...     {"expression": (("patient", "gene"), [[1.0], [3.0]])}, coords={"patient": ["p1", "p2"], "gene": ["CD44"]}
    ... )
    >>> frozen = freeze_gene_set(patients, GeneSets.from_mapping({"stemness": ["CD44"]}))
    >>> float(frozen["risk_signature_center"][0]), float(frozen["risk_signature_scale"][0])
    (2.0, 1.0)
    """
    check_one_of(cutoff_scale, CUTOFF_SCALES, parameter="cutoff_scale", caller=CALLER)
    check_between(minimum_share, parameter="minimum_share", caller=CALLER, minimum=0.0, maximum=1.0)
    if not np.isfinite(cutoff) or (cutoff_scale == QUANTILE and not 0 < cutoff < 1):
        message = f"The 'cutoff' of {CALLER} must be finite, and as a quantile lie between 0 and 1. Got {cutoff!r}."
        raise ParameterError(message)
    chosen = _choose(gene_sets, gene_set)
    signs = _signs(chosen)
    genes, values = _read(patients, list(signs), expression=expression)
    known = np.isfinite(values)
    number = np.maximum(known.sum(axis=1), 1)
    center = np.where(known, values, 0.0).sum(axis=1) / number
    deviation = np.sqrt((np.where(known, values - center[:, None], 0.0) ** 2).sum(axis=1) / number)
    varies = deviation > SPREAD_TOLERANCE * np.abs(np.where(known, values, 0.0)).max(axis=1, initial=0.0)
    missing = _check_measured(chosen, genes[varies], minimum_share=minimum_share)
    weight = np.array([signs[gene] for gene in genes[varies]])
    weight = weight / np.abs(weight).sum()
    center, deviation, known, values = center[varies], deviation[varies], known[varies], values[varies]
    zscores = np.where(known, (values - center[:, None]) / deviation[:, None], 0.0)
    score = (weight @ zscores)[known.any(axis=0)]
    mean, spread = float(score.mean()), float(score.std())
    return make_result(
        RESULT,
        {
            "risk_signature_weight": weight,
            "risk_signature_center": center,
            "risk_signature_scale": deviation,
            "risk_signature_cutoff": float(cutoff),
            "risk_signature_cutoff_scale": np.int64(CUTOFF_SCALES.index(cutoff_scale)),
            "risk_signature_cutoff_score": float(np.quantile(score, cutoff))
            if cutoff_scale == QUANTILE
            else mean + cutoff * spread,
            "risk_signature_score_mean": mean,
            "risk_signature_score_deviation": spread,
            "risk_signature_patients": np.int64(score.size),
            "risk_signature_genes": np.int64(weight.size),
        },
        analysis=CALLER,
        parameters={
            "gene_set": chosen.name,
            "expression": expression,
            "cutoff_scale": cutoff_scale,
            "cutoff": cutoff,
            "minimum_share": minimum_share,
        },
        coordinates={"gene": genes[varies]},
        attributes={"source": chosen.source, "missing_genes": missing},
    )


def _choose(gene_sets: GeneSets, name: str | None) -> GeneSet:
    names = [gene_set.name for gene_set in gene_sets]
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        message = f"The 'gene_set' of {CALLER} must name one of the sets. Got {name!r}; sets: {listed(names)}."
        raise InputError(message)
    return gene_sets.sets[names.index(name)]


def _signs(gene_set: GeneSet) -> dict[str, float]:
    """Weight of every gene that has one."""
    if gene_set.weights:
        return {gene: float(weight) for gene, weight in gene_set.weights.items() if weight != 0}
    return dict.fromkeys(gene_set.up, 1.0) | dict.fromkeys(gene_set.down, -1.0)


def _read(patients: xr.Dataset, genes: list[str], *, expression: str) -> tuple[Vector, Vector]:
    """The measured genes, in the order of the set, and their expression (genes by patients)."""
    rows = gene_rows(patients, expression, caller=CALLER)
    names = [str(name) for name in patients["gene"].to_numpy()]
    place = {name: number for number, name in enumerate(names)}
    measured = [gene for gene in genes if gene in place]
    (values,) = compute(rows.isel(gene=[place[gene] for gene in measured]).data)
    values = np.asarray(values, dtype=float)
    odd = np.isinf(values).any(axis=1)
    if odd.any():
        wrong = [gene for gene, infinite in zip(measured, odd, strict=True) if infinite]
        message = f"The variable {expression!r} of {CALLER} must be finite. Infinite in: {listed(wrong)}; set such values to missing."
        raise InputError(message)
    return np.array(measured, dtype=object), values


def _check_measured(gene_set: GeneSet, kept: Vector, *, minimum_share: float) -> list[str]:
    weighed = list(_signs(gene_set))
    missing = [gene for gene in weighed if gene not in set(kept)]
    what = f"{len(missing)} of the {len(weighed)} genes of {gene_set.name!r} are not measured, or do not vary: {listed(missing)}"
    if len(kept) < max(1, minimum_share * len(weighed)):
        message = (
            f"At least {minimum_share:.0%} of the genes of a set must be measured and vary in {CALLER}. {what}. "
            "Look at the names of the genes, or lower minimum_share."
        )
        raise GeneMismatchError(message)
    if missing:
        warnings.warn(f"{CALLER}: {what}. They are left out.", MissingGenesWarning, stacklevel=3)
    return missing
