"""What treating by a predicted probability is worth."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chemores_dask.figures.number_text import number_text, share_text, shown_name
from chemores_dask.figures.recorded import number_of, recorded_parameters
from chemores_dask.figures.roc_curve import optimism_line, patients_line
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    MAIN,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
)

LOWEST = -0.25
"""Lowest net benefit shown, as a share of the highest possible one."""


def decision_curve(performance: xr.Dataset, *, title: str = "") -> Figure:
    """Net benefit of treating by the model, of treating all and of treating nobody, over threshold probabilities.

    Parameters
    ----------
    performance
        Result of ``classifier_performance``.
    title
        Written above; by default the name of the score.

    Returns
    -------
    Figure. The band holds bootstrap limits over patients.
    """
    if "performance_net_benefit" not in performance:
        return message_figure("There are no probabilities to treat by: the model has no finite estimates.")
    threshold = performance["threshold"].values.astype(float)
    model, low, high, everybody = (
        performance[f"performance_net_benefit{end}"].values.astype(float) for end in ("", "_lower", "_upper", "_all")
    )
    share = number_of(performance, "performance_positive_patients") / number_of(performance, "performance_patients")
    figure = new_figure(width=6.4, height=3.9)
    axes = figure.add_subplot()
    axes.fill_between(threshold, low, high, color=MAIN, alpha=0.18, linewidth=0, zorder=1, gid="band")
    axes.plot(
        threshold,
        everybody,
        color=SOFT_INK,
        linewidth=1.4,
        linestyle=(0, (5, 2)),
        gid="all",
        label="treat all",
        zorder=2,
    )
    axes.axhline(0, color=INK, linewidth=1.2, gid="none", label="treat nobody", zorder=2)
    axes.plot(threshold, model, color=MAIN, linewidth=2.2, gid="model", label="treat by the score", zorder=3)
    axes.set_ylim(LOWEST * share, 1.15 * max(share, float(high.max())))
    axes.set_xlim(0, 1)
    dress(axes, x="Threshold probability", y="Net benefit", grid="both")
    percent(axes, which="x")
    axes.legend(frameon=False, fontsize=SMALL + 0.5, loc="upper right", labelcolor=INK)
    score = shown_name(recorded_parameters(performance).get("score", "score"))
    lines = [
        patients_line(performance),
        _where_better(threshold, model, everybody),
        "Net benefit: true positives less false ones, weighed by the odds of the threshold, per patient. Band: bootstrap over patients.",
        *optimism_line(performance),
    ]
    head(figure, title or f"{score}: net benefit of treating by it", note="\n".join(lines))
    if share:
        axes.axhline(share, color=HIGHLIGHT, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        axes.text(0.01, share, f"most possible: {number_text(share)}", fontsize=SMALL, color=HIGHLIGHT, va="bottom")
    return figure


def _where_better(threshold: np.ndarray, model: np.ndarray, everybody: np.ndarray) -> str:
    better = threshold[model > np.maximum(everybody, 0) + 1e-12]
    if not better.size:
        return "Nowhere better than treating all and treating nobody."
    return (
        f"Better than treating all and treating nobody at {better.size} of {threshold.size} thresholds, from "
        f"{share_text(better.min())} to {share_text(better.max())}."
    )
