"""How far predicted survival lies from what happened, beside one curve for everybody."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.figures.number_text import number_text, share_text
from chemores_dask.figures.style import HIGHLIGHT, INK, MAIN, SMALL, SOFT_INK, dress, head, message_figure, new_figure
from chemores_dask.figures.validation_words import band_line, cohort_line, duration_label, limited_text, risk_name

NO_PREDICTION = "The risk predicts no survival: it comes without a baseline hazard."


def brier_over_time(validation: xr.Dataset, *, time_label: str = "", title: str = "") -> Figure:
    """Brier score of the predictions and of Kaplan-Meier over time.

    Parameters
    ----------
    validation
        Result of ``validate_risk``.
    time_label
        Label of the time axis with its unit; by default the name of the duration.
    title
        Written above; by default the integrated prediction accuracy.

    Returns
    -------
    Figure. Where the curve of the predictions lies lower, they are better than Kaplan-Meier for everybody.
    """
    if "validation_curve_brier" not in validation:
        return message_figure(NO_PREDICTION)
    time = validation["time"].values.astype(float)
    curve, low, high = (validation[f"validation_curve_brier{end}"].values for end in ("", "_lower", "_upper"))
    null = validation["validation_curve_brier_null"].values
    figure = new_figure(width=6.4, height=3.6)
    axes = figure.add_subplot()
    axes.fill_between(time, low, high, color=MAIN, alpha=0.18, linewidth=0, zorder=1, gid="band")
    axes.plot(
        time,
        null,
        color=SOFT_INK,
        linewidth=1.4,
        linestyle=(0, (5, 2)),
        zorder=2,
        gid="null",
        label="Kaplan-Meier for everybody",
    )
    axes.plot(time, curve, color=MAIN, linewidth=2.2, zorder=3, gid="curve", label="predictions")
    lines = [cohort_line(validation)]
    for horizon in validation["horizon"].values.astype(float):
        place = {"horizon": horizon}
        axes.plot(
            [horizon],
            [float(validation["validation_brier"].sel(place))],
            "o",
            color=HIGHLIGHT,
            markersize=6,
            zorder=4,
            gid="horizon",
        )
        lines.append(
            f"At {number_text(horizon)}: Brier score {limited_text(validation, 'validation_brier', place=place)}, of Kaplan-Meier "
            f"{number_text(float(validation['validation_brier_null'].sel(place)))}; prediction accuracy "
            f"{limited_text(validation, 'validation_prediction_accuracy', place=place)}."
        )
    lines += [
        f"Integrated: {limited_text(validation, 'validation_integrated_brier')}, of Kaplan-Meier "
        f"{number_text(float(validation['validation_integrated_brier_null']))}. 0 is right, 0.25 is one half for everybody.",
        band_line(validation),
    ]
    axes.set_ylim(0, 1.12 * float(np.nanmax([0.25, *high, *null])))
    axes.set_xlim(left=float(2 * time[0] - time[1]))
    dress(axes, x=time_label or duration_label(validation), y="Brier score", grid="both")
    axes.legend(frameon=False, fontsize=SMALL + 0.5, loc="upper left", labelcolor=INK, ncols=2)
    accuracy = float(validation["validation_integrated_prediction_accuracy"])
    claim = f"{share_text(abs(accuracy))} {'less' if accuracy >= 0 else 'more'} error than Kaplan-Meier"
    head(figure, title or f"{risk_name(validation)}: {claim}", note="\n".join(lines))
    return figure
