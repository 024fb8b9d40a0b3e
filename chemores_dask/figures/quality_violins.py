"""How good the cells of each sample are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.cell_labels import ordered_labels, samples_of
from chemores_dask.figures.number_text import count_text, share_text, shown_name
from chemores_dask.figures.recorded import recorded_parameters
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    MAIN,
    PALE,
    SOFT_INK,
    TICK,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
    thousands,
)

PANELS = {
    "cell_total": ("Counts per cell", True, "total"),
    "cell_detected_genes": ("Detected genes per cell", True, "detected_genes"),
    "cell_mitochondrial_share": ("Mitochondrial share", False, "mitochondrial_share"),
}
"""Label, whether the axis is logarithmic, and the name of the limit."""

BINS = 60
SMOOTHING = np.array([1, 4, 6, 4, 1]) / 16


def quality_violins(quality: xr.Dataset) -> Figure:
    """Totals, detected genes and mitochondrial share of the cells of each sample, and the share of cells kept.

    Parameters
    ----------
    quality
        Result of ``quality``. The sample of a cell is the coordinate ``sample`` over ``cell``, or else the part of its name before
        the first colon.

    Returns
    -------
    Figure with one row per sample: pale, all cells; dark, the cells kept; the stroke marks the median of the kept cells, dashes the
    limits.
    """
    check_variables(quality, [*PANELS, "cell_keep"], dims=("cell",), what="the result", caller="quality_violins")
    if not quality.sizes["cell"]:
        return message_figure("There are no cells to draw.")
    samples = samples_of(quality)
    names = ordered_labels(samples)
    keep = quality["cell_keep"].values.astype(bool)
    rows = [np.flatnonzero(samples == name) for name in names]
    figure = new_figure(width=9.2, height=1.0 + 0.34 * max(len(names), 2))
    panels = figure.subplots(1, len(PANELS), sharey=True)
    limits = recorded_parameters(quality).get("limits", {})
    for axes, (variable, (label, logarithmic, limit)) in zip(panels, PANELS.items(), strict=True):
        _draw_panel(axes, quality[variable].values.astype(np.float64), rows=rows, keep=keep, logarithmic=logarithmic)
        _draw_limits(axes, limits if isinstance(limits, Mapping) else {}, limit)
        unknown = variable == "cell_mitochondrial_share" and quality.attrs.get("mitochondrial_genes") == 0
        dress(axes, x=f"{label} (no such gene found)" if unknown else label, grid="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(names)), [shown_name(name) for name in names], fontsize=TICK)
    panels[0].set_ylim(len(names) - 0.35, -0.65)
    _write_counts(panels[-1], rows, keep)
    head(
        figure,
        f"{count_text(keep.sum())} of {count_text(keep.size)} cells kept ({share_text(keep.mean())})",
        note="Pale: all cells. Dark: kept cells, with their median. Dashes: limits.",
    )
    return figure


def _draw_panel(axes: Axes, values: np.ndarray, *, rows: list[np.ndarray], keep: np.ndarray, logarithmic: bool) -> None:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if logarithmic:
        low = max(low, 1.0)
        high = max(high, low)
        if high < 3 * low:
            low, high = low / 2, high * 2
        edges = np.geomspace(low * 0.999, high * 1.001, BINS + 1)
        axes.set_xscale("log")
        thousands(axes, which="x")
        axes.xaxis.set_minor_formatter("")
    else:
        edges = np.linspace(0.0, max(high, 0.02) * 1.001, BINS + 1)
        percent(axes, which="x")
    middles = np.sqrt(edges[1:] * edges[:-1]) if logarithmic else (edges[1:] + edges[:-1]) / 2
    for place, cells in enumerate(rows):
        everything = np.histogram(values[cells], bins=edges)[0]
        peak = max(np.convolve(everything, SMOOTHING, mode="same").max(), 1e-9)
        for members, color in ((cells, PALE), (cells[keep[cells]], MAIN)):
            width = 0.42 * np.convolve(np.histogram(values[members], bins=edges)[0], SMOOTHING, mode="same") / peak
            shown = width > 0.002
            axes.fill_between(middles, place - width, place + width, where=shown, color=color, linewidth=0, zorder=2)
        kept = values[cells[keep[cells]]]
        if kept.size:
            median = float(np.median(kept))
            axes.plot([median, median], [place - 0.3, place + 0.3], color="white", linewidth=2.6, zorder=3)
            axes.plot([median, median], [place - 0.3, place + 0.3], color=INK, linewidth=1.4, zorder=4, gid="median")
    axes.set_xlim(edges[0], edges[-1])


def _draw_limits(axes: Axes, limits: Mapping[str, object], limit: str) -> None:
    for end in ("minimum", "maximum"):
        value = limits.get(f"{end}_{limit}")
        low, high = axes.get_xlim()
        if isinstance(value, (int, float)) and low <= value <= high:
            axes.axvline(value, color=HIGHLIGHT, linewidth=1.1, linestyle=(0, (4, 2)), zorder=1, gid="limit")


def _write_counts(axes: Axes, rows: list[np.ndarray], keep: np.ndarray) -> None:
    shares = [share_text(float(keep[cells].mean()) if cells.size else float("nan")) for cells in rows]
    numbers = [count_text(cells.size) for cells in rows]
    write_columns(axes, [Column("kept", shares), Column("of cells", numbers, [SOFT_INK] * len(numbers))])
