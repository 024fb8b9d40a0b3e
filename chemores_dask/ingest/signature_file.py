"""A frozen risk signature as a file that travels: JSON, every number with all its digits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from chemores_dask.checks import listed
from chemores_dask.errors import FormatError
from chemores_dask.ingest.source import reading

KIND = "chemores risk signature"
VERSION = 1
DIMS = ("gene", "time")
OVER_GENES = (
    "risk_signature_weight",
    "risk_signature_coefficient",
    "risk_signature_center",
    "risk_signature_scale",
)
NUMBERS = (
    "risk_signature_cutoff",
    "risk_signature_cutoff_scale",
    "risk_signature_cutoff_score",
    "risk_signature_score_mean",
    "risk_signature_score_deviation",
    "risk_signature_patients",
    "risk_signature_events",
)
BASELINE = "risk_signature_baseline_hazard"
FROZEN = (*OVER_GENES, BASELINE, *NUMBERS)


def write_signature(signature: xr.Dataset, path: Path, *, unit: str) -> Path:
    """Write what a new cohort needs: weights, center and scale of genes, the cut-off, the baseline hazard.

    Parameters
    ----------
    signature
        Result of ``fit_risk_signature``; nothing of its patients is written.
    path
        The file.
    unit
        Unit of the times; empty where nobody named it.

    Returns
    -------
    The path.
    """
    held = {
        "kind": KIND,
        "version": VERSION,
        "time_unit": unit,
        "parameters": json.loads(signature.attrs.get("parameters", "{}")),
        **{dim: signature[dim].values.tolist() for dim in DIMS},
        "variables": {name: signature[name].values.tolist() for name in FROZEN},
    }
    path.write_text(json.dumps(held, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_signature(path: Path) -> xr.Dataset:
    """Read a frozen signature.

    Parameters
    ----------
    path
        As written by :func:`write_signature`.

    Returns
    -------
    Dataset over ``gene`` and ``time`` for ``predict_risk`` and ``validate_risk``; attribute ``time_unit``.

    Raises
    ------
    StoreNotFoundError
        If there is no file.
    FormatError
        If it is no signature, or one of a later version.
    """
    with reading(path):
        text = path.read_text(encoding="utf-8")
    try:
        held = json.loads(text)
    except ValueError as error:
        message = f"{path} must be a frozen signature (signature.json). It is no JSON: {error}; name another file."
        raise FormatError(message) from error
    if not isinstance(held, dict) or held.get("kind") != KIND:
        message = f"{path} must be a frozen signature, as chemores survival signature writes it. Found another file; name signature.json."
        raise FormatError(message)
    if held.get("version") != VERSION:
        message = f"{path} must be a signature of version {VERSION}. Found version {held.get('version')}; use a newer chemores_dask."
        raise FormatError(message)
    variables = held.get("variables", {})
    missing = [name for name in (*DIMS, *FROZEN) if name not in (held if name in DIMS else variables)]
    if missing:
        message = f"{path} must hold a whole signature. Missing: {listed(missing)}; write or copy it again."
        raise FormatError(message)
    try:
        return xr.Dataset(
            {name: (_dims(name), np.asarray(variables[name])) for name in FROZEN},
            coords={"gene": np.array(held["gene"], dtype=str), "time": np.array(held["time"], dtype=float)},
            attrs={"time_unit": str(held.get("time_unit", ""))},
        )
    except ValueError as error:
        message = f"{path} must hold as many weights as genes. Reading it failed: {error}; write or copy it again."
        raise FormatError(message) from error


def _dims(name: str) -> tuple[str, ...]:
    if name in OVER_GENES:
        return ("gene",)
    return ("time",) if name == BASELINE else ()
