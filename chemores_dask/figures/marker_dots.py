"""The foremost markers of each group: in how many cells, and how much."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chemores_dask.checks import check_variables, check_whole
from chemores_dask.figures.number_text import count_text
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import (
    FAINT,
    INK,
    OTHER,
    SEQUENTIAL,
    SMALL,
    TICK,
    dress,
    head,
    message_figure,
    new_figure,
)

VARIABLES = ("marker_rank", "marker_statistic", "marker_share", "marker_mean")
LARGEST_DOT = 110.0
"""Area in square points of a gene that all cells of a group have."""

SHARES = (0.25, 0.5, 1.0)
MOST_COLUMNS = 66
"""More genes cannot be read on one page."""

COLUMN, ROW = 0.19, 0.27
"""Inches."""


def marker_dots(markers: xr.Dataset, *, genes: int = 3) -> Figure:
    """Dots of groups by genes: the size is the share of cells with the gene, the color the mean.

    Parameters
    ----------
    markers
        Result of ``markers``.
    genes
        Genes of each group: those with the largest statistic, if it is above zero; fewer where there are many groups.

    Returns
    -------
    Figure.
    """
    check_variables(markers, VARIABLES, dims=("group", "gene"), what="the result", caller="marker_dots")
    check_variables(markers, ["marker_cells"], dims=("group",), what="the result", caller="marker_dots")
    check_whole(genes, parameter="genes", caller="marker_dots", minimum=1)
    groups = labels_along(markers, "group")
    chosen, owners = _foremost(markers, min(genes, max(MOST_COLUMNS // max(len(groups), 1), 1)))
    if not len(chosen):
        return message_figure("No gene is higher in one group than in the rest, so there is nothing to draw.")
    shown = markers[["marker_share", "marker_mean"]].isel(gene=chosen)
    share, mean = shown["marker_share"].values.astype(float), shown["marker_mean"].values.astype(float)
    highest = mean.max(axis=0)
    color = np.divide(mean, highest, out=np.zeros_like(mean), where=highest > 0)
    figure = new_figure(width=max(7.2, 3.4 + COLUMN * len(chosen)), height=1.5 + ROW * len(groups))
    axes = figure.add_subplot()
    x, y = np.meshgrid(np.arange(len(chosen)), np.arange(len(groups)))
    dots = axes.scatter(x.ravel(), y.ravel(), s=LARGEST_DOT * share.ravel(), c=color.ravel(), cmap=SEQUENTIAL, vmin=0, vmax=1,
                        edgecolors=INK, linewidths=0.3, gid="dots", zorder=3)  # fmt: skip
    names = np.array(labels_along(markers, "gene"))[chosen]
    _dress(axes, names=names.tolist(), groups=_group_texts(markers, groups), owners=owners)
    bar = figure.colorbar(dots, ax=axes, fraction=0.025, pad=0.02, aspect=14)
    bar.set_label("Mean, as share of\nthe highest group", fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)
    _size_legend(axes)
    head(figure, f"The foremost genes of {count_text(len(groups))} groups of cells", note=_note(markers))
    return figure


def _foremost(markers: xr.Dataset, genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the picture: genes in the order of their groups, each once; and the group of each."""
    rank, statistic = markers["marker_rank"].values, markers["marker_statistic"].values
    chosen: list[int] = []
    owners: list[int] = []
    for group in range(len(rank)):
        best = np.flatnonzero((rank[group] <= genes) & (statistic[group] > 0))
        for gene in best[np.argsort(rank[group][best])].tolist():
            if gene not in chosen:
                chosen.append(gene)
                owners.append(group)
    return np.array(chosen, dtype=np.int64), np.array(owners, dtype=np.int64)


def _group_texts(markers: xr.Dataset, groups: list[str]) -> list[str]:
    cells = markers["marker_cells"].values
    texts = [f"{group}  ({count_text(number)} cells" for group, number in zip(groups, cells, strict=True)]
    if "marker_patients" not in markers:
        return [f"{text})" for text in texts]
    patients = markers["marker_patients"].values
    return [
        f"{text}, {count_text(number)} {'patient' if number == 1 else 'patients'})"
        for text, number in zip(texts, patients, strict=True)
    ]


def _dress(axes: Axes, *, names: list[str], groups: list[str], owners: np.ndarray) -> None:
    axes.set_xlim(-0.8, len(names) - 0.2)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    dress(axes)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=TICK - 1.5, fontstyle="italic")
    axes.set_yticks(range(len(groups)), groups, fontsize=TICK)
    axes.tick_params(length=0)
    for border in np.flatnonzero(np.diff(owners)):
        axes.axvline(border + 0.5, color=FAINT, linewidth=0.8, zorder=0)


def _size_legend(axes: Axes) -> None:
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=np.sqrt(LARGEST_DOT * share), color=OTHER, markeredgecolor=INK,
               markeredgewidth=0.3, label=f"{100 * share:.0f} %")
        for share in SHARES
    ]  # fmt: skip
    axes.legend(handles=handles, title="Cells with the gene", ncols=len(SHARES), loc="lower left", bbox_to_anchor=(0, 1.01), frameon=False,
                fontsize=SMALL, title_fontsize=SMALL, handletextpad=0.4, columnspacing=1.4, borderaxespad=0.0)  # fmt: skip


def _note(markers: xr.Dataset) -> str:
    text = "Ordered by rank-sum statistic against the rest. Descriptive: cells of one patient are not independent."
    unlabeled = int(markers["marker_unlabeled"].values) if "marker_unlabeled" in markers else 0
    return text + (f" {count_text(unlabeled)} cells without a group are left out." if unlabeled else "")
