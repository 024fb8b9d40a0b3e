"""Cumulative incidence of competing causes in groups of patients, with the numbers at risk."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.followed_curves import (
    EVERYBODY,
    LINES,
    MOST_BANDS,
    FollowedCurve,
    draw_curve,
    frame_curves,
    time_label_of,
    write_table,
)
from chemores_dask.figures.number_text import count_text, p_sentence, shown_name
from chemores_dask.figures.recorded import labels_along, recorded_level, recorded_parameters
from chemores_dask.figures.style import SMALL, category_colors, head, message_figure, new_figure

MOST_CAUSES = 4
WIDTH, ALONE = 4.6, 7.6


def cumulative_incidence_curves(
    incidence: xr.Dataset,
    *,
    gray: xr.Dataset | None = None,
    labels: Mapping[str, str] | None = None,
    time_label: str = "",
    title: str = "",
) -> Figure:
    """Share of patients ended by each cause over time: a panel per cause, a curve per group, the patients at risk below.

    Parameters
    ----------
    incidence
        Result of ``cumulative_incidence``; the first four causes are drawn, and the others named.
    gray
        Result of ``gray_test`` on the same groups; the P of each cause is written above its panel.
    labels
        What groups and causes are called in the picture, by their label.
    time_label
        Label of the time axis with its unit; by default the name of the duration.
    title
        Written above; by default the number of patients and events.

    Returns
    -------
    Figure.
    """
    names = ["incidence_share", "incidence_lower", "incidence_upper"]
    check_variables(
        incidence, names, dims=("group", "cause", "time"), what="the result", caller="cumulative_incidence_curves"
    )
    if not all(incidence.sizes.values()):
        return message_figure("There are no patients to draw.")
    causes = labels_along(incidence, "cause")
    shown = causes[:MOST_CAUSES]
    called = labels or {}
    groups = incidence.sizes["group"]
    width = ALONE if len(shown) == 1 else WIDTH * len(shown)
    figure = new_figure(width=width, height=3.9 + 0.24 * groups)
    panels = figure.subplots(
        2,
        len(shown),
        squeeze=False,
        sharex="col",
        height_ratios=[3.6, 0.24 * groups + 0.22],
        gridspec_kw={"hspace": 0.05},
    )
    drawn = [_read_curves(incidence, place, called) for place in range(len(shown))]
    highest = max(
        float(np.nanmax([curve.upper.max(initial=0.0), *curve.share])) for curves in drawn for curve in curves
    )
    time = time_label or time_label_of(recorded_parameters(incidence))
    for place, curves in enumerate(drawn):
        upper, table = panels[:, place]
        _draw_panel(upper, curves, highest=min(max(highest, 0.05), 1.0), first=place == 0)
        _, ticks = frame_curves(upper, curves, y="Cumulative incidence" if place == 0 else "")
        write_table(table, curves, ticks=ticks, time_label=time)
        upper.set_title(_panel_title(shown[place], curves, gray, called), loc="left", fontsize=SMALL, pad=4)
    lines = _lines(incidence, gray, hidden=[str(called.get(cause, cause)) for cause in causes[MOST_CAUSES:]])
    patients, events = int(incidence["incidence_patients"].sum()), int(incidence["incidence_event_total"].sum())
    counts = f"{count_text(patients)} patients, {count_text(events)} events"
    head(figure, shown_name(title, longest=70) if title else f"Cumulative incidence: {counts}", note="\n".join(lines))
    return figure


def _read_curves(incidence: xr.Dataset, cause: int, called: Mapping[str, str]) -> list[FollowedCurve]:
    groups = labels_along(incidence, "group")
    time = incidence["time"].values.astype(float)
    curves = []
    for place, (group, color) in enumerate(zip(groups, category_colors(len(groups)), strict=True)):
        part = incidence.isel(group=place, cause=cause)
        known = np.isfinite(part["incidence_share"].values)
        at_risk = part["incidence_at_risk"].values.astype(int)

        def from_zero(values: np.ndarray, start: float, known: np.ndarray = known) -> np.ndarray:
            return np.concatenate([[start], values[known]])

        curves.append(
            FollowedCurve(
                label=str(called.get(group, group)),
                color=color,
                line=LINES[place % len(LINES)],
                time=from_zero(time, 0.0),
                share=from_zero(part["incidence_share"].values, 0.0),
                lower=from_zero(part["incidence_lower"].values, 0.0),
                upper=from_zero(part["incidence_upper"].values, 0.0),
                at_risk=from_zero(at_risk, at_risk[0]),
                censored=from_zero(part["incidence_censored"].values, 0),
                patients=int(part["incidence_patients"]),
                events=int(part["incidence_event_total"]),
            )
        )
    return curves


def _draw_panel(axes: Axes, curves: list[FollowedCurve], *, highest: float, first: bool) -> None:
    for curve in curves:
        draw_curve(axes, curve, band=len(curves) <= MOST_BANDS)
    axes.set_ylim(-0.02 * highest, 1.06 * highest)
    if first and (len(curves) > 1 or curves[0].label != EVERYBODY):
        axes.legend(
            axes.get_lines()[:: len(axes.get_lines()) // len(curves)],
            [shown_name(curve.label, longest=20) for curve in curves],
            loc="upper left",
            fontsize=SMALL,
            frameon=False,
        )


def _panel_title(cause: str, curves: list[FollowedCurve], gray: xr.Dataset | None, called: Mapping[str, str]) -> str:
    events = sum(curve.events for curve in curves)
    text = f"{shown_name(called.get(cause, cause), longest=30)}: {count_text(events)} events"
    if gray is not None and cause in labels_along(gray, "cause"):
        p_value = float(gray["gray_p_value"][labels_along(gray, "cause").index(cause)])
        text += f", {gray.attrs.get('test', 'Gray test')} {p_sentence(p_value)}"
    return text


def _lines(incidence: xr.Dataset, gray: xr.Dataset | None, *, hidden: list[str]) -> list[str]:
    patients = incidence["incidence_patients"].values
    groups = labels_along(incidence, "group")
    lines = []
    if 1 < len(groups) <= MOST_BANDS:
        events = incidence["incidence_event_total"].sum("cause").values
        each = [
            f"{shown_name(g)} {count_text(n)} ({count_text(d)})"
            for g, n, d in zip(groups, patients, events, strict=True)
        ]
        lines.append(f"Patients (events of any cause): {'; '.join(each)}")
    if gray is not None:
        lines.append(
            f"Gray's test of n = {count_text(int(gray['gray_patients'].sum()))} patients, each cause by itself."
        )
    bands = f"Bands: {recorded_level(incidence):.0%} confidence limits. " if len(groups) <= MOST_BANDS else ""
    lines.append(f"{bands}Ticks: patients last seen without an event.")
    if hidden:
        lines.append(f"Not drawn: {'; '.join(shown_name(name) for name in hidden)}.")
    return lines
