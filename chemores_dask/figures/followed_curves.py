"""Curves of groups of patients over time, with the patients at risk below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from chemores_dask.figures.number_text import count_text, shown_name
from chemores_dask.figures.style import INK, SMALL, SOFT_INK, TICK, dress, percent, spread_labels

MOST_BANDS = 4
LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
EVERYBODY = "all"


@dataclass(frozen=True)
class FollowedCurve:
    """A group of patients followed over time.

    Attributes
    ----------
    label, color, line
        How it is written and drawn.
    time, share, lower, upper
        Steps of the curve and its limits, from time 0 on.
    at_risk, censored
        Patients in follow-up just before each time, and lost at it.
    patients, events
        Totals.
    """

    label: str
    color: str
    line: object
    time: np.ndarray
    share: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    at_risk: np.ndarray
    censored: np.ndarray
    patients: int
    events: int


def frame_curves(axes: Axes, drawn: list[FollowedCurve], *, y: str) -> tuple[float, list[float]]:
    """Set the axes of curves of shares of patients.

    Parameters
    ----------
    axes
        Where.
    drawn
        The curves.
    y
        Label of the share.

    Returns
    -------
    Latest time of all, and the ticks up to it.
    """
    last = float(max(curve.time[-1] for curve in drawn)) or 1.0
    axes.set_xlim(-0.015 * last, last * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 3, 5, 6, 10]))
    percent(axes, which="y")
    dress(axes, y=y, grid="y")
    axes.tick_params(labelbottom=False)
    return last, [float(tick) for tick in axes.get_xticks() if 0 <= tick <= last]


def draw_curve(axes: Axes, curve: FollowedCurve, *, band: bool) -> None:
    """Draw steps, censoring marks and, if wanted, the band between the limits.

    Parameters
    ----------
    axes
        Where.
    curve
        The curve.
    band
        Whether its limits are drawn.
    """
    if band:
        still = curve.share == curve.share[0]  # limits are not defined before the first event
        lower, upper = np.where(still, curve.share, curve.lower), np.where(still, curve.share, curve.upper)
        known = np.isfinite(lower) & np.isfinite(upper)
        axes.fill_between(
            curve.time, lower, upper, where=known, step="post", color=curve.color, alpha=0.14, linewidth=0, zorder=1
        )
    axes.step(
        curve.time,
        curve.share,
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
        curve.share[marked],
        "|",
        color=curve.color,
        markersize=6,
        markeredgewidth=1,
        gid="censored",
        zorder=4,
    )


def write_labels(axes: Axes, drawn: list[FollowedCurve], last: float) -> None:
    """Write the name of each curve beside its end.

    Parameters
    ----------
    axes
        Where.
    drawn
        The curves.
    last
        Latest time of all.
    """
    places = spread_labels([curve.share[-1] for curve in drawn], gap=0.062 * float(np.ptp(axes.get_ylim())) / 1.05)
    for curve, place in zip(drawn, places, strict=True):
        end = curve.share[-1]
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


def write_table(axes: Axes, drawn: list[FollowedCurve], *, ticks: list[float], time_label: str) -> None:
    """Write the patients at risk below the curves.

    Parameters
    ----------
    axes
        Where; shares its time with the axes of the curves.
    drawn
        The curves.
    ticks
        Times.
    time_label
        Label of the time.
    """
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


def time_label_of(parameters: Mapping[str, object]) -> str:
    """Label of the time where none is given: the name of the duration.

    Parameters
    ----------
    parameters
        Of the analysis.

    Returns
    -------
    Text.
    """
    duration = str(parameters.get("duration", "time"))
    return "Time" if duration in {"time", "duration"} else f"Time ({shown_name(duration)})".replace("_", " ")
