"""Predicted against observed shares of patients with the event by the horizons."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.figures.brier_over_time import NO_PREDICTION
from chemores_dask.figures.number_text import count_text, number_text
from chemores_dask.figures.style import MAIN, NEUTRAL, SMALL, SOFT_INK, dress, head, message_figure, new_figure, percent
from chemores_dask.figures.validation_words import cohort_line, duration_label, limited_text, risk_name

MOST_PANELS = 3


def survival_calibration(validation: xr.Dataset, *, title: str = "") -> Figure:
    """Groups of rising risk: the share with the event by Kaplan-Meier over the predicted one, a panel for each of the first three horizons.

    Parameters
    ----------
    validation
        Result of ``validate_risk``.
    title
        Written above; by default the calibration slope.

    Returns
    -------
    Figure. On the diagonal predictions come true; bars are log-log limits of Kaplan-Meier.
    """
    if "validation_group_observed" not in validation:
        return message_figure(NO_PREDICTION)
    horizons = validation["horizon"].values.astype(float)[:MOST_PANELS]
    figure = new_figure(width=max(4.6, 3.1 * horizons.size), height=3.4)
    panels = np.atleast_1d(figure.subplots(1, horizons.size, sharey=True))
    lines = [cohort_line(validation)]
    for axes, horizon in zip(panels, horizons, strict=True):
        _draw_panel(axes, validation, horizon)
        lines.append(
            f"At {number_text(horizon)}: observed over expected "
            f"{limited_text(validation, 'validation_observed_over_expected', place={'horizon': horizon})}; 1 is right."
        )
    panels[0].set_ylabel("Patients with the event (Kaplan-Meier)")
    sizes = ", ".join(count_text(float(number)) for number in validation["validation_group_patients"].values)
    lines += [
        f"Calibration slope {limited_text(validation, 'validation_calibration_slope')}; 1 is right, less and predictions are too bold.",
        f"Groups of rising risk with {sizes} patients. Bars: log-log limits of Kaplan-Meier.",
    ]
    slope = number_text(float(validation["validation_calibration_slope"]))
    head(figure, title or f"{risk_name(validation)}: calibration slope {slope}", note="\n".join(lines))
    return figure


def _draw_panel(axes: Axes, validation: xr.Dataset, horizon: float) -> None:
    here = validation.sel(horizon=horizon)
    predicted = here["validation_group_predicted"].values
    observed, low, high = (here[f"validation_group_observed{end}"].values for end in ("", "_lower", "_upper"))
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for place, lower, upper in zip(predicted, low, high, strict=True):
        axes.plot([place, place], [lower, upper], color=MAIN, linewidth=1.2, alpha=0.7, zorder=2, gid="limits")
    axes.plot(predicted, observed, "o-", color=MAIN, markersize=6, linewidth=1, zorder=3, gid="groups")
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    dress(axes, x="Predicted", grid="both")
    percent(axes, which="x")
    percent(axes, which="y")
    axes.set_xticks([0, 0.5, 1])
    text = f"by {number_text(horizon)} ({duration_label(validation)})"
    axes.text(0.03, 0.97, text, transform=axes.transAxes, fontsize=SMALL, color=SOFT_INK, va="top")
