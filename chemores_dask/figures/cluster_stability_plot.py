"""Which clusters come back."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, shown_name
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import (
    FAINT,
    HIGHLIGHT,
    INK,
    MAIN,
    SMALL,
    TICK,
    dress,
    head,
    message_figure,
    new_figure,
    thousands,
)

SHOWN = 40
"""The largest clusters are drawn; more would not be read."""

APART = 0.17
"""Distance of the two dots of a cluster from its line."""

CALLED = {"other seed": "all cells, other seeds", "part of the cells": "parts of the cells"}


def cluster_stability_plot(stability: xr.Dataset) -> Figure:
    """Size of each cluster, and how well it is found again: mean over repeats, with a line down to the lowest.

    Parameters
    ----------
    stability
        Result of ``cluster_stability``.

    Returns
    -------
    Figure with one row per cluster, the largest on top.
    """
    check_variables(
        stability,
        ["stability_cluster_rand", "stability_cluster_lowest_rand"],
        dims=("draw", "cluster"),
        what="the result",
        caller="cluster_stability_plot",
    )
    cells = stability["stability_cluster_cells"].values.astype(float)
    if not cells.size:
        return message_figure("There are no clusters to draw.")
    rows = np.argsort(-cells, kind="stable")[:SHOWN]
    mean = stability["stability_cluster_rand"].values[:, rows]
    lowest = stability["stability_cluster_lowest_rand"].values[:, rows]
    figure = new_figure(height=1.4 + 0.23 * max(len(rows), 2))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
    left.barh(range(len(rows)), cells[rows], height=0.7, color=FAINT, gid="cells")
    left.set_yticks(
        range(len(rows)), [shown_name(label) for label in np.array(labels_along(stability, "cluster"))[rows]]
    )
    left.set_ylim(len(rows) - 0.4, -0.6)
    thousands(left, which="x")
    left.locator_params(axis="x", nbins=3)
    dress(left, x="Cells", y="Cluster")
    _draw_dots(right, mean, lowest, draws=labels_along(stability, "draw"))
    dress(right, x="Adjusted Rand index of the cluster", grid="x")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    _write_head(figure, stability, shown=len(rows))
    return figure


def _draw_dots(axes: Axes, mean: np.ndarray, lowest: np.ndarray, *, draws: list[str]) -> None:
    places = np.arange(mean.shape[1])
    steps = np.linspace(-APART, APART, len(draws)) if len(draws) > 1 else np.zeros(1)
    for number, (draw, step) in enumerate(zip(draws, steps, strict=True)):
        color = (MAIN, HIGHLIGHT)[number % 2]
        axes.hlines(places + step, lowest[number], mean[number], color=color, linewidth=1.2)
        axes.plot(mean[number], places + step, "o", color=color, markersize=4.2, gid=draw, label=CALLED.get(draw, draw))
    axes.set_xlim(min(0.0, np.nanmin(lowest, initial=0.0)) - 0.03, 1.03)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=len(draws),
        frameon=False,
        fontsize=TICK,
        labelcolor=INK,
        handletextpad=0.1,
        columnspacing=1.2,
        borderaxespad=0.1,
    )
    if np.isnan(mean).any():
        axes.annotate(
            "no dot: no cells drawn", (1, 0), xycoords="axes fraction", ha="right", va="bottom", fontsize=SMALL
        )


def _write_head(figure: Figure, stability: xr.Dataset, *, shown: int) -> None:
    clusters, repeats = stability.sizes["cluster"], stability.sizes["repeat"]
    rand = stability["stability_rand"].values
    overall = [
        f"{CALLED.get(draw, draw)}: {number_text(float(values[~np.isnan(values)].mean()))}"
        for draw, values in zip(labels_along(stability, "draw"), rand, strict=True)
        if not np.isnan(values).all()
    ]
    some = "" if shown == clusters else f" The {shown} largest of {count_text(clusters)} clusters are drawn."
    head(
        figure,
        f"{count_text(clusters)} cluster{'' if clusters == 1 else 's'} of "
        f"{count_text(stability['stability_cluster_cells'].values.sum())} cells, put to the test {2 * repeats} times",
        note=f"Mean adjusted Rand index of all clusters together: {'; '.join(overall) or 'unknown'}. Dots: mean of a cluster and its "
        f"match; lines: down to the lowest of {repeats} repeats.{some}",
    )
