"""Normalized scores of gene sets in one cohort against those in another."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables, check_whole
from chemores_dask.figures.number_text import count_text, number_text, p_text, shown_name
from chemores_dask.figures.point_labels import label_points
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import HIGHLIGHT, NEUTRAL, PALETTE, SMALL, dress, head, new_figure

VARIABLES = ("replication_first_score", "replication_second_score", "replication_outcome")
GROUPS = (
    (0, "neither", "#C6CBD2", 10),
    (1, "{first} only", PALETTE[5], 16),
    (2, "{second} only", PALETTE[4], 16),
    (4, "opposite signs", PALETTE[3], 24),
    (3, "both, same sign", HIGHLIGHT, 24),
)


def replication_scatter(
    replication: xr.Dataset, *, first: str = "first cohort", second: str = "second cohort", labels: int = 8
) -> Figure:
    """One dot for each set, colored by the cohorts in which it is significant.

    Parameters
    ----------
    replication
        Result of ``enrichment_replication``.
    first, second
        What to call the cohorts.
    labels
        How many of the sets that are significant in both are named, where there is room.

    Returns
    -------
    Figure.
    """
    check_variables(replication, VARIABLES, dims=("gene_set",), what="the result", caller="replication_scatter")
    check_whole(labels, parameter="labels", caller="replication_scatter", minimum=0)
    x, y, outcome = (replication[name].values for name in VARIABLES)
    figure = new_figure(width=7.0, height=5.0)
    axes = figure.add_subplot()
    for code, name, color, size in GROUPS:
        own = outcome == code
        called = shown_name(name.format(first=first, second=second))
        axes.scatter(x[own], y[own], s=size, color=color, linewidths=0, gid=name, label=f"{called} ({count_text(own.sum())})",
                     zorder=3 if code else 2, rasterized=not code)  # fmt: skip
    _dress(axes, x, y, first, second)
    level = float(str(recorded_parameters(replication).get("level", 0.05)))
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=SMALL, title=f"q < {level:g} in",
                title_fontsize=SMALL, borderaxespad=0.0, markerscale=1.3)  # fmt: skip
    same, correlation = int((outcome == 3).sum()), number_of(replication, "replication_rank_correlation")
    title = f"{count_text(same)} gene sets replicate, rank correlation {number_text(correlation)}"
    head(figure, title, note=_note(replication, first, second))
    both = np.flatnonzero(outcome == 3)
    both = both[np.argsort(-np.minimum(np.abs(x), np.abs(y))[both], kind="stable")][:labels]
    names = np.array(labels_along(replication, "gene_set"), dtype=object)
    label_points(axes, names[both].tolist(), x=x[both], y=y[both])
    return figure


def _dress(axes: Axes, x: np.ndarray, y: np.ndarray, first: str, second: str) -> None:
    reach = 1.15 * max(float(np.abs(x).max()), float(np.abs(y).max()), 0.1)
    axes.plot([-reach, reach], [-reach, reach], color=NEUTRAL, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    for line in (axes.axhline, axes.axvline):
        line(0, color=NEUTRAL, linewidth=0.8, zorder=0)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    dress(axes, x=f"NES, {first}", y=f"NES, {second}")


def _note(replication: xr.Dataset, first: str, second: str) -> str:
    counted = [
        f"{name}: n = {count_text(number_of(replication, variable))} patients"
        for name, variable in ((first, "replication_first_patients"), (second, "replication_second_patients"))
        if variable in replication
    ]
    lines = (
        ["; ".join(counted) + "."]
        if counted
        else [
            f"{count_text(number_of(replication, 'replication_sets'))} sets; the numbers of patients are not recorded."
        ]
    )
    for number, direction in enumerate(labels_along(replication, "direction")):
        values = {
            name: float(replication[f"replication_{name}"].values[number])
            for name in ("first_sets", "second_sets", "both_sets", "expected_sets", "p_value")
        }
        lines.append(
            f"{direction.capitalize()}: {count_text(values['first_sets'])} and {count_text(values['second_sets'])} sets, "
            f"{count_text(values['both_sets'])} in both ({number_text(values['expected_sets'])} expected), "
            f"hypergeometric P = {p_text(values['p_value'])}, sets overlap."
        )
    return "\n".join(lines)
