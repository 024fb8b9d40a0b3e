"""What a frozen signature always holds, however it was made: what ``predict_risk`` reads."""

from __future__ import annotations

from chemores_dask.cohort.risk_signature.risk_prediction import CUTOFF_SCALES
from chemores_dask.results_spec import Variable

_GENE = ("gene",)
SCORE = "of the score: log hazard ratio, or mean of z scores"

FROZEN = (
    Variable(
        "risk_signature_weight",
        _GENE,
        "f",
        unit="of the score per standard deviation",
        doc="deviation of the training patients, divisor n",
    ),
    Variable("risk_signature_center", _GENE, "f", unit="of expression", doc="mean of the training patients"),
    Variable("risk_signature_scale", _GENE, "f", unit="of expression", doc="standard deviation, divisor n"),
    Variable("risk_signature_cutoff", (), "f", doc="frozen, on the scale that stands beside it"),
    Variable("risk_signature_cutoff_scale", (), "i", flags=CUTOFF_SCALES),
    Variable("risk_signature_cutoff_score", (), "f", unit=SCORE, doc="the score it is in the training patients"),
    Variable("risk_signature_score_mean", (), "f", unit=SCORE, doc="of the training patients"),
    Variable("risk_signature_score_deviation", (), "f", unit=SCORE, doc="standard deviation, divisor n"),
    Variable("risk_signature_patients", (), "i", unit="patients", doc="in whom it was made"),
    Variable("risk_signature_genes", (), "i", unit="genes", doc="with a weight"),
)
