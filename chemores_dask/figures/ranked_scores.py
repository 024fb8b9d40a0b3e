"""Cells in the order of their score, and how many lie beyond the threshold in each patient."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_one_of, check_variables
from chemores_dask.errors import ParameterError
from chemores_dask.figures.cell_labels import ordered_labels, sample_column
from chemores_dask.figures.number_text import count_text, number_text, share_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    SMALL,
    TICK,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
)

POINTS = 1500
CUTS = (0.05, 0.15)
CLASS_COLORS = ("#B9C4D0", "#6FA8D0", MAIN)
CLASS_NAMES = ("below 5 %", "5 to 15 %", "above 15 %")
MOST_GROUPS = 60


def ranked_scores(
    scores: xr.Dataset,
    *,
    states: xr.Dataset,
    gene_set: str | None = None,
    by: str = "sample",
    cube: xr.Dataset | None = None,
) -> Figure:
    """Every cell by the rank of its score, with the threshold, and the share of cells beyond it in each patient.

    Parameters
    ----------
    scores
        Result of ``module_score`` or of another score of cells.
    states
        Result of ``score_states``: its threshold is drawn.
    gene_set
        Which score; that of the states unless given.
    by
        Column of the samples that the shares are for, such as ``"patient"``.
    cube
        Result of ``cohort_cube``, for columns other than ``"sample"``.

    Returns
    -------
    Figure: on the left the scores in ascending order, on the right a bar per patient, colored by the classes below 5 %, 5 to 15 % and
    above 15 %.

    Raises
    ------
    ParameterError
        If the gene set is not there.
    MissingVariableError
        If the column is not there.
    """
    check_variables(scores, ["cell_score"], dims=("cell", "gene_set"), what="the result", caller="ranked_scores")
    present = labels_along(scores, "gene_set")
    name = str(gene_set or recorded_parameters(states).get("gene_set") or present[0])
    check_one_of(name, present, parameter="gene_set", caller="ranked_scores")
    values = scores["cell_score"].isel(gene_set=present.index(name)).values.astype(float)
    threshold = number_of(states, "state_threshold")
    if not np.isfinite(values).any() or not np.isfinite(threshold):
        return message_figure("There are no cells with a score and a threshold to draw.")
    groups = sample_column(scores, by, cube=cube)
    shown = ordered_labels(groups)
    if len(shown) > MOST_GROUPS:
        message = (
            f"ranked_scores draws a bar for each {by}, at most {MOST_GROUPS}. Found {len(shown)}; pass another column."
        )
        raise ParameterError(message)
    shares = np.array([(values[groups == group] >= threshold).mean() for group in shown])
    numbers = np.array([(groups == group).sum() for group in shown])
    figure = new_figure(width=8.6, height=max(3.4, 0.9 + 0.21 * len(shown)))
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    _draw_ranks(left, values, threshold)
    dress(left, x="Cells, by rank of the score", y=f"Score of {shown_name(name)}")
    percent(left, which="x")
    _draw_shares(right, shown, shares, numbers)
    positive = int((shares >= CUTS[0]).sum())
    source = "frozen" if states.attrs.get("threshold_source") == "frozen" else "natural breaks of these scores"
    head(
        figure,
        f"{positive} of {len(shown)} {_plural(by)} have at least 5 % of their cells above {number_text(threshold)}",
        note=(
            f"n = {len(shown)} {_plural(by)}, {count_text(values.size)} cells; {share_text(float((values >= threshold).mean()))} of all "
            f"cells lie at or above the threshold ({source}). Shares are described, not tested."
        ),
    )
    return figure


def _plural(column: str) -> str:
    return f"{shown_name(column)}s" if not column.endswith("s") else shown_name(column)


def _draw_ranks(axes: Axes, values: np.ndarray, threshold: float) -> None:
    ordered = np.sort(values[np.isfinite(values)])
    places = np.unique(np.linspace(0, ordered.size - 1, min(ordered.size, POINTS)).astype(np.int64))
    share, height = (places + 0.5) / ordered.size, ordered[places]
    axes.plot(share, height, color=NEUTRAL, linewidth=2.0, zorder=2, gid="ranks")
    above = height >= threshold
    axes.plot(share[above], height[above], color=MAIN, linewidth=3.0, zorder=3, gid="above")
    axes.axhline(threshold, color=HIGHLIGHT, linewidth=1.2, linestyle=(0, (4, 2)), zorder=4, gid="threshold")
    axes.text(
        0.02, threshold, number_text(threshold), transform=axes.get_yaxis_transform(), va="bottom", fontsize=SMALL, color=HIGHLIGHT
    )  # fmt: skip
    axes.set_xlim(0, 1)


def _draw_shares(axes: Axes, shown: list[str], shares: np.ndarray, numbers: np.ndarray) -> None:
    order = np.argsort(-shares, kind="stable")
    classes = (shares[order] >= CUTS[0]).astype(int) + (shares[order] > CUTS[1])
    rows = np.arange(len(order))
    axes.barh(rows, shares[order], color=[CLASS_COLORS[place] for place in classes], height=0.76, zorder=2, gid="share")
    for cut in CUTS:
        axes.axvline(cut, color=NEUTRAL, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    size = SMALL if len(order) <= 30 else 6.5
    axes.set_yticks(rows, [f"{shown_name(shown[place], longest=18)} ({count_text(numbers[place])})" for place in order])
    for row in np.flatnonzero(shares[order] == 0):
        axes.text(0.004, row, "not detected", va="center", fontsize=size, color=NEUTRAL)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, max(float(shares.max()) * 1.05, 0.2))
    dress(axes, x="Share of cells above")
    axes.tick_params(axis="y", length=0, labelsize=size)
    percent(axes, which="x")
    handles = [axes.plot([], [], "s", markersize=7, color=color)[0] for color in CLASS_COLORS]
    labels = [f"{name}: {int((classes == place).sum())}" for place, name in enumerate(CLASS_NAMES)]
    axes.legend(handles[::-1], labels[::-1], loc="lower right", frameon=False, fontsize=TICK, handletextpad=0.2)
