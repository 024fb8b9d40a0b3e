"""Running sums of gene sets along a ranking, with their members and the ranking itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables, check_whole, listed
from chemores_dask.cohort.enrichment.random_sets import SMALLEST_P
from chemores_dask.errors import ParameterError
from chemores_dask.figures.number_text import count_text, number_text, p_text, shown_name
from chemores_dask.figures.recorded import labels_along, recorded_parameters
from chemores_dask.figures.style import (
    FAINT,
    INK,
    NEUTRAL,
    SMALL,
    SOFT_INK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
    thousands,
)
from chemores_dask.kernels.running_sum import running_sum as sum_along

VARIABLES = ("prerank_score", "prerank_normalized_score", "prerank_p_value", "prerank_fdr_q_value")
MOST_SETS = 6
"""More curves cannot be told apart."""

LONGEST = 44
BARCODE = 0.2
"""Inches of each row of members."""


def running_sum(enrichment: xr.Dataset, *, gene_sets: Sequence[str] = (), sets: int = 2) -> Figure:
    """Running sum of one or several sets, a stroke for each member, and the values that were ranked.

    Parameters
    ----------
    enrichment
        Result of ``prerank_enrichment``.
    gene_sets
        Sets to draw, at most six; unless given the foremost ones.
    sets
        How many of these: half with the largest normalized scores, half with the smallest.

    Returns
    -------
    Figure.

    Raises
    ------
    ParameterError
        If a set is not there, or too many are asked for.
    """
    check_variables(enrichment, VARIABLES, dims=("gene_set",), what="the result", caller="running_sum")
    check_whole(sets, parameter="sets", caller="running_sum", minimum=1, maximum=MOST_SETS)
    chosen = _chosen(enrichment, list(gene_sets), sets)
    if not chosen:
        return message_figure("None of these sets was tested, so there is nothing to draw.")
    values = np.sort(enrichment["prerank_value"].values[enrichment["prerank_place"].values > 0])[::-1]
    rows = BARCODE * len(chosen)
    figure = new_figure(width=7.4, height=4.0 + rows)
    curves, strokes, profile = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [2.5, rows, 1.0], "hspace": 0.04}
    )
    colors = category_colors(len(chosen))
    for row, (number, color) in enumerate(zip(chosen, colors, strict=True)):
        _draw_set(curves, strokes, enrichment, number=number, row=row, color=color, values=values)
    _dress(curves, strokes, profile, values=values, statistic=_statistic(enrichment))
    _legend(curves, enrichment, chosen)
    head(figure, _title(enrichment, chosen), note=_note(enrichment, values.size))
    return figure


def _chosen(enrichment: xr.Dataset, names: list[str], sets: int) -> list[int]:
    labels = labels_along(enrichment, "gene_set")
    unknown = [name for name in names if name not in labels]
    if unknown or len(names) > MOST_SETS:
        message = (
            f"running_sum draws at most {MOST_SETS} sets of the result. Got {listed(names)}; not there: {listed(unknown)}. "
            f"Present: {listed(labels)}."
        )
        raise ParameterError(message)
    score = enrichment["prerank_normalized_score"].values
    if names:
        return [labels.index(name) for name in names if not np.isnan(score[labels.index(name)])]
    order = np.argsort(-score, kind="stable")[: int((~np.isnan(score)).sum())].tolist()
    up = [number for number in order if score[number] >= 0]
    down = [number for number in order[::-1] if score[number] < 0]
    share = min(len(up), max(sets - len(down), (sets + 1) // 2))
    return up[:share] + down[: sets - share]


def _members(enrichment: xr.Dataset, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the members, from 0, and which are of the leading edge."""
    start, stop = (int(end) for end in enrichment["prerank_offset"].values[number : number + 2])
    genes = enrichment["prerank_member"].values[start:stop]
    return enrichment["prerank_place"].values[genes] - 1, enrichment["prerank_member_leading"].values[start:stop]


def _draw_set(
    curves: Axes, strokes: Axes, enrichment: xr.Dataset, *, number: int, row: int, color: str, values: np.ndarray
) -> None:
    places, leading = _members(enrichment, number)
    weight = float(recorded_parameters(enrichment).get("weight", 1.0))  # type: ignore[arg-type]
    size = np.abs(values)
    heights = sum_along(places, (size / size.max()) ** weight)
    x, y = np.arange(1, values.size + 1), heights
    curves.plot(np.r_[0, x], np.r_[0, y], color=color, linewidth=1.6, gid="curve", zorder=3)
    if leading.any():
        turn = places[leading][-1] if enrichment["prerank_score"].values[number] > 0 else places[leading][0] - 1
        curves.plot([turn + 1], [y[turn]], "o", color=color, markersize=5, gid="peak", zorder=4)
    for members, alpha in ((places[leading], 1.0), (places[~leading], 0.35)):
        strokes.vlines(
            members + 1, row - 0.4, row + 0.4, color=color, linewidth=0.7, alpha=alpha, gid="members", rasterized=True
        )


def _dress(curves: Axes, strokes: Axes, profile: Axes, *, values: np.ndarray, statistic: str) -> None:
    curves.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    dress(curves, y="Running sum", grid="y")
    curves.tick_params(labelbottom=False)
    rows = len(
        {round(float(stroke.get_segments()[0][0][1])) for stroke in strokes.collections if stroke.get_segments()}
    )
    strokes.set_ylim(rows - 0.5, -0.5)
    dress(strokes)
    strokes.set_yticks([])
    strokes.tick_params(labelbottom=False, length=0)
    strokes.spines["bottom"].set_visible(False)
    places = np.arange(1, values.size + 1)
    profile.fill_between(places, values, 0, color=FAINT, linewidth=0, gid="ranking", rasterized=True)
    profile.plot(places, values, color=NEUTRAL, linewidth=0.8)
    above = int((values > 0).sum())
    if 0 < above < values.size:
        profile.axvline(above + 0.5, color=NEUTRAL, linewidth=0.8, linestyle=(0, (3, 2)))
        profile.annotate(f"0 at {count_text(above)}", (above + 0.5, 1), xycoords=profile.get_xaxis_transform(), xytext=(3, -2),
                         textcoords="offset points", va="top", fontsize=SMALL, color=SOFT_INK)  # fmt: skip
    dress(profile, x="Place in the ranking (1 is the highest)", y=statistic)
    profile.set_xlim(0, values.size + 1)
    thousands(profile, which="x")


def _legend(curves: Axes, enrichment: xr.Dataset, chosen: list[int]) -> None:
    """Name, score, P, rate and size of each set, in a corner that its curves leave free."""
    lines = [line for line in curves.lines if line.get_gid() == "curve"]
    for line, number in zip(lines, chosen, strict=True):
        line.set_label(_describe(enrichment, number))
    low, high = curves.get_ylim()
    reach = high - low
    above = max(line.get_ydata().max() for line in lines) > -min(line.get_ydata().min() for line in lines)
    room = (0.115 * len(chosen) + 0.06) * reach
    curves.set_ylim(low - (0 if above else room), high + (room if above else 0))
    legend = curves.legend(
        loc="upper right" if above else "lower left", frameon=False, fontsize=SMALL, handlelength=1.4, borderaxespad=0.1
    )
    for text in legend.get_texts():
        text.set_color(INK)


def _describe(enrichment: xr.Dataset, number: int) -> str:
    one = enrichment.isel(gene_set=number)
    name = shown_name(labels_along(enrichment, "gene_set")[number], longest=LONGEST)
    p_value, rate = float(one["prerank_p_value"]), float(one["prerank_fdr_q_value"])
    sign = "≤" if p_value <= SMALLEST_P * (1 + 1e-9) else "="
    return (
        f"{name}: NES {number_text(float(one['prerank_normalized_score']))}, P {sign} {p_text(p_value)}, "
        f"FDR {p_text(rate) if rate else '< 0.001'}, {count_text(int(one['prerank_genes']))} genes"
    )


def _statistic(enrichment: xr.Dataset) -> str:
    name = str(recorded_parameters(enrichment).get("statistic", "value"))
    return shown_name(name.replace("_", " "))


def _title(enrichment: xr.Dataset, chosen: list[int]) -> str:
    names, scores = labels_along(enrichment, "gene_set"), enrichment["prerank_score"].values
    if len(chosen) == 1:
        where = "high" if scores[chosen[0]] > 0 else "low"
        return f"{shown_name(names[chosen[0]], longest=LONGEST)} gathers {where} in the ranking"
    return f"Where the genes of {len(chosen)} sets gather in the ranking"


def _note(enrichment: xr.Dataset, genes: int) -> str:
    parameters = recorded_parameters(enrichment)
    patients = (
        f"n = {count_text(int(enrichment['prerank_patients']))} patients behind the ranking of {count_text(genes)} genes. "
        if "prerank_patients" in enrichment
        else f"{count_text(genes)} genes ranked; the number of patients is not recorded. "
    )
    drawn = (
        f" ({count_text(float(str(parameters['permutations'])))} random sets of each size)"
        if "permutations" in parameters
        else ""
    )
    text = f"{patients}P: preranked GSEA, genes permuted{drawn}, small P by multilevel splitting; patients are not permuted."
    return f"{text} FDR as GSEA defines it. Dark strokes: leading edge."
