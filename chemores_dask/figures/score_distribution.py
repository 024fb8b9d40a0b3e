"""How a score is spread over cells, and where it is cut."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_one_of, check_variables, listed
from chemores_dask.errors import ParameterError
from chemores_dask.figures.cell_labels import ordered_labels, sample_column
from chemores_dask.figures.number_text import count_text, number_text, share_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    MAIN,
    NEUTRAL,
    TICK,
    dress,
    head,
    message_figure,
    new_figure,
)

BINS = 90
MOST_TALL_ROWS = 6
EVERYTHING = "all cells"


def score_distribution(
    scores: xr.Dataset,
    *,
    gene_set: str | None = None,
    states: xr.Dataset | None = None,
    by: str | None = None,
    cube: xr.Dataset | None = None,
) -> Figure:
    """Histogram of a score over cells, in each stage (or sample), with the threshold of the states.

    Parameters
    ----------
    scores
        Result of ``module_score``.
    gene_set
        Which score; the only one unless given.
    states
        Result of ``score_states``, for the threshold.
    by
        Column of the samples that splits the cells, such as ``"stage"``; all cells together unless given.
    cube
        Result of ``cohort_cube``, for columns other than ``"sample"``.

    Returns
    -------
    Figure with one row per group; each histogram is scaled to its own area, and cells at or above the threshold are filled.

    Raises
    ------
    ParameterError
        If the gene set must be named, or is not there.
    MissingVariableError
        If the column is not there.
    """
    check_variables(scores, ["cell_score"], dims=("cell", "gene_set"), what="the result", caller="score_distribution")
    name = _gene_set(scores, gene_set, states)
    values = scores["cell_score"].isel(gene_set=labels_along(scores, "gene_set").index(name)).values.astype(float)
    if not np.isfinite(values).any():
        return message_figure("There are no cells with a score to draw.")
    groups = np.full(values.size, EVERYTHING) if by is None else sample_column(scores, by, cube=cube)
    order = cube[by].values if by is not None and cube is not None and by in cube.coords else None
    shown = ordered_labels(groups, order=order)
    threshold = float("nan") if states is None else number_of(states, "state_threshold")
    compact = len(shown) > MOST_TALL_ROWS
    figure = new_figure(height=0.9 + (0.5 if compact else 0.95) * len(shown))
    if compact:
        figure.get_layout_engine().set(h_pad=1.5 / 72, hspace=0)
    rows = np.atleast_1d(figure.subplots(len(shown), 1, sharex=True))
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    margin = 0.02 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    for axes, group in zip(rows, shown, strict=True):
        _draw_row(axes, values[groups == group], edges=edges, threshold=threshold, group=group, compact=compact)
    dress(rows[-1], x=f"Score of {shown_name(name)} ({scores['cell_score'].attrs.get('units', 'log expression')})")
    _write_heads(figure, values, name=name, threshold=threshold, states=states)
    return figure


def _gene_set(scores: xr.Dataset, gene_set: str | None, states: xr.Dataset | None) -> str:
    present = labels_along(scores, "gene_set")
    wanted = gene_set
    if wanted is None and states is not None:
        recorded = recorded_parameters(states).get("gene_set")
        wanted = None if recorded is None else str(recorded)
    if wanted is None and len(present) == 1:
        wanted = present[0]
    if wanted is None:
        message = f"score_distribution needs the option 'gene_set', since there are several scores: {listed(present)}."
        raise ParameterError(message)
    check_one_of(wanted, present, parameter="gene_set", caller="score_distribution")
    return wanted


def _draw_row(
    axes: Axes, values: np.ndarray, *, edges: np.ndarray, threshold: float, group: str, compact: bool
) -> None:
    values = values[np.isfinite(values)]
    heights = np.histogram(values, bins=edges)[0] / max(values.size, 1)
    middles = (edges[1:] + edges[:-1]) / 2
    axes.stairs(heights, edges, fill=True, color="#B9C4D0", zorder=2)
    above = np.where(middles >= threshold, heights, 0.0)
    if np.isfinite(threshold):
        axes.stairs(above, edges, fill=True, color=MAIN, zorder=3)
        axes.axvline(threshold, color=HIGHLIGHT, linewidth=1.2, linestyle=(0, (4, 2)), zorder=4, gid="threshold")
    axes.stairs(heights, edges, color=NEUTRAL, linewidth=0.7, zorder=5, gid="histogram")
    axes.set_ylim(0, max(heights.max(), 1e-9) * 1.12)
    dress(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    lines = f"{shown_name(group)}{', ' if compact else chr(10)}{count_text(values.size)} cells"
    axes.text(-0.01, 0.05, lines, transform=axes.transAxes, ha="right", va="bottom", fontsize=TICK, color=INK)
    if np.isfinite(threshold) and values.size:
        share = share_text(float((values >= threshold).mean()))
        axes.text(0.995, 0.5, f"{share} above", transform=axes.transAxes, ha="right", va="center", fontsize=TICK, color=MAIN,
                  fontweight="bold")  # fmt: skip


def _source(states: xr.Dataset) -> str:
    return "frozen" if states.attrs.get("threshold_source") == "frozen" else "by natural breaks"


def _write_heads(figure: Figure, values: np.ndarray, *, name: str, threshold: float, states: xr.Dataset | None) -> None:
    note = "Area of each histogram: 1. Cells are described, not tested: patients are the replicates."
    if states is not None and np.isfinite(threshold):
        fit = number_of(states, "state_goodness_of_fit")
        quality = f", goodness of variance fit {number_text(fit)}" if np.isfinite(fit) else ""
        note = f"Dashes: threshold {number_text(threshold)} {_source(states)}{quality}.\n{note}"
    head(figure, f"Score of {shown_name(name)} in {count_text(np.isfinite(values).sum())} cells", note=note)
