"""What treating by the predicted chance of the event by a horizon is worth."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.figures.brier_over_time import NO_PREDICTION
from chemores_dask.figures.number_text import number_text, share_text
from chemores_dask.figures.style import INK, MAIN, SMALL, SOFT_INK, dress, head, message_figure, new_figure, percent
from chemores_dask.figures.validation_words import band_line, cohort_line, duration_label, risk_name

LOWEST = -0.25
"""Lowest net benefit shown, as a share of the highest possible one."""

MOST_PANELS = 3


def survival_net_benefit(validation: xr.Dataset, *, title: str = "") -> Figure:
    """Net benefit of treating by the predictions, of treating all and of treating nobody, a panel for each of the first three horizons.

    Parameters
    ----------
    validation
        Result of ``validate_risk``.
    title
        Written above.

    Returns
    -------
    Figure. Patients censored before the horizon count by Kaplan-Meier among those who would be treated.
    """
    if "validation_net_benefit" not in validation:
        return message_figure(NO_PREDICTION)
    horizons = validation["horizon"].values.astype(float)[:MOST_PANELS]
    figure = new_figure(width=max(5.6, 3.4 * horizons.size), height=3.3)
    panels = np.atleast_1d(figure.subplots(1, horizons.size, sharey=False))
    lines = [cohort_line(validation)]
    for axes, horizon in zip(panels, horizons, strict=True):
        lines.append(_draw_panel(axes, validation.sel(horizon=horizon), f"by {number_text(horizon)}"))
    panels[0].set_ylabel("Net benefit")
    panels[0].legend(frameon=False, fontsize=SMALL, loc="upper right", labelcolor=INK)
    lines += [
        "Net benefit: true positives less false ones, weighed by the odds of the threshold, per patient.",
        band_line(validation),
    ]
    name = f"{risk_name(validation)}: net benefit of treating by it ({duration_label(validation)})"
    head(figure, title or name, note="\n".join(lines))
    return figure


def _draw_panel(axes: Axes, here: xr.Dataset, horizon: str) -> str:
    threshold = here["threshold"].values.astype(float)
    model, low, high, everybody = (
        here[f"validation_net_benefit{end}"].values for end in ("", "_lower", "_upper", "_all")
    )
    share = 1 - float(here["validation_survival"])
    axes.fill_between(threshold, low, high, color=MAIN, alpha=0.18, linewidth=0, zorder=1, gid="band")
    axes.plot(
        threshold,
        everybody,
        color=SOFT_INK,
        linewidth=1.4,
        linestyle=(0, (5, 2)),
        zorder=2,
        gid="all",
        label="treat all",
    )
    axes.axhline(0, color=INK, linewidth=1.2, zorder=2, gid="none", label="treat nobody")
    axes.plot(threshold, model, color=MAIN, linewidth=2.2, zorder=3, gid="model", label="treat by the risk")
    axes.set_ylim(LOWEST * share, 1.25 * max(share, float(np.nanmax(np.append(high, 0.0)))))
    axes.set_xlim(0, 1)
    dress(axes, x=f"Threshold, event {horizon}", grid="both")
    percent(axes, which="x")
    axes.set_xticks([0, 0.5, 1])
    better = threshold[model > np.maximum(everybody, 0) + 1e-12]
    if not better.size:
        return f"Event {horizon}: nowhere better than treating all and treating nobody."
    return (
        f"Event {horizon}: better than treating all and treating nobody at {better.size} of {threshold.size} thresholds, from "
        f"{share_text(better.min())} to {share_text(better.max())}."
    )
