"""Survival of groups of patients over time, with the numbers at risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    INK,
    SMALL,
    SOFT_INK,
    TICK,
    category_colors,
    dress,
    head,
    message_figure,
    new_figure,
    percent,
    spread_labels,
)

CURVE = ("group", "time")
MOST_BANDS = 4
LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
EVERYBODY = "all"


@dataclass(frozen=True)
class _Curve:
    label: str
    color: str
    line: object
    time: np.ndarray
    survival: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    at_risk: np.ndarray
    censored: np.ndarray
    patients: int
    events: int


def survival_curves(
    curves: xr.Dataset,
    *,
    log_rank: xr.Dataset | None = None,
    cox: xr.Dataset | None = None,
    labels: Mapping[str, str] | None = None,
    time_label: str = "",
    title: str = "",
) -> Figure:
    """Kaplan-Meier curves with confidence bands, censoring marks and a table of the patients at risk.

    Parameters
    ----------
    curves
        Result of ``kaplan_meier``.
    log_rank
        Result of ``log_rank`` on the same groups; its P is written above.
    cox
        Result of ``cox_model``; hazard ratios of up to three terms are written above.
    labels
        What groups, and terms of the model, are called in the picture, by their label.
    time_label
        Label of the time axis with its unit, such as ``"Months since diagnosis"``; by default the name of the duration.
    title
        Written above; by default the number of patients and events.

    Returns
    -------
    Figure.
    """
    names = ["km_survival", "km_lower", "km_upper", "km_at_risk", "km_events"]
    check_variables(curves, names, dims=CURVE, what="the result", caller="survival_curves")
    if not curves.sizes["group"] or not curves.sizes["time"]:
        return message_figure("There are no patients to draw.")
    drawn = _read_curves(curves, labels or {})
    figure = new_figure(width=7.6, height=3.7 + 0.24 * len(drawn))
    upper, table = figure.subplots(2, 1, sharex=True, height_ratios=[3.6, 0.24 * len(drawn) + 0.22])
    for curve in drawn:
        _draw_curve(upper, curve, band=len(drawn) <= MOST_BANDS)
    last = float(max(curve.time[-1] for curve in drawn)) or 1.0
    upper.set_xlim(-0.015 * last, last * 1.02)
    upper.set_ylim(-0.02, 1.03)
    upper.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 3, 5, 6, 10]))
    percent(upper, which="y")
    dress(upper, y="Survival", grid="y")
    upper.tick_params(labelbottom=False)
    if len(drawn) > 1 or drawn[0].label != EVERYBODY:
        _write_labels(upper, drawn, last)
    _write_table(
        table,
        drawn,
        ticks=[tick for tick in upper.get_xticks() if 0 <= tick <= last],
        time_label=time_label or _time_label(curves),
    )
    _write_head(figure, drawn, title, _test_lines(log_rank, cox, curves, labels or {}))
    return figure


def _read_curves(curves: xr.Dataset, names: Mapping[str, str]) -> list[_Curve]:
    groups = labels_along(curves, "group")
    time = (
        curves["time"].values.astype(float) if "time" in curves.coords else np.arange(curves.sizes["time"], dtype=float)
    )
    read = []
    for place, (group, color) in enumerate(zip(groups, category_colors(len(groups)), strict=True)):
        part = curves.isel(group=place)
        known = np.isfinite(part["km_survival"].values)
        at_risk, events = part["km_at_risk"].values.astype(int), part["km_events"].values.astype(int)
        left = np.append(at_risk[1:], 0)
        censored = part["km_censored"].values if "km_censored" in part else at_risk - events - left
        read.append(
            _Curve(
                label=str(names.get(group, group)),
                color=color,
                line=LINES[place % len(LINES)],
                time=np.concatenate([[0.0], time[known]]),
                survival=np.concatenate([[1.0], part["km_survival"].values[known]]),
                lower=np.concatenate([[1.0], part["km_lower"].values[known]]),
                upper=np.concatenate([[1.0], part["km_upper"].values[known]]),
                at_risk=np.concatenate([[at_risk[0]], at_risk[known]]),
                censored=np.concatenate([[0], np.asarray(censored)[known]]),
                patients=int(part["km_patients"].values) if "km_patients" in part else int(at_risk.max()),
                events=int(part["km_event_total"].values) if "km_event_total" in part else int(events.sum()),
            )
        )
    return read


def _draw_curve(axes: Axes, curve: _Curve, *, band: bool) -> None:
    if band:
        whole = curve.survival == 1  # log-log limits are not defined before the first event
        lower, upper = np.where(whole, 1.0, curve.lower), np.where(whole, 1.0, curve.upper)
        known = np.isfinite(lower) & np.isfinite(upper)
        axes.fill_between(
            curve.time, lower, upper, where=known, step="post", color=curve.color, alpha=0.14, linewidth=0, zorder=1
        )
    axes.step(
        curve.time,
        curve.survival,
        where="post",
        color=curve.color,
        linewidth=2,
        linestyle=curve.line,
        gid="curve",
        zorder=3,
    )
    marked = curve.censored > 0
    axes.plot(
        curve.time[marked],
        curve.survival[marked],
        "|",
        color=curve.color,
        markersize=6,
        markeredgewidth=1,
        gid="censored",
        zorder=4,
    )


def _write_labels(axes: Axes, drawn: list[_Curve], last: float) -> None:
    places = spread_labels([curve.survival[-1] for curve in drawn], gap=0.062)
    for curve, place in zip(drawn, places, strict=True):
        end = curve.survival[-1]
        axes.plot(
            [curve.time[-1], last * 1.035], [end, place], color=curve.color, linewidth=0.6, alpha=0.6, clip_on=False
        )
        axes.text(
            last * 1.04,
            place,
            shown_name(curve.label, longest=20),
            color=curve.color,
            fontsize=TICK,
            fontweight="bold",
            va="center",
        )


def _write_table(axes: Axes, drawn: list[_Curve], *, ticks: list[float], time_label: str) -> None:
    rows = np.arange(len(drawn))
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.set_yticks(rows, [shown_name(curve.label, longest=20) for curve in drawn])
    for row, curve in zip(rows, drawn, strict=True):
        for tick in ticks:
            later = np.flatnonzero(curve.time[1:] >= tick)
            left = int(curve.at_risk[1:][later[0]]) if later.size else 0
            axes.text(tick, row, count_text(left), ha="center", va="center", fontsize=SMALL, color=INK, gid="at risk")
    dress(axes, x=time_label)
    for label, curve in zip(axes.get_yticklabels(), drawn, strict=True):
        label.set_color(curve.color)
        label.set_fontsize(SMALL)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, pad=14)
    axes.set_title("Patients at risk", loc="left", fontsize=SMALL, color=SOFT_INK, pad=3)


def _time_label(curves: xr.Dataset) -> str:
    duration = str(recorded_parameters(curves).get("duration", "time"))
    return "Time" if duration in {"time", "duration"} else f"Time ({shown_name(duration)})".replace("_", " ")


def _test_lines(
    log_rank: xr.Dataset | None, cox: xr.Dataset | None, curves: xr.Dataset, names: Mapping[str, str]
) -> list[str]:
    lines = []
    if log_rank is not None:
        degrees = number_of(log_rank, "log_rank_degrees_of_freedom")
        count = f" ({degrees:.0f} degrees of freedom)" if degrees > 1 else ""
        number = int(log_rank["log_rank_patients"].sum()) if "log_rank_patients" in log_rank else 0
        lines.append(
            f"Log-rank test{count}: {p_sentence(number_of(log_rank, 'log_rank_p_value'))} (n = {count_text(number)} patients)"
        )
    if cox is not None:
        level = recorded_parameters(cox).get("level", 0.95)
        for place, term in enumerate(labels_along(cox, "term")[:3]):
            ratio, low, high, p_value = (
                float(cox[f"cox_model_{name}"].values[place])
                for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", "p_value")
            )
            limits = f"{float(level):.0%} limits {number_text(low)} to {number_text(high)}"
            lines.append(
                f"Hazard ratio of {shown_name(names.get(term, term), longest=40)}: {number_text(ratio)} ({limits}); "
                f"Wald {p_sentence(p_value)} (n = {count_text(number_of(cox, 'cox_model_patients'))} patients)"
            )
    level = recorded_parameters(curves).get("level")
    bands = (
        f"Bands: {float(level):.0%} confidence limits. "
        if isinstance(level, (int, float))
        else "Bands: confidence limits. "
    )
    lines.append((bands if curves.sizes["group"] <= MOST_BANDS else "") + "Ticks: patients last seen alive.")
    return lines


def _write_head(figure: Figure, drawn: list[_Curve], title: str, lines: list[str]) -> None:
    patients, events = sum(curve.patients for curve in drawn), sum(curve.events for curve in drawn)
    counts = f"{count_text(patients)} patients, {count_text(events)} events"
    groups = "; ".join(f"{shown_name(c.label)} {count_text(c.patients)} ({count_text(c.events)})" for c in drawn)
    if len(drawn) > 1 and len(drawn) <= MOST_BANDS:
        lines = [f"Patients (events): {groups}", *lines]
    if not events:
        lines = ["No events: survival cannot be compared.", *lines]
    head(figure, shown_name(title, longest=70) if title else f"Survival: {counts}", note="\n".join(lines))
