"""What looking for a cut-off finds, and what it costs: the statistic at every cut with its limit, below it the scores."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, share_text, shown_name
from chemores_dask.figures.recorded import number_of, recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    MAIN,
    NEUTRAL,
    SMALL,
    SOFT_INK,
    dress,
    head,
    new_figure,
    spread_labels,
)

PALE_GRAY = "#B9C4D0"
LIMITS = ("5 % limit of the whole scan", "of one cut fixed beforehand")
SINGLE_LIMIT = 1.959964
"""What one cut that was fixed beforehand would have to exceed."""

MOST_BINS = 30


def cutoff_scan(cutoff: xr.Dataset, *, title: str = "") -> Figure:
    """The standardized log-rank statistic at every cut, with the limit that pays for looking, above the distribution of the score.

    Parameters
    ----------
    cutoff
        Result of ``survival_cutoff``.
    title
        Written above; by default the score and the corrected P value.

    Returns
    -------
    Figure: above, the statistic by threshold, between the limits that the largest statistic exceeds in 5 % of random orders of the
    patients; below, the histogram of the score, the patients from the cut-off on filled.
    """
    check_variables(
        cutoff,
        ["cutoff_scan_threshold", "cutoff_scan_statistic"],
        dims=("cut",),
        what="the result",
        caller="cutoff_scan",
    )
    check_variables(cutoff, ["cutoff_score"], dims=("patient",), what="the result", caller="cutoff_scan")
    name = shown_name(recorded_parameters(cutoff).get("score", "the score"))
    figure = new_figure(width=7.4, height=4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.0, 1.0))
    _draw_scan(upper, cutoff)
    _draw_scores(lower, cutoff)
    dress(upper, y="High against low\n(standard deviations)", grid="y")
    dress(lower, x=name, y="Patients")
    corrected = (
        f"{p_sentence(number_of(cutoff, 'cutoff_p_value'))}, corrected for {count_text(cutoff.sizes['cut'])} cuts"
    )
    head(figure, shown_name(title, longest=70) if title else f"Cut-off of {name}: {corrected}", note=_note(cutoff))
    return figure


def _draw_scan(axes: Axes, cutoff: xr.Dataset) -> None:
    places, statistics = cutoff["cutoff_scan_threshold"].values, cutoff["cutoff_scan_statistic"].values
    limit, threshold = number_of(cutoff, "cutoff_statistic_limit"), number_of(cutoff, "cutoff_threshold")
    axes.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    for sign in (-1, 1):
        axes.axhline(
            sign * SINGLE_LIMIT, color=NEUTRAL, linewidth=0.9, linestyle=(0, (1, 2)), zorder=2, gid="single limit"
        )
        axes.axhline(sign * limit, color=HIGHLIGHT, linewidth=1.2, linestyle=(0, (5, 2)), zorder=2, gid="limit")
    axes.plot(places, statistics, "-", color=MAIN, linewidth=1.4, marker=".", markersize=4, zorder=4, gid="scan")
    best = int(np.argmax(np.abs(statistics)))
    axes.plot([places[best]], [statistics[best]], "o", color=HIGHLIGHT, markersize=7, zorder=5, gid="largest")
    axes.axvline(threshold, color=HIGHLIGHT, linewidth=1.1, linestyle=(0, (4, 2)), zorder=3, gid="threshold")
    axes.axvline(
        number_of(cutoff, "cutoff_median"),
        color=SOFT_INK,
        linewidth=0.9,
        linestyle=(0, (1, 1.5)),
        zorder=3,
        gid="median",
    )
    reach = 1.22 * max(limit, float(np.abs(statistics).max()))
    axes.set_ylim(-reach, reach)
    places = spread_labels([limit, SINGLE_LIMIT], gap=0.12 * reach)
    for value, text, color in zip(places, LIMITS, (HIGHLIGHT, SOFT_INK), strict=True):
        axes.text(
            0.995,
            value,
            text,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize=SMALL,
            color=color,
        )


def _draw_scores(axes: Axes, cutoff: xr.Dataset) -> None:
    values, threshold = cutoff["cutoff_score"].values, number_of(cutoff, "cutoff_threshold")
    bins = int(np.clip(np.ceil(2 * np.sqrt(values.size)), 5, MOST_BINS))
    edges = np.histogram_bin_edges(values, bins=bins)
    counts, _ = np.histogram(values, bins=edges)
    high, _ = np.histogram(values[values >= threshold], bins=edges)
    axes.stairs(counts, edges, fill=True, color=PALE_GRAY, zorder=2, gid="scores")
    # A bin that is cut is filled up to the number of patients at or above the cut-off.
    axes.stairs(high, edges, fill=True, color=MAIN, zorder=3, gid="high")
    axes.axvline(threshold, color=HIGHLIGHT, linewidth=1.1, linestyle=(0, (4, 2)), zorder=4)
    axes.axvline(number_of(cutoff, "cutoff_median"), color=SOFT_INK, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=4)
    axes.set_ylim(0, 1.25 * max(float(counts.max()), 1.0))
    total, above = number_of(cutoff, "cutoff_patients"), number_of(cutoff, "cutoff_patients_high")
    for place, text, color, side in (
        (0.005, f"{count_text(total - above)} low", INK, "left"),
        (0.995, f"{count_text(above)} high", MAIN, "right"),
    ):
        axes.text(
            place,
            0.97,
            text,
            transform=axes.transAxes,
            ha=side,
            va="top",
            fontsize=SMALL,
            color=color,
            fontweight="bold",
        )


def _note(cutoff: xr.Dataset) -> str:
    counts = f"n = {count_text(number_of(cutoff, 'cutoff_patients'))} patients, {count_text(number_of(cutoff, 'cutoff_events'))} events"
    quantile = share_text(number_of(cutoff, "cutoff_threshold_quantile"))
    zscore = number_text(number_of(cutoff, "cutoff_threshold_zscore"))
    frozen = {"quantile": f"a quantile ({quantile} below)", "zscore": f"a z score ({zscore})", "score": "a score"}
    return "\n".join(
        [
            f"{counts}. Without a cut: hazard ratio {_ratio(cutoff, 'continuous_')} per standard deviation "
            f"(Wald {p_sentence(number_of(cutoff, 'cutoff_continuous_p_value'))}).",
            f"At the median (dotted): hazard ratio {_ratio(cutoff, 'median_')} "
            f"(log-rank {p_sentence(number_of(cutoff, 'cutoff_median_p_value'))}).",
            f"Best of {count_text(cutoff.sizes['cut'])} cuts (dashed): {number_text(number_of(cutoff, 'cutoff_threshold'))}, maximally "
            f"selected log-rank statistic {number_text(number_of(cutoff, 'cutoff_statistic'))}, "
            f"{p_sentence(number_of(cutoff, 'cutoff_p_value'))} (random orders of the patients). Frozen as "
            f"{frozen[cutoff.attrs['threshold_scale']]}.",
        ]
    )


def _ratio(cutoff: xr.Dataset, which: str) -> str:
    ratio, lower, upper = (number_of(cutoff, f"cutoff_{which}hazard_ratio{end}") for end in ("", "_lower", "_upper"))
    if not np.isfinite(ratio):
        return "not available"
    return f"{number_text(ratio)} (95 % limits {number_text(lower)} to {number_text(upper)})"
