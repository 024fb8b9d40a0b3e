"""What stands above figures of risk signatures."""

from __future__ import annotations

import xarray as xr

from chemores_dask.figures.number_text import count_text, number_text
from chemores_dask.figures.recorded import number_of


def training_line(signature: xr.Dataset) -> str:
    """Patients, events and candidate genes of a signature."""
    return (
        f"{count_text(number_of(signature, 'risk_signature_patients'))} patients, "
        f"{count_text(number_of(signature, 'risk_signature_events'))} events; chosen among "
        f"{count_text(number_of(signature, 'risk_signature_candidates'))} genes by cross-validated partial likelihood."
    )


def honest_line(signature: xr.Dataset) -> str:
    """Concordance in patients left out beside the optimistic one; nothing without nested cross-validation."""
    if "risk_signature_concordance" not in signature:
        return "How it does in other patients was not estimated (no outer folds)."
    held_out, error, own = (
        number_text(number_of(signature, f"risk_signature_{name}"))
        for name in ("concordance", "concordance_error", "training_concordance")
    )
    return f"Concordance in patients left out of all choices {held_out} (standard error {error}); in the training patients {own}."
