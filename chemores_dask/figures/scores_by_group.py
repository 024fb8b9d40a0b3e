"""A score in groups of response: every patient, boxes, and the tests between groups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, p_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    GOLDEN,
    INK,
    SMALL,
    SOFT_INK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
)

MOST_BRACKETS = 6
"""More pairs than these are left to the table; those of neighboring groups are drawn."""

BOX, SPREAD = 0.3, 0.2
"""Half widths of a box and of the cloud of dots."""


def scores_by_group(groups: xr.Dataset, *, labels: Mapping[str, str] | None = None, title: str = "") -> Figure:
    """Boxes and dots of a score in each group of response, with a bracket and its P for each pair.

    Parameters
    ----------
    groups
        Result of ``response_groups``.
    labels
        What groups, and the score, are called in the picture, by their name.
    title
        Written above; by default score, response and number of patients.

    Returns
    -------
    Figure. Every patient is a dot; n stands below each group. Brackets show P values, never stars; where a pair has too few patients to
    reach 0.05, its smallest possible P stands beside.
    """
    check_variables(
        groups, ["response_score", "response_label"], dims=("patient",), what="the result", caller="scores_by_group"
    )
    if not groups.sizes["patient"]:
        return message_figure("There are no patients with a score and a response to draw.")
    names = labels_along(groups, "group")
    called = {str(key): str(value) for key, value in (labels or {}).items()}
    values, members = groups["response_score"].values.astype(float), groups["response_label"].values.astype(str)
    pairs = _shown_pairs(groups, names)
    figure = new_figure(width=max(5.2, 1.5 + 1.6 * len(names)), height=3.6 + 0.27 * len(pairs))
    axes = figure.add_subplot()
    low, high = float(values.min()), float(values.max())
    spread = (high - low) or max(abs(high), 1.0)
    for place, (name, color) in enumerate(zip(names, category_colors(len(names)), strict=True)):
        _draw_group(axes, place, values[members == name], color=color)
    for level, pair in enumerate(pairs):
        _draw_bracket(axes, groups, pair, names, at=high + spread * (0.08 + 0.13 * level), tick=0.025 * spread)
    axes.set_ylim(low - 0.06 * spread, high + spread * (0.1 + 0.13 * len(pairs)))
    axes.set_xlim(-0.6, len(names) - 0.4)
    sizes = groups["response_group_patients"].values
    ticks = [
        f"{shown_name(called.get(name, name), longest=18)}\nn = {count_text(size)}"
        for name, size in zip(names, sizes, strict=True)
    ]
    axes.set_xticks(range(len(names)), ticks)
    score = str(recorded_parameters(groups).get("score", "score"))
    dress(axes, y=shown_name(called.get(score, score)), grid="y")
    axes.tick_params(axis="x", labelsize=11, length=0)
    _write_head(figure, groups, names, title=title, score=called.get(score, score), brackets=len(pairs))
    return figure


def _shown_pairs(groups: xr.Dataset, names: list[str]) -> list[int]:
    """Pairs in order of their distance, so that short brackets lie below long ones."""
    first, second = (
        [names.index(str(name)) for name in groups[f"response_pair_{which}"].values] for which in ("first", "second")
    )
    known = [place for place, p in enumerate(groups["response_pair_p_value"].values) if np.isfinite(p)]
    if len(known) > MOST_BRACKETS:
        known = [place for place in known if second[place] - first[place] == 1][:MOST_BRACKETS]
    return sorted(known, key=lambda place: (second[place] - first[place], first[place]))


def _draw_group(axes: Axes, place: int, values: np.ndarray, *, color: str) -> None:
    if not values.size:
        return
    ordered = np.sort(values)
    # A sequence that fills an interval evenly, so that the same patients always lie in the same places.
    beside = place + SPREAD * (2 * ((0.5 + np.arange(ordered.size) * GOLDEN) % 1.0) - 1)
    size = 22 if ordered.size <= 100 else 12 if ordered.size <= 500 else 5
    axes.scatter(beside, ordered, s=size, color=color, alpha=0.55, linewidth=0, zorder=3, gid="patients")
    if ordered.size > 2:
        drawn = axes.boxplot(
            [ordered],
            positions=[place],
            widths=2 * BOX,
            showfliers=False,
            medianprops={"color": INK, "linewidth": 2},
            boxprops={"color": INK, "linewidth": 1},
            whiskerprops={"color": INK, "linewidth": 0.8},
            capprops={"color": INK, "linewidth": 0.8},
            manage_ticks=False,
            zorder=4,
        )
        drawn["medians"][0].set_gid("median")


def _draw_bracket(axes: Axes, groups: xr.Dataset, pair: int, names: list[str], *, at: float, tick: float) -> None:
    found = groups.isel(pair=pair)
    left, right = (names.index(str(found[f"response_pair_{which}"].values)) for which in ("first", "second"))
    axes.plot(
        [left, left, right, right], [at - tick, at, at, at - tick], color=SOFT_INK, linewidth=1, gid="bracket", zorder=5
    )
    text = p_sentence(number_of(found, "response_pair_p_value"))
    least = number_of(found, "response_pair_minimum_p_value")
    if least > 0.05:
        text += f" (least possible {p_text(least)})"
    elif groups.sizes["pair"] > 1:
        text += f" (Holm {p_text(number_of(found, 'response_pair_holm_p_value'))})"
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    axes.text((left + right) / 2, at, text, fontsize=SMALL, color=INK, ha="center", va="bottom", gid="p", bbox=behind)


def _write_head(figure: Figure, groups: xr.Dataset, names: list[str], *, title: str, score: str, brackets: int) -> None:
    response = str(recorded_parameters(groups).get("response", "response"))
    patients = number_of(groups, "response_patients")
    exact = {bool(value) for value in groups["response_pair_exact"].values}
    how = {frozenset({True}): "exact", frozenset({False}): "normal"}.get(frozenset(exact), "exact or normal by size")
    lines = []
    if brackets:
        lines.append(f"Brackets: Wilcoxon rank-sum test over patients, two-sided, {how}.")
    trend = f"Trend {' < '.join(shown_name(name, longest=12) for name in names)} (Jonckheere-Terpstra): "
    lines.append(f"{trend}{p_sentence(number_of(groups, 'response_trend_p_value'))}.")
    lines.append(f"Any difference (Kruskal-Wallis): {p_sentence(number_of(groups, 'response_kruskal_p_value'))}.")
    if groups.sizes["pair"] == 1:
        area = [
            number_text(number_of(groups.isel(pair=0), f"response_pair_auroc{end}")) for end in ("", "_lower", "_upper")
        ]
        lines.append(f"Area under the ROC curve {area[0]} (DeLong's limits {area[1]} to {area[2]}).")
    lost = number_of(groups, "response_patients_without_score"), number_of(groups, "response_patients_without_response")
    lines.append(
        f"Of {count_text(number_of(groups, 'response_patients_total'))} patients, {count_text(lost[0])} have no score and "
        f"{count_text(lost[1])} no known response. Boxes: median and quartiles."
    )
    if "response_depth_correlation" in groups:
        lines.append(
            f"Correlation of score and depth (Spearman): {number_text(number_of(groups, 'response_depth_correlation'))}, "
            f"{p_sentence(number_of(groups, 'response_depth_p_value'))}."
        )
    written = title or f"{shown_name(score)} by {shown_name(response)}: n = {count_text(patients)} patients"
    head(figure, written, note="\n".join(lines))
