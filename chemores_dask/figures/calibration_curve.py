"""Predicted probabilities against what happened."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.figures.number_text import number_text, p_sentence, shown_name
from chemores_dask.figures.recorded import number_of, recorded_parameters
from chemores_dask.figures.roc_curve import optimism_line, patients_line
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
    percent,
)

BINS = np.linspace(0, 1, 41)


def calibration_curve(performance: xr.Dataset, *, title: str = "") -> Figure:
    """Share of positive patients in groups of rising probability, with limits, beside the diagonal of perfect calibration.

    Parameters
    ----------
    performance
        Result of ``classifier_performance``.
    title
        Written above; by default slope and score.

    Returns
    -------
    Figure. Below, how the probabilities are spread over positive and negative patients; the note holds n, intercept, slope, Brier
    score and Spiegelhalter's test.
    """
    if "performance_bin_observed" not in performance:
        return message_figure(
            "There are no probabilities to hold against what happened: the model has no finite estimates."
        )
    figure = new_figure(width=5.6, height=5.2)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    predicted, observed, lower, upper = (
        performance[f"performance_bin_{name}"].values.astype(float)
        for name in ("predicted", "observed", "observed_lower", "observed_upper")
    )
    for place, low, high in zip(predicted, lower, upper, strict=True):
        axes.plot([place, place], [low, high], color=MAIN, linewidth=1.2, alpha=0.7, gid="limits", zorder=2)
    axes.plot(predicted, observed, "o-", color=MAIN, markersize=6, linewidth=1, gid="curve", zorder=3)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.03, 1.03)
    dress(axes, y="Positive patients", grid="both")
    percent(axes, which="y")
    _draw_spread(below, performance)
    _write_head(figure, performance, title)
    return figure


def _draw_spread(axes: Axes, performance: xr.Dataset) -> None:
    probability = performance["performance_probability"].values.astype(float)
    positive = performance["performance_positive"].values.astype(bool)
    counts = [np.histogram(probability[chosen], bins=BINS)[0] for chosen in (positive, ~positive)]
    axes.stairs(counts[0], BINS, fill=True, color=HIGHLIGHT, alpha=0.8, gid="positive")
    axes.stairs(-counts[1], BINS, fill=True, color=MAIN, alpha=0.6, gid="negative")
    axes.axhline(0, color=NEUTRAL, linewidth=0.6)
    top = 1.15 * max(1, *(int(part.max()) for part in counts))
    axes.set_ylim(-top, top)
    dress(axes, x="Predicted probability")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    percent(axes, which="x")
    for place, word, color in ((0.8, "positive patients", HIGHLIGHT), (0.2, "negative patients", SOFT_INK)):
        axes.text(1, place, word, transform=axes.transAxes, ha="right", va="center", fontsize=SMALL, color=color)


def _write_head(figure: Figure, performance: xr.Dataset, title: str) -> None:
    def limited(name: str) -> str:
        parts = [number_text(number_of(performance, f"performance_{name}{end}")) for end in ("", "_lower", "_upper")]
        return f"{parts[0]} ({parts[1]} to {parts[2]})"

    lines = [
        patients_line(performance),
        f"Slope {limited('calibration_slope')}; 1 is right.",
        f"Intercept {limited('calibration_intercept')}; 0 is right.",
        f"Brier score {limited('brier')}; with one probability for all {number_text(number_of(performance, 'performance_brier_null'))}.",
        f"Spiegelhalter's test: {p_sentence(number_of(performance, 'performance_spiegelhalter_p_value'))}.",
        *optimism_line(performance),
    ]
    score = shown_name(recorded_parameters(performance).get("score", "score"))
    slope = number_text(number_of(performance, "performance_calibration_slope"))
    head(figure, title or f"{score}: calibration slope {slope}", note="\n".join(lines))
