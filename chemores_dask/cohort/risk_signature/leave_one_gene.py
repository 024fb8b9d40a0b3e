"""What each gene brings to a frozen signature: its hazard ratio and concordance without the gene."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from chemores_dask.aliases import Matrix, Vector
from chemores_dask.checks import check_between
from chemores_dask.cohort.risk_signature.hazard_of_risk import fit_risks
from chemores_dask.cohort.risk_signature.risk_prediction import MEASURED, predict_risk
from chemores_dask.cohort.risk_signature.scored_cohort import ScoredCohort, score_cohort
from chemores_dask.cohort.risk_signature.signature_genes import gene_rows, signature_weights
from chemores_dask.errors import InputError
from chemores_dask.kernels.cox import STATUS_FLAGS
from chemores_dask.kernels.weighted_survival import concordance_columns, timed_risk
from chemores_dask.results_spec import Variable, declare, make_result
from chemores_dask.stream import compute

ALGORITHM_REVISION = 1

CALLER = "leave_one_gene_out"
FEWEST_GENES = 2
_GENE = ("gene",)
RESULT = declare(
    Variable("leave_one_patients", (), "i", unit="patients", doc="with a risk and an outcome"),
    Variable("leave_one_events", (), "i", unit="patients", doc="with the event, among those"),
    Variable("leave_one_whole_concordance", (), "f", doc="Harrell's, of the whole signature"),
    Variable("leave_one_whole_hazard_ratio", (), "f", doc="per standard deviation, of the whole signature"),
    Variable("leave_one_whole_hazard_ratio_lower", (), "f", doc="lower limit (Wald)"),
    Variable("leave_one_whole_hazard_ratio_upper", (), "f", doc="upper limit (Wald)"),
    Variable("leave_one_whole_p_value", (), "f", doc="Wald test of the whole signature, two-sided"),
    Variable("leave_one_weight", _GENE, "f", doc="of the gene in the signature"),
    Variable("leave_one_concordance", _GENE, "f", doc="Harrell's, without the gene"),
    Variable("leave_one_hazard_ratio", _GENE, "f", doc="per standard deviation of the risk without the gene"),
    Variable("leave_one_hazard_ratio_lower", _GENE, "f", doc="lower limit (Wald)"),
    Variable("leave_one_hazard_ratio_upper", _GENE, "f", doc="upper limit (Wald)"),
    Variable("leave_one_p_value", _GENE, "f", doc="Wald test without the gene, two-sided"),
    Variable("leave_one_risk_correlation", _GENE, "f", doc="of the risks with and without the gene"),
    Variable("leave_one_status", _GENE, "i", flags=STATUS_FLAGS),
)


@dataclass(frozen=True)
class LeaveOneOptions:
    """How the signature is scored.

    Attributes
    ----------
    expression
        Variable over (patient, gene).
    standardize
        ``"training"``: genes by their mean and standard deviation in the training cohort; ``"cohort"``: by those of this one.
    minimum_weight
        Least share of the signature's weight that must be measured, in the cohort and in a patient.
    level
        Coverage of the limits.
    """

    expression: str = "expression"
    standardize: str = "training"
    minimum_weight: float = 0.8
    level: float = 0.95


def leave_one_gene_out(
    patients: xr.Dataset,
    *,
    signature: xr.Dataset,
    duration: str,
    event: str,
    options: LeaveOneOptions = LeaveOneOptions(),
) -> xr.Dataset:
    """Hold a signature against the survival of a cohort, each time without one of its genes.

    The other genes keep their weights; the risk without the gene gets a Cox model and a concordance of its own. A signature that rests on
    one gene loses its hazard ratio with it; a gene without which it is better brings noise in this cohort.

    Parameters
    ----------
    patients
        Variables over ``patient``, expression over (patient, gene). Patients without a risk or an outcome are left out.
    signature
        Result of :func:`fit_risk_signature`.
    duration, event
        Variables over ``patient``: follow-up in any unit, and whether it ended in the event (boolean, or 0 and 1).
    options
        Expression, standardization, level.

    Returns
    -------
    Dataset over ``gene`` (of the signature, measured): ``leave_one_hazard_ratio`` per standard deviation of the risk without the gene, with
    limits and ``leave_one_p_value``, ``leave_one_concordance``, ``leave_one_risk_correlation`` (of both risks); and the same of the whole
    signature as ``leave_one_whole_hazard_ratio`` and so on.

    Raises
    ------
    MissingVariableError
        If a variable is absent.
    InputError
        If fewer than two genes of the signature are measured, or an outcome is impossible.
    TooFewEventsError
        If fewer than two events are left.

    Notes
    -----
    Passes over the counts: 0. All comparisons are among the same patients, those whom the whole signature scores. Genes that are not
    measured add nothing to any risk and are not listed.

    References
    ----------
    Michiels S, Koscielny S, Hill C (2005). Prediction of cancer outcome with microarrays: a multiple random validation strategy. Lancet
    365:488-492.
    """
    check_between(options.level, parameter="level", caller=CALLER, minimum=0.5, maximum=0.9999)
    signature_weights(signature, caller=CALLER)
    found = predict_risk(
        patients,
        signature=signature,
        expression=options.expression,
        standardize=options.standardize,
        minimum_weight=options.minimum_weight,
    )
    measured = found["risk_gene_status"].to_numpy() == MEASURED
    if measured.sum() < FEWEST_GENES:
        message = (
            f"{CALLER} needs at least {FEWEST_GENES} genes of the signature that are measured. Found {measured.sum()} of "
            f"{measured.size}."
        )
        raise InputError(message)
    risk = found["risk_score"].to_numpy().astype(float)
    unscored = np.full(risk.size, 3, dtype=np.int64)
    cohort = score_cohort(patients, risk, unscored, duration=duration, event=event, caller=CALLER)
    kept = signature.isel(gene=measured)
    parts = _contributions(patients, kept, options)[cohort.rows]
    return make_result(
        RESULT,
        {
            **_values(cohort, parts, level=options.level),
            "leave_one_patients": cohort.risk.size,
            "leave_one_events": int(cohort.event.sum()),
            "leave_one_weight": kept["risk_signature_weight"].to_numpy().astype(float),
        },
        analysis=CALLER,
        parameters={"duration": duration, "event": event, "options": asdict(options)},
        coordinates={"gene": kept["gene"].to_numpy().astype(str).astype(object)},
    )


def _contributions(patients: xr.Dataset, signature: xr.Dataset, options: LeaveOneOptions) -> Matrix:
    """What each gene adds to the risk of each patient."""
    rows = gene_rows(patients, options.expression, caller=CALLER).sel(gene=signature["gene"].to_numpy().astype(str))
    values = np.asarray(compute(rows.data)[0], dtype=float)
    if options.standardize == "training":
        center, scale = (signature[f"risk_signature_{name}"].to_numpy()[:, None] for name in ("center", "scale"))
    else:
        center = np.nanmean(values, axis=1, keepdims=True)
        scale = np.sqrt(np.nanmean((values - center) ** 2, axis=1, keepdims=True))
    weight = signature["risk_signature_weight"].to_numpy()[:, None]
    return np.asarray(np.where(np.isnan(values), 0.0, weight * (values - center) / scale).T)


def _values(cohort: ScoredCohort, parts: Matrix, *, level: float) -> dict[str, object]:
    # Added up anew: a difference would leave rounding where nothing is left.
    others = ~np.eye(parts.shape[1], dtype=bool)
    risks = np.stack([cohort.risk, *(parts[:, kept].sum(axis=1) for kept in others)])
    order, at_risk = timed_risk(cohort.risk, cohort.duration, cohort.event)
    concordance = concordance_columns(risks, order, at_risk.starts, at_risk.event)
    fits = fit_risks(risks, cohort.duration, cohort.event)
    ratios = np.exp([fit.limits(level, unit=fit.deviation) for fit in fits])
    chances = np.array([fit.p_value for fit in fits])
    values: dict[str, object] = {
        "leave_one_whole_concordance": concordance[0],
        "leave_one_whole_p_value": chances[0],
        "leave_one_concordance": concordance[1:],
        "leave_one_p_value": chances[1:],
        "leave_one_status": np.array([fit.status for fit in fits[1:]], dtype=np.int64),
        "leave_one_risk_correlation": _correlations(risks),
    }
    for place, ending in enumerate(("", "_lower", "_upper")):
        values[f"leave_one_whole_hazard_ratio{ending}"] = float(ratios[0, place])
        values[f"leave_one_hazard_ratio{ending}"] = ratios[1:, place]
    return values


def _correlations(risks: Matrix) -> Vector:
    centered = risks - risks.mean(axis=1, keepdims=True)
    length = np.sqrt((centered**2).sum(axis=1))
    products = centered[1:] @ centered[0]
    lengths = length[1:] * length[0]
    return np.asarray(np.divide(products, lengths, out=np.full(products.size, np.nan), where=lengths > 0))
