"""Normalized scores of the foremost gene sets, for one ranking or several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chemores_dask.checks import check_between, check_variables, check_whole
from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.style import (
    FAINT,
    HIGHLIGHT,
    INK,
    MAIN,
    NEUTRAL,
    OTHER,
    SMALL,
    TICK,
    dress,
    head,
    message_figure,
    new_figure,
)

VARIABLES = ("prerank_normalized_score", "prerank_q_value", "prerank_leading_genes")
NONE: Mapping[str, xr.Dataset] = MappingProxyType({})
LARGEST_DOT = 130.0
"""Area in square points of the largest leading edge."""

ROW = 0.25
LONGEST = 46


def enrichment_dots(
    enrichment: xr.Dataset, *, others: Mapping[str, xr.Dataset] = NONE, sets: int = 10, q: float = 0.05, title: str = ""
) -> Figure:
    """Normalized score of each of the foremost sets; the size is the leading edge, open dots are not significant.

    Parameters
    ----------
    enrichment
        Result of ``prerank_enrichment``; it decides which sets are drawn.
    others
        The same of other states or cohorts, by name, in panels of their own.
    sets
        Most sets with positive scores, and most with negative ones.
    q
        Sets with q (Benjamini-Hochberg) below it are filled.
    title
        Of the first panel, where there are others.

    Returns
    -------
    Figure.
    """
    check_whole(sets, parameter="sets", caller="enrichment_dots", minimum=1)
    check_between(q, parameter="q", caller="enrichment_dots", minimum=0, maximum=1)
    panels = {title or "this ranking": enrichment, **others}
    for result in panels.values():
        check_variables(result, VARIABLES, dims=("gene_set",), what="the result", caller="enrichment_dots")
    names = _foremost(enrichment, sets)
    if not names:
        return message_figure("No set was tested, so there is nothing to draw.")
    found = [_values(result, names) for result in panels.values()]
    largest = max(float(np.nanmax(values[:, 2], initial=1.0)) for values in found)
    reach = 1.12 * max(float(np.nanmax(np.abs(values[:, 0]), initial=1.0)) for values in found)
    figure = new_figure(width=5.4 + 2.0 * len(panels), height=1.5 + ROW * len(names))
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for panel, values, name in zip(axes, found, panels, strict=True):
        _draw_panel(panel, values, q=q, largest=largest, reach=reach)
        if others:
            panel.set_title(shown_name(name), fontsize=TICK, color=INK)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    axes[0].set_yticks(range(len(names)), [shown_name(name, longest=LONGEST) for name in names], fontsize=TICK - 0.5)
    _size_legend(axes[-1], largest, q)
    significant = int((enrichment["prerank_q_value"].values < q).sum())
    tested = int((~np.isnan(enrichment["prerank_normalized_score"].values)).sum())
    head(
        figure,
        f"{count_text(significant)} of {count_text(tested)} gene sets with q < {q:g}{f' in {next(iter(panels))}' if others else ''}",
        note=_note(enrichment, panels, len(names), tested),
    )
    return figure


def _foremost(enrichment: xr.Dataset, sets: int) -> list[str]:
    """Names from the largest score to the smallest: of each sign those with the smallest q, then the largest score."""
    names = np.array(labels_along(enrichment, "gene_set"), dtype=object)
    score, q_value = enrichment["prerank_normalized_score"].values, enrichment["prerank_q_value"].values
    chosen: list[int] = []
    for sign in (1, -1):
        own = np.flatnonzero((score >= 0) if sign > 0 else (score < 0))
        first = own[np.lexsort((-sign * score[own], q_value[own]))][:sets]
        chosen += first[np.argsort(-score[first], kind="stable")].tolist()
    return names[chosen].tolist()


def _values(result: xr.Dataset, names: list[str]) -> np.ndarray:
    """Score, q and leading edge of sets; not a number where a result lacks the set."""
    place = {name: number for number, name in enumerate(labels_along(result, "gene_set"))}
    columns = np.column_stack([result[name].values.astype(float) for name in VARIABLES])
    missing = np.full(len(VARIABLES), np.nan)
    return np.array([columns[place[name]] if name in place else missing for name in names])


def _draw_panel(axes: Axes, values: np.ndarray, *, q: float, largest: float, reach: float) -> None:
    score, q_value, leading = values.T
    rows = np.arange(len(values))
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    axes.hlines(rows, 0, score, color=FAINT, linewidth=1.2, zorder=2)
    size = LARGEST_DOT * np.maximum(leading / largest, 0.03)
    for members, color, name in ((score >= 0, HIGHLIGHT, "up"), (score < 0, MAIN, "down")):
        for filled in (True, False):
            own = members & ((q_value < q) == filled)
            axes.scatter(score[own], rows[own], s=size[own], facecolors=color if filled else "white", edgecolors=color, linewidths=1.2,
                         gid=f"{name} {'significant' if filled else 'open'}", zorder=3)  # fmt: skip
    axes.set_xlim(-reach, reach)
    dress(axes, x="Normalized enrichment score (NES)", grid="y")
    axes.tick_params(axis="y", length=0)


def _size_legend(axes: Axes, largest: float, q: float) -> None:
    sizes = sorted({max(round(largest * share), 1) for share in (0.25, 1.0)})
    round_dot = {"linestyle": "none", "marker": "o"}
    handles = [
        Line2D([], [], **round_dot, markersize=np.sqrt(LARGEST_DOT * size / largest), color=OTHER, label=count_text(size))
        for size in sizes
    ] + [
        Line2D([], [], **round_dot, markersize=7, markerfacecolor="white", markeredgecolor=NEUTRAL, label=f"q ≥ {q:g}")
    ]  # fmt: skip
    axes.legend(handles=handles, title="Genes of the\nleading edge", loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False,
                fontsize=SMALL, title_fontsize=SMALL, labelspacing=0.9, borderaxespad=0.0)  # fmt: skip


def _note(enrichment: xr.Dataset, panels: Mapping[str, xr.Dataset], shown: int, tested: int) -> str:
    several, counted = len(panels) > 1, []
    for name, result in panels.items():
        number = f"n = {count_text(int(result['prerank_patients']))} patients" if "prerank_patients" in result else ""
        counted.append(f"{name}: {number}" if several and number else number)
    patients = "; ".join(text for text in counted if text)
    behind = f"{patients} behind the ranking. " if patients else "The number of patients is not recorded. "
    lines = f"{behind}Preranked GSEA, genes permuted, patients not; q: Benjamini-Hochberg over the sets."
    if shown < tested:
        lines += f" The foremost {count_text(shown)} of {count_text(tested)} sets."
    ranked = enrichment["prerank_ranked_genes"].values if "prerank_ranked_genes" in enrichment else None
    return lines if ranked is None else f"{lines} {count_text(int(ranked))} genes ranked."
