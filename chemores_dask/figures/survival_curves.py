"""Survival of groups of patients over time, with the numbers at risk."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
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
    write_labels,
    write_table,
)
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_level, recorded_parameters
from chemores_dask.figures.style import category_colors, head, message_figure, new_figure

CURVE = ("group", "time")


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
        draw_curve(upper, curve, band=len(drawn) <= MOST_BANDS)
    upper.set_ylim(-0.02, 1.03)
    last, ticks = frame_curves(upper, drawn, y="Survival")
    if len(drawn) > 1 or drawn[0].label != EVERYBODY:
        write_labels(upper, drawn, last)
    write_table(table, drawn, ticks=ticks, time_label=time_label or time_label_of(recorded_parameters(curves)))
    _write_head(figure, drawn, title, _test_lines(log_rank, cox, curves, labels or {}))
    return figure


def _read_curves(curves: xr.Dataset, names: Mapping[str, str]) -> list[FollowedCurve]:
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
            FollowedCurve(
                label=str(names.get(group, group)),
                color=color,
                line=LINES[place % len(LINES)],
                time=np.concatenate([[0.0], time[known]]),
                share=np.concatenate([[1.0], part["km_survival"].values[known]]),
                lower=np.concatenate([[1.0], part["km_lower"].values[known]]),
                upper=np.concatenate([[1.0], part["km_upper"].values[known]]),
                at_risk=np.concatenate([[at_risk[0]], at_risk[known]]),
                censored=np.concatenate([[0], np.asarray(censored)[known]]),
                patients=int(part["km_patients"].values) if "km_patients" in part else int(at_risk.max()),
                events=int(part["km_event_total"].values) if "km_event_total" in part else int(events.sum()),
            )
        )
    return read


def _test_lines(
    log_rank: xr.Dataset | None, cox: xr.Dataset | None, curves: xr.Dataset, names: Mapping[str, str]
) -> list[str]:
    lines = []
    if log_rank is not None:
        degrees = number_of(log_rank, "log_rank_degrees_of_freedom")
        count = f" ({degrees:.0f} degrees of freedom)" if degrees > 1 else ""
        number = int(log_rank["log_rank_patients"].sum()) if "log_rank_patients" in log_rank else 0
        test = str(log_rank.attrs.get("test", "log-rank test"))
        p_value = p_sentence(number_of(log_rank, "log_rank_p_value"))
        lines.append(f"{_sentence(test)}{count}: {p_value} (n = {count_text(number)} patients)")
    if cox is not None:
        for place, term in enumerate(labels_along(cox, "term")[:3]):
            ratio, low, high, p_value = (
                float(cox[f"cox_model_{name}"].values[place])
                for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", "p_value")
            )
            limits = f"{recorded_level(cox):.0%} limits {number_text(low)} to {number_text(high)}"
            lines.append(
                f"Hazard ratio of {shown_name(names.get(term, term), longest=40)}: {number_text(ratio)} ({limits}); "
                f"Wald {p_sentence(p_value)} (n = {count_text(number_of(cox, 'cox_model_patients'))} patients)"
            )
    medians = _median_line(curves, names)
    lines += [medians] if medians else []
    bands = f"Bands: {recorded_level(curves):.0%} confidence limits. "
    lines.append((bands if curves.sizes["group"] <= MOST_BANDS else "") + "Ticks: patients last seen alive.")
    return lines


def _write_head(figure: Figure, drawn: list[FollowedCurve], title: str, lines: list[str]) -> None:
    patients, events = sum(curve.patients for curve in drawn), sum(curve.events for curve in drawn)
    counts = f"{count_text(patients)} patients, {count_text(events)} events"
    groups = "; ".join(f"{shown_name(c.label)} {count_text(c.patients)} ({count_text(c.events)})" for c in drawn)
    if len(drawn) > 1 and len(drawn) <= MOST_BANDS:
        lines = [f"Patients (events): {groups}", *lines]
    if not events:
        lines = ["No events: survival cannot be compared.", *lines]
    head(figure, shown_name(title, longest=70) if title else f"Survival: {counts}", note="\n".join(lines))


def _sentence(name: str) -> str:
    return name[:1].upper() + name[1:]


def _median_line(curves: xr.Dataset, names: Mapping[str, str]) -> str:
    if "km_median_lower" not in curves or not 0 < curves.sizes["group"] <= MOST_BANDS:
        return ""
    written = []
    for place, group in enumerate(labels_along(curves, "group")):
        median, low, high = (float(curves[f"km_median{end}"][place]) for end in ("", "_lower", "_upper"))
        label = "" if group == EVERYBODY else f"{shown_name(names.get(group, group))} "
        limits = f" ({_reached(low)} to {_reached(high)})"
        written.append(f"{label}{_reached(median)}{limits if np.isfinite([median, low]).any() else ''}")
    return f"Median survival ({recorded_level(curves):.0%} limits): {'; '.join(written)}"


def _reached(time: float) -> str:
    return number_text(time) if np.isfinite(time) else "not reached"
