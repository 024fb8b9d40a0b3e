"""Survival of patients as a Cox model predicts it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.recorded import labels_along, recorded_parameters
from chemores_dask.figures.style import (
    TICK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
    spread_labels,
)

MOST_BANDS = 4
MOST_CURVES = 8


def predicted_survival(
    prediction: xr.Dataset, *, labels: Mapping[str, str] | None = None, time_label: str = ""
) -> Figure:
    """Predicted survival of up to eight patients over time, with limits of up to four.

    Parameters
    ----------
    prediction
        Result of ``cox_prediction``.
    labels
        What patients are called in the picture, by their name.
    time_label
        Label of the time axis with its unit; by default the name of the duration of the model.

    Returns
    -------
    Figure. Beyond eight patients, those whose risks are spread evenly from the lowest to the highest.
    """
    check_variables(
        prediction,
        [f"cox_prediction_{name}" for name in ("survival", "lower", "upper")],
        dims=("patient", "time"),
        what="the result",
        caller="predicted_survival",
    )
    if not prediction.sizes["patient"] or not prediction.sizes["time"]:
        return message_figure("There are no patients to draw.")
    by_risk = np.argsort(prediction["cox_prediction_log_hazard_ratio"].values, kind="stable")
    chosen = by_risk[np.unique(np.linspace(0, by_risk.size - 1, MOST_CURVES).round().astype(int))]
    names = labels_along(prediction, "patient")
    figure = new_figure(width=7.4, height=3.9)
    axes = figure.add_subplot()
    time = np.concatenate([[0.0], prediction["time"].values.astype(float)])
    ends = []
    for place, color in zip(chosen, category_colors(chosen.size), strict=True):
        curves = {
            name: np.concatenate([[1.0], prediction[f"cox_prediction_{name}"].values[place]])
            for name in ("survival", "lower", "upper")
        }
        if chosen.size <= MOST_BANDS:
            axes.fill_between(
                time, curves["lower"], curves["upper"], step="post", color=color, alpha=0.13, linewidth=0, zorder=1
            )
        axes.step(time, curves["survival"], where="post", color=color, linewidth=2, gid="curve", zorder=3)
        known = curves["survival"][np.isfinite(curves["survival"])]
        ends.append(float(known[-1]))
    axes.set_ylim(-0.02, 1.03)
    percent(axes, which="y")
    dress(axes, x=time_label or _time_label(prediction), y="Predicted survival", grid="y")
    for place, color, at in zip(chosen, category_colors(chosen.size), spread_labels(ends, gap=0.058), strict=True):
        called = shown_name((labels or {}).get(names[place], names[place]), longest=20)
        axes.text(
            1.01,
            at,
            called,
            transform=axes.get_yaxis_transform(),
            color=color,
            fontsize=TICK,
            fontweight="bold",
            va="center",
        )
    _write_head(figure, prediction, shown=chosen.size)
    return figure


def _time_label(prediction: xr.Dataset) -> str:
    model = recorded_parameters(prediction).get("model", {})
    duration = str(model.get("duration", "time")) if isinstance(model, dict) else "time"
    return "Time" if duration in {"time", "duration"} else f"Time ({shown_name(duration)})".replace("_", " ")


def _write_head(figure: Figure, prediction: xr.Dataset, *, shown: int) -> None:
    patients = prediction.sizes["patient"]
    attributes = prediction.attrs
    lines = [
        f"Cox model of n = {count_text(attributes.get('model_patients', np.nan))} patients with "
        f"{count_text(attributes.get('model_events', np.nan))} events."
    ]
    if shown <= MOST_BANDS:
        level = float(recorded_parameters(prediction).get("level", 0.95))
        lines.append(f"Bands: {level:.0%} limits of the expected survival of such patients.")
    title = f"Predicted survival of {count_text(patients)} patient{'s' if patients > 1 else ''}"
    if shown < patients:
        lines.append(f"Shown are {shown}, from the lowest to the highest risk.")
    head(figure, title, note="\n".join(lines))
