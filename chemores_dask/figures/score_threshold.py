"""Where a score is cut: its histogram, the breaks, how sure the cut is, and why there are so many classes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, share_text, shown_name
from chemores_dask.figures.recorded import number_of, recorded_parameters
from chemores_dask.figures.style import (
    FAINT,
    HIGHLIGHT,
    INK,
    MAIN,
    NEUTRAL,
    PALETTE,
    SMALL,
    SOFT_INK,
    TICK,
    dress,
    head,
    new_figure,
    thousands,
)

CURVE = PALETTE[2]
POINTS = 400
STATUS = (
    "two groups",
    "a shoulder without a valley",
    "one Gaussian fits no worse",
    "no crossing",
    "one group of equal scores",
)


def score_threshold(breaks: xr.Dataset, *, mixture: xr.Dataset | None = None) -> Figure:
    """Histogram of a score with the chosen natural breaks, the interval of the threshold over patients, and the elbow.

    Parameters
    ----------
    breaks
        Result of ``jenks_breaks``.
    mixture
        Result of ``score_mixture`` for the same score, whose two Gaussians are drawn, too.

    Returns
    -------
    Figure: on the left the histogram, with the cells from the threshold on filled; on the right the share of the squared deviations
    that is left within 1, 2, … classes, with the chord from which the elbow lies farthest.
    """
    check_variables(breaks, ["jenks_bin_cells"], dims=("bin",), what="the result", caller="score_threshold")
    check_variables(breaks, ["jenks_within_share"], dims=("class_number",), what="the result", caller="score_threshold")
    name = shown_name(recorded_parameters(breaks).get("gene_set", "the score"))
    figure = new_figure(width=8.6, height=3.5)
    left, right = figure.subplots(1, 2, width_ratios=(2.6, 1))
    _draw_histogram(left, breaks)
    if mixture is not None:
        _draw_mixture(left, breaks, mixture)
    dress(left, x=f"Score of {name}", y="Cells")
    thousands(left, which="y")
    left.set_ylim(0, 1.14 * max(float(breaks["jenks_bin_cells"].max()), 1.0))
    _draw_elbow(right, breaks)
    head(
        figure,
        f"Score of {name}: cut at {number_text(number_of(breaks, 'jenks_threshold'))}",
        note=_note(breaks, mixture),
    )
    return figure


def _draw_histogram(axes: Axes, breaks: xr.Dataset) -> None:
    cells, starts = breaks["jenks_bin_cells"].values.astype(float), breaks["jenks_bin_start"].values
    edges = np.append(starts, starts[-1] + number_of(breaks, "jenks_bin_width"))
    threshold = number_of(breaks, "jenks_threshold")
    axes.stairs(cells, edges, fill=True, color="#B9C4D0", zorder=2)
    # The bin that is cut is filled from the threshold on.
    above = edges[1:] > threshold
    if above.any():
        filled = np.append(np.maximum(edges[:-1][above], threshold), edges[-1])
        axes.stairs(cells[above], filled, fill=True, color=MAIN, zorder=3)
    axes.stairs(cells, edges, color=NEUTRAL, linewidth=0.7, zorder=4, gid="histogram")
    lower, upper = number_of(breaks, "jenks_threshold_lower"), number_of(breaks, "jenks_threshold_upper")
    if np.isfinite(lower):
        axes.axvspan(lower, upper, color=HIGHLIGHT, alpha=0.2, linewidth=0, zorder=1, gid="interval")
    chosen = breaks["jenks_chosen_breaks"].values
    for value in chosen[np.isfinite(chosen)]:
        if value != threshold:
            axes.axvline(value, color=NEUTRAL, linewidth=1.0, linestyle=(0, (1, 2)), zorder=5, gid="break")
    axes.axvline(threshold, color=HIGHLIGHT, linewidth=1.4, linestyle=(0, (4, 2)), zorder=6, gid="threshold")
    share = 1.0 - number_of(breaks, "jenks_threshold_quantile")
    axes.text(
        0.99, 0.97, f"{share_text(share)} of cells above", transform=axes.transAxes, ha="right", va="top", fontsize=TICK, color=MAIN,
        fontweight="bold",
    )  # fmt: skip


def _draw_mixture(axes: Axes, breaks: xr.Dataset, mixture: xr.Dataset) -> None:
    starts, width = breaks["jenks_bin_start"].values, number_of(breaks, "jenks_bin_width")
    grid = np.linspace(starts[0], starts[-1] + width, POINTS)
    area = number_of(breaks, "jenks_cells") * width
    for weight, mean, spread in zip(
        mixture["mixture_weight"].values,
        mixture["mixture_mean"].values,
        mixture["mixture_standard_deviation"].values,
        strict=True,
    ):
        density = weight * np.exp(-((grid - mean) ** 2) / (2 * spread**2)) / (spread * np.sqrt(2 * np.pi))
        axes.plot(grid, area * density, color=CURVE, linewidth=1.3, zorder=7, gid="gaussian")
    threshold = number_of(mixture, "mixture_threshold")
    if np.isfinite(threshold):
        axes.axvline(threshold, color=CURVE, linewidth=1.2, zorder=6, gid="crossing")


def _draw_elbow(axes: Axes, breaks: xr.Dataset) -> None:
    classes, within = breaks["class_number"].values, breaks["jenks_within_share"].values
    chosen = int(number_of(breaks, "jenks_classes"))
    axes.plot(classes[[0, -1]], within[[0, -1]], color=FAINT, linewidth=1.2, zorder=1, gid="chord")
    axes.plot(classes, within, "o-", color=INK, markersize=4, linewidth=1.1, zorder=2, gid="elbow")
    place = int(np.flatnonzero(classes == chosen)[0])
    axes.plot([chosen], [within[place]], "o", markersize=8, color=HIGHLIGHT, zorder=3, gid="chosen")
    axes.annotate(
        f"{chosen} classes", (chosen, within[place]), (7, 7), textcoords="offset points", fontsize=SMALL, color=SOFT_INK
    )
    axes.set_ylim(-0.04, 1.06)
    axes.set_xticks(classes[:: max(len(classes) // 8, 1)])
    dress(axes, x="Classes", y="Deviation left within")


def _note(breaks: xr.Dataset, mixture: xr.Dataset | None) -> str:
    fit = float(breaks["jenks_goodness_of_fit"].sel(class_number=int(number_of(breaks, "jenks_classes"))))
    first = (
        f"n = {count_text(number_of(breaks, 'jenks_cells'))} cells. Natural breaks, as many as the elbow asks for; goodness of variance "
        f"fit {number_text(fit)}."
    )
    patients = number_of(breaks, "jenks_patients")
    if np.isfinite(number_of(breaks, "jenks_threshold_lower")):
        limits = " to ".join(number_text(number_of(breaks, f"jenks_threshold_{side}")) for side in ("lower", "upper"))
        second = (
            f"Band: 95 % of resamples of n = {count_text(patients)} patients ({limits}); "
            f"{share_text(number_of(breaks, 'jenks_same_classes_share'))} of them choose as many classes."
        )
    else:
        second = "No interval: cells are no replicates, and fewer than two patients were named."
    lines = [first, second]
    if mixture is not None:
        status = STATUS[int(number_of(mixture, "mixture_status"))]
        place = number_of(mixture, "mixture_threshold")
        where = f"they cross at {number_text(place)}" if np.isfinite(place) else "no threshold"
        depth = number_text(number_of(mixture, "mixture_valley_depth"))
        lines.append(f"Curves: two Gaussians ({status}; {where}; depth of the valley {depth}).")
    return "\n".join(lines)
