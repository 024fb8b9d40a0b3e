"""Planted or published figures beside ours."""

from __future__ import annotations

from textwrap import wrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chemores_dask.checks import check_variables
from chemores_dask.figures.number_text import number_text, shown_name
from chemores_dask.figures.recorded import labels_along
from chemores_dask.figures.side_columns import Column, write_columns
from chemores_dask.figures.style import (
    HIGHLIGHT,
    MAIN,
    NEUTRAL,
    PALE,
    SMALL,
    SOFT_INK,
    dress,
    head,
    message_figure,
    new_figure,
)

VARIABLES = ("claim_expected", "claim_lower", "claim_upper", "claim_found")
FARTHEST = 2.4
HALF = 1.0


def claims_plot(claims: xr.Dataset) -> Figure:
    """Where our value of each claim lies in the interval that it must lie in.

    Units differ between claims, so that every row has its own scale: the interval is a bar of fixed width.

    Parameters
    ----------
    claims
        Over ``claim``: ``claim_expected``, ``claim_lower``, ``claim_upper``, ``claim_found``, and optionally the texts to write for
        two of them, ``claim_expected_text`` and ``claim_found_text``.

    Returns
    -------
    Figure. Values far outside their interval end in an arrow.
    """
    check_variables(claims, VARIABLES, dims=("claim",), what="the claims", caller="claims_plot")
    if not claims.sizes["claim"]:
        return message_figure("No claims were made.")
    rows = list(zip(*(claims[name].values.astype(float) for name in VARIABLES), strict=True))
    names = labels_along(claims, "claim")
    figure = new_figure(width=9.0, height=0.9 + 0.36 * max(len(rows), 2))
    axes = figure.add_subplot()
    holds = [lower <= found <= upper for _, lower, upper, found in rows]
    for place, (row, good) in enumerate(zip(rows, holds, strict=True)):
        _draw_claim(axes, place, row, holds=good)
    axes.set_xlim(-FARTHEST - 0.25, FARTHEST + 0.25)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), ["\n".join(wrap(shown_name(name, longest=88), width=46)[:2]) for name in names])
    axes.set_xticks([-HALF, HALF], ["lower\nlimit", "upper\nlimit"])
    dress(axes)
    axes.tick_params(axis="y", length=0, labelsize=SMALL)
    axes.spines["left"].set_visible(False)
    _write_values(axes, claims, holds)
    head(
        figure,
        f"{sum(holds)} of {len(rows)} claims hold",
        note="Bar: the interval claimed; stroke: the value claimed; dot: found. Each row has a scale of its own.",
    )
    return figure


def _place(value: float, lower: float, upper: float) -> float:
    """Position of a value on a scale on which the interval runs from -1 to 1; intervals may be open on one side."""
    if np.isnan(value):
        return float("nan")
    if np.isfinite(lower) and np.isfinite(upper):
        half = (upper - lower) / 2
        middle = (upper + lower) / 2
        if half == 0:
            return float(np.sign(value - middle)) * FARTHEST * 2
        return float((value - middle) / half)
    if np.isfinite(lower):
        return float(-HALF + (value - lower) / (abs(lower) or 1.0))
    if np.isfinite(upper):
        return float(HALF + (value - upper) / (abs(upper) or 1.0))
    return 0.0


def _draw_claim(axes: Axes, place: int, row: tuple[float, float, float, float], *, holds: bool) -> None:
    expected, lower, upper, found = row
    start = -HALF if np.isfinite(lower) else -FARTHEST
    end = HALF if np.isfinite(upper) else FARTHEST
    axes.barh(place, end - start, left=start, height=0.44, color=PALE, zorder=1, gid="interval")
    where = float(np.clip(_place(expected, lower, upper), -FARTHEST, FARTHEST))
    axes.plot([where, where], [place - 0.3, place + 0.3], color=NEUTRAL, linewidth=2, zorder=2, gid="expected")
    position = _place(found, lower, upper)
    if np.isnan(position):
        axes.text(0, place, "not found", ha="center", va="center", fontsize=SMALL, color=HIGHLIGHT, zorder=3)
        return
    marker = "o" if abs(position) <= FARTHEST else ">" if position > 0 else "<"
    axes.plot(
        [float(np.clip(position, -FARTHEST, FARTHEST))],
        [place],
        marker,
        markersize=9,
        color=MAIN if holds else HIGHLIGHT,
        markeredgecolor="white",
        zorder=4,
        gid="found",
    )


def _write_values(axes: Axes, claims: xr.Dataset, holds: list[bool]) -> None:
    claimed, ours = (
        [str(text) for text in claims[f"{name}_text"].values]
        if f"{name}_text" in claims
        else [number_text(float(value)) for value in claims[name].values]
        for name in ("claim_expected", "claim_found")
    )
    words = ["✓ holds" if good else "✗ does not hold" for good in holds]
    colors = [MAIN if good else HIGHLIGHT for good in holds]
    columns = [
        Column("claimed", claimed, [SOFT_INK] * len(holds)),
        Column("found", ours, bold=True),
        Column("", words, colors, bold=True),
    ]
    write_columns(axes, columns)
