"""Whether hazard ratios change with time: scaled Schoenfeld residuals of each term."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import count_text, number_text, p_sentence, shown_name
from chemores_dask.figures.recorded import labels_along, number_of, recorded_parameters
from chemores_dask.figures.style import (
    HIGHLIGHT,
    INK,
    LABEL,
    MAIN,
    NEUTRAL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
)

TICKS = 5
OUTSIDE = 0.02
"""Share of the residuals at each end that does not decide how high a panel is."""


def schoenfeld_plot(trend: xr.Dataset, *, labels: Mapping[str, str] | None = None, terms: int = 6) -> Figure:
    """Scaled Schoenfeld residuals of each term over time, with a smooth curve and the P of the test.

    Parameters
    ----------
    trend
        Result of ``proportional_hazards``.
    labels
        What terms are called in the picture, by their name.
    terms
        Most terms to draw: those of the covariates whose hazard ratios change most surely.

    Returns
    -------
    Figure. Times are spaced as survival falls (the scale ``km``); a flat curve is a constant hazard ratio.
    """
    check_variables(
        trend, ["hazard_trend_residual"], dims=("event", "term"), what="the result", caller="schoenfeld_plot"
    )
    names = labels_along(trend, "term")
    if not names or not trend.sizes["event"]:
        return message_figure("There are no events to draw.")
    owners = trend["hazard_trend_covariate"].values
    p_values = _p_of_terms(trend)
    chosen = np.sort(np.argsort(p_values, kind="stable")[: max(terms, 1)])
    across = min(2, chosen.size)
    down = -(-chosen.size // across)
    figure = new_figure(width=4.6 * across if across > 1 else 6.6, height=2.75 * down)
    panels = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
    for axes, place in zip(panels, chosen, strict=False):
        called = shown_name((labels or {}).get(names[place], names[place]), longest=22)
        several = (owners == owners[place]).sum() > 1
        _draw_term(axes, trend, int(place), f"{called}: {'together ' if several else ''}{p_sentence(p_values[place])}")
    for axes in panels[chosen.size :]:
        axes.set_axis_off()
    for axes in panels[max(chosen.size - across, 0) : chosen.size]:
        _time_axis(axes, trend)
    _write_head(figure, trend, hidden=len(names) - chosen.size)
    return figure


def _p_of_terms(trend: xr.Dataset) -> np.ndarray:
    covariates = labels_along(trend, "covariate")
    p_values = trend["hazard_trend_p_value"].sel(transform="km").values.astype(float)
    owners = [str(owner) for owner in trend["hazard_trend_covariate"].values]
    return np.array([p_values[covariates.index(owner)] for owner in owners])


def _draw_term(axes: Axes, trend: xr.Dataset, place: int, title: str) -> None:
    part = trend.isel(term=place)
    scale = part["hazard_trend_scale"].sel(transform="km").values
    residual, point = part["hazard_trend_residual"].values, part["hazard_trend_point_scale"].values
    smooth, lower, upper = (part[f"hazard_trend_smooth{end}"].values for end in ("", "_lower", "_upper"))
    axes.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    axes.axhline(
        float(part["hazard_trend_coefficient"]),
        color=HIGHLIGHT,
        linewidth=1.2,
        linestyle=(0, (4, 2)),
        gid="constant",
        zorder=2,
    )
    axes.plot(scale, residual, "o", color=MAIN, markersize=3, alpha=0.35, markeredgewidth=0, gid="residuals", zorder=2)
    axes.fill_between(point, lower, upper, color=MAIN, alpha=0.16, linewidth=0, zorder=1)
    axes.plot(point, smooth, color=MAIN, linewidth=2, gid="smooth", zorder=3)
    ends = np.concatenate([np.quantile(residual, [OUTSIDE, 1 - OUTSIDE]), lower, upper, [0.0]])
    ends = ends[np.isfinite(ends)]
    room = 0.06 * (ends.max() - ends.min()) or 1.0
    axes.set_ylim(ends.min() - room, ends.max() + room)
    axes.set_title(title, loc="left", fontsize=LABEL, color=INK, fontweight="bold", pad=4)
    dress(axes, y="Log hazard ratio", grid="y")


def _time_axis(axes: Axes, trend: xr.Dataset) -> None:
    # Ticks stand at events, evenly on the scale, and are written as times.
    scale = trend["hazard_trend_scale"].sel(transform="km").values
    time = trend["hazard_trend_time"].values
    wanted = np.linspace(scale.min(), scale.max(), TICKS)
    at = np.unique([int(np.argmin(np.abs(scale - place))) for place in wanted])
    at = at[np.unique(scale[at], return_index=True)[1]]
    axes.set_xticks(scale[at], [number_text(value) for value in time[at]])
    axes.tick_params(labelbottom=True)
    duration = str(recorded_parameters(trend).get("duration", "time"))
    label = "Time" if duration in {"time", "duration"} else f"Time ({shown_name(duration)})".replace("_", " ")
    axes.set_xlabel(label, fontsize=LABEL, color=SOFT_INK)


def _write_head(figure: Figure, trend: xr.Dataset, *, hidden: int) -> None:
    patients, events = number_of(trend, "hazard_trend_patients"), number_of(trend, "hazard_trend_events")
    together = float(trend["hazard_trend_global_p_value"].sel(transform="km"))
    degrees = int(trend["hazard_trend_global_degrees_of_freedom"])
    lines = [
        f"n = {count_text(patients)} patients, {count_text(events)} events. Score test of a trend (scale km), of each covariate; of all "
        f"({degrees} degrees of freedom): {p_sentence(together)}.",
        "Dots: scaled Schoenfeld residuals. Curve: their spline with limits of 95 %. Dashes: the hazard ratio of the model.",
        "Terms of one covariate are tested together."
        if np.unique(trend["hazard_trend_covariate"]).size < trend.sizes["term"]
        else "",
    ]
    if hidden:
        lines.append(f"{count_text(hidden)} further terms are not shown.")
    head(figure, "Do hazard ratios change with time?", note="\n".join(lines))
