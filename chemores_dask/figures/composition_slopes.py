"""The share of a state before and after treatment, patient by patient."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import p_sentence, p_text, share_text, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    MAIN,
    NEUTRAL,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
    spread_labels,
)

MOST_NAMES = 24
TESTS = {
    "composition_t_p_value": "paired t test of the logit difference",
    "composition_sign_flip_p_value": "exact sign-flip test",
    "composition_signed_rank_p_value": "Wilcoxon signed rank test",
}


def composition_slopes(composition: xr.Dataset) -> Figure:
    """One line per patient from the share before to the share after, with n and the paired tests.

    Parameters
    ----------
    composition
        Result of ``paired_composition``.

    Returns
    -------
    Figure. Lines that rise and lines that fall differ in color and in style; the note holds n, each test with its P, and the
    smallest P that so many patients can reach.
    """
    shares = ["composition_share_before", "composition_share_after"]
    check_variables(composition, shares, dims=("patient",), what="the result", caller="composition_slopes")
    before, after = (composition[name].values.astype(float) for name in shares)
    paired = np.isfinite(before) & np.isfinite(after)
    if not paired.any():
        return message_figure("No patient has cells at both stages, so there is nothing to compare.")
    parameters = recorded_parameters(composition)
    state, first, last = (
        str(parameters.get(key, word)) for key, word in (("state", "state"), ("before", "before"), ("after", "after"))
    )
    figure = new_figure(width=6.6, height=4.4)
    axes = figure.add_subplot()
    names = np.array(labels_along(composition, "patient"))[paired]
    _draw_lines(axes, before[paired], after[paired])
    top = max(float(np.max([before[paired], after[paired]])) * 1.06, 0.01)
    axes.set_ylim(-0.02 * top, top)
    axes.set_xlim(-0.32, 1.42)
    stages = [
        f"{shown_name(name)}\nmedian {share_text(float(np.median(values[paired])))}"
        for name, values in ((first, before), (last, after))
    ]
    axes.set_xticks([0, 1], stages)
    dress(axes, y=f"Share of {shown_name(state)} cells", grid="y")
    axes.tick_params(axis="x", labelsize=11, length=0)
    percent(axes, which="y")
    _draw_medians(axes, before[paired], after[paired])
    if len(names) <= MOST_NAMES:
        _write_names(axes, names, after[paired], top=top)
    _write_head(figure, composition, before[paired], after[paired], state=state)
    return figure


def _draw_lines(axes: Axes, before: np.ndarray, after: np.ndarray) -> None:
    width = 1.5 if len(before) <= 40 else 0.8
    for start, end in zip(before, after, strict=True):
        rises = end >= start
        axes.plot(
            [0, 1],
            [start, end],
            marker="o",
            markersize=5 if len(before) <= 40 else 3,
            color=MAIN if rises else HIGHLIGHT,
            linestyle="-" if rises else (0, (4, 2)),
            linewidth=width,
            alpha=0.75,
            gid="patient",
            zorder=3,
        )


def _draw_medians(axes: Axes, before: np.ndarray, after: np.ndarray) -> None:
    for place, values in ((0, before), (1, after)):
        median = float(np.median(values))
        axes.plot([place - 0.06, place + 0.06], [median, median], color=INK, linewidth=3, zorder=5, gid="median")


def _write_names(axes: Axes, names: np.ndarray, after: np.ndarray, *, top: float) -> None:
    places = spread_labels(after, gap=0.045 * top)
    for name, value, place in zip(names, after, places, strict=True):
        axes.plot([1.02, 1.1], [value, place], color=NEUTRAL, linewidth=0.5, zorder=1)
        axes.text(
            1.115,
            place,
            f"{shown_name(name, longest=16)}  {share_text(value)}",
            fontsize=SMALL,
            color=SOFT_INK,
            va="center",
        )


def _write_head(figure: Figure, composition: xr.Dataset, before: np.ndarray, after: np.ndarray, *, state: str) -> None:
    rising = int((after > before).sum())
    number = len(before)
    patients = "1 patient" if number == 1 else f"{number} patients"
    lines = [f"n = {patients}; the share rises in {rising} of them. Bars: medians."]
    tests = [
        f"{name}: {p_sentence(number_of(composition, variable))}"
        for variable, name in TESTS.items()
        if variable in composition
    ]
    lines += [text[0].upper() + text[1:] for text in tests]
    least = number_of(composition, "composition_minimum_p_value")
    if np.isfinite(least):
        lines.append(f"Smallest P that {patients} can reach in the exact tests: {p_text(least)}")
    lines.append(str(composition.attrs.get("log_odds_caution", "")))
    medians = f"{share_text(float(np.median(before)))} → {share_text(float(np.median(after)))}"
    head(figure, f"Share of {shown_name(state)} cells: {medians}", note="\n".join(lines))
