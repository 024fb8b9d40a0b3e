"""How well a risk parts those who have the event by a time from those who live beyond it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import number_text
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
)
from chemores_dask.figures.validation_words import band_line, cohort_line, duration_label, limited_text, risk_name


def auc_over_time(validation: xr.Dataset, *, time_label: str = "", title: str = "") -> Figure:
    """Area under the ROC curve at each time, with the horizons marked.

    Parameters
    ----------
    validation
        Result of ``validate_risk``.
    time_label
        Label of the time axis with its unit; by default the name of the duration.
    title
        Written above; by default the concordance.

    Returns
    -------
    Figure. Below one half the risk tells survival the wrong way round.
    """
    check_variables(validation, ["validation_curve_auc"], dims=("time",), what="the result", caller="auc_over_time")
    time = validation["time"].values.astype(float)
    curve, low, high = (validation[f"validation_curve_auc{end}"].values for end in ("", "_lower", "_upper"))
    if not np.isfinite(curve).any():
        return message_figure("At no time have some patients had the event while others live on.")
    figure = new_figure(width=6.4, height=3.6)
    axes = figure.add_subplot()
    axes.fill_between(time, low, high, color=MAIN, alpha=0.18, linewidth=0, zorder=1, gid="band")
    axes.plot(time, curve, color=MAIN, linewidth=2.2, zorder=3, gid="curve")
    axes.axhline(0.5, color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    axes.text(
        0.995,
        0.5,
        "no better than chance",
        transform=axes.get_yaxis_transform(),
        fontsize=SMALL,
        color=SOFT_INK,
        ha="right",
        va="bottom",
    )
    lines = [cohort_line(validation)]
    for horizon in validation["horizon"].values.astype(float):
        place = {"horizon": horizon}
        values = [float(validation[f"validation_auc{end}"].sel(place)) for end in ("", "_lower", "_upper")]
        axes.plot([horizon, horizon], values[1:], color=HIGHLIGHT, linewidth=1.4, zorder=4, gid="limits")
        axes.plot([horizon], values[:1], "o", color=HIGHLIGHT, markersize=6, zorder=5, gid="horizon")
        events = int(validation["validation_horizon_events"].sel(place))
        lines.append(
            f"At {number_text(horizon)}: AUC {limited_text(validation, 'validation_auc', place=place)}; {events} events by then, "
            f"{int(validation['validation_at_risk'].sel(place))} patients followed beyond."
        )
    lines += [
        f"Concordance: Harrell {limited_text(validation, 'validation_concordance')}, "
        f"Uno {limited_text(validation, 'validation_uno_concordance')}.",
        band_line(validation),
    ]
    bottom = np.nanmin([0.45, *curve, *low])
    axes.set_ylim(max(0.0, float(bottom) - 0.03), 1.02)
    axes.set_xlim(left=float(2 * time[0] - time[1]))
    dress(axes, x=time_label or duration_label(validation), y="AUC, cumulative/dynamic", grid="both")
    concordance = number_text(float(validation["validation_concordance"]))
    head(figure, title or f"{risk_name(validation)}: concordance {concordance}", note="\n".join(lines))
    return figure
