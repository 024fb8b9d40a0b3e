"""What pictures of a validated risk say of its patients."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from chemores_dask.figures.number_text import count_text, number_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters

PREFIX = "validation"
BAND = "Bands and bars: {level:.0%} limits, bootstrap over patients."


def cohort_line(validation: xr.Dataset) -> str:
    """Patients and events, and who was left out.

    Parameters
    ----------
    validation
        Result of ``validate_risk``.

    Returns
    -------
    One line.
    """
    patients, events = (number_of(validation, f"{PREFIX}_{name}") for name in ("patients", "events"))
    line = f"n = {count_text(patients)} patients, {count_text(events)} events."
    flow = dict(zip(labels_along(validation, "reason"), validation[f"{PREFIX}_flow_patients"].values, strict=True))
    reasons = [f"{count_text(float(number))} {reason}" for reason, number in list(flow.items())[1:-1] if number]
    return f"{line} Left out: {', '.join(reasons)}." if reasons else line


def limited_text(result: xr.Dataset, name: str, *, place: Mapping[str, object] | None = None) -> str:
    """An estimate with its limits, as ``1.2 (1.1 to 1.3)``.

    Parameters
    ----------
    result
        Any result.
    name
        Variable; its limits end in ``_lower`` and ``_upper``.
    place
        Labels along its dimensions.

    Returns
    -------
    Text.
    """
    values = [float(result[f"{name}{end}"].sel(place or {})) for end in ("", "_lower", "_upper")]
    estimate, low, high = (number_text(value) for value in values)
    return f"{estimate} ({low} to {high})"


def risk_name(validation: xr.Dataset) -> str:
    """What the risk is called: the name of its variable, or the signature."""
    return shown_name(recorded_parameters(validation).get("risk") or "Signature")


def duration_label(validation: xr.Dataset) -> str:
    """Label of a time axis: the name of the duration."""
    return shown_name(recorded_parameters(validation).get("duration", "time"))


def band_line(validation: xr.Dataset) -> str:
    """What bands and bars are."""
    options = recorded_parameters(validation).get("options", {})
    level = options.get("level", 0.95) if isinstance(options, Mapping) else 0.95
    return BAND.format(level=float(level))
